import json
import zlib
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotty_gateway import snapshot
from spotty_gateway.engine.commands import PauseMusic, SetVolume, StartMusic
from spotty_gateway.engine.events import (
    Declined,
    Event,
    Failed,
    NotOurs,
    PauseAsked,
    Paused,
    PlayerAnswered,
    Position,
    Report,
    ResumeAsked,
    RoomConfigured,
    RoomRemoved,
    SnoozeAsked,
    Started,
    Stopping,
    Tick,
    VolumeSet,
)
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND, Device, InputKind, Rules, Target
from spotty_gateway.engine.state import (
    Candidate,
    House,
    Music,
    Muted,
    Past,
    Playing,
    Presence,
    Room,
    Session,
    new_house,
)
from spotty_gateway.engine.step import step
from spotty_gateway.snapshot import SnapshotError, decode, encode

WALL = 1_790_000_000 * SECOND
SPEAKER = Device("Küche 🔊", "Speaker", "5fbb3ba6aa454b5534c4ba43a8c7e8e45a63ad0e")
TARGET = Target(SPEAKER, "spotify:playlist:37i9dQZF1DX4sWSpwq3LiO", volume_pct=40, fade_in_us=9 * SECOND)
RULES = Rules(target=TARGET, warm_up_us=0, hold_off_us=SECOND, vacancy_delay_us=60 * SECOND, confirm_us=0)
INPUTS = (("pir", InputKind.PIR), ("door", InputKind.CONTACT), ("button", InputKind.BUTTON))
ROOMS = ("bath", "hall", "kitchen")
UNKNOWN = new_house("r1", 0, WALL, trusted=True).due_at
"""What `due_at` is before the deadlines were looked at."""

outcomes = st.one_of(
    st.builds(Started, st.just(SPEAKER), st.just(TARGET.context_uri), st.booleans(), st.none() | st.integers(0, 100)),
    st.builds(Declined, st.sampled_from(["already_playing", "playing_elsewhere"])),
    st.builds(Failed, st.sampled_from(SilentReason), st.text(max_size=9), st.integers(0, 99 * SECOND), st.booleans()),
    st.builds(Paused, st.none() | st.builds(Position, st.text(), st.text(), st.integers(0, 10**7)), st.booleans()),
    st.builds(NotOurs, st.sampled_from(["manual_stop", "taken_over", "finished"])),
    st.builds(VolumeSet, st.none() | st.integers(0, 100)),
)
rules_of_a_room = st.builds(
    replace,
    st.just(RULES),
    confirm_us=st.sampled_from([0, 20 * SECOND]),
    target=st.sampled_from([TARGET, replace(TARGET, fade_out_us=9 * SECOND, transfer_if_busy=True), None]),
)


@st.composite
def lived_in_houses(draw: st.DrawFn) -> House:
    """A house after a random stretch of its life, reached by the engine's own steps."""
    house = new_house("r1", 0, WALL, trusted=True)
    asked: list[StartMusic | PauseMusic | SetVolume] = []

    def live(event: Event) -> None:
        nonlocal house
        house, effects = step(house, event)
        asked.extend(one for one in effects if isinstance(one, StartMusic | PauseMusic | SetVolume))

    for room in ROOMS:
        live(RoomConfigured(0, WALL, True, room, draw(rules_of_a_room), INPUTS))
    mono = 0
    for _ in range(draw(st.integers(0, 25))):
        mono += draw(st.sampled_from([0, 1, SECOND, 7 * SECOND, 61 * SECOND, 4_000 * SECOND]))
        now = (mono, WALL + mono, draw(st.integers(0, 9)) > 0)
        room = draw(st.sampled_from(ROOMS))
        if draw(st.booleans()) and asked:
            command = asked.pop(0)
            live(PlayerAnswered(*now, command.sensor_id, command.token, draw(outcomes)))
            continue
        name = draw(st.sampled_from(["pir", "pir", "pir", "door", "button"]))
        report = Report(*now, room, name, draw(st.booleans()), draw(st.integers(0, 9)) == 0)
        rarer: list[Event] = [
            PauseAsked(*now, room),
            ResumeAsked(*now, room),
            SnoozeAsked(*now, room, WALL + 10**9),
            Tick(*now),
            RoomRemoved(*now, room),
            Stopping(*now, pause=True),
        ]
        live(draw(st.sampled_from([*[report] * 12, *rarer])))
    return house


