import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spotty_sandbox.aws import LocalAws, LocalAwsError, run
from spotty_sandbox.aws.server import Server

pytestmark = pytest.mark.usefixtures("ministack")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where an AWS may be left running: it is ended."""
    yield tmp_path
    run(["down", "--folder", str(tmp_path)])


def told(capsys: pytest.CaptureFixture[str], action: str, folder: Path) -> dict[str, Any]:
    """What the command says as JSON."""
    capsys.readouterr()
    run([action, "--folder", str(folder), "--json"])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_up_stays_up_until_down(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It outlives the command, programs find it there and leave it running, and down keeps its state."""
    up = [sys.executable, "-m", "spotty_sandbox", "aws", "up", "--folder", str(folder)]
    assert (
        "the local AWS is at http://127.0.0.1:" in subprocess.run(up, check=True, capture_output=True, text=True).stdout
    )
    first = told(capsys, "status", folder)
    with LocalAws(folder) as aws:
        assert (aws.endpoint_url, aws.pid) == (first["endpointUrl"], first["pid"])
        aws.client("s3").create_bucket(Bucket="kept")
    assert told(capsys, "up", folder) == first
    assert run(["down", "--folder", str(folder)]) == 0
    assert capsys.readouterr().out == f"it has ended, and its state is kept in {folder}\n"
    assert told(capsys, "status", folder) == {"running": False}
    with LocalAws(folder) as aws:
        assert aws.endpoint_url == first["endpointUrl"]
        assert [one["Name"] for one in aws.client("s3").list_buckets()["Buckets"]] == ["kept"]


def test_where_none_runs_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status has an exit code for scripts; down has nothing to do."""
    assert run(["status", "--folder", str(tmp_path)]) == 1
    assert run(["down", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"none runs in {tmp_path}\nnone runs in {tmp_path}\n"


def test_whose_it_is_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that belongs to a program is not taken over: up says who has it."""
    with LocalAws(tmp_path) as aws:
        assert run(["up", "--folder", str(tmp_path)]) == 2
        assert f"runs in {tmp_path} already (process {aws.pid})" in capsys.readouterr().err
        assert run(["status", "--folder", str(tmp_path), "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["pid"], said["mqttPort"]) == (aws.pid, aws.mqtt.port)


def test_one_that_was_ended_from_outside_is_told_to_its_owner(tmp_path: Path) -> None:
    """Down ends another program's too; that program hears of it."""
    server = Server.start(tmp_path)
    assert run(["down", "--folder", str(tmp_path)]) == 0
    with pytest.raises(LocalAwsError, match="has ended with exit code 0"):
        server.stop()
