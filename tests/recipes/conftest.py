"""The bundle as gdk's custom build makes it, once a session, and the Pythons that there are."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from components.build import ROOT, TARGETS, CannotBuildError, fetch, read_lock

NAME = "com.spottypottysense.Gateway"
WHEELS = ROOT / ".cache/wheels"


@dataclass(frozen=True)
class Built:
    """What a run of build.py has left."""

    output: Path
    stdout: str

    def artifact(self, processor: str, version: str = "NEXT_PATCH") -> Path:
        """The zip for one processor kind."""
        return self.output / "artifacts" / NAME / version / f"spotty-gateway-{processor}.zip"


def run_build(root: Path, output: Path, wheels: Path = WHEELS) -> subprocess.CompletedProcess[str]:
    """Build the tree at `root` as gdk does: from there, with a bare python3."""
    script = [sys.executable, "components/build.py", "--output", str(output), "--wheels", str(wheels)]
    return subprocess.run(script, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def wheels() -> Path:
    """Every wheel of the lock, for every target. Skips, loudly, where they cannot be fetched and never have been."""
    pins = read_lock(ROOT / "requirements/gateway.txt")
    try:
        for target in TARGETS:
            fetch(target, pins, WHEELS)
    except CannotBuildError as error:
        if _index_answers(pins[0].name):
            raise
        pytest.skip(f"NOT SEEN: no package index can be reached, so nothing was built ({error})")
    return WHEELS


def _index_answers(name: str) -> bool:
    asked = [sys.executable, "-m", "pip", "index", "versions", name]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def built(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """This tree, built."""
    output = tmp_path_factory.mktemp("built") / "greengrass-build"
    done = run_build(ROOT, output, wheels)
    assert done.returncode == 0, done.stderr
    return Built(output, done.stdout)


@functools.cache
def python_of(version: str) -> str | None:
    """A Python of this version that can make environments; None where there is none. Debian's first: a Pi's."""
    found = shutil.which(f"python{version}")
    candidates = [f"/usr/bin/python{version}", sys.executable, *([found] if found else [])]
    if shutil.which("pyenv"):
        installed = _said(["pyenv", "prefix", _said(["pyenv", "latest", version])])
        candidates.append(f"{installed}/bin/python{version}")
    for python in candidates:
        if _said([python, "-c", "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"]) == version:
            return os.path.realpath(python)
    return None


def _said(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
