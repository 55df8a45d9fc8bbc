import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.commanded import Commanded, kept_in
from tests.gateway.flat import PATIENCE_S, POLICY, Flat, is_silent, plays
from tests.gateway.person import address_after, field_of

from spotty_contract.commands import COMMANDS
from spotty_contract.policy import Policy
from spotty_gateway.command_memory import KEPT, MOST, Answer, CommandMemory
from spotty_gateway.orders import MOST_AT_ONCE
from spotty_gateway.replay.what_if import Question, WhatIf, WhatIfBusyError, WhatIfError
from spotty_sandbox.rig import Rig
from spotty_sandbox.spotify import Fault, SpotifyWorld, refused

BACK = "https://house.example/spotify"
LONG = {**POLICY, "vacancyDelayS": 3600}


@pytest.fixture
def flat(tmp_path: Path) -> Flat:
    """One room where a session lasts as long as these tests."""
    made = Flat(tmp_path)
    made.policies = {"bath": LONG}
    return made


@pytest.fixture
def rig(flat: Flat) -> Iterator[Rig]:
    """Its gateway, running."""
    with flat.rig() as running:
        yield running


@pytest.fixture
def home(flat: Flat, rig: Rig) -> Iterator[Commanded]:
    """The cloud's way to it."""
    commanded = Commanded(flat, rig)
    yield commanded
    commanded.close()


def volume_of(world: SpotifyWorld) -> int | None:
    """How loud the bathroom's speaker is."""
    return world.device("Bathroom").volume_pct


def in_session(home: Commanded) -> None:
    """Somebody is there, and music plays for them."""
    home.flat.motion(home.rig)
    home.flat.heard.wait_for("music started")


# Each command, good.


def test_pause_and_resume(home: Commanded) -> None:
    """Silence for the rest of the session; and music again, told when it really plays."""
    in_session(home)
    paused = home.order("pause")
    assert (paused.outcome, paused.detail) == ("done", "silent for the rest of this session")
    home.flat.simulator.wait_until(is_silent)
    resumed = home.order("resume")
    assert (resumed.outcome, resumed.detail) == ("done", "music plays")
    assert home.flat.simulator.call(plays)


def test_in_an_empty_room_both_are_done_and_say_so(home: Commanded) -> None:
    """There is nothing to stop and nobody to play for."""
    assert home.order("pause").detail == "nobody is there; the next motion brings music again"
    assert home.order("resume").detail == "nobody is there; the next motion brings music"
    assert home.flat.plays_asked() == 0


def test_snooze_until_for_and_till_morning(home: Commanded) -> None:
    """Three ways to say it, told in the room's own time; one in the past is refused."""
    assert home.order("snooze").detail == "no music before 2026-02-02T06:00+01:00"
    assert home.order("snooze", forS=600).detail == "no music before 2026-02-02T03:50+01:00"
    assert home.order("snooze", until=home.now_ms() + 60_000).detail == "no music before 2026-02-02T03:41+01:00"
    past = home.order("snooze", until=home.now_ms())
    assert (past.outcome, past.reason) == ("refused", "past")
    never = home.order("snooze", until=253_402_300_799_999)
    assert (never.outcome, never.reason) == ("refused", "too_long")
    home.flat.motion(home.rig)
    home.flat.heard.wait_for("snoozed")


def test_volume_is_set_within_the_cap_while_ours_plays(flat: Flat) -> None:
    """Told when the speaker has it; a vacant room has none to set."""
    flat.policies = {"bath": {**LONG, "playback": {**POLICY["playback"], "volumeCapPct": 50}}}
    with flat.rig() as rig:
        home = Commanded(flat, rig)
        nothing = home.order("volume", volumePct=30)
        assert (nothing.outcome, nothing.reason) == ("refused", "not_playing")
        in_session(home)
        assert home.order("volume", volumePct=30).detail == "30 %"
        assert flat.simulator.call(volume_of) == 30
        assert home.order("volume", volumePct=90).detail == "50 %, the most that the settings allow"
        assert flat.simulator.call(volume_of) == 50


def test_volume_is_told_when_the_speaker_has_it(home: Commanded) -> None:
    """Refused at first by Spotify, it is tried again; nothing is told as done before it is."""
    in_session(home)
    home.flat.simulator.inject(refused("PUT */volume", 503, "Service unavailable"))
    home.flat.simulator.forget_requests()
    command_id = home.send("volume", volumePct=20)
    home.flat.simulator.wait_until(lambda _: any("volume" in one.path for one in home.flat.simulator.requests()))
    home.rig.gateway._executor.ask(lambda _: None, PATIENCE_S)
    assert home.rig.gateway._ask_house(lambda _: None, PATIENCE_S)
    assert home.answers.results == []
    home.flat.pass_s(home.rig, 120)
    assert home.answers.wait_for(command_id).detail == "20 %"