def rules_in(house: House) -> dict[str, Rules]:
    """What `decode` must be given to get the same house."""
    return {sensor_id: room.rules for sensor_id, room in house.rooms.items()}


def without_caches(house: House) -> House:
    """The house but for what the engine reckons anew."""
    rooms = {sensor_id: replace(room, quiet=None, due_at=UNKNOWN) for sensor_id, room in house.rooms.items()}
    return replace(house, rooms=rooms, due_at=UNKNOWN)


@given(house=lived_in_houses())
def test_a_house_comes_back_as_it_was(house: House) -> None:
    """Whatever the engine has lived through, decoding gives the same house, caches left to be made again."""
    assert decode(encode(house), rules_in(house)) == without_caches(house)


imaginable_rooms = st.builds(
    Room,
    rules=st.just(RULES),
    presence=st.from_type(Presence),
    session=st.none() | st.from_type(Session),
    past=st.from_type(Past),
    candidate=st.none() | st.from_type(Candidate),
    snoozed_until=st.none() | st.integers(),
    music=st.from_type(Music),
    has_contact=st.booleans(),
    removed=st.booleans(),
)
imaginable_houses = st.builds(
    House,
    run=st.text(),
    started_at=st.integers(),
    mono=st.integers(),
    offset=st.integers(),
    trusted=st.booleans(),
    rooms=st.dictionaries(st.text(), imaginable_rooms, max_size=3),
    token=st.integers(),
)


@given(house=imaginable_houses)
def test_any_value_the_types_allow_is_carried(house: House) -> None:
    """Every kind of playback, debt and instant survives, however large, also where the engine would not go."""
    assert decode(encode(house), rules_in(house)) == house


def a_house() -> House:
    """One room, somebody in it, music playing."""
    house = new_house("r1", 0, WALL, trusted=True)
    house, _ = step(house, RoomConfigured(0, WALL, True, "bath", RULES, INPUTS))
    house, effects = step(house, Report(SECOND, WALL + SECOND, True, "bath", "pir", True))
    (asked,) = (one for one in effects if isinstance(one, StartMusic))
    started = Started(SPEAKER, TARGET.context_uri, False, 40)
    house, _ = step(house, PlayerAnswered(2 * SECOND, WALL + 2 * SECOND, True, "bath", asked.token, started))
    assert isinstance(house.rooms["bath"].music.playback, Playing)
    return house


def test_todays_rules_are_put_in() -> None:
    """A snapshot carries no policy: the room wakes under the rules it is given, its session untouched."""
    house, today = a_house(), replace(RULES, version=17)
    room = decode(encode(house), {"bath": today}).rooms["bath"]
    assert room.rules == today
    assert room.session == house.rooms["bath"].session
    assert not room.removed


def test_a_room_without_rules_is_removed() -> None:
    """A room whose policy is gone wakes disabled and removed, with its session and music still to be settled."""
    house = a_house()
    room = decode(encode(house), {}).rooms["bath"]
    assert room.removed
    assert not room.rules.enabled
    assert (room.session, room.music) == (house.rooms["bath"].session, house.rooms["bath"].music)


def test_no_field_of_the_state_is_forgotten() -> None:
    """A field added to the engine's state is carried, or is named here as one that need not be."""
    kept = {field.name for field in fields(snapshot._Room)}
    assert kept == {field.name for field in fields(Room)} - {"rules", "quiet", "due_at"}
    kept = {field.name for field in fields(snapshot._House)}
    assert kept == {field.name for field in fields(House)} - {"due_at", "calls_short", "seed"}


