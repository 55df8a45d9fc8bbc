import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from tests.contract.samples import (
    DECISION,
    DEVICE,
    GATEWAY,
    NOON_MS,
    ORDINARY,
    RESULT,
    ROOM,
    SESSION,
    largest,
    topic_of,
)

from spotty_contract.messages import (
    MAX_MESSAGE_BYTES,
    RecordError,
    UnknownVersionError,
    read_record,
    shape_of,
)
from spotty_contract.records import FAULTY, Record, SessionRecord, SessionStatus, status_of
from spotty_contract.results import CommandResult
from spotty_contract.status import RoomStatus, StandingFault
from spotty_contract.topics import Kind, SensorTopic
from spotty_contract.wire import Word, fit
from spotty_gateway.engine.reasons import EndedBy, Fault, Reason, SilentReason

EVERY_RECORD = {"gatewayId", "sensorId", "clockTrusted", "schemaVersion"}
SESSION_FIELDS = {"sessionId", "seq", "status", "endedBy", "startTime", "endTime", "lastMotionTime", "durationS"}
SESSION_FIELDS |= {"motionEventsCount", "playbackStarted", "silentReason", "timeToMusicMs", "device", "contextUri"}
SESSION_FIELDS |= {"policyVersion"}
DECISION_FIELDS = {"eventId", "sessionId", "timestamp", "eventType", "actionTaken", "reason", "playbackTriggered"}


@pytest.mark.parametrize("kind,record", ORDINARY)
def test_a_record_is_read_as_it_was_written(kind: Kind, record: Record) -> None:
    """Every kind survives the wire."""
    assert read_record(topic_of(kind, record), record.to_json().encode()) == record


@pytest.mark.parametrize("record,fields", [(SESSION, SESSION_FIELDS), (DECISION, DECISION_FIELDS)])
def test_the_fields_are_those_of_the_design(record: Record, fields: set[str]) -> None:
    """Names in camelCase, all of them, and what is derived among them."""
    assert set(record.model_dump()) == fields | EVERY_RECORD


def test_a_record_stands_for_itself() -> None:
    """Version, zeros and falses are written out: a default may be another one when the record is read."""
    written = json.loads(SESSION.model_copy(update={"playback_started": False, "seq": 0}).to_json())
    assert (written["schemaVersion"], written["playbackStarted"], written["seq"]) == (1, False, 0)
    assert "silentReason" not in written


@pytest.mark.parametrize(
    "ended_by,silent_reason,playback_started,status",
    [
        (None, None, False, "active"),
        (None, "no_device", False, "active"),
        ("timeout", None, True, "timeout"),
        ("timeout", "no_device", True, "timeout"),
        ("timeout", "no_device", False, "error"),
        ("max_session", "player_unavailable", False, "error"),
        ("manual_stop", "no_device", False, "manual_stop"),
        ("timeout", "account_busy", False, "timeout"),
        ("timeout", "guard_closed", False, "timeout"),
        ("quiet_hours", None, True, "ended"),
        ("taken_over", None, True, "ended"),
        ("gateway_lost", None, True, "ended"),
        ("a_word_of_tomorrow", None, True, "ended"),
    ],
)
def test_the_status_of_a_session(
    ended_by: str | None, silent_reason: str | None, playback_started: bool, status: SessionStatus
) -> None:
    """A word of what ended it, or error where a fault of the player kept the music from ever playing."""
    assert status_of(ended_by, silent_reason, playback_started=playback_started) == status


def test_the_status_is_never_read() -> None:
    """A record that contradicts itself is put right."""
    liar = json.loads(SESSION.to_json()) | {"status": "active"}
    assert SessionRecord.from_json(json.dumps(liar).encode()).status == "timeout"


def test_the_engine_s_words_are_words_of_the_wire() -> None:
    """Every reason the engine has can travel, and the faults among the silences are silences it knows."""
    word = TypeAdapter(Word)
    for vocabulary in (Reason, EndedBy, SilentReason, Fault):
        for one in vocabulary:
            assert word.validate_python(one.value) == one
    assert set(SilentReason) >= FAULTY
    assert {EndedBy.TIMEOUT, EndedBy.MANUAL_STOP} <= set(get_args(SessionStatus))