def test_test_play_is_heard_for_its_time(home: Commanded) -> None:
    """In an empty room: the speaker plays, and falls silent by itself; no session comes of it."""
    result = home.order("test_play", forS=20, volumePct=25)
    assert (result.outcome, result.detail) == ("done", "Bathroom plays for 20 s")
    assert home.flat.simulator.call(plays)
    assert home.flat.simulator.call(volume_of) == 25
    home.flat.pass_s(home.rig, 21)
    home.flat.simulator.wait_until(is_silent)
    assert home.flat.heard.facts == []


def test_test_play_leaves_other_people_s_music_alone(home: Commanded) -> None:
    """Somebody listens in the kitchen: the trial fails with that reason, and their music plays on."""

    def somebody(world: SpotifyWorld) -> None:
        world.hand().play(world.device("Kitchen"), world.catalogue.named("Washing Up"))

    home.flat.simulator.call(somebody)
    result = home.order("test_play")
    assert (result.outcome, result.reason) == ("failed", "playing_elsewhere")
    assert home.flat.simulator.call(lambda world: world.player().active) is not None
    assert home.flat.simulator.call(plays)


def test_test_play_needs_a_speaker_and_music(flat: Flat) -> None:
    """What neither the command nor the policy names is refused; what the command names is tried."""
    flat.policies = {"bath": {"vacancyDelayS": 60, "warmUpS": 0}}
    with flat.rig() as rig:
        home = Commanded(flat, rig)
        assert home.order("test_play").reason == "no_target"
        uri = flat.simulator.call(lambda world: world.catalogue.named("Washing Up").uri)
        result = home.order("test_play", device={"name": "Kitchen", "type": "Speaker"}, contextUri=uri)
        assert (result.outcome, result.detail) == ("done", "Kitchen plays for 15 s")


def test_list_devices_with_what_keeps_a_room_from_its_own(home: Commanded) -> None:
    """Every speaker, and why not, room by room."""
    result = home.order("list_devices", "gateway")
    assert result.devices is not None
    assert [one.name for one in result.devices] == ["Bathroom", "Kitchen", "Bedroom"]
    home.flat.simulator.call(lambda world: world.hand().unplug(world.device("Bathroom")))
    assert "Bathroom: " in home.order("list_devices", "gateway").detail


def test_spotify_is_connected_in_two_commands(home: Commanded) -> None:
    """The link comes with the first, the browser's answer goes with the second; the music that waited for it plays."""
    tokens = home.flat.folder / "tokens.json"
    tokens.unlink()
    home.flat.simulator.call(lambda world: world.auth.register("spottypottysense", redirect_uris=(BACK,)))
    home.flat.motion(home.rig)
    home.flat.heard.wait_for("(consent_needed)")
    asked = home.order("connect_spotify", "gateway", redirectUri=BACK)
    assert asked.connect is not None
    assert asked.connect.redirect_uri == BACK
    address = address_after(asked.connect.link)
    answer = {"state": field_of(address, "state"), "code": field_of(address, "code")}
    assert home.order("connect_spotify", "gateway", answer=answer).detail == "Spotify is connected"
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    home.flat.heard.wait_for("music started")
    kept = kept_in(home.flat.folder)
    assert answer["code"] not in kept
    assert answer["state"] not in kept
    again = home.order("connect_spotify", "gateway", answer=answer)
    assert (again.outcome, again.reason) == ("refused", "no_question")


def test_a_wrong_answer_leaves_the_question_open_and_a_no_closes_it(home: Commanded) -> None:
    """Another state is nobody's; `access_denied` ends it, and the tokens that there are stay."""
    before = (home.flat.folder / "tokens.json").read_bytes()
    asked = home.order("connect_spotify", "gateway", redirectUri=BACK)
    assert asked.connect is not None
    state = field_of(asked.connect.link, "state")
    wrong = home.order("connect_spotify", "gateway", answer={"state": "x", "code": "y"})
    assert (wrong.outcome, wrong.reason) == ("refused", "not_the_answer")
    no = home.order("connect_spotify", "gateway", answer={"state": state, "error": "access_denied"})
    assert (no.outcome, no.reason) == ("failed", "no_consent")
    assert (home.flat.folder / "tokens.json").read_bytes() == before