def bytes_of(document: object) -> bytes:
    """A snapshot of schema 1 with this content."""
    return b"spotty snapshot 1\n" + zlib.compress(json.dumps(document).encode())


def test_schema_1_stays_readable() -> None:
    """Bytes written by the first version are understood: fields added since have defaults, ones since gone are passed.

    If this fails, an update would lose the sessions that run while it is installed: raise SCHEMA or give a default.
    """
    room = {
        "presence": {"inputs": {"pir": {"kind": "pir", "active": True, "since": 5}}, "evident": 1, "last_at": 4},
        "session": {"id": "r1-1", "started_at": 5, "motions": 1, "target": None},
        "past": {"sessions": 1, "recorded_at": {"debounced": 3}},
        "candidate": None,
        "snoozed_until": None,
        "music": {"playback": {"kind": "muted", "reason": "manual_stop", "gone_since": 1}, "awaited": []},
        "has_contact": False,
        "removed": False,
    }
    old = {"run": "r1", "started_at": 0, "mono": 9, "offset": 7, "trusted": True, "rooms": {"bath": room}, "token": 3}
    house = decode(bytes_of(old), {"bath": RULES})
    assert (house.run, house.mono, house.offset, house.token) == ("r1", 9, 7, 3)
    assert house.rooms["bath"].presence.inputs["pir"].since == 5
    assert isinstance(house.rooms["bath"].music.playback, Muted)


@given(data=st.data())
def test_damage_is_never_taken_for_state(data: st.DataObject) -> None:
    """A changed byte is found out: the bytes are refused, or (in an idle bit of the packing) mean the same."""
    whole = encode(a_house())
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    damaged = whole[:place] + bytes([byte]) + whole[place + 1 :]
    try:
        house = decode(damaged, {"bath": RULES})
    except SnapshotError as error:
        assert "\n" not in str(error)  # noqa: PT017 - refusing and meaning the same are both right
    else:
        assert house == without_caches(a_house())


@given(junk=st.binary(max_size=80), length=st.integers(0, 400))
def test_junk_and_torn_bytes_are_refused(junk: bytes, length: int) -> None:
    """What is no whole snapshot raises SnapshotError and nothing else."""
    for data in (junk, b"spotty snapshot 1\n" + junk, encode(a_house())[:length]):
        with pytest.raises(SnapshotError):
            decode(data, {})


@pytest.mark.parametrize(
    "data, line",
    [
        (b"", "the snapshot is damaged: it does not begin like one"),
        (b"spotty snapshot 2\nx", "the snapshot's schema is b'2'; this version knows 1"),
        (bytes_of({"run": "r1"}), "the snapshot does not fit this version: started_at: Field required"),
        (bytes_of([]), "the snapshot does not fit this version: : Input should be an object"),
    ],
)
def test_the_refusal_says_why(data: bytes, line: str) -> None:
    """Each refusal is one line that names what is wrong."""
    with pytest.raises(SnapshotError) as refused:
        decode(data, {})
    assert str(refused.value) == line


def test_a_number_is_not_taken_for_a_word() -> None:
    """Values of the wrong type are refused, not bent until they fit."""
    with pytest.raises(SnapshotError, match="token"):
        decode(
            bytes_of(
                {"run": "r1", "started_at": 0, "mono": 9, "offset": 7, "trusted": True, "rooms": {}, "token": "3"}
            ),
            {},
        )


@pytest.mark.parametrize("run", ["\ud800", 17])
def test_what_could_not_be_read_back_is_not_written(run: str) -> None:
    """Half a character pair, or a value of a type that a defect put there, is refused by encode, not by a later run."""
    with pytest.raises(SnapshotError, match="cannot be written down") as refused:
        encode(replace(a_house(), run=run))
    assert "\n" not in str(refused.value)
