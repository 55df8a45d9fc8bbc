import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from tests.sandbox.aws.listening import family_of, listening

from spotty_sandbox.aws import LocalAws, LocalAwsError
from spotty_sandbox.aws.inside import refuse_other_addresses
from spotty_sandbox.aws.running import Process, Running
from spotty_sandbox.aws.setting import python, variables

pytestmark = pytest.mark.usefixtures("ministack")
PATIENCE_S = 20.0

OWNER = """
import os, pathlib, signal, sys
from spotty_sandbox.aws import LocalAws
with LocalAws(pathlib.Path(sys.argv[1])) as aws:
    aws.client("s3").create_bucket(Bucket="owned")
    if sys.argv[2] == "hangs":
        os.kill(aws.pid, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGKILL)
"""

BUSY = """
import os, pathlib, threading
def handler(event, context):
    pathlib.Path(os.environ["TMPDIR"], "busy").touch()
    threading.Event().wait()
"""


def buckets(aws: LocalAws) -> list[str]:
    """What is in it."""
    return [one["Name"] for one in aws.client("s3").list_buckets()["Buckets"]]


def left_by_a_killed_owner(folder: Path, how: str) -> Running:
    """A local AWS whose owner was killed."""
    done = subprocess.run([sys.executable, "-c", OWNER, folder, how], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    told = json.loads((folder / "running.json").read_text())
    return Running(Process(**told["process"]), Process(**told["owner"]), told["http_port"], told["mqtt_port"])


def test_state_and_address_survive_a_restart(tmp_path: Path) -> None:
    """What was in it is there again, at the same place, and the process is gone between."""
    with LocalAws(tmp_path) as aws:
        first = aws.endpoint_url, aws.mqtt
        process = Process.of(aws.pid)
        aws.client("s3").create_bucket(Bucket="kept")
        aws.client("s3").put_object(Bucket="kept", Key="word", Body=b"\x00\xff")
    assert process is not None
    assert not process.is_alive
    with LocalAws(tmp_path) as aws:
        assert (aws.endpoint_url, aws.mqtt) == first
        assert aws.client("s3").get_object(Bucket="kept", Key="word")["Body"].read() == b"\x00\xff"


def crash(folder: Path, error: type[Exception] | None = None, template: Path | None = None) -> None:
    """Start one, perhaps deploy to it, kill it, and perhaps fail because of that."""
    with LocalAws(folder) as aws:
        if template is not None:
            aws.deploy(template)
        os.kill(aws.pid, signal.SIGKILL)
        if error is not None:
            raise error


def test_a_crash_is_told_in_one_line(tmp_path: Path) -> None:
    """How it ended, what it said last and where the rest stands."""
    with pytest.raises(LocalAwsError, match=r"has ended by SIGKILL; it last said, in .*ministack\.log: .") as told:
        crash(tmp_path)
    assert "\n" not in str(told.value)


def test_a_crash_does_not_hide_what_it_caused(tmp_path: Path) -> None:
    """The block's own error comes out, with the crash noted on it."""
    with pytest.raises(ZeroDivisionError) as told:
        crash(tmp_path, ZeroDivisionError)
    assert ["has ended by SIGKILL" in note for note in told.value.__notes__] == [True]


def test_after_a_crash_it_begins_anew(tmp_path: Path) -> None:
    """What was deployed since the start is lost, and can be deployed again."""
    template = tmp_path / "topic.json"
    template.write_text(json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}))
    with pytest.raises(LocalAwsError):
        crash(tmp_path, template=template)
    with LocalAws(tmp_path) as aws:
        assert aws.client("sns").list_topics()["Topics"] == []
        aws.deploy(template)
        assert len(aws.client("sns").list_topics()["Topics"]) == 1