def test_disconnect_stops_our_music_and_forgets(home: Commanded) -> None:
    """Silence, no tokens, and a second time is done too."""
    in_session(home)
    assert home.order("disconnect_spotify", "gateway").detail == "Spotify is disconnected"
    home.flat.simulator.wait_until(is_silent)
    assert not (home.flat.folder / "tokens.json").exists()
    assert home.order("disconnect_spotify", "gateway").detail == "Spotify was not connected"


def test_what_if_tells_the_days_twice(home: Commanded) -> None:
    """A visit as it was, and as it would have been under settings that let nothing start."""
    in_session(home)
    assert home.rig.gateway._store.flush(5)
    result = home.order("what_if", policy={"enabled": False, "vacancyDelayS": 60})
    assert result.what_if is not None
    assert (result.what_if.now.motions, result.what_if.now.sessions, result.what_if.now.session_s) == (1, 1, 3600)
    assert (result.what_if.instead.sessions, result.what_if.instead.suppressed) == (0, {"disabled": 1})
    assert result.what_if.since == result.what_if.until == home.now_ms()


def test_what_if_is_about_the_days_that_are_asked_for(home: Commanded) -> None:
    """A visit of the day before yesterday is left out of one day, and is in three."""
    in_session(home)
    home.flat.pass_s(home.rig, 2 * 86_400)
    home.flat.motion(home.rig)
    home.flat.heard.wait_for("somebody came in", 2)
    assert home.rig.gateway._store.flush(5)
    one, three = (home.order("what_if", policy={}, days=days).what_if for days in (1, 3))
    assert one is not None
    assert three is not None
    assert (one.now.motions, three.now.motions) == (1, 2)
    assert (one.since, three.since) == (home.now_ms(), home.now_ms() - 2 * 86_400_000)


def test_restart_is_answered_first_and_asked_for_once(home: Commanded) -> None:
    """Its id is on the disk before we go; come again after the start, it is answered and nothing more."""
    result = home.order("restart", "gateway", commandId="again")
    assert result.outcome == "done"
    home.close()
    assert ["again" in kept for kept in home.restarts] == [True]
    anew = Commanded(home.flat, home.rig)
    assert anew.order("restart", "gateway", commandId="again") == result
    anew.close()
    assert anew.restarts == []


def test_a_restart_soon_after_the_start_is_refused(home: Commanded) -> None:
    """Nucleus lite starts us three times an hour, and then no more."""
    home.up_s = 60
    result = home.order("restart", "gateway")
    assert (result.outcome, result.reason) == ("refused", "restarted_lately")
    assert home.restarts == []


def test_a_restart_that_would_be_forgotten_is_not_made(home: Commanded) -> None:
    """A disk that takes nothing: the same command would come again, and again."""
    (home.flat.folder / "commands.json").mkdir()
    assert home.order("restart", "gateway").reason == "disk"
    home.close()
    assert home.restarts == []


# Each command, otherwise.

FIELDS: dict[str, dict[str, Any]] = {
    "volume": {"volumePct": 30},
    "what_if": {"policy": {}},
    "connect_spotify": {"redirectUri": BACK},
}
OF_GATEWAY = {name for name, shape in COMMANDS.items() if shape.of_gateway}
AUDIBLE = {name for name, shape in COMMANDS.items() if shape.audible}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_expired_command_does_nothing(home: Commanded, command: str) -> None:
    """Refused by name, at the very millisecond, and so is its repetition."""
    sensor_id = "gateway" if command in OF_GATEWAY else "bath"
    result = home.order(command, sensor_id, age_s=30, **FIELDS.get(command, {}))
    assert (result.command, result.outcome, result.reason) == (command, "refused", "expired")
    assert home.flat.plays_asked() == 0
    assert home.restarts == []


