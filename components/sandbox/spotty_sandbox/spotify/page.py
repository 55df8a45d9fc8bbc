"""The page of the speakers: its files, the picture of the world that it draws, and what a person can do on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import words
from .deeds import DeedError, deed
from .devices import GOOD_MANNERS, TRAITS
from .errors import SpotifyError
from .kinds import KINDS, fault_of
from .messages import Answer, Request, json_answer, text_answer
from .random_faults import RandomFaults

if TYPE_CHECKING:
    from .devices import Device
    from .faults import FaultPlan
    from .journal import Entry, Journal
    from .messages import Json
    from .player import Asker
    from .world import Account, SpotifyWorld

EVENTS = "/events"
ACT = "/act"
TROUBLE = "/trouble"
_SHOWN_REQUESTS = 40
_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def has(path: str) -> bool:
    """Whether a path belongs to the page and not to the simulated Spotify."""
    return path in _FILES or path in (EVENTS, ACT, TROUBLE)


def file(path: str) -> Answer:
    """One of the page's own files. Raises KeyError for any other path."""
    name, kind = _FILES[path]
    return text_answer(Path(__file__).with_name(name).read_text(encoding="utf-8"), kind, headers=_HEADERS)


def picture(world: SpotifyWorld, journal: Journal, faults: FaultPlan | None = None) -> Json:
    """Everything that the page shows, as JSON. Times are Unix milliseconds of the world's clock."""
    world.settle()
    return {
        "now_ms": world.clock.now_ms(),
        "speed": world.clock.speed,
        "accounts": [_account(account) for account in world.accounts.values()],
        "music": [{"uri": each.uri, "name": each.name, "kind": each.kind} for each in world.catalogue],
        "requests": [_request(world, entry) for entry in journal.last(_SHOWN_REQUESTS)],
        "total": journal.total,
        "rude": journal.tally().rude,
        "kinds": [{"kind": kind, "meaning": each.meaning} for kind, each in KINDS.items()],
        "traits": sorted(name for name, (field, _) in TRAITS.items() if field in GOOD_MANNERS),
        "standing": [{"name": each.name, "on": each.on} for each in faults.standing] if faults else [],
        "by_chance": isinstance(faults, RandomFaults) and faults.has_rates,
    }


def _account(account: Account) -> Json:
    player = account.player
    return {
        "id": account.id,
        "name": account.display_name,
        "premium": account.is_premium,
        "shuffle": player.shuffle,
        "repeat": player.repeat,
        "speakers": [_speaker(account, device) for device in player.devices],
    }


def _speaker(account: Account, device: Device) -> Json:
    player = account.player
    is_active = player.active is device
    shown: Json = {
        "key": device.key,
        "name": device.name,
        "type": device.type,
        "presence": device.presence,
        "active": is_active,
        "volume_pct": device.volume_pct,
        "notes": _notes(device),
        "playing": is_active and player.is_playing,
        "starting": is_active and player.is_starting,
        "ended": is_active and player.has_ended,
        "now": None,
    }
    if is_active:
        shown |= {"since_ms": player.since_ms, "by": _who(player.asked_by)}
    if is_active and player.deck is not None:
        deck = player.deck
        shown["now"] = {
            "track": deck.track.name,
            "artist": deck.track.artist,
            "duration_ms": deck.track.duration_ms,
            "progress_ms": deck.progress_ms,
            "context": deck.context.name if deck.context else None,
            "uri": deck.context.uri if deck.context else None,
        }
    return shown


def _notes(device: Device) -> list[str]:
    notes = {
        "It takes no commands from apps.": device.is_restricted,
        "Apps cannot set its volume.": not device.supports_volume,
        "Its volume can be set only while it plays.": device.volume_needs_active,
        "It says that apps can set its volume, and refuses.": device.refuses_volume,
        f"It knows {device.volume_steps} volumes.": device.volume_steps is not None,
        "It forgets which playlist it plays.": device.forgets_context,
        f"What it does is told {device.report_lag_ms / 1000:g} s late.": device.report_lag_ms > 0,
        "Once idle, it is gone.": device.idles_into is not None,
        "It is in a private session.": device.is_private_session,
        "It has no id.": device.id is None,
        f"It starts {device.start_delay_ms / 1000:g} s late.": device.start_delay_ms > 0,
        "It says yes and stays silent.": device.ignores_play,
    }
    return [note for note, holds in notes.items() if holds]


def _who(asker: Asker) -> Json:
    return {"kind": asker.kind, "name": asker.name, "agent": asker.user_agent or ""}


def _request(world: SpotifyWorld, entry: Entry) -> Json:
    return {
        "at_ms": entry.at_ms,
        "who": entry.client or entry.user_agent or "Somebody",
        "wanted": words.wanted(world, entry),
        "outcome": words.outcome(entry),
        "status": entry.status,
        "fault": entry.fault,
        "raw": f"{entry.method} {entry.path}",
    }


def act(world: SpotifyWorld, request: Request) -> Answer:
    """POST /act with `{"account", "speaker", "do", "value"?}`: do something as a person at the speaker.

    204, or 400 with a sentence. Only `application/json` is taken: another site's form cannot send that.
    """
    if not request.headers.get("content-type", "").startswith("application/json"):
        return _sorry("Send application/json.")
    try:
        deed(world, request.json())()
    except SpotifyError as error:
        return _sorry(error.message)
    except DeedError as error:
        return _sorry(str(error))
    return Answer(204)


def trouble(faults: FaultPlan, request: Request) -> Answer:
    """POST /trouble with `{"kind", "on"?, "times"?}` lets something go wrong, with `{"heal": true}` nothing any more.

    `times` null means: until healed. 204, or 400 with a sentence.
    """
    if not request.headers.get("content-type", "").startswith("application/json"):
        return _sorry("Send application/json.")
    try:
        order = request.json()
    except SpotifyError as error:
        return _sorry(error.message)
    match order:
        case {"heal": True}:
            faults.clear()
        case {"kind": str(kind), **rest} if kind in KINDS and not rest.keys() - {"on", "times"}:
            on, times = rest.get("on", KINDS[kind].on), rest.get("times", 1)
            if not isinstance(on, str) or not (times is None or (type(times) is int and times > 0)):
                return _sorry("Say how often, and at which requests.")
            faults.add(fault_of(kind, on=on, times=times))
        case _:
            return _sorry("There is no such kind of trouble.")
    return Answer(204)


def _sorry(sentence: str) -> Answer:
    return json_answer({"error": sentence}, 400)
