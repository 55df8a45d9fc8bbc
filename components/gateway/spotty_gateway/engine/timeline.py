"""Time passing: everything that falls due by itself happens here, in order of instants and then of Due."""

from spotty_gateway.engine import by_hand, debts, music, presence, rooms, sessions, volumes
from spotty_gateway.engine.commands import FaultRaised
from spotty_gateway.engine.deadlines import Due, next_of
from spotty_gateway.engine.reasons import EndedBy, Fault
from spotty_gateway.engine.rules import NEVER, SECOND, InputKind
from spotty_gateway.engine.state import Silent
from spotty_gateway.engine.turn import Turn
from spotty_gateway.engine.values import replace


def run_deadlines(turn: Turn, until: int) -> None:
    """Let everything happen that is due up to `until`."""
    while True:
        if turn.looks_again and not turn.catching_up:
            music.look_again(turn)
        earliest = (NEVER, Due.MUSIC, "")
        due_at = NEVER
        for sensor_id, room in list(turn.rooms.items()):
            room_due_at = room.due_at
            if room_due_at <= until:
                at, due = next_of(room, turn.offset, trusted=turn.trusted)
                turn.rooms[sensor_id] = replace(room, due_at=at)
                earliest = min(earliest, (at, due, sensor_id))
                room_due_at = at
            due_at = min(due_at, room_due_at)
        turn.due_at = due_at
        at, due, sensor_id = earliest
        if at > until:
            break
        turn.now = max(turn.now, at)
        _fall_due(turn, sensor_id, due)
    rooms.forget_removed(turn)


def _fall_due(turn: Turn, sensor_id: str, due: Due) -> None:
    match due:
        case Due.CONFIRM:
            sessions.confirm(turn, sensor_id)
        case Due.STUCK:
            _evidence_ran_out(turn, sensor_id)
        case Due.TIMEOUT:
            sessions.close(turn, sensor_id, EndedBy.TIMEOUT)
        case Due.MAX_SESSION:
            sessions.close(turn, sensor_id, EndedBy.MAX_SESSION)
        case Due.QUIET_END:
            sessions.close(turn, sensor_id, EndedBy.QUIET_HOURS)
        case Due.QUIET_CHANGE:
            turn.put(sensor_id, replace(turn.rooms[sensor_id], quiet=None))
            sessions.look_at_quiet(turn, sensor_id)
        case Due.UNBLOCK:
            room = turn.rooms[sensor_id]
            turn.put(sensor_id, replace(room, past=replace(room.past, blocked=False)))
        case Due.SNOOZE_END:
            by_hand.lift_snooze(turn, sensor_id)
        case Due.MUSIC:
            _music_due(turn, sensor_id)


def _music_due(turn: Turn, sensor_id: str) -> None:
    playback = turn.rooms[sensor_id].music.playback
    if isinstance(playback, Silent) and playback.retry_at <= turn.now:
        music.retry(turn, sensor_id)
    volumes.fade_on(turn, sensor_id)
    debts.pay(turn, sensor_id)
    volumes.pay_volume(turn, sensor_id)


def _evidence_ran_out(turn: Turn, sensor_id: str) -> None:
    """An input has been evidence for as long as anything can be believed. A PIR held that long is stuck."""
    room = turn.rooms[sensor_id]
    for input_id, one in room.presence.inputs.items():
        if presence.limit_of(one, room.rules) <= turn.now:
            is_pir = one.kind is InputKind.PIR
            seen = presence.ended(turn.rooms[sensor_id].presence, input_id, turn.now, stuck=is_pir)
            turn.put(sensor_id, replace(turn.rooms[sensor_id], presence=seen))
            if is_pir and not one.stuck:
                detail = f"{input_id} has reported motion for {room.rules.stuck_after_us // SECOND} s without a break"
                turn.tell(FaultRaised(sensor_id, input_id, Fault.INPUT_STUCK, detail, turn.wall(turn.now)))