def test_no_function_outlives_it(tmp_path: Path) -> None:
    """One that is in the middle of something ends with it, and does not hold it up."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "busy.py").write_text(BUSY)
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": "busy",
            "Handler": "busy.handler",
            "Runtime": "python3.13",
            "Timeout": 900,
            "Role": "arn:aws:iam::000000000000:role/none",
        },
    }
    (tmp_path / "busy.json").write_text(json.dumps({"Resources": {"Busy": function}}))
    with LocalAws(tmp_path / "aws") as aws:
        aws.deploy(tmp_path / "busy.json", {}, {"Busy": code})
        aws.client("lambda").invoke(FunctionName="busy", InvocationType="Event")
        aws.until((tmp_path / "aws" / "tmp" / "busy").exists)
        functions = [Process.of(pid) for pid in family_of(aws.pid)[1:]]
    assert functions
    assert all(function is not None and function.ends_within(PATIENCE_S) for function in functions)


def test_two_at_once_do_not_collide(tmp_path: Path) -> None:
    """Each folder has its own ports and its own state."""
    with LocalAws(tmp_path / "one") as one, LocalAws(tmp_path / "two") as two:
        one.client("s3").create_bucket(Bucket="of-one")
        assert (buckets(one), buckets(two)) == (["of-one"], [])
        assert listening(one.pid).isdisjoint(listening(two.pid))


def test_a_folder_has_one_at_a_time(tmp_path: Path) -> None:
    """The second is told who has it; the first runs on."""
    with LocalAws(tmp_path) as aws:
        with (
            pytest.raises(LocalAwsError, match=f"process {aws.pid}.; the program {os.getpid()} ends it"),
            LocalAws(tmp_path),
        ):
            pass
        assert buckets(aws) == []


def test_it_ends_with_its_owner(tmp_path: Path) -> None:
    """An owner that is killed leaves no process, and the state is kept."""
    left = left_by_a_killed_owner(tmp_path, "serves")
    assert left.process.ends_within(PATIENCE_S)
    with LocalAws(tmp_path) as aws:
        assert buckets(aws) == ["owned"]


def test_a_leftover_that_hangs_is_ended_first(tmp_path: Path) -> None:
    """What a killed owner left hanging is found, ended, and what it held is there."""
    left = left_by_a_killed_owner(tmp_path, "hangs")
    assert not left.process.ends_within(0)
    with LocalAws(tmp_path) as aws:
        assert left.process.ends_within(0)
        assert buckets(aws) == ["owned"]


def test_a_stranger_with_its_number_is_left_alone(tmp_path: Path) -> None:
    """A process id alone proves nothing: the start time must be the same."""
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        theirs = Process.of(stranger.pid)
        assert theirs is not None
        Running(Process(stranger.pid, "another"), None, 1, 2).write(tmp_path / "running.json")
        with LocalAws(tmp_path):
            assert theirs.is_alive
        assert Process(stranger.pid, "another").end(PATIENCE_S)
        assert theirs.is_alive
    finally:
        stranger.kill()
        stranger.wait()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """What is deployed in a folder knows its port, so another would not do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "ports.json").write_text(json.dumps([port, 0]))
        with (
            pytest.raises(LocalAwsError, match=f"port {port}, which .* has always had, cannot be used"),
            LocalAws(tmp_path),
        ):
            pass


def test_after_a_reset_it_is_still_on_the_loopback(tmp_path: Path) -> None:
    """MiniStack then binds its MQTT port anew, and by itself would take every address."""
    with LocalAws(tmp_path) as aws:
        before = listening(aws.pid)
        authority = aws.mqtt.ca.read_bytes()
        requests.post(f"{aws.endpoint_url}/_ministack/reset", timeout=PATIENCE_S).raise_for_status()
        aws.until(lambda: aws.mqtt.ca.read_bytes() != authority)
        aws.until(lambda: listening(aws.pid) == before)


@pytest.mark.parametrize(
    "family, address, fine",
    [
        (socket.AF_INET, "127.0.0.1", True),
        (socket.AF_INET, "127.1.2.3", True),
        (socket.AF_INET6, "::1", True),
        (socket.AF_INET, "0.0.0.0", False),
        (socket.AF_INET, "", False),
        (socket.AF_INET6, "::", False),
        (socket.AF_INET, "192.0.2.1", False),
    ],
)
def test_nothing_inside_listens_to_others(family: socket.AddressFamily, address: str, *, fine: bool) -> None:
    """Whatever MiniStack wants to bind, of whatever service, is on the loopback or is refused."""
    with socket.socket(family) as one:
        if fine:
            refuse_other_addresses("socket.bind", (one, (address, 0)))
        else:
            with pytest.raises(PermissionError, match=r"on 127\.0\.0\.1 only, not on "):
                refuse_other_addresses("socket.bind", (one, (address, 0)))


def test_without_its_environment_it_says_how_to_make_it(tmp_path: Path) -> None:
    """One line, with the command."""
    with pytest.raises(LocalAwsError, match="make it with: make local-aws"):
        python(tmp_path)


def test_nothing_of_the_person_s_environment_is_handed_on(tmp_path: Path) -> None:
    """Functions run with a copy of it: no credentials, profiles or tokens of whoever runs the tests."""
    handed = variables(tmp_path, 1, 2)
    assert {name for name in handed if handed[name] == os.environ.get(name)} <= {"PATH", "LANG", "PYTHONUNBUFFERED"}


def test_outside_its_block_it_is_not_there(tmp_path: Path) -> None:
    """A clear word instead of a connection refused."""
    with pytest.raises(LocalAwsError, match="not running: use it inside its `with` block"):
        LocalAws(tmp_path).client("s3")
