"""What changes a room from outside: its policy, its inputs, the clock it lives by, the end of the component."""

from spotty_gateway.engine import by_hand, debts, music, presence, sessions, volumes
from spotty_gateway.engine.account import silent_rooms
from spotty_gateway.engine.commands import FaultCleared
from spotty_gateway.engine.events import RoomConfigured
from spotty_gateway.engine.reasons import EndedBy, Fault, SilentReason
from spotty_gateway.engine.rules import SECOND, InputKind
from spotty_gateway.engine.state import Hold, Idle, Playing, Presence, Room, Silent, Starting
from spotty_gateway.engine.turn import Turn
from spotty_gateway.engine.values import replace

CLOCK_STEP_US = SECOND
"""A wall clock that has moved this much against the monotonic one was set, not slewed: quiet hours are looked at."""


def configure(turn: Turn, event: RoomConfigured) -> None:
    """The room has these rules and inputs from now on; a running session goes on under them."""
    sensor_id, rules = event.sensor_id, event.rules
    room = turn.rooms.get(sensor_id) or Room(rules, Presence({}))
    seen = presence.reconfigured(room.presence, event.inputs, turn.now)
    _forget_stuck(turn, sensor_id, room.presence, seen)
    has_contact = any(kind is InputKind.CONTACT for _, kind in event.inputs)
    room = replace(room, rules=rules, presence=seen, has_contact=has_contact, removed=False, quiet=None)
    turn.put(sensor_id, room)
    turn.save()
    if room.session is None:
        return
    if not rules.enabled:
        sessions.close(turn, sensor_id, EndedBy.DISABLED)
        return
    silent = isinstance(room.music.playback, Silent | Idle)
    target = sessions.target_now(turn, rules) if silent else room.session.target
    session = replace(room.session, policy_version=rules.version, target=target)
    turn.put(sensor_id, replace(room, session=session))
    sessions.look_at_quiet(turn, sensor_id)
    music.retry(turn, sensor_id)
    volumes.keep_under_cap(turn, sensor_id)


def remove(turn: Turn, sensor_id: str) -> None:
    """The room's session ends as `disabled`; the room is forgotten once nothing is owed for it."""
    room = turn.rooms.get(sensor_id)
    if room is None:
        return
    seen = presence.reconfigured(room.presence, (), turn.now)
    _forget_stuck(turn, sensor_id, room.presence, seen)
    rules = replace(room.rules, enabled=False)
    turn.put(sensor_id, replace(room, rules=rules, presence=seen, has_contact=False, removed=True))
    sessions.drop_candidate(turn, sensor_id)
    sessions.close(turn, sensor_id, EndedBy.DISABLED)
    turn.save()


def _forget_stuck(turn: Turn, sensor_id: str, before: Presence, after: Presence) -> None:
    """An input that is gone is no longer stuck."""
    for input_id, one in before.inputs.items():
        now = after.inputs.get(input_id)
        if one.stuck and (now is None or not now.stuck):
            turn.tell(FaultCleared(sensor_id, input_id, Fault.INPUT_STUCK, turn.wall(turn.now)))


def forget_removed(turn: Turn) -> None:
    """A removed room stays until nothing is owed for it any more."""
    for sensor_id, room in list(turn.rooms.items()):
        its_music = room.music
        owes = its_music.awaited or its_music.owed_pause is not None or its_music.owed_volume is not None
        if room.removed and room.session is None and not owes:
            if its_music.faulty:
                turn.tell(FaultCleared(sensor_id, sensor_id, Fault.PLAYER, turn.wall(turn.now)))
            del turn.rooms[sensor_id]


def clock_moved(turn: Turn, offset: int, trusted: bool) -> None:
    """The wall clock was slewed, set, or is trusted from now on: after the last two, quiet hours are looked at."""
    stepped = abs(offset - turn.offset) > CLOCK_STEP_US or trusted is not turn.trusted
    turn.offset, turn.trusted = offset, trusted
    if stepped:
        for sensor_id, room in list(turn.rooms.items()):
            turn.put(sensor_id, replace(room, quiet=None))
            by_hand.reckon_snooze(turn, sensor_id)
            sessions.look_at_quiet(turn, sensor_id)


def player_ready(turn: Turn) -> None:
    """Debts first, pauses before volumes; then the rooms that wait, the longest waiting first."""
    for sensor_id in list(turn.rooms):
        debts.hurry(turn, sensor_id)
    for sensor_id in list(turn.rooms):
        volumes.hurry(turn, sensor_id)
    for sensor_id in silent_rooms(turn):
        music.retry(turn, sensor_id)


def calls_short(turn: Turn, *, short: bool) -> None:
    """Music does without fades from now on, or has them again: a fade takes a dozen calls, a start and a pause five."""
    turn.calls_short = short
    for sensor_id in list(turn.rooms) if short else ():
        debts.cut_fade_short(turn, sensor_id)
        volumes.cut_fade_short(turn, sensor_id)


def stop(turn: Turn, *, pause: bool) -> None:
    """The component stops: sessions go on after it, music only if it is not to stop with it."""
    turn.save()
    for sensor_id, room in list(turn.rooms.items()) if pause else ():
        playback = room.music.playback
        if isinstance(playback, Starting):
            debts.await_start(turn, sensor_id, playback.token, playback.claim)
        elif isinstance(playback, Playing) and playback.hold is Hold.OURS:
            debts.owe_pause(turn, sensor_id, debts.pause_of(turn, playback))
        else:
            debts.wake(turn, sensor_id)
            debts.hurry(turn, sensor_id)
        its_music = turn.rooms[sensor_id].music
        if isinstance(playback, Starting | Silent) or (
            isinstance(playback, Playing) and playback.hold is not Hold.THEIRS
        ):
            turn.put_music(sensor_id, replace(its_music, playback=Silent(SilentReason.GATEWAY_STOPPED)))
