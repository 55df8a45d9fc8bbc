"""One record of every kind, ordinary and as large as it can be."""

from spotty_contract.commands import RedirectUri
from spotty_contract.records import Decision, ErrorRecord, PlayedOn, Record, Registration, SessionRecord, Versions
from spotty_contract.results import CommandResult, ConnectLink, FoundDevice, Outcome, WhatIfTotals
from spotty_contract.status import Consent, DeviceStatus, Guard, NextDeadline, Outbox, RoomStatus, StandingFault
from spotty_contract.topics import Kind, SensorTopic

GATEWAY, SENSOR = "spotty-0123456789ab", "bathroom"
NOON_MS = 1_795_262_400_000
LAST_MS = 253_402_300_799_999
MOST = 2**53 - 1

SESSION = SessionRecord(
    gateway_id=GATEWAY,
    sensor_id=SENSOR,
    clock_trusted=True,
    session_id="bathroom-a1b2c3-7",
    seq=3,
    ended_by="timeout",
    start_time=NOON_MS,
    end_time=NOON_MS + 600_000,
    last_motion_time=NOON_MS + 300_000,
    duration_s=600.0,
    motion_events_count=4,
    playback_started=True,
    time_to_music_ms=740,
    device=PlayedOn(name="Küche", type="Speaker", id="5fbb3ba6aa454b5534c4ba43a8c7e8e45a63ad0e"),
    context_uri="spotify:playlist:37i9dQZF1DX0XUsuxWHRQd",
    policy_version=12,
)
DECISION = Decision(
    gateway_id=GATEWAY,
    sensor_id=SENSOR,
    clock_trusted=True,
    event_id="bathroom-a1b2c3-e81",
    timestamp=NOON_MS,
    event_type="motion_detected",
    action_taken="ignored_quiet_hours",
    reason="quiet_hours",
)
ERROR = ErrorRecord(
    gateway_id=GATEWAY,
    sensor_id="gateway",
    clock_trusted=False,
    event_id="gateway-a1b2c3-e9",
    timestamp=NOON_MS,
    fault="records_dropped",
    detail="the outbox was full",
    cure="look after the network",
    count=200,
)
REGISTRATION = Registration(
    gateway_id=GATEWAY,
    sensor_id="gateway",
    clock_trusted=True,
    timestamp=NOON_MS,
    versions=Versions(component="1.2.0", python="3.13.1", system="Linux 6.12 aarch64", nucleus="lite 2.6"),
    sensors=("bathroom", "kitchen"),
)
ROOM = RoomStatus(
    gateway_id=GATEWAY,
    sensor_id=SENSOR,
    clock_trusted=True,
    seq=9,
    timestamp=NOON_MS,
    faults=(StandingFault(fault="input_stuck", subject="pir", detail="active for an hour", cure="look at its wire"),),
    state="silent",
    why="account_busy",
    session_id="bathroom-a1b2c3-7",
    next=NextDeadline(what="vacancy", at=NOON_MS + 60_000),
    last_decision="no music for now: another room has the account (account_busy)",
    last_decision_at=NOON_MS - 1000,
    day="2026-11-21",
    suppressed_today={"quiet_hours": 3, "debounced": 41},
    policy_version=12,
)
DEVICE = DeviceStatus(
    gateway_id=GATEWAY,
    sensor_id="gateway",
    clock_trusted=True,
    seq=4,
    timestamp=NOON_MS,
    versions=REGISTRATION.versions,
    uptime_s=86_400.5,
    outbox=Outbox(records=17, size_bytes=8000, dropped=0),
    consent=Consent(state="given", given_at=NOON_MS, ends_at=NOON_MS + 15_638_400_000),
    guard=Guard(calls_today=210),
    policy_version=3,
)
REDIRECT: RedirectUri = "https://dashboard.example/spotify"
RESULT = CommandResult(
    gateway_id=GATEWAY,
    sensor_id="gateway",
    clock_trusted=True,
    command_id="c-1",
    command="list_devices",
    timestamp=NOON_MS,
    outcome="done",
    devices=(FoundDevice(name="Küche", type="Speaker", id="x", is_active=True, is_restricted=False, volume_pct=40),),
)

