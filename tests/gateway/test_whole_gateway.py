import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.gateway.flat import PATIENCE_S, PIR, POLICY, START_AT, Flat, is_silent, plays

from spotty_gateway.app import Gateway
from spotty_gateway.engine.reasons import EndedBy
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.local import LocalError, ask
from spotty_gateway.settings import Settings
from spotty_hardware.inputs import PinInputs
from spotty_sandbox.house_clock import AT_ONCE, HouseClock
from spotty_sandbox.rig import Rig
from spotty_sandbox.spotify import Fault, SpotifySimulator, SpotifyWorld, demo_world, refused


@pytest.fixture
def flat(tmp_path: Path) -> Flat:
    """One room with a PIR, a button and a speaker."""
    return Flat(tmp_path)


def in_time(do: Callable[[], object]) -> float:
    """The seconds that `do` takes."""
    began = time.monotonic()
    do()
    return time.monotonic() - began


# The main job.


def test_walk_in_and_out(flat: Flat) -> None:
    """Motion starts the music, its absence stops it, and everything is written down."""
    with flat.rig() as rig:
        flat.motion(rig)
        flat.simulator.wait_until(plays)
        flat.heard.wait_for("music started")
        flat.pass_s(rig, 61)
        flat.simulator.wait_until(is_silent)
        flat.heard.wait_for("music stopped")
    assert [one.active for one in flat.edges()] == [True, False]
    assert [one.action for one in flat.decisions()] == ["motion_accepted", "playback_started", "paused"]


# The button.


def test_a_short_press_pauses_and_another_resumes(flat: Flat) -> None:
    """Pause mutes the session: motion does not start it again; a second press does."""
    with flat.rig() as rig:
        flat.motion(rig)
        flat.heard.wait_for("music started")
        flat.press(rig, 0.2)
        flat.simulator.wait_until(is_silent)
        flat.heard.wait_for("silent for the rest of this session")
        flat.pass_s(rig, 45)
        flat.motion(rig)
        status = ask(flat.folder / "spotty.sock", {"do": "status"})
        assert status["rooms"][0]["state"] == "muted"
        flat.press(rig, 0.2)
        flat.heard.wait_for("music started", times=2)
        flat.simulator.wait_until(plays)


def test_a_long_press_snoozes_until_the_morning(flat: Flat) -> None:
    """Held for more than a second: silence, and no motion starts anything before the next six o'clock."""
    with flat.rig() as rig:
        flat.motion(rig)
        flat.heard.wait_for("music started")
        flat.press(rig, 1.5)
        flat.simulator.wait_until(is_silent)
        room = ask(flat.folder / "spotty.sock", {"do": "status"})["rooms"][0]
        assert room["snoozedUntil"] == "2026-02-02T06:00:00+01:00"
        flat.pass_s(rig, 300)
        flat.motion(rig)
        assert "the room is snoozed" in flat.heard.wait_for("motion, but")


# Bad input: one clear line, motion decided and recorded, nothing lost.


def no_tokens(flat: Flat) -> None:
    """Nobody has connected Spotify."""
    (flat.folder / "tokens.json").unlink()


def foreign_tokens(flat: Flat) -> None:
    """The file is something else's."""
    (flat.folder / "tokens.json").write_text("[]")


def spotify_down(flat: Flat) -> None:
    """Every call is answered with 503."""
    flat.simulator.inject(refused("* *", 503, "Service unavailable", times=None))


def no_network(flat: Flat) -> None:
    """Nobody listens where Spotify was."""
    flat.simulator.stop()


def no_premium(flat: Flat) -> None:
    """The account may look but not play."""
    flat.simulator.inject(refused("PUT *", 403, "Premium required", "PREMIUM_REQUIRED", times=None))


def speaker_gone(flat: Flat) -> None:
    """The speaker has no power."""
    flat.simulator.call(lambda world: world.hand().unplug(world.device("Bathroom")))


