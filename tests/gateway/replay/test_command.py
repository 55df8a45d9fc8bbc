import gzip
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.gateway.replay.logs import HEADER, line, log

from spotty_gateway.__main__ import main

SPOTTY = [sys.executable, "-m", "spotty_gateway", "replay"]
PATIENCE_S = 60.0
"""Longer than anything here takes: whoever waits this long waits in vain."""

DAY = log(line(0), line(2.5, "off"), line(100), line(101, "off"), line(150.0005), line(151, "off"), line(2000))


def spotty(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The command as a person runs it."""
    return subprocess.run([*SPOTTY, *map(str, arguments)], input=stdin, capture_output=True, check=False)


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """Two sessions, the second still open at the last line."""
    path = tmp_path / "day.csv"
    path.write_bytes(DAY)
    return path


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Settings that make a difference."""
    path = tmp_path / "policy.json"
    path.write_text('{"vacancyDelayS": 60, "holdOffS": 0, "cooldownS": 60, "stuckAfterS": 600}')
    return path


VERDICT = {
    "sessions": [
        {"start": "2026-01-05T12:00:00.000Z", "end": "2026-01-05T12:07:31.000Z", "endedBy": "timeout"}
        | {"motionEventsCount": 2},
        {"start": "2026-01-05T12:33:20.000Z", "end": "2026-01-05T13:38:20.000Z", "endedBy": "timeout"}
        | {"motionEventsCount": 1},
    ],
    "totals": {
        "motions": 4,
        "accepted": 3,
        "sessions": 2,
        "playSeconds": 451 + 3900,
        "suppressed": {"debounced": 1},
        "faults": {"input_stuck": 1},
    },
}
OTHER: dict[str, Any] = {
    "sessions": [
        {"start": "2026-01-05T12:00:00.000Z", "end": "2026-01-05T12:01:02.500Z", "endedBy": "timeout"}
        | {"motionEventsCount": 1},
        {"start": "2026-01-05T12:02:30.000Z", "end": "2026-01-05T12:03:31.000Z", "endedBy": "timeout"}
        | {"motionEventsCount": 1},
        {"start": "2026-01-05T12:33:20.000Z", "end": "2026-01-05T12:44:20.000Z", "endedBy": "timeout"}
        | {"motionEventsCount": 1},
    ],
    "totals": {
        "motions": 4,
        "accepted": 3,
        "sessions": 3,
        "playSeconds": 62.5 + 60.9995 + 660,
        "suppressed": {"cooldown": 1},
        "faults": {"input_stuck": 1},
    },
}


def test_json_is_the_verdict_and_nothing_else(day: Path) -> None:
    """Exactly the documented shape on standard output, and not a word on standard error."""
    done = spotty(day, "--format", "json")
    assert json.loads(done.stdout) == VERDICT
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_compared_policy_stands_under_its_own_key(day: Path, policy: Path) -> None:
    """The first verdict stays where it is; times are cut to milliseconds, lengths are not."""
    done = spotty(day, "--compare", policy, "--format", "json")
    assert json.loads(done.stdout) == VERDICT | {"compare": OTHER}
    assert json.loads(spotty(day, "--policy", policy, "--format", "json").stdout) == OTHER


def test_text_is_for_people(day: Path, policy: Path) -> None:
    """A summary, a strip for the day, and no colours where there is no terminal."""
    done = spotty(day, "--policy", policy)
    assert b"3 sessions, 13 min 03 s of music under policy.json" in done.stdout
    assert b"Mon 05 Jan" in done.stdout
    assert b"\033" not in done.stdout
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_read(pack: type[bytes]) -> None:
    """Plain or packed."""
    done = spotty("-", "--format", "json", stdin=pack(DAY))
    assert json.loads(done.stdout) == VERDICT
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_bad_line_ends_it_with_one_line(tmp_path: Path, form: str) -> None:
    """Exit code 2, the line and the column on standard error, and nothing on standard output."""
    path = tmp_path / "bad.csv"
    path.write_bytes(DAY + b"2026-01-05T13:00:00Z,pir,maybe\n")
    done = spotty(path, "--format", form)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == (
        f"spotty replay: {path}: line 9, column 3 (state): 'maybe' is none of on, true, 1, active, detected, off, "
        "false, 0, inactive, clear; correct it or leave such lines out with --skip-bad-lines\n"
    )


def test_bad_lines_are_skipped_and_disorder_is_told_on_standard_error(tmp_path: Path) -> None:
    """Warnings never mix with the answer."""
    path = tmp_path / "bad.csv"
    path.write_bytes(log(line(2000), "bad", *DAY.decode().splitlines()[1:-1], "bad"))
    done = spotty(path, "--format", "json", "--skip-bad-lines")
    assert json.loads(done.stdout) == VERDICT
    assert done.returncode == 0
    disorder, bad = done.stderr.decode().splitlines()
    assert disorder == f"spotty replay: warning: {path}: 6 lines were out of order; the log has been sorted by time"
    assert bad.startswith(f"spotty replay: warning: {path}: 2 bad lines were left out; the first: line 3, column 2: ")


@pytest.mark.parametrize(
    "policy,told",
    [
        ('{"vacancyDelayS": 10}', "vacancyDelayS: 10 is not allowed: it should be a number from 30 to 7200"),
        ('{"vacancyDelay": 10}', "vacancyDelay: unknown field with the value 10; did you mean vacancyDelayS?"),
        ("{", "policy is not JSON: EOF while parsing an object at line 1 column 1"),
        ("[" * 5000, "policy is not JSON: recursion limit exceeded at line 1 column 202"),
        (None, "No such file or directory; name a JSON file with a policy"),
    ],
)
@pytest.mark.parametrize("option", ["--policy", "--compare"])
def test_a_bad_policy_is_told_in_one_line(
    day: Path, tmp_path: Path, option: str, policy: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything of the log is read: exit code 2 and nothing on standard output."""
    path = tmp_path / "bad.json"
    if policy is not None:
        path.write_text(policy)
    assert main(["replay", str(day), option, str(path)]) == 2
    assert capsys.readouterr() == ("", f"spotty replay: {path}: {told}\n")


def test_a_folder_is_no_policy(day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the message says what to name instead."""
    assert main(["replay", str(day), "--policy", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"spotty replay: {tmp_path}: Is a directory; name a JSON file with a policy\n"


def test_policies_of_one_name_are_told_apart(day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By their folders."""
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "p.json").write_text("{}")
    main(["replay", str(day), "--policy", f"{tmp_path}/a/p.json", "--compare", f"{tmp_path}/b/p.json"])
    assert f"A {tmp_path}"[:13] in capsys.readouterr().out


def test_a_reader_who_has_seen_enough_is_no_fault(day: Path) -> None:
    """`| head` closes the pipe: the command ends without a word."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*SPOTTY, day], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_an_answer_that_cannot_be_written_is_told(day: Path) -> None:
    """A full disk is a fault of its own, in one line."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*SPOTTY, day], stdout=full, stderr=subprocess.PIPE, check=False)
    told = b"spotty replay: the answer cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_ctrl_c_ends_it_at_once() -> None:
    """Exit code 130, no traceback, nothing on standard output."""
    replay = subprocess.Popen([*SPOTTY, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert replay.stdin is not None
    replay.stdin.write(DAY * 10_000)  # more than a pipe holds: once it is written, the command is reading
    replay.stdin.flush()
    replay.send_signal(signal.SIGINT)
    out, err = replay.communicate(timeout=PATIENCE_S)
    assert (replay.returncode, out, err) == (130, b"", b"")


def test_a_terminal_sees_progress_that_is_wiped_out(tmp_path: Path) -> None:
    """A long log shows how far it is while it is read, and leaves the line clean."""
    path = tmp_path / "long.csv"
    path.write_bytes(log(*(line(number / 10, "on" if number % 2 else "off") for number in range(300_000))))
    ours, theirs = pty.openpty()
    with subprocess.Popen([*SPOTTY, path, "--format", "json"], stdout=subprocess.PIPE, stderr=theirs) as replay:
        os.close(theirs)
        assert replay.stdout is not None
        answer = replay.stdout.read()
    shown = os.read(ours, 65_536)
    os.close(ours)
    assert b"% read, about " in shown
    assert shown.endswith(b"\r\033[K")
    assert json.loads(answer)["totals"]["motions"] == 150_000


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_stream_is_no_traceback(day: Path, tmp_path: Path, closed: str) -> None:
    """An error is not printed on standard output for want of the other one."""
    command = f'exec "$@" {">&-" if closed == "stdout" else "2>&-"}'
    source = day if closed == "stdout" else tmp_path / "none.csv"
    done = subprocess.run(["sh", "-c", command, "sh", *SPOTTY, source], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == ((1, b"") if closed == "stdout" else (2, b""))
    assert b"Traceback" not in done.stderr


def test_a_terminal_of_few_signs_gets_what_it_can_show(day: Path) -> None:
    """No letter is printed that its encoding lacks."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*SPOTTY, day], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


ANY_LOG = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=300).map(lambda data: f"{HEADER}\n".encode() + data),
    st.binary(max_size=300).map(lambda data: b"\x1f\x8b" + data),
    st.integers(0, len(DAY) * 2).map(lambda cut: gzip.compress(DAY)[:cut]),
    st.integers(0, len(DAY)).map(lambda cut: DAY[:cut] + b"\xff" + DAY[cut:]),
)
ANY_POLICY = st.one_of(
    st.binary(max_size=300), st.just(b"{}"), st.integers(0, 30).map(lambda n: b'{"confirmS": %d}' % n)
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY_LOG, ANY_POLICY, st.booleans())
def test_no_bytes_make_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, policy: bytes, skip: bool
) -> None:
    """Whatever LOG and POLICY hold, it ends with 0 and an answer or with 2, one line, and no answer."""
    (tmp_path / "log").write_bytes(data)
    (tmp_path / "policy").write_bytes(policy)
    options = ["--format", "json", *(["--skip-bad-lines"] if skip else [])]
    code = main(["replay", str(tmp_path / "log"), "--policy", str(tmp_path / "policy"), *options])
    out, err = capsys.readouterr()
    if code == 0:
        assert set(json.loads(out)) == {"sessions", "totals"}
    else:
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