@pytest.mark.parametrize("command", COMMANDS)
def test_while_the_time_is_unknown_nothing_is_to_be_heard(home: Commanded, command: str) -> None:
    """Audible commands are refused; the others are carried out, however old they look."""
    home.trusted = False
    sensor_id = "gateway" if command in OF_GATEWAY else "bath"
    result = home.order(command, sensor_id, age_s=30, **FIELDS.get(command, {}))
    assert (result.reason == "clock_untrusted") is (command in AUDIBLE)
    assert result.clock_trusted is False
    assert home.flat.plays_asked() == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_malformed_command_is_answered_by_its_id(home: Commanded, command: str) -> None:
    """A field too many: refused, with the field's name and without its value."""
    sensor_id = "gateway" if command in OF_GATEWAY else "bath"
    result = home.order(command, sensor_id, **FIELDS.get(command, {}), secretWish="s3cret")
    assert (result.outcome, result.reason) == ("refused", "malformed")
    assert "secretWish" in result.detail
    assert "s3cret" not in result.to_json()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_repeated_command_is_answered_the_same_and_does_nothing_twice(home: Commanded, command: str) -> None:
    """Once more within its time, and once more after a restart."""
    sensor_id = "gateway" if command in OF_GATEWAY else "bath"
    given = {"commandId": "twice", **home.written(command), **FIELDS.get(command, {})}
    home.hear(given, sensor_id)
    first = home.answers.wait_for("twice")
    asked = len(home.flat.simulator.requests())
    home.hear(given, sensor_id)
    assert home.answers.wait_for("twice", 2) == first
    home.close()
    anew = Commanded(home.flat, home.rig)
    anew.hear(given, sensor_id)
    third = anew.answers.wait_for("twice")
    if command == "connect_spotify":  # its link died with the verifier
        assert (third.outcome, third.reason) == ("failed", "restarted")
    else:
        assert third == first
    assert len(home.flat.simulator.requests()) == asked
    assert len(home.restarts) == (command == "restart")


@pytest.mark.parametrize(
    "command, outcome",
    [
        ("pause", "done"),
        ("snooze", "done"),
        ("resume", "done"),
        ("volume", "refused"),
        ("test_play", "failed"),
        ("list_devices", "failed"),
        ("connect_spotify", "done"),
        ("disconnect_spotify", "done"),
        ("restart", "done"),
    ],
)
def test_without_spotify_every_command_has_an_end(home: Commanded, command: str, outcome: str) -> None:
    """What needs it fails with words; what does not is done."""
    home.flat.simulator.stop()
    sensor_id = "gateway" if command in OF_GATEWAY else "bath"
    result = home.order(command, sensor_id, **FIELDS.get(command, {}))
    assert result.outcome == outcome
    assert result.detail
    if outcome == "failed":
        assert result.reason == "player_unavailable"


def test_a_resume_that_brings_no_music_says_why(home: Commanded) -> None:
    """Somebody is there, but Spotify is not: failed, with the reason of the silence."""
    in_session(home)
    home.order("pause")
    home.flat.simulator.wait_until(is_silent)
    home.flat.simulator.inject(Fault("gone", ending="reset", times=None))
    result = home.order("resume")
    assert (result.outcome, result.reason) == ("failed", "player_unavailable")


# What is no command at all.


def test_what_has_no_id_becomes_one_error_record_a_minute(home: Commanded) -> None:
    """Told with their number, not one by one."""
    for given in (b"\xff", b"[]", b"{" * 5_000):
        home.hear(given)
    home.up_s += 61
    home.hear(b"{}")
    assert [(one.fault, one.count) for one in home.answers.errors] == [
        ("unreadable_command", 1),
        ("unreadable_command", 3),
    ]
    assert home.answers.results == []