@pytest.mark.parametrize(
    "trouble, line",
    [
        (no_tokens, "is missing: connect the household's Spotify account with 'spotty login' (consent_needed)"),
        (
            foreign_tokens,
            "holds no Spotify tokens: connect the household's Spotify account with 'spotty login' again (consent",
        ),
        (spotify_down, "Spotify answered 503 (Service unavailable); it is tried again (player_unavailable)"),
        (no_network, "Spotify cannot be reached (NewConnectionError): check the network; it is tried again"),
        (no_premium, "this Spotify account has no Premium, so apps cannot control it (premium_needed)"),
        (speaker_gone, "or choose it anew if it has another name now (no_device)"),
    ],
)
def test_without_spotify_motion_is_still_decided_and_recorded(
    flat: Flat, trouble: Callable[[Flat], None], line: str
) -> None:
    """One clear line that says what to do; the session is held, ends in time, and all of it is in the history."""
    with flat.rig() as rig:
        rig.gateway._executor.ask(lambda _: None, PATIENCE_S)  # it has got ready,
        flat.simulator.call(is_silent)  # and its connection has arrived: it is not to meet a server that is closing
        trouble(flat)
        flat.motion(rig)
        assert line in flat.heard.wait_for("no music for now")
        flat.pass_s(rig, 61)
        flat.heard.wait_for("session over")
        assert len([one for one in flat.heard.lines if "consent" in one or "Spotify" in one or "speaker" in one]) == 1
    assert [one.active for one in flat.edges()] == [True, False]
    assert [one.action for one in flat.decisions()][:2] == ["motion_accepted", "fault"]


def test_without_an_app_motion_is_still_decided_and_recorded(flat: Flat, monkeypatch: pytest.MonkeyPatch) -> None:
    """No client id is one line, the rest goes on, and nobody else's is taken from the environment."""
    monkeypatch.setenv("SPOTIPY_CLIENT_ID", "somebody-elses")
    flat.settings = {"spotifyClientId": ""}
    with flat.rig() as rig:
        flat.motion(rig)
        assert "the settings have no spotifyClientId" in flat.heard.wait_for("no music for now")
        flat.pass_s(rig, 61)
        flat.heard.wait_for("session over")
    assert [one.active for one in flat.edges()] == [True, False]


def test_music_comes_when_spotify_comes_back(flat: Flat) -> None:
    """The start is retried while somebody is there: fifteen seconds later it plays."""
    with flat.rig() as rig:
        spotify_down(flat)
        flat.motion(rig)
        flat.heard.wait_for("no music for now")
        flat.simulator.heal()
        flat.pass_s(rig, 15)
        flat.heard.wait_for("music started")


def test_a_bad_policy_leaves_the_room_its_motion(tmp_path: Path) -> None:
    """A policy that cannot be used: one line, and sessions are decided under the default one, without music."""
    flat = Flat(tmp_path)

    class Spoilt(Rig):
        def _write_files(self) -> None:
            super()._write_files()
            (flat.folder / "policies" / "sensor-bath.json").write_text('{"warmUpS": 0, "vacancyDelayS": 1}')

    flat.rig_type = Spoilt
    with flat.rig() as rig:
        assert "vacancyDelayS" in flat.heard.wait_for("the default policy, without music, is used instead")
        flat.motion(rig)
        flat.heard.wait_for("its sensor is still warming up")
        flat.pass_s(rig, 61)
        flat.motion(rig)
        flat.heard.wait_for("no speaker or no music has been chosen")
    assert len(flat.edges()) == 4
    assert flat.simulator.requests() == ()


def test_a_pin_that_does_not_exist_leaves_the_others(tmp_path: Path) -> None:
    """One input cannot be watched: one line that names it and the cure; the other's motion plays music."""
    flat = Flat(tmp_path)
    inputs = [{"id": "pir", "pin": 17}, {"id": "far", "pin": 2, "pull": "down"}]
    flat.wiring = {"sensors": [{"id": "bath", "name": "Bathroom", "inputs": inputs}]}
    with flat.rig() as rig:
        assert "bath/far" in flat.heard.wait_for("GPIO2")
        flat.heard.wait_for("watching 1 input in 1 room")
        flat.motion(rig)
        flat.heard.wait_for("music started")