def test_a_session_ends_wholly_or_not() -> None:
    """An end without a cause, or a cause without an end, is refused."""
    for half in ({"end_time": None}, {"ended_by": None}):
        with pytest.raises(ValidationError, match="endedBy and endTime come together"):
            SessionRecord.model_validate({**dict(SESSION), **half})


@given(st.integers(-2 * NOON_MS, NOON_MS))
def test_a_record_is_corrected_once_the_time_is_known(by_ms: int) -> None:
    """Every instant moves by what the clock was wrong, never below 1970; what was measured otherwise stays."""
    stamped = SESSION.model_copy(update={"clock_trusted": False})
    corrected = stamped.corrected(by_ms)
    assert corrected.clock_trusted
    assert corrected.start_time == max(0, stamped.start_time + by_ms)
    assert corrected.last_motion_time == max(0, stamped.last_motion_time + by_ms)
    assert stamped.end_time is not None
    assert corrected.end_time == max(0, stamped.end_time + by_ms)
    unmoved = {name: value for name, value in dict(corrected).items() if name not in SessionRecord.instants}
    assert unmoved == {name: value for name, value in dict(SESSION).items() if name not in SessionRecord.instants}


def test_a_running_session_is_corrected_too() -> None:
    """It has no end to move."""
    running = SESSION.model_copy(update={"clock_trusted": False, "ended_by": None, "end_time": None})
    assert running.corrected(5).end_time is None
    assert DECISION.corrected(5).timestamp == NOON_MS + 5


def test_what_is_unknown_in_a_record_is_ignored() -> None:
    """A newer gateway may tell more than this cloud knows, also deeper down."""
    newer = json.loads(SESSION.to_json()) | {"mood": "fine", "device": {"name": "K", "type": "S", "colour": 1}}
    read = read_record(topic_of(Kind.SESSION, SESSION), json.dumps(newer).encode())
    assert isinstance(read, SessionRecord)
    assert read.device is not None
    assert read.device.name == "K"


@pytest.mark.parametrize("version", [2, 99, int("9" * 4000)])
def test_a_newer_version_is_an_error_of_its_own(version: int) -> None:
    """Such a message is kept and read again after an upgrade, so it must not look like nonsense."""
    newer = json.loads(SESSION.to_json()) | {"schemaVersion": version, "seq": "of another shape"}
    with pytest.raises(UnknownVersionError, match="session record of schema version"):
        read_record(topic_of(Kind.SESSION, SESSION), json.dumps(newer).encode())


@pytest.mark.parametrize("change", [{"schemaVersion": None}, {"schemaVersion": "1"}, {"schemaVersion": 0}])
def test_a_record_without_a_version_is_refused(change: dict[str, object]) -> None:
    """Nobody could tell what it means."""
    bad = json.loads(SESSION.to_json()) | change
    with pytest.raises(RecordError, match="schemaVersion") as caught:
        read_record(topic_of(Kind.SESSION, SESSION), json.dumps(bad).encode())
    assert type(caught.value) is RecordError


@pytest.mark.parametrize(
    "change",
    [
        {"seq": "3"},
        {"seq": True},
        {"seq": -1},
        {"seq": 2**53},
        {"durationS": -1},
        {"startTime": 1.5},
        {"startTime": 10**15},
        {"sessionId": "../x"},
        {"sessionId": ""},
        {"endedBy": "Not A Word"},
        {"gatewayId": "gw.1"},
    ],
)
def test_a_record_is_strict_where_it_is_known(change: dict[str, object]) -> None:
    """One line names the field and what is allowed."""
    bad = json.loads(SESSION.to_json()) | change
    with pytest.raises(RecordError, match=next(iter(change))):
        read_record(topic_of(Kind.SESSION, SESSION), json.dumps(bad).encode())


@pytest.mark.parametrize("change", [{"gatewayId": "spotty-other"}, {"sensorId": "kitchen"}])
def test_nobody_tells_of_another(change: dict[str, str]) -> None:
    """The topic, which AWS has checked, says of whom a record is; one that says otherwise is refused."""
    forged = json.loads(SESSION.to_json()) | change
    with pytest.raises(RecordError, match=r"says it is of .* and came from spotty-0123456789ab/bathroom"):
        read_record(topic_of(Kind.SESSION, SESSION), json.dumps(forged).encode())


