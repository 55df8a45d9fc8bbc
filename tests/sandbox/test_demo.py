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

LASTING = """timestamp,input,state
2026-03-14T07:00:00+01:00,Bath Area,on
2026-03-14T07:00:04+01:00,Bath Area,off
2026-03-14T09:00:00+01:00,Bath Area,on
"""
"""An input that is still high at the end: it counts as stuck after an hour, and only then the session ends."""

NAMES = """timestamp,input,state
2026-03-14T07:00:00+01:00,Küche,on
2026-03-14T07:00:04+01:00,Küche,off
2026-03-14T07:01:00+01:00,A 1,on
2026-03-14T07:04:00+01:00,A-1,on
2026-03-14T07:04:01+01:00,A 1,off
2026-03-14T07:09:00+01:00,A-1,off
2026-03-14T07:30:00+01:00,"台所, left",on
2026-03-14T07:30:09+01:00,"台所, left",off
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
@pytest.mark.parametrize(
    "lines, policy, sessions",
    [
        pytest.param(LOG, None, 2, id="two inputs"),
        pytest.param(LASTING, None, 2, id="still high at the end"),
        pytest.param(LOG, '{"vacancyDelayS": 1800}', 2, id="half an hour of vacancy"),
        pytest.param(NAMES, None, 2, id="names of any letters, and alike"),
    ],
)
def test_a_recorded_log_gives_the_sessions_of_its_replay(
    tmp_path: Path, lines: str, policy: str | None, sessions: int, speed: str
) -> None:
    """Through pins, threads, real spotipy and HTTP at any speed, a log gives what the replay says, to its very end."""
    log = tmp_path / "log.csv"
    log.write_text(lines, encoding="utf-8")
    arguments = ["--log", str(log), "--speed", speed]
    if policy is not None:
        (tmp_path / "policy.json").write_text(policy)
        arguments += ["--policy", str(tmp_path / "policy.json")]
    done = subprocess.run([*DEMO, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{sessions} sessions through the pins; the replay of the log has the same ones." in done.stdout


def test_a_log_may_come_from_standard_input() -> None:
    """`--log -` is read to its end, and says which input got which id, by the order of their names."""
    done = subprocess.run(
        [*DEMO, "--log", "-", "--speed", "at-once"], input=LOG, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "input-1 is Bath Area, input-2 is Bath Sink." in done.stdout
    assert "2 sessions through the pins; the replay of the log has the same ones." in done.stdout


@pytest.mark.parametrize("speed", ["abc", "0", "nan"])
def test_what_is_no_speed_is_told_what_one_is(speed: str) -> None:
    """The last line says what was given and what a speed is; exit code 2."""
    done = subprocess.run([*DEMO, "--speed", speed], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    said = f"'{speed}' is no speed: a number above 0 (times real time), or at-once"
    assert done.stderr.splitlines()[-1].endswith(said)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--log", "nowhere.csv"], "nowhere.csv: No such file"),
        (["--log", "{log}", "--policy", "nowhere.json"], "nowhere.json: No such file"),
        (
            ["--log", "{bad}"],
            "bad.csv: line 2, column 3 (state): 'maybe' is none of on, true, ",
        ),
        (["--log", "{header}"], "header.csv: there is nothing to play, no line follows its header"),
        (["--log", "{many}"], "many.csv: 9 inputs; one room has at most 8"),
    ],
)
def test_what_cannot_be_played_is_said_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    """A missing log or policy, a bad line, no line or too many inputs: one line on standard error, exit code 2."""
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "bad.csv").write_text("timestamp,input,state\n2026-03-14T07:00:00Z,a,maybe\n")
    (tmp_path / "header.csv").write_text("timestamp,input,state\n")
    many = "".join(f"2026-03-14T07:00:00Z,{name},on\n" for name in range(9))
    (tmp_path / "many.csv").write_text(f"timestamp,input,state\n{many}")
    known = {name: str(tmp_path / f"{name}.csv") for name in ("log", "bad", "header", "many")}
    done = subprocess.run(
        [*DEMO, *(one.format(**known) for one in arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "--skip-bad-lines" not in done.stderr, "the demo has no such option"


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
