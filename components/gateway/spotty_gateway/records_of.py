"""What the engine tells, in the shapes that travel. Pure: when it is told, and whether, is the reporter's.

Instants are milliseconds of the clock as it stood; whether it could be trusted stands beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from spotty_contract.records import FAULTY, Decision, ErrorRecord, PlayedOn, SessionRecord
from spotty_contract.status import NextDeadline, RoomStatus, StandingFault
from spotty_gateway.chronicle import RoomStory
from spotty_gateway.engine.commands import FaultCleared, FaultRaised, Judged, MusicDecided, SessionFacts
from spotty_gateway.engine.deadlines import next_of
from spotty_gateway.engine.reasons import Fault
from spotty_gateway.engine.rules import NEVER, SECOND
from spotty_gateway.engine.state import House, Room
from spotty_gateway.status import state_of

CURES: Mapping[str, str] = {
    Fault.INPUT_STUCK: "look at the sensor: its jumpers, its wire, and what moves or heats in front of it",
    Fault.MUSIC_CANNOT_BE_STOPPED: "stop the music by hand; the gateway goes on trying",
    Fault.PLAYER: "see why in the room's status; `spotty doctor` on the gateway names the cure",
}
"""What a person can do."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose records these are, and what makes their ids unique for ever."""

    gateway_id: str
    run: str


def session_record(origin: Origin, facts: SessionFacts, seq: int) -> SessionRecord:
    """A session as it stands."""
    device = facts.device
    return SessionRecord(
        gateway_id=origin.gateway_id,
        sensor_id=facts.sensor_id,
        clock_trusted=facts.clock_trusted,
        session_id=facts.session_id,
        seq=seq,
        ended_by=facts.ended_by,
        start_time=ms(facts.start_at),
        end_time=None if facts.end_at is None else ms(facts.end_at),
        last_motion_time=ms(max(facts.start_at, facts.last_motion_at)),
        duration_s=max(0, facts.duration_us) / SECOND,
        motion_events_count=facts.motions,
        playback_started=facts.playback_started,
        silent_reason=facts.silent_reason,
        time_to_music_ms=None if facts.time_to_music_us is None else max(0, facts.time_to_music_us) // 1000,
        device=None if device is None else PlayedOn(name=device.name, type=device.type, id=device.id),
        context_uri=facts.context_uri,
        policy_version=facts.policy_version,
    )


def decision(origin: Origin, fact: Judged | MusicDecided, number: int, *, trusted: bool) -> Decision:
    """A motion as it was judged, or what became of the music. Silence for a fault of the player is an error."""
    if isinstance(fact, Judged):
        action = "motion_accepted" if fact.reason is None else f"ignored_{fact.reason}"
    else:
        action = "error" if fact.action == "silent" and fact.reason in FAULTY else fact.action
    return Decision(
        gateway_id=origin.gateway_id,
        sensor_id=fact.sensor_id,
        clock_trusted=trusted,
        event_id=_event_id(origin, fact.sensor_id, number),
        session_id=fact.session_id or None,
        timestamp=ms(fact.at),
        event_type="motion_detected" if isinstance(fact, Judged) else "playback_changed",
        action_taken=action,
        reason=fact.reason or None,
    )


def fault_record(origin: Origin, fact: FaultRaised | FaultCleared, number: int, *, trusted: bool) -> ErrorRecord:
    """A fault that has come, or is over."""
    is_over = isinstance(fact, FaultCleared)
    return ErrorRecord(
        gateway_id=origin.gateway_id,
        sensor_id=fact.sensor_id,
        clock_trusted=trusted,
        event_id=_event_id(origin, fact.sensor_id, number),
        timestamp=ms(fact.at),
        fault=fact.fault,
        cleared=is_over,
        subject=fact.subject,
        detail="" if isinstance(fact, FaultCleared) else fact.detail,
        cure="" if is_over else CURES.get(fact.fault, ""),
    )


def gateway_error(
    origin: Origin, house: House, number: int, fault: str, subject: str, detail: str, cure: str, count: int
) -> ErrorRecord:
    """Something that went wrong with the gateway itself, `count` times."""
    return ErrorRecord(
        gateway_id=origin.gateway_id,
        sensor_id="gateway",
        clock_trusted=house.trusted,
        event_id=_event_id(origin, "gateway", number),
        timestamp=now_ms(house),
        fault=fault,
        subject=subject,
        detail=detail,
        cure=cure,
        count=count,
    )


def room_status(
    origin: Origin, house: House, sensor_id: str, story: RoomStory, seq: int, day: str, suppressed: Mapping[str, int]
) -> RoomStatus:
    """How a room is doing now, with the counts of `day`."""
    room = house.rooms[sensor_id]
    state, why = state_of(room)
    return RoomStatus.model_validate(
        {
            "gateway_id": origin.gateway_id,
            "sensor_id": sensor_id,
            "clock_trusted": house.trusted,
            "seq": seq,
            "timestamp": now_ms(house),
            "faults": standing_faults(story),
            "state": state,
            "why": why,
            "session_id": None if room.session is None else room.session.id,
            "snoozed_until": None if room.snoozed_until is None else ms(room.snoozed_until),
            "next": _next(house, room),
            "last_decision": story.last_decision,
            "last_decision_at": ms(story.last_at) if story.last_at else None,
            "day": day,
            "suppressed_today": dict(suppressed),
            "policy_version": room.rules.version,
        }
    )


def standing_faults(story: RoomStory) -> tuple[StandingFault, ...]:
    """What is wrong in a room, with what a person can do."""
    return tuple(
        StandingFault(fault=fault, subject=subject, detail=detail, cure=CURES.get(fault, ""))
        for (subject, fault), detail in story.faults.items()
    )


def ms(wall: int) -> int:
    """A wall instant in milliseconds. A clock that nobody has set may show anything; before 1970 nothing was."""
    return max(0, wall // 1000)


def now_ms(house: House) -> int:
    """The house's own."""
    return ms(house.mono + house.offset)


def _next(house: House, room: Room) -> NextDeadline | None:
    due_at, due = next_of(room, house.offset, trusted=house.trusted)
    return None if due_at >= NEVER else NextDeadline(what=due.name.lower(), at=ms(due_at + house.offset))


def _event_id(origin: Origin, sensor_id: str, number: int) -> str:
    return f"{sensor_id}-{origin.run}-e{number}"