def test_the_gateway_s_status_is_another_than_a_room_s() -> None:
    """The reserved sensor id tells them apart; commands are no records."""
    assert shape_of(SensorTopic(GATEWAY, "gateway", Kind.STATUS)) is type(DEVICE)
    assert shape_of(SensorTopic(GATEWAY, "bathroom", Kind.STATUS)) is type(ROOM)
    with pytest.raises(RecordError, match="no records travel on commands"):
        shape_of(SensorTopic(GATEWAY, "bathroom", Kind.COMMANDS))


@pytest.mark.parametrize("prose", ["x" * 9000, '"' * 9000, "\\" * 9000, "\0" * 9000, "\U0001f3b5" * 9000, "é" * 9000])
def test_the_largest_record_of_each_kind_fits_into_a_message(prose: str) -> None:
    """With every field as long as it can be, whatever the text is made of, uncompressed."""
    sizes = [(len(record.to_json().encode()), type(record).__name__) for record in largest(prose)]
    assert max(sizes)[0] <= MAX_MESSAGE_BYTES, sizes
    assert {name for _, name in sizes} == {type(record).__name__ for _, record in ORDINARY}


@given(st.text(st.characters(), max_size=60), st.integers(3, 40))
def test_text_is_cut_to_its_bytes_and_stays_as_cut(text: str, most_bytes: int) -> None:
    """What is written fits, in one line; what fits already is not touched again."""
    cut = fit(text, most_bytes)
    assert len(json.dumps(cut, ensure_ascii=False).encode()) - 2 <= most_bytes
    assert cut.isprintable()
    assert fit(cut, most_bytes) == cut
    if text.isprintable() and len(json.dumps(text, ensure_ascii=False).encode()) - 2 <= most_bytes:
        assert cut == text


def test_prose_never_loses_a_record() -> None:
    """Too long, half a character pair, a line break: the text is mended, and the rest is kept."""
    fault = StandingFault(fault="player", subject="a\nb", detail="\ud83c", cure="x" * 500)
    assert (fault.subject, fault.detail) == ("a\ufffdb", "\ufffd")
    assert fault.cure.endswith("x…")


def test_the_first_faults_are_told_where_not_all_fit() -> None:
    """The most urgent stands first; three of the longest are told, a dozen of the ordinary ones."""
    longest = StandingFault(fault="f" * 64, subject="s" * 64, detail="d" * 200, cure="c" * 200)
    ordinary = StandingFault(fault="input_stuck", subject="pir", detail="active for 3600 s", cure="look at its wire")
    told = [len(RoomStatus.model_validate({**dict(ROOM), "faults": (one,) * 30}).faults) for one in (longest, ordinary)]
    assert told[0] >= 3
    assert told[1] >= 12


def test_a_result_brings_one_thing() -> None:
    """Two together would not fit."""
    totals = largest("")[-1]
    assert isinstance(totals, CommandResult)
    with pytest.raises(ValidationError, match="one of them"):
        CommandResult.model_validate({**dict(RESULT), "what_if": totals.what_if})


def test_a_link_is_not_shown_in_passing() -> None:
    """It holds the state that the answer must carry: no repr and no error repeats it."""
    result = largest("")[-2]
    assert isinstance(result, CommandResult)
    assert result.connect is not None
    assert "xxxx" not in repr(
        result.model_copy(update={"connect": result.connect.model_copy(update={"redirect_uri": ""})})
    )
    with pytest.raises(ValidationError) as caught:
        CommandResult.model_validate({**dict(result), "connect": {"link": "https://\nstate=secret"}})
    assert "secret" not in str(caught.value)


RECORDS = st.sampled_from(ORDINARY)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(RECORDS, st.data())
def test_a_mangled_record_is_a_record_or_a_record_error(of: tuple[Kind, Record], data: st.DataObject) -> None:
    """One field replaced by anything at all: the cloud's door knows two answers and no third."""
    kind, record = of
    content = json.loads(record.to_json())
    content[data.draw(st.sampled_from(sorted(content)))] = data.draw(JSON)
    try:
        read_record(topic_of(kind, record), json.dumps(content).encode())
    except RecordError as error:
        assert str(error).isprintable()  # noqa: PT017 - either outcome is right; this is the one that says something


@given(RECORDS, st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_record_or_a_record_error(of: tuple[Kind, Record], data: bytes) -> None:
    """The same for bytes from anywhere."""
    with pytest.raises(RecordError):
        read_record(topic_of(*of), data)
