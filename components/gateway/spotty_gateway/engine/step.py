"""The one door into the engine: `step(house, event) -> (house, effects)`.

At one instant deadlines come first, in their order, then what the event changes. An event older than the house changes
nothing. Nothing here reads a clock, waits or fails: any event on any state has an answer.
"""

from spotty_gateway.engine import answers, by_hand, places, presence, rooms, sessions, trials
from spotty_gateway.engine.commands import Effect, FaultCleared
from spotty_gateway.engine.deadlines import next_of
from spotty_gateway.engine.events import (
    AccountForgotten,
    CallsShort,
    Event,
    PauseAsked,
    PlayerAnswered,
    PlayerReady,
    Report,
    ResumeAsked,
    RoomConfigured,
    RoomRemoved,
    SnoozeAsked,
    Stopping,
    TrialAsked,
    VolumeAsked,
)
from spotty_gateway.engine.presence import NEW_PIR
from spotty_gateway.engine.reasons import Fault
from spotty_gateway.engine.rules import NEVER, InputKind
from spotty_gateway.engine.state import LONG_AGO, House, Input, Room
from spotty_gateway.engine.timeline import run_deadlines
from spotty_gateway.engine.turn import Turn
from spotty_gateway.engine.values import replace

_PIR = InputKind.PIR  # on Python 3.11 a member is looked up by Python code, and this is the hot path


def next_deadline(house: House) -> int | None:
    """The monotonic instant at which the house wants a Tick; None while nothing is due by itself."""
    rooms = house.rooms.values()
    due_at = min((next_of(room, house.offset, trusted=house.trusted)[0] for room in rooms), default=NEVER)
    return None if due_at >= NEVER else due_at


def step(house: House, event: Event) -> tuple[House, list[Effect]]:
    """The house after `event`, and what it wants done and told, in order."""
    mono = event.mono
    if mono < house.mono:
        return house, []
    turn = Turn(house, mono)
    if house.due_at <= mono:
        run_deadlines(turn, mono)
    turn.now = mono
    offset = event.wall - mono
    if offset != turn.offset or event.trusted is not turn.trusted:
        rooms.clock_moved(turn, offset, event.trusted)
    if type(event) is Report:
        _report(turn, event)
    else:
        _other(turn, event)
    if turn.due_at <= mono or turn.looks_again:
        run_deadlines(turn, mono)
    return turn.house_after(), turn.effects


def _report(turn: Turn, report: Report) -> None:
    """The hot path: an input's level."""
    now, sensor_id, input_id, active = turn.now, report.sensor_id, report.input_id, report.active
    room = turn.rooms.get(sensor_id)
    if room is None:
        return
    rules, seen, due_at = room.rules, room.presence, room.due_at
    before = seen.inputs.get(input_id, NEW_PIR)
    if before.kind is not _PIR:
        _other_input(turn, room, report, before)
        return
    if active:
        seen = presence.pir_active(seen, input_id, before, now, motion=not report.initial)
        own_due_at = now + rules.stuck_after_us
        if room.has_contact and not report.initial:
            seen = presence.held_by_doors(seen, now)
            own_due_at = LONG_AGO  # a door's hold has its own limit: look at all deadlines
    else:
        seen = presence.pir_inactive(seen, input_id, before, now)
        own_due_at = now + rules.vacancy_delay_us
    if own_due_at < due_at:  # evidence only moves the room's deadlines later, but for the one it makes itself
        due_at = own_due_at
        turn.due_at = min(turn.due_at, due_at)
    room = Room(
        rules,
        seen,
        room.session,
        room.past,
        room.candidate,
        room.quiet,
        room.snoozed_until,
        room.music,
        room.has_contact,
        room.removed,
        due_at,
    )
    turn.rooms[sensor_id] = room
    if active and not report.initial:
        sessions.moved(turn, sensor_id, room)
    elif not active and before.stuck:
        turn.tell(FaultCleared(sensor_id, input_id, Fault.INPUT_STUCK, turn.wall(now)))


def _other_input(turn: Turn, room: Room, report: Report, before: Input) -> None:
    if before.kind is InputKind.CONTACT:
        seen = presence.contact_level(room.presence, report.input_id, report.active, turn.now, initial=report.initial)
        turn.put(report.sensor_id, replace(room, presence=seen))
    elif not report.initial:
        by_hand.pressed(turn, report.sensor_id, report.input_id, report.active)


def _other(turn: Turn, event: Event) -> None:
    match event:
        case PlayerAnswered():
            answers.answered(turn, event)
        case RoomConfigured():
            rooms.configure(turn, event)
        case RoomRemoved(sensor_id=sensor_id):
            rooms.remove(turn, sensor_id)
        case PauseAsked() | ResumeAsked() | SnoozeAsked() | VolumeAsked() | TrialAsked() | AccountForgotten():
            _by_hand(turn, event)
        case PlayerReady():
            rooms.player_ready(turn)
        case CallsShort(short=short):
            rooms.calls_short(turn, short=short)
        case Stopping(pause=pause):
            rooms.stop(turn, pause=pause)
        case _:  # a Tick: time has passed, and that is all
            turn.look_at_all_deadlines()


def _by_hand(
    turn: Turn, event: PauseAsked | ResumeAsked | SnoozeAsked | VolumeAsked | TrialAsked | AccountForgotten
) -> None:
    match event:
        case PauseAsked(sensor_id=sensor_id):
            by_hand.pause(turn, sensor_id)
        case ResumeAsked(sensor_id=sensor_id):
            by_hand.resume(turn, sensor_id)
        case SnoozeAsked(sensor_id=sensor_id, until=until):
            by_hand.snooze(turn, sensor_id, until)
        case VolumeAsked(sensor_id=sensor_id, volume_pct=volume_pct):
            by_hand.volume(turn, sensor_id, volume_pct)
        case TrialAsked(sensor_id=sensor_id, target=target, for_us=for_us):
            trials.ask(turn, sensor_id, target, for_us)
        case AccountForgotten():
            places.forget(turn)
