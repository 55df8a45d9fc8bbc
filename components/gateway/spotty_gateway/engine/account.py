"""The one Spotify account that all rooms share: who has it, and who may take it. Questions only, nothing is changed."""

from collections.abc import Iterator

from spotty_gateway.engine.commands import Claim
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import NEVER, Device, Target
from spotty_gateway.engine.state import Hold, Playing, Room, Silent, Starting
from spotty_gateway.engine.turn import Turn


def claims_of(room: Room, *, also_unheard: bool = True) -> Iterator[Claim]:
    """What this room holds to be its own: the music it plays, starts, or still has to stop.

    What it started without ever hearing of it, and has given up to start again, is `also_unheard`.
    """
    playback, owed = room.music.playback, room.music.owed_pause
    if isinstance(playback, Starting) or (isinstance(playback, Playing) and playback.hold is Hold.OURS):
        yield playback.claim
    if owed is not None and (also_unheard or not (owed.dormant and has_given_up(room))):
        yield owed.claim
    for awaited in room.music.awaited:
        yield awaited.claim


def has_given_up(room: Room) -> bool:
    """Whether somebody is there, and nothing is asked of the player for them any more."""
    return isinstance(room.music.playback, Silent) and room.music.playback.retry_at >= NEVER


def claims_of_others(turn: Turn, sensor_id: str, *, also_unheard: bool = True) -> tuple[Claim, ...]:
    """The claims of all rooms but this one."""
    return tuple(
        claim
        for other, room in turn.rooms.items()
        if other != sensor_id
        for claim in claims_of(room, also_unheard=also_unheard)
    )


def owner_on(turn: Turn, sensor_id: str, device: Device) -> str | None:
    """Another room of ours whose music plays on this device."""
    for other, room in turn.rooms.items():
        playback = room.music.playback
        ours = isinstance(playback, Playing) and playback.hold is Hold.OURS and playback.claim.device.is_same_as(device)
        if ours and other != sensor_id:
            return other
    return None


def sharers_on(turn: Turn, sensor_id: str, device: Device) -> list[str]:
    """The other rooms that hear what one of ours started on this device."""
    return [
        other
        for other, room in turn.rooms.items()
        if other != sensor_id
        and isinstance(room.music.playback, Playing)
        and room.music.playback.hold is Hold.SHARED
        and room.music.playback.claim.device.is_same_as(device)
    ]


def debtor_on(turn: Turn, sensor_id: str, device: Device) -> str | None:
    """Another room that owes a pause on this device and has not begun it, or that has given up starting music there."""
    for other, room in turn.rooms.items():
        owed = room.music.owed_pause
        if other == sensor_id or owed is None or owed.token or not owed.claim.device.is_same_as(device):
            continue
        if not owed.dormant or has_given_up(room):
            return other
    return None


def is_starting_on(turn: Turn, device: Device) -> bool:
    """Whether a start on this device is under way, wanted still or not: its answer is still to come."""
    return any(
        claim.device.is_same_as(device)
        for room in turn.rooms.values()
        for claim in (
            *([room.music.playback.claim] if isinstance(room.music.playback, Starting) else []),
            *(awaited.claim for awaited in room.music.awaited),
        )
    )


def must_wait(turn: Turn, sensor_id: str, target: Target, asked_at: int) -> bool:
    """Whether another room has the account and this one may not take it.

    The policy of the newcomer decides: a room that was silent so far does not take music back from one that came later.
    """
    for other, room in turn.rooms.items():
        newer = room.session is not None and room.session.started_at > asked_at
        for claim in claims_of(room, also_unheard=False) if other != sensor_id else ():
            if not target.transfer_if_busy or newer or claim.device.is_same_as(target.device):
                return True
    return False


def silent_rooms(turn: Turn) -> list[str]:
    """The rooms that would rather have music, longest waiting first."""
    rooms = [
        (room.session.started_at, sensor_id)
        for sensor_id, room in turn.rooms.items()
        if room.session is not None
        and isinstance(room.music.playback, Silent)
        and room.music.playback.reason is not SilentReason.GATEWAY_STOPPED
    ]
    return [sensor_id for _, sensor_id in sorted(rooms)]


def heirs_on(turn: Turn, sensor_id: str, device: Device) -> list[str]:
    """The other rooms, occupied and not muted, that can go on with music on this device: first those that hear it."""
    waiting = [
        other
        for other in silent_rooms(turn)
        if other != sensor_id and wants(turn, other, device) and not turn.is_quiet(other)
    ]
    return sharers_on(turn, sensor_id, device) + waiting


def wants(turn: Turn, sensor_id: str, device: Device) -> bool:
    """Whether the session in this room would play on this device."""
    session = turn.rooms[sensor_id].session
    return session is not None and session.target is not None and session.target.device.is_same_as(device)
