"""What the letters say: plain words, times on the reader's clock, and no ids. Pure."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from spotty_cloud.scheduled.mail import Letter
from spotty_cloud.tables import Item
from spotty_contract.wire import fit

_WHY = "You get this because your settings ask for e-mail about your gateways; you can turn it off there."
_SIX_MONTHS = "Spotify takes a yes for six months only."
_LONGEST_NAME = 200


def silence_letter(gateway: Item, seen_at_ms: int, zone: ZoneInfo) -> Letter:
    """A gateway has not been heard of."""
    return _letter(
        "a gateway has gone silent",
        f"Nothing has been heard of {_name(gateway)} since {_when(seen_at_ms, zone)}.",
        "See whether it has power and is in the network. If only the way to the internet is down, it comes back by "
        "itself. Sessions that were running are shown as ended at that time until it tells more.",
    )


def ending_letter(gateway: Item, ends_at_ms: int, left_days: int, zone: ZoneInfo) -> Letter:
    """The consent to Spotify runs out within days."""
    left = "tomorrow" if left_days == 1 else f"in {left_days} days"
    return _letter(
        f"the consent to Spotify ends {left}",
        f"{_name(gateway)} may play on your Spotify until {_when(ends_at_ms, zone)}.",
        f"{_SIX_MONTHS} Connect Spotify again in the dashboard before then, or no music will start.",
    )


def ended_letter(gateway: Item, ends_at_ms: int, now_ms: int, zone: ZoneInfo) -> Letter:
    """The consent to Spotify runs out today, or has done so."""
    ends = "ends today" if now_ms < ends_at_ms else "has ended"
    return _letter(
        f"the consent to Spotify {ends}",
        f"The consent with which {_name(gateway)} plays on your Spotify {ends}: {_when(ends_at_ms, zone)}.",
        f"{_SIX_MONTHS} Connect Spotify again in the dashboard; no music starts without it.",
    )


def refused_letter(gateway: Item) -> Letter:
    """Spotify refuses what the gateway was given."""
    return _letter(
        "Spotify refuses a gateway",
        f"Spotify no longer lets {_name(gateway)} play: what you agreed to has been taken back, or Spotify has "
        "forgotten it.",
        "Connect Spotify again in the dashboard; no music starts without it.",
    )


def _letter(subject: str, *lines: str) -> Letter:
    paragraphs = [f"{line[0].upper()}{line[1:]}" for line in lines]
    return Letter(f"SpottyPottySense: {subject}", "\n\n".join([*paragraphs, _WHY]))


def _name(gateway: Item) -> str:
    name = fit(gateway.get("name") or "", _LONGEST_NAME)
    return f'your gateway "{name}"' if name else "a gateway of yours that has no name"


def _when(at_ms: int, zone: ZoneInfo) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    return f"{at:%A}, {at.day} {at:%B %Y} at {at:%H:%M} ({zone.key})"
