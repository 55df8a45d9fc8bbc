"""The demo as a user runs it: a process of its own, its words and its exit code."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = [sys.executable, "-u", "-m", "spotty_sandbox", "demo"]

LOG = """timestamp,input,state
2026-03-14T07:00:00+01:00,Bath Area,on
2026-03-14T07:00:04+01:00,Bath Area,off
2026-03-14T07:01:00+01:00,Bath Sink,on
2026-03-14T07:01:09+01:00,Bath Sink,off
2026-03-14T09:00:00+01:00,Bath Area,on
2026-03-14T09:00:02+01:00,Bath Area,on
2026-03-14T09:40:00+01:00,Bath Area,off
"""


def test_without_a_terminal_it_is_one_visit_that_is_heard() -> None:
    """With no terminal the music starts and stops in a named room, and the exit code is 0."""
    done = subprocess.run([*DEMO, "--speed", "600"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    started = re.search(r"Bathroom: music started", done.stdout)
    stopped = re.search(r"Bathroom: music stopped", done.stdout)
    assert started
    assert stopped
    assert started.start() < stopped.start()
    assert re.search(r"^Sat 07:00:\d\d CET  ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("speed", ["at-once", "20000"])
def test_a_recorded_log_gives_the_sessions_of_its_replay(tmp_path: Path, speed: str) -> None:
    """Through pins, threads, real spotipy and HTTP at any speed, a log gives what the replay says."""
    log = tmp_path / "log.csv"
    log.write_text(LOG)
    done = subprocess.run(
        [*DEMO, "--log", str(log), "--speed", speed], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 sessions through the pins; the replay of the log has the same ones." in done.stdout


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--log", "nowhere.csv"], "nowhere.csv: No such file"),
        (["--log", "{log}", "--policy", "nowhere.json"], "nowhere.json: No such file"),
        (["--log", "{bad}"], "line 2, column 3 (state): 'maybe'"),
    ],
)
def test_what_cannot_be_played_is_said_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    """A missing log, a missing policy or a bad line: one line on standard error, exit code 2."""
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "bad.csv").write_text("timestamp,input,state\n2026-03-14T07:00:00Z,a,maybe\n")
    known = {"log": str(tmp_path / "log.csv"), "bad": str(tmp_path / "bad.csv")}
    done = subprocess.run(
        [*DEMO, *(one.format(**known) for one in arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_ends_it_cleanly() -> None:
    """Interrupted in the middle of a visit it says so, without a traceback, and the exit code tells."""
    with subprocess.Popen(
        [*DEMO, "--visit", "--speed", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "The speakers:" in line:
                break
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "stopped" in rest
    assert "Traceback" not in errors
