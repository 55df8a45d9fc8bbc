"""Evidence: what a room's inputs say about somebody being there. Pure functions on one room's Presence."""

from collections.abc import Iterable

from spotty_gateway.engine.rules import DOOR_SETTLES_US, NEVER, InputKind, Rules
from spotty_gateway.engine.state import Input, Presence
from spotty_gateway.engine.values import replace

NEW_PIR = Input(InputKind.PIR)


def pir_active(presence: Presence, input_id: str, before: Input, at: int, *, motion: bool) -> Presence:
    """The PIR, which was `before`, reports active: evidence from now on, and a motion unless it is a level found."""
    evident, since = presence.evident, before.since
    if since is None:
        evident += 1
        since = at
    inputs = presence.inputs.copy()
    inputs[input_id] = Input(before.kind, True, at, at, since, before.stuck)
    return Presence(inputs, evident, presence.last_at, at if motion else presence.last_motion_at)


def pir_inactive(presence: Presence, input_id: str, before: Input, at: int) -> Presence:
    """The PIR, which was `before`, reports inactive: its evidence ends now, and so does its fault."""
    evident, last_at = presence.evident, presence.last_at
    if before.since is not None:
        evident -= 1
        last_at = at
    inputs = presence.inputs.copy()
    inputs[input_id] = Input(before.kind, False, at, before.active_at)
    return Presence(inputs, evident, last_at, presence.last_motion_at)


def ended(presence: Presence, input_id: str, at: int, *, stuck: bool) -> Presence:
    """The input stays as it is but is no evidence any more."""
    before = presence.inputs[input_id]
    after = replace(before, since=None, stuck=before.stuck or stuck)
    return replace(
        presence,
        inputs={**presence.inputs, input_id: after},
        evident=presence.evident - (before.since is not None),
        last_at=max(presence.last_at, at) if before.since is not None else presence.last_at,
    )


def contact_level(presence: Presence, input_id: str, active: bool, at: int, *, initial: bool) -> Presence:
    """The door is open (active) or closed. A change is a moment's evidence and ends what closed doors held.

    The level found at start-up (`initial`) is a change only where another one was known.
    """
    before = presence.inputs[input_id]
    if before.active is active:
        return presence
    for other_id, other in presence.inputs.items():
        if other.kind is InputKind.CONTACT and other.since is not None:
            presence = ended(presence, other_id, at, stuck=False)
    changed = before.active is not None or not initial
    return replace(
        presence,
        inputs={**presence.inputs, input_id: Input(before.kind, active, at)},
        last_at=max(presence.last_at, at) if changed else presence.last_at,
    )


def held_by_doors(presence: Presence, at: int) -> Presence:
    """A motion: the room's doors hold it from now on if they are closed, all of them, for long enough.

    One open door is a way out that nobody would hear of, so it lets a closed window hold nothing.
    """
    doors = {input_id: one for input_id, one in presence.inputs.items() if one.kind is InputKind.CONTACT}
    if any(door.active is not False or at - door.changed_at < DOOR_SETTLES_US for door in doors.values()):
        return presence
    held = {
        input_id: replace(door, active_at=at, since=at if door.since is None else door.since)
        for input_id, door in doors.items()
    }
    newly = sum(door.since is None for door in doors.values())
    return replace(presence, inputs={**presence.inputs, **held}, evident=presence.evident + newly)


def limit_of(one: Input, rules: Rules) -> int:
    """The instant at which this input's evidence ends by itself; NEVER where it is none."""
    if one.since is None:
        return NEVER
    return one.active_at + (rules.hold_limit_us if one.kind is InputKind.CONTACT else rules.stuck_after_us)


def reconfigured(presence: Presence, inputs: Iterable[tuple[str, InputKind]], at: int) -> Presence:
    """Exactly these inputs are the room's now: new ones are unknown, the evidence of those gone ends."""
    wanted = dict(inputs)
    for input_id, old in presence.inputs.items():
        if old.since is not None and wanted.get(input_id) is not old.kind:
            presence = ended(presence, input_id, at, stuck=False)
    kept: dict[str, Input] = {}
    for input_id, kind in wanted.items():
        known = presence.inputs.get(input_id)
        kept[input_id] = known if known is not None and known.kind is kind else Input(kind)
    return replace(presence, inputs=kept)