def test_two_gateways_on_one_folder_do_not_run(flat: Flat) -> None:
    """The second is refused with a line that says what to do; the first plays on."""
    with flat.rig() as rig:
        second = Settings(data_dir=flat.folder, pin_factory="mock")
        with pytest.raises(LocalError, match="another gateway runs with the data folder"):
            Gateway(second, flat.clock, lambda on_edge: PinInputs(rig.factory, on_edge))
        flat.motion(rig)
        flat.heard.wait_for("music started")
        assert ask(flat.folder / "spotty.sock", {"do": "status"})["rooms"][0]["state"] == "playing"


# Slow things.


def test_a_hanging_spotify_delays_no_decision_and_loses_no_motion(flat: Flat) -> None:
    """While a call hangs, a session starts, is extended and ends in its time; all is recorded; stopping is quick."""
    rig = flat.rig()
    with rig:
        flat.simulator.inject(Fault("hang", ending="hang"))
        flat.motion(rig)
        flat.heard.wait_for("somebody came in")
        for _ in range(50):
            flat.pass_s(rig, 1)
            flat.motion(rig)
        flat.pass_s(rig, 61)
        flat.heard.wait_for("session over after 1 min 50 s")
        took_s = in_time(rig.gateway.stop)
    assert took_s < 5
    assert len(flat.edges()) == 102


def test_what_hung_when_we_stopped_is_known_after_the_restart(flat: Flat) -> None:
    """The start was obeyed but its answer never came; the gateway stopped. Restarted, it stops that music."""
    with flat.rig() as rig:
        flat.simulator.inject(Fault("hang", "PUT */play", times=1, ending="hang", performed=True))
        flat.motion(rig)
        flat.simulator.wait_until(plays)
    flat.clock.run_to(flat.clock.mono() + 61_000_000)
    with flat.rig():
        flat.simulator.wait_until(is_silent)
        flat.heard.wait_for("music stopped")


class LongSecond(HouseClock):
    """A second of the house takes an hour of ours, and somebody is told who waits for one."""

    def __init__(self) -> None:
        """Stand still."""
        super().__init__(START_AT, AT_ONCE)
        self.waited_for = threading.Event()

    def real_s(self, us: int) -> float:
        """An hour for a second, and hardly anything for everything else."""
        if us != SECOND:
            return super().real_s(us)
        self.waited_for.set()
        return 3600.0


def test_the_pause_before_asking_again_ends_when_we_stop(flat: Flat) -> None:
    """Spotify's refusal is asked about again after a second of the house; a gateway that stops does not wait for it."""
    flat.clock = clock = LongSecond()
    flat.simulator = SpotifySimulator(demo_world(clock))
    with flat.rig() as rig:
        flat.simulator.inject(refused("GET */player", 403, "Forbidden"))
        flat.motion(rig)
        assert clock.waited_for.wait(PATIENCE_S)
        rig.gateway.stop()
        looks = [one.status for one in flat.simulator.requests() if one.path == "/v1/me/player"]
    assert looks[:2] == [403, 204]


def test_a_slow_listener_is_not_waited_for_by_the_command(flat: Flat) -> None:
    """The request to Spotify is on its way before a line is told: a terminal that stalls does not delay the music."""
    asked, stalled = threading.Event(), threading.Event()
    said: list[bool] = []

    def stall(line: str) -> None:
        if "somebody came in" in line:
            said.append(asked.wait(PATIENCE_S))
            stalled.set()

    flat.heard.say = stall  # type: ignore[method-assign]  # the terminal of this test
    with flat.rig() as rig:
        flat.motion(rig)
        flat.simulator.wait_until(plays)
        asked.set()
        assert stalled.wait(PATIENCE_S)
    assert said == [True]


# Stopping and starting again.


