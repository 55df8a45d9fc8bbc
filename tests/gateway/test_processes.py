"""The real commands as real processes: what a person at a Pi would type, and what Greengrass would do to it."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from tests.gateway.account import CLIENT_ID
from tests.gateway.flat import PATIENCE_S, PLAYLIST, POLICY, WIRING, is_silent, plays

from spotty_gateway.__main__ import main
from spotty_gateway.local import FolderLock
from spotty_gateway.store import last_decisions, read_edges
from spotty_sandbox.spotify import Fault, SpotifySimulator, demo_world, invented_context

ROOT = Path(__file__).parents[2]
STOPS_WITHIN_S = 5.0


class Component:
    """A gateway in a process of its own, as Greengrass would run it, but for its wires."""

    def __init__(
        self,
        *arguments: str,
        program: str = "tests.gateway.wired_to_stdin",
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", program, *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}", **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._new: SimpleQueue[str | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._new.put(line.rstrip())
        self._new.put(None)

    def wait_for(self, words: str, times: int = 1) -> str:
        """Wait until a line with these words has been said, so many times; the last such line."""
        while len(found := [line for line in self.lines if words in line]) < times:
            try:
                line = self._new.get(timeout=PATIENCE_S)
            except Empty:
                line = None
            if line is None:
                raise AssertionError(f"{words!r} was never said; said was: {self.lines}")
            self.lines.append(line)
        return found[-1]

    def drive(self, pin: int, level: str) -> None:
        """Somebody at the wires."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{pin} {level}\n")
        self.process.stdin.flush()

    def motion(self) -> None:
        """Somebody moves in front of the PIR."""
        self.drive(17, "high")
        self.drive(17, "low")

    def end(self, by: signal.Signals) -> tuple[int, float]:
        """Send the signal; the exit code, and the seconds until it came."""
        began = time.monotonic()
        self.process.send_signal(by)
        code = self.process.wait(PATIENCE_S)
        took_s = time.monotonic() - began
        self.end_of_output()
        return code, took_s

    def end_of_output(self) -> None:
        """Once it has ended: nothing more comes, and `lines` is all there was."""
        self._reader.join(PATIENCE_S)
        while (line := self._new.get(timeout=PATIENCE_S)) is not None:
            self.lines.append(line)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Pi:
    """A data folder, settings, a Spotify, and the gateways that have run here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.simulator = SpotifySimulator(demo_world())
        self.simulator.start()
        self.components: list[Component] = []
        (folder / "policies").mkdir()
        (folder / "policies" / "gateway.json").write_text(json.dumps(WIRING))
        (folder / "policies" / "sensor-bath.json").write_text(json.dumps(POLICY))
        self.simulator.call(lambda world: world.catalogue.add(invented_context(PLAYLIST)))
        granted = self.simulator.call(lambda world: world.auth.grant(client_id=CLIENT_ID))
        (folder / "tokens.json").write_text(
            json.dumps(
                {
                    "access_token": granted.access_token,
                    "refresh_token": granted.refresh_token,
                    "expires_at": time.time() + granted.expires_in,
                }
            )
        )
        self.settings({})

    def settings(self, changes: dict[str, Any]) -> Path:
        """Write the settings file, with these on top of what a test needs."""
        path = self.folder / "settings.json"
        given = {
            "dataDir": str(self.folder),
            "pinFactory": "mock",
            "spotifyClientId": CLIENT_ID,
            "spotifyApiUrl": self.simulator.accounts_url,
            "spotifyAccountsUrl": self.simulator.accounts_url,
            "clock": "assume_trusted",
        }
        path.write_text(json.dumps({**given, **changes}))
        return path

    def run(self) -> Component:
        """A gateway that watches."""
        component = Component("run", "--settings", str(self.folder / "settings.json"))
        self.components.append(component)
        component.wait_for("watching 2 inputs in 1 room")
        return component

    def spotty(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What a person types."""
        return subprocess.run(
            [sys.executable, "-m", "spotty_gateway", *arguments],
            env={**os.environ, "SPOTTY_DATA": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def typed(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same without a process of its own, ten times as quick: for what a process would add nothing to."""
        said, complained = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as changed, redirect_stdout(said), redirect_stderr(complained):
            changed.setenv("SPOTTY_DATA", str(self.folder))
            code = main(arguments)
        return subprocess.CompletedProcess(arguments, code, said.getvalue(), complained.getvalue())

    def room(self) -> dict[str, Any]:
        """What `spotty status --json` says of the room."""
        found: dict[str, Any] = json.loads(self.spotty("status", "--json").stdout)["rooms"][0]
        return found


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Pi]:
    """All stopped at the end, whatever the test has left."""
    made = Pi(tmp_path)
    yield made
    for component in made.components:
        if component.process.poll() is None:
            component.end(signal.SIGKILL)
    made.simulator.stop()


def test_a_gateway_that_starts_waits_for_a_command_that_has_its_folder(pi: Pi) -> None:
    """`spotty doctor` or `spotty devices` at that very moment delay it, say so, and lock nobody out."""
    doctor = FolderLock(pi.folder, "spotty doctor")
    component = Component("run", "--settings", str(pi.folder / "settings.json"))
    pi.components.append(component)
    assert component.wait_for("is waited for").startswith(f"spotty doctor (process {os.getpid()}) works in")
    doctor.release()
    component.wait_for("watching 2 inputs")
    assert component.end(signal.SIGTERM)[0] == 0


def test_killed_in_mid_music_it_goes_on_with_the_song(pi: Pi) -> None:
    """Kill -9 while it plays: the next run knows session and music as its own, and starts nothing anew."""
    first = pi.run()
    first.motion()
    first.wait_for("music started")
    session = pi.room()
    assert first.end(signal.SIGKILL)[0] == -signal.SIGKILL
    pi.run()
    room = pi.room()
    assert (room["state"], room["why"]) == (session["state"], session["why"]) == ("playing", room["why"])
    assert pi.simulator.call(plays)
    assert sum(one.path == "/v1/me/player/play" for one in pi.simulator.requests()) == 1
    pi.spotty("pause", "bath")
    pi.simulator.wait_until(is_silent)


def test_killed_between_request_and_answer_the_music_is_known(pi: Pi) -> None:
    """Kill -9 while the start is under way: the intent was written before, so what plays is found to be ours."""
    pi.simulator.inject(Fault("hang", "PUT */play", times=1, ending="hang", performed=True))
    first = pi.run()
    first.motion()
    pi.simulator.wait_until(plays)
    first.end(signal.SIGKILL)
    second = pi.run()
    second.wait_for("music goes on")
    assert sum(one.path == "/v1/me/player/play" for one in pi.simulator.requests()) == 1


def test_sigterm_is_quick_and_leaves_music_and_memory(pi: Pi) -> None:
    """Exit code 0 within five seconds, the music plays on, and every motion and decision is in the history."""
    component = pi.run()
    component.motion()
    assert component.wait_for("music started") == "Bathroom: music started"
    code, took_s = component.end(signal.SIGTERM)
    assert code == 0
    assert took_s < STOPS_WITHIN_S
    assert pi.simulator.call(plays)
    history = pi.folder / "history.db"
    assert [one.active for one in read_edges(history) if one.input_id == "pir" and not one.initial] == [True, False]
    assert [one.action for one in last_decisions(history)] == ["playback_started", "motion_accepted"]


def test_sigterm_pauses_where_the_settings_say_so(pi: Pi) -> None:
    """`onStop: pause`: silence when the process is gone."""
    pi.settings({"onStop": "pause"})
    component = pi.run()
    component.motion()
    component.wait_for("music started")
    assert component.end(signal.SIGTERM)[0] == 0
    assert pi.simulator.call(is_silent)


def test_sigterm_is_quick_while_spotify_hangs(pi: Pi) -> None:
    """Not even a call that hangs keeps it: exit code 0 within five seconds."""
    pi.simulator.inject(Fault("hang", ending="hang"))
    component = pi.run()
    component.motion()
    component.wait_for("somebody came in")
    code, took_s = component.end(signal.SIGTERM)
    assert code == 0
    assert took_s < STOPS_WITHIN_S


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_starts_is_obeyed_in_order(pi: Pi, by: signal.Signals) -> None:
    """A signal that comes before everything is up waits for that: no traceback, exit code 0."""
    component = Component("run", "--settings", str(pi.folder / "settings.json"))
    pi.components.append(component)
    component.wait_for("watching")
    assert component.end(by)[0] == 0


def test_by_hand(pi: Pi) -> None:
    """status, pause, resume, snooze: each a command of its own, and the music does what it says."""
    component = pi.run()
    component.motion()
    component.wait_for("music started")
    assert f"Bathroom [bath]: playing ({PLAYLIST} on Bathroom (ours))" in pi.spotty("status").stdout
    assert "muted (manual_stop)" in pi.spotty("pause", "bath").stdout
    pi.simulator.wait_until(is_silent)
    assert pi.spotty("resume", "bath").returncode == 0
    pi.simulator.wait_until(plays)
    component.wait_for("music started", times=2)
    snoozed = pi.spotty("snooze", "bath", "--for", "90min")
    assert "snoozed until" in snoozed.stdout
    pi.simulator.wait_until(is_silent)
    assert pi.room()["snoozedUntil"] is not None


def test_a_snooze_survives_a_kill(pi: Pi) -> None:
    """Snoozed, killed, run again: still snoozed."""
    component = pi.run()
    pi.spotty("snooze", "bath", "--for", "2h")
    until = pi.room()["snoozedUntil"]
    component.end(signal.SIGTERM)
    pi.run()
    assert pi.room()["snoozedUntil"] == until is not None


def test_by_hand_what_cannot_be_done_is_one_line(pi: Pi) -> None:
    """No gateway, no such sensor, no such duration: exit code and one line that says what to do."""
    nobody = pi.spotty("pause", "bath")
    assert (nobody.returncode, nobody.stderr.count("\n")) == (1, 1)
    assert "is it running?" in nobody.stderr
    pi.run()
    unknown = pi.spotty("pause", "attic")
    assert unknown.returncode == 1
    assert unknown.stderr == "spotty pause: there is no sensor 'attic'; there are: bath\n"
    assert "is no duration; write 90min, 2h or 1d" in pi.spotty("snooze", "bath", "--for", "soon").stderr


def test_bad_settings_are_one_line_and_what_can_run_runs(pi: Pi) -> None:
    """An unknown setting is named and left out; the gateway watches."""
    pi.settings({"onStpo": "pause"})
    component = Component("run", "--settings", str(pi.folder / "settings.json"))
    pi.components.append(component)
    assert "it is left out" in component.wait_for("onStpo: unknown field")
    component.wait_for("watching 2 inputs")


def test_without_usable_settings_it_says_so_and_ends(pi: Pi) -> None:
    """No JSON: exit code 2, one line on standard error."""
    path = pi.folder / "settings.json"
    path.write_text("dataDir: /data")
    ended = pi.spotty("run", "--settings", str(path))
    assert (ended.returncode, ended.stderr.count("\n"), ended.stdout) == (2, 1, "")
    assert ended.stderr.startswith(f"spotty run: {path}: ")


def test_a_second_gateway_says_so_and_ends(pi: Pi) -> None:
    """On a folder that is taken: exit code 2, one line, and the first one still answers."""
    pi.run()
    second = pi.spotty("run", "--settings", str(pi.folder / "settings.json"))
    assert second.returncode == 2
    assert second.stderr.startswith("spotty run: another gateway runs with the data folder")
    assert pi.room()["state"] == "vacant"


def test_a_reader_who_is_slow_delays_nothing(pi: Pi) -> None:
    """Nobody reads the component's standard output, and its pipe is full: motion still starts music."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.gateway.wired_to_stdin", "run", "--settings", str(pi.settings({}))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=(full := _full_pipe())[1],
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    try:
        while pi.spotty("status").returncode:
            assert process.poll() is None
        process.stdin.write("17 high\n")
        process.stdin.flush()
        pi.simulator.wait_until(plays, PATIENCE_S)
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        process.stdin.close()
        for end in full:
            os.close(end)


def _full_pipe() -> tuple[int, int]:
    """A pipe that takes no byte more."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, b"." * 65_536)
    except BlockingIOError:
        pass
    try:
        while True:
            os.write(write_end, b".")
    except BlockingIOError:
        os.set_blocking(write_end, True)
    return read_end, write_end