ORDINARY: tuple[tuple[Kind, Record], ...] = (
    (Kind.SESSION, SESSION),
    (Kind.MOTION, DECISION),
    (Kind.PLAYBACK, DECISION),
    (Kind.ERRORS, ERROR),
    (Kind.REGISTER, REGISTRATION),
    (Kind.STATUS, ROOM),
    (Kind.STATUS, DEVICE),
    (Kind.RESULTS, RESULT),
)


def topic_of(kind: Kind, record: Record) -> SensorTopic:
    """The topic that this record travels on."""
    return SensorTopic(record.gateway_id, record.sensor_id, kind)


GATEWAY_128 = "g" * 128
SENSOR_32 = "s" * 32
ID_96 = "i" * 96
WORD_64 = "w" * 64
COUNTS = {f"{number:064}": MOST for number in range(12)}


def largest(text: str) -> list[Record]:
    """Every kind with everything in it that fits in, and this text, which is longer than any fits, as its prose."""
    base = {"gateway_id": GATEWAY_128, "clock_trusted": False}
    room = {**base, "sensor_id": SENSOR_32}
    device = {**base, "sensor_id": "gateway"}
    versions = Versions(component=text, python=text, system=text, nucleus=text)
    faults = (StandingFault(fault=WORD_64, subject=text, detail=text, cure=text),) * 30
    found = FoundDevice(name=text, type=text, id='"' * 64, is_active=False, is_restricted=False, volume_pct=100)
    link = ConnectLink(link=f"https://{'x' * 1900}", redirect_uri=f"https://{'x' * 248}", expires_at=LAST_MS)
    outcome = Outcome(motions=MOST, accepted=MOST, sessions=MOST, session_s=1.7976931348623157e308, suppressed=COUNTS)
    totals = WhatIfTotals(since=LAST_MS, until=LAST_MS, now=outcome, instead=outcome)
    result = {**device, "command_id": "c" * 64, "command": WORD_64, "timestamp": LAST_MS, "outcome": "refused"}
    result |= {"reason": WORD_64, "detail": text}
    return [
        SessionRecord.model_validate(
            {
                **room,
                "session_id": ID_96,
                "seq": MOST,
                "ended_by": WORD_64,
                "start_time": LAST_MS,
                "end_time": LAST_MS,
                "last_motion_time": LAST_MS,
                "duration_s": 1.7976931348623157e308,
                "motion_events_count": MOST,
                "playback_started": False,
                "silent_reason": WORD_64,
                "time_to_music_ms": MOST,
                "device": PlayedOn(name=text, type=text, id=text),
                "context_uri": text,
                "policy_version": MOST,
            }
        ),
        Decision.model_validate(
            {
                **room,
                "event_id": ID_96,
                "session_id": ID_96,
                "timestamp": LAST_MS,
                "event_type": "playback_changed",
                "action_taken": WORD_64,
                "reason": WORD_64,
            }
        ),
        ErrorRecord.model_validate(
            {
                **room,
                "event_id": ID_96,
                "timestamp": LAST_MS,
                "fault": WORD_64,
                "subject": text,
                "detail": text,
                "cure": text,
                "count": MOST,
            }
        ),
        Registration.model_validate(
            {**device, "timestamp": LAST_MS, "versions": versions, "sensors": (SENSOR_32,) * 16}
        ),
        RoomStatus.model_validate(
            {
                **room,
                "seq": MOST,
                "timestamp": LAST_MS,
                "faults": faults,
                "state": "occupied",
                "why": text,
                "session_id": ID_96,
                "snoozed_until": LAST_MS,
                "next": NextDeadline(what=WORD_64, at=LAST_MS),
                "last_decision": text,
                "last_decision_at": LAST_MS,
                "day": "2026-11-21",
                "suppressed_today": COUNTS,
                "policy_version": MOST,
            }
        ),
        DeviceStatus.model_validate(
            {
                **device,
                "seq": MOST,
                "timestamp": LAST_MS,
                "faults": faults,
                "versions": versions,
                "uptime_s": 1.7976931348623157e308,
                "outbox": Outbox(records=MOST, size_bytes=MOST, dropped=MOST),
                "consent": Consent(state="missing", given_at=LAST_MS, ends_at=LAST_MS),
                "guard": Guard(closed_until=LAST_MS, reason=WORD_64, calls_today=MOST),
                "policy_version": MOST,
            }
        ),
        CommandResult.model_validate({**result, "devices": (found,) * 50}),
        CommandResult.model_validate({**result, "connect": link}),
        CommandResult.model_validate({**result, "what_if": totals}),
    ]
