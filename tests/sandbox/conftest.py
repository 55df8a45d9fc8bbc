"""A demo with its cloud that begins before anything else in here: for half of its time it waits for an empty room."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from spotty_sandbox.aws import LocalAwsError, setting

ENDS_WITHIN_S = 30.0


@dataclass(frozen=True)
class Begun:
    """A demo without a terminal, and what it says."""

    kept: Path
    process: subprocess.Popen[bytes]
    said: Path
    complained: Path


@pytest.fixture(scope="session", autouse=True)
def first_demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun | None]:
    """In an empty folder; None where nobody will look at it, or the local AWS is not installed."""
    wanted = any(item.path.name == "test_demo_cloud.py" for item in request.session.items)
    try:
        setting.python()
    except LocalAwsError:
        wanted = False
    if not wanted:
        yield None
        return
    folder = tmp_path_factory.mktemp("demo")
    said, complained = folder / "said.txt", folder / "complained.txt"
    command = [sys.executable, "-u", "-m", "spotty_sandbox", "demo", "--folder", str(folder / "kept")]
    with said.open("wb") as out, complained.open("wb") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    try:
        yield Begun(folder / "kept", process, said, complained)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(ENDS_WITHIN_S)