def test_stopping_leaves_the_music_and_the_restart_goes_on_with_it(flat: Flat) -> None:
    """A deployment does not stop the song, and does not start it anew: one session, one start, one end."""
    with flat.rig() as rig:
        flat.motion(rig)
        flat.heard.wait_for("music started")
    assert flat.simulator.call(plays)
    flat.clock.run_to(flat.clock.mono() + 20_000_000)
    with flat.rig() as rig:
        assert ask(flat.folder / "spotty.sock", {"do": "status"})["rooms"][0]["state"] == "playing"
        flat.pass_s(rig, 41)
        flat.heard.wait_for("music stopped")
        assert flat.plays_asked() == 1
    ends = [one for one in flat.heard.facts if one.ended_by is not None]
    assert [(one.ended_by, one.start_at, one.duration_us) for one in ends] == [(EndedBy.TIMEOUT, START_AT, 60_000_000)]


def test_the_music_stops_with_us_where_the_settings_say_so(tmp_path: Path) -> None:
    """`onStop: pause`: silence when we are gone, and the pause is remembered as made."""
    flat = Flat(tmp_path, settings={"onStop": "pause"})
    with flat.rig() as rig:
        flat.motion(rig)
        flat.heard.wait_for("music started")
    assert flat.simulator.call(is_silent)
    assert flat.heard.with_words("music stopped")


def test_the_music_stops_with_the_whole_computer(flat: Flat) -> None:
    """When the system goes down nobody would be left to stop it."""
    with flat.rig() as rig:
        flat.motion(rig)
        flat.heard.wait_for("music started")
        assert rig.gateway.stop(system_goes_down=True)
        assert flat.simulator.call(is_silent)


def test_a_room_that_is_no_longer_configured_ends_and_its_debt_is_paid(flat: Flat) -> None:
    """Its session ends as `disabled`, and the music that it left playing is stopped."""
    with flat.rig() as rig:
        flat.motion(rig)
        flat.heard.wait_for("music started")
    flat.wiring = {"sensors": [{"id": "hall", "name": "Hall", "inputs": [{"id": "pir", "pin": 4}]}]}
    flat.policies = {"hall": POLICY}
    with flat.rig():
        flat.simulator.wait_until(is_silent)
        flat.heard.wait_for("music stopped")
    assert flat.heard.facts[-1].ended_by is EndedBy.DISABLED


def test_a_damaged_memory_is_told_and_done_without(flat: Flat) -> None:
    """A state.db that is no database: one line, and the gateway watches."""
    with flat.rig():
        pass
    (flat.folder / "state.db").write_bytes(b"not a database" * 100)
    with flat.rig() as rig:
        flat.heard.wait_for("state.db cannot be used")
        flat.motion(rig)
        flat.heard.wait_for("music started")


def test_stopping_twice_is_no_fault(flat: Flat) -> None:
    """Whoever stops a stopped gateway is told that all is written."""
    with flat.rig() as rig:
        assert rig.gateway.stop()


def test_a_person_s_pause_at_the_speaker_is_learnt_at_the_end(flat: Flat) -> None:
    """Paused by hand: nothing is paused again, and the session's record says so."""
    with flat.rig() as rig:
        flat.motion(rig)
        flat.heard.wait_for("music started")

        def by_hand(world: SpotifyWorld) -> None:
            world.hand().pause(world.device("Bathroom"))

        flat.clock.run_to(flat.clock.mono() + 5_000_000)
        flat.simulator.call(by_hand)
        flat.pass_s(rig, 61)
        flat.heard.wait_for("music left alone (manual_stop)")
    assert flat.heard.facts[-1].ended_by is EndedBy.MANUAL_STOP


def test_a_deaf_port_is_no_network_too(tmp_path: Path) -> None:
    """A Spotify that accepts no connection at all: motion is decided and said to be without music."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        flat = Flat(tmp_path, settings={"spotifyApiUrl": url, "spotifyAccountsUrl": url})
        with flat.rig() as rig:
            rig.pins[PIR].drive_high()
            flat.heard.wait_for("check the network")