@pytest.mark.parametrize(
    "sensor_id, given, reason",
    [
        ("bath", {"command": "dance"}, "unknown_command"),
        ("gateway", {"command": "pause"}, "misdirected"),
        ("attic", {"command": "pause"}, "no_such_sensor"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    home: Commanded, sensor_id: str, given: dict[str, object], reason: str
) -> None:
    """An unknown command, a wrong place, a room that is not there: each with words."""
    home.hear({"commandId": "x", **home.written("pause"), **given}, sensor_id)
    result = home.answers.wait_for("x")
    assert (result.outcome, result.reason) == ("refused", reason)
    assert result.detail


def test_a_repetition_while_it_is_under_way_waits_for_the_one_answer(home: Commanded) -> None:
    """Two of one id at once: one start, one result; and beyond so many at once the next is refused."""
    home.flat.simulator.inject(Fault("hang", ending="hang"))
    given = {"commandId": "one", **home.written("test_play")}
    for _ in range(2):
        home.hear(given)
    for number in range(MOST_AT_ONCE - 1):
        home.hear({"commandId": f"d{number}", **home.written("list_devices")}, "gateway")
    home.hear({"commandId": "late", **home.written("pause")})
    assert home.answers.wait_for("late").reason == "busy"
    assert home.answers.results[0].command_id == "late"
    home.flat.simulator.stop()
    home.answers.wait_for("one")
    home.close()
    assert len([one for one in home.answers.results if one.command_id == "one"]) == 1


# Memory, and the process that reckons.


def test_the_memory_is_bounded_and_for_its_owner_s_eyes(tmp_path: Path) -> None:
    """The oldest that have expired are forgotten, no others; damage is no fault."""
    path = tmp_path / "commands.json"
    memory = CommandMemory(path)
    memory.remember("lasts", Answer("{}", 10_000), 0)
    for number in range(KEPT + 3):
        memory.remember(f"c{number}", Answer("{}", 1_000 + number), 1_000 + number)
    assert memory.result_of("c3") is None
    assert [CommandMemory(path).result_of(name) for name in ("lasts", "c4")] == ["{}", "{}"]
    assert len(json.loads(path.read_text())) == KEPT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for damage in (b"\xff", b"[]", b'{"c4": "{}"}', b'{"c4": {"result": 1, "expiresAt": 2}}'):
        path.write_bytes(damage)
        assert CommandMemory(path).result_of("c4") is None


def test_a_full_memory_has_no_room_until_something_expires(tmp_path: Path) -> None:
    """What has not expired stays; where nobody knows what has, the oldest goes."""
    memory = CommandMemory(tmp_path / "commands.json")
    for number in range(MOST):
        assert memory.has_room(0)
        memory.remember(f"c{number}", Answer("{}", 1_000), 0)
    assert not memory.has_room(999)
    assert memory.has_room(1_000)
    assert memory.has_room(None)
    memory.remember("one more", Answer("{}", 1_000), None)
    assert (memory.result_of("c0"), memory.result_of("c1")) == (None, "{}")


@pytest.mark.parametrize("trash", ["expired", "malformed", "unknown_command", "misdirected"])
def test_nothing_that_is_refused_anyway_makes_it_forget_what_was_done(home: Commanded, trash: str) -> None:
    """However many such come: the first command, brought again, is answered as it was and not carried out again."""
    given = {"commandId": "first", **home.written("resume")}
    home.hear(given)
    first = home.answers.wait_for("first")
    before = kept_in(home.flat.folder)
    wrong = {
        "expired": home.written("resume", age_s=31),
        "malformed": {**home.written("resume"), "more": 1},
        "unknown_command": {**home.written("resume"), "command": "dance"},
        "misdirected": home.written("list_devices"),
    }[trash]
    for number in range(KEPT + 1):
        home.hear({"commandId": f"t{number}", **wrong})
        assert home.answers.wait_for(f"t{number}").reason == trash
    home.hear(given)
    assert home.answers.results[-1] == first
    assert kept_in(home.flat.folder) == before


def test_a_command_from_the_future_is_refused_and_stays_so(home: Commanded) -> None:
    """Whose sender's clock is ahead is told so; brought again when it would be in time, it gets the same answer."""
    given = {"commandId": "early", **home.written("resume", age_s=-60)}
    home.hear(given)
    early = home.answers.wait_for("early")
    assert (early.outcome, early.reason) == ("refused", "expired")
    assert "clock" in early.detail
    home.flat.pass_s(home.rig, 70)
    home.hear(given)
    assert home.answers.results[-1] == early


def test_whoever_asks_more_than_can_be_remembered_is_refused(home: Commanded) -> None:
    """Nothing is done of which a repetition would not be known."""
    for number in range(MOST):
        home.memory._answers[f"m{number}"] = Answer("{}", home.now_ms() + 1)
    assert home.order("snooze").reason == "busy"
    assert home.memory.result_of(f"c{home.number}") is None


def test_after_its_end_nothing_is_begun(home: Commanded) -> None:
    """What comes while the gateway stops is neither carried out nor answered: it comes again."""
    home.close()
    home.send("snooze")
    home.close()
    assert home.answers.results == []
    assert kept_in(home.flat.folder) == ""


def question(folder: Path) -> Question:
    """About a history that is not there."""
    return Question(folder / "history.db", "bath", "UTC", 0, 1, Policy(), Policy())


def test_the_process_that_reckons_imports_nothing_from_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in the component's work folder that is named like a module is not imported in its place."""
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the work folder')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WhatIfError, match="history") as raised:
        WhatIf().answer(question(tmp_path))
    assert "imported" not in str(raised.value)


def test_a_history_that_is_not_there_is_told_in_a_line(tmp_path: Path) -> None:
    """The process's own words, not its traceback."""
    with pytest.raises(WhatIfError, match=r"^[^\n]+$"):
        WhatIf().answer(question(tmp_path))


def test_one_what_if_at_a_time_and_none_after_the_end(tmp_path: Path) -> None:
    """A second one is refused while the first reads; closing ends the first."""
    asked = question(tmp_path)
    what_if = WhatIf()
    what_if._busy.acquire()
    with pytest.raises(WhatIfBusyError):
        what_if.answer(asked)
    what_if._busy.release()
    what_if.close()
    with pytest.raises(WhatIfError, match="could not be reckoned"):
        what_if.answer(asked)
