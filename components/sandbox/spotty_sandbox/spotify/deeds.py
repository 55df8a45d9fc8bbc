"""What happens in a house besides apps: people at speakers, speakers with moods, consent withdrawn. As plain data.

The page sends one when a button is pressed, a file of faults plans them by time.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from .accounts import RefreshStyle
from .devices import GOOD_MANNERS, TRAITS
from .world import OWNER

if TYPE_CHECKING:
    from collections.abc import Callable

    from .catalogue import Context
    from .devices import Device
    from .messages import Json
    from .world import SpotifyWorld

AT_SPEAKERS: dict[str, str] = {
    "play": "a person plays `value` here: a playlist by name, or any context by URI",
    "resume": "a person presses play here; the music comes over if it played elsewhere",
    "pause": "a person presses pause",
    "skip": "a person presses next",
    "volume": "a person turns the knob to `value` per cent",
    "unplug": "it loses its power: unlisted, and its music stops",
    "plug_in": "it is there again, also from dozing and sleep",
    "sleep": "it falls asleep: no longer listed until woken",
    "doze": "it dozes: listed, but 404 until the music is transferred to it",
    "new_id": "Spotify gives it another id",
    "lose_id": "Spotify gives it no id",
    "manner": "it takes on a trait, `value`: " + ", ".join(TRAITS),
    "good_manners": "it gives up all traits",
}
"""What can happen at a speaker, and how it is told."""

AT_THE_ACCOUNT: dict[str, str] = {
    "revoke": "the person removes the app from the account: refreshing fails from now on",
    "expire_tokens": "every access token that is out expires",
    "refresh_style": "refreshing answers with `value`: omit, same or rotate (the refresh token)",
    "premium": "the account is Premium or not (`value` true or false)",
    "autoplay": "after the end other songs go on by themselves, or not (`value` true or false)",
}
"""What can happen to an account, and how it is told."""


class DeedError(ValueError):
    """A deed that cannot be done; the text is one sentence that says why."""


def deed(world: SpotifyWorld, order: Json) -> Callable[[], object]:
    """What `{"do", "speaker"?, "value"?, "account"?}` means, ready to be called once or often.

    Raises DeedError when there is no such deed, speaker or value.
    """
    account_id, wanted = order.get("account", OWNER), order.get("do")
    if account_id not in world.accounts:
        raise DeedError(f"There is no account {account_id!r}.")
    if isinstance(wanted, str) and wanted in AT_THE_ACCOUNT:
        found = _at_the_account(world, str(account_id), order)
    elif isinstance(wanted, str) and wanted in AT_SPEAKERS:
        try:
            device = world.device(str(order.get("speaker")), str(account_id))
        except KeyError:
            raise DeedError("There is no such speaker.") from None
        found = _by_hand(world, str(account_id), device, order) or _by_itself(world, device, order)
    else:
        raise DeedError("That is nothing one can do here.")
    if found is None:
        raise DeedError(f"One cannot {wanted} with the value {order.get('value')!r}.")
    return found


def _by_hand(world: SpotifyWorld, account_id: str, device: Device, order: Json) -> Callable[[], object] | None:
    hand = world.hand(account_id=account_id)
    match order:
        case {"do": "resume"}:
            # Where nothing was ever played, a person who presses play wants to hear something all the same.
            first = next(iter(world.catalogue))
            return lambda: hand.play(device, first) if hand.player.deck is None else hand.resume(device)
        case {"do": "pause"}:
            return partial(hand.pause, device)
        case {"do": "skip"}:
            return partial(hand.skip, device)
        case {"do": "volume", "value": int(volume_pct)} if not isinstance(volume_pct, bool):
            return partial(hand.turn_volume, device, volume_pct)
        case {"do": "play", "value": str(named)} if (context := _context(world, named)) is not None:
            return partial(hand.play, device, context)
        case {"do": "unplug"}:
            return partial(hand.unplug, device)
        case {"do": "plug_in"}:
            return partial(hand.plug_in, device)
        case {"do": "sleep"}:
            return partial(hand.put_to_sleep, device)
        case {"do": "doze"}:
            return partial(hand.doze, device)
    return None


def _by_itself(world: SpotifyWorld, device: Device, order: Json) -> Callable[[], object] | None:
    match order:
        case {"do": "new_id"}:
            return partial(world.renew_id, device)
        case {"do": "lose_id"}:
            return partial(setattr, device, "id", None)
        case {"do": "good_manners"}:
            return partial(_set_all, device, GOOD_MANNERS)
        case {"do": "manner", "value": str(trait)} if TRAITS.get(trait, ("presence",))[0] not in ("presence", "id"):
            return partial(setattr, device, *TRAITS[trait])
    return None


def _at_the_account(world: SpotifyWorld, account_id: str, order: Json) -> Callable[[], object] | None:
    account = world.accounts[account_id]
    match order:
        case {"do": "revoke"}:
            return partial(world.auth.revoke, account_id)
        case {"do": "expire_tokens"}:
            return world.auth.expire_access_tokens
        case {"do": "refresh_style", "value": str(style)} if style in get_args(RefreshStyle):
            return partial(setattr, world.auth, "refresh_style", style)
        case {"do": "premium", "value": bool(is_premium)}:
            return partial(setattr, account, "is_premium", is_premium)
        case {"do": "autoplay", "value": bool(goes_on)}:
            tracks = next(context for context in world.catalogue if context.kind == "artist").tracks if goes_on else ()
            return partial(setattr, account.player, "autoplay", tracks)
    return None


def _context(world: SpotifyWorld, named: str) -> Context | None:
    for context in world.catalogue:
        if named in (context.uri, context.name):
            return context
    return None


def _set_all(device: Device, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(device, name, value)
