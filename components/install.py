"""Sets the gateway up from the zip that this file is packed into: `python3 spotty-gateway-ARCH.zip WORK VERSION`.

Stands as `__main__.py` in that zip and is run by the recipe. It only has to start on the Python that it finds; the
gateway's own is chosen here. Nothing is fetched: every wheel is in the zip, and pip holds each against its hash.

    WORK/venvs/<build id>/    one environment a build; complete once its file `complete` is there
    WORK/venv-<version>       what `run` starts: appears, or changes, in one step, and never points at half a one
    WORK/current              the same for people: current/bin/spotty
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

KEPT = 2
"""Environments left on the card: this one, and the one to roll back to."""

COULD_NOT = 1
USAGE = 2


class CannotInstallError(Exception):
    """It cannot be done; one line says why, and what to do."""


def main() -> int:
    """Install what is packed beside this file."""
    if len(sys.argv) != len(("this", "work", "version")):
        print("use: python3 spotty-gateway-ARCH.zip WORK_FOLDER VERSION", file=sys.stderr)
        return USAGE
    packed, work, version = Path(sys.argv[0]), Path(sys.argv[1]).absolute(), sys.argv[2]
    try:
        with zipfile.ZipFile(packed) as bundle, _alone(work):
            _install(bundle, work, version)
    except (CannotInstallError, OSError, zipfile.BadZipFile) as error:
        print(f"spotty install: {error}", file=sys.stderr)
        return COULD_NOT
    return 0


def _install(bundle: zipfile.ZipFile, work: Path, version: str) -> None:
    contents = json.loads(bundle.read("bundle.json"))
    venv = work / "venvs" / contents["id"]
    if _is_complete(venv):
        print(f"spotty install: {venv} is there already")
    else:
        python, tag = _choose_python(sorted(contents["wheels"]))
        _build(bundle, venv, python, contents["wheels"][tag])
        print(f"spotty install: {venv} is ready, with {python}")
    for name in (f"venv-{version}", "current"):
        _point(work / name, venv)
    _forget_old(work, venv)


def _is_complete(venv: Path) -> bool:
    """An environment whose Python has since been removed (a new release of the OS) is none."""
    return (venv / "complete").is_file() and os.access(venv / "bin" / "python", os.X_OK)


def _choose_python(tags: list[str]) -> tuple[str, str]:
    """The Python to run the gateway with and its tag: the one that runs this if there are wheels for it.

    By its full name, so that an environment made with 3.11 does not wake up as 3.13 one day.
    """
    own = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    found = [(os.path.realpath(sys.executable), own)] if own in tags else []
    for tag in reversed(tags):
        path = shutil.which(f"python{tag[2]}.{tag[3:]}")
        if path is not None and tag != own:
            found.append((os.path.realpath(path), tag))
    names = " and ".join(f"{tag[2]}.{tag[3:]}" for tag in tags)
    if not found:
        raise CannotInstallError(
            f"there are wheels for Python {names}, and here is {own[2]}.{own[3:]}: "
            "use Raspberry Pi OS Bookworm or Trixie, 64 bit"
        )
    for python, tag in found:
        if subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0:
            return python, tag
    raise CannotInstallError(f"{found[0][0]} cannot make virtual environments: sudo apt install python3-venv")


def _build(bundle: zipfile.ZipFile, venv: Path, python: str, wheels: dict[str, str]) -> None:
    """Make the environment anew, whatever earlier tries have left; `complete` comes last, when all is on disk.

    What fails leaves nothing: on a full card it would be in the way of the version that still runs.
    """
    venv.parent.mkdir(parents=True, exist_ok=True)
    for path in venv.parent.iterdir():
        if path == venv or not (path / "complete").is_file():
            _remove(path)
    try:
        _fill(bundle, venv, python, wheels)
    except BaseException:
        _remove(venv)
        raise


def _fill(bundle: zipfile.ZipFile, venv: Path, python: str, wheels: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=venv.parent) as unpacked:
        for name in wheels:
            bundle.extract(name, unpacked)
        pins = Path(unpacked, "pins.txt")
        pins.write_text("".join(f"{_pin(name)} --hash=sha256:{wheels[name]}\n" for name in sorted(wheels)))
        _run([python, "-I", "-m", "venv", str(venv)], unpacked)
        pip = [str(venv / "bin" / "python"), "-I", "-m", "pip", "--isolated", "--disable-pip-version-check", "--quiet"]
        there = ["--no-index", "--find-links", str(Path(unpacked, "wheels"))]
        options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir", "--compile"]
        _run([*pip, "install", *there, *options, "--requirement", str(pins)], unpacked)
    os.sync()
    with (venv / "complete").open("w") as complete:
        os.fsync(complete.fileno())


def _pin(wheel: str) -> str:
    """`wheels/gpiozero-2.0.1-py3-none-any.whl` as pip wants it asked for."""
    name, version = Path(wheel).name.split("-")[:2]
    return f"{name}=={version}"


def _run(command: list[str], scratch: str) -> None:
    """Run one step; /tmp is often memory on a Pi, so that it has its scratch files on the card."""
    done = subprocess.run(
        command, env={**os.environ, "TMPDIR": scratch}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip().splitlines()
        raise CannotInstallError(f"{Path(command[0]).name} {command[3]}: {said[-1] if said else 'it said nothing'}")


def _point(link: Path, venv: Path) -> None:
    """Let `link` be a symbolic link to the environment, in one step."""
    beside = link.with_name(f".{link.name}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(venv.relative_to(link.parent))
    beside.replace(link)


def _forget_old(work: Path, venv: Path) -> None:
    """Remove environments that nobody goes back to, what a broken-off install left, and links that lead nowhere."""
    venv.touch()  # the last one asked for is the newest
    there = sorted((work / "venvs").iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    kept = [path for path in there if (path / "complete").is_file()][:KEPT]
    for path in there:
        if path not in kept:
            _remove(path)
    for link in work.glob("venv-*"):
        if link.is_symlink() and not link.exists():
            link.unlink()


def _remove(venv: Path) -> None:
    """Without `complete` first: if power is lost meanwhile, half an environment must not seem a whole one."""
    with contextlib.suppress(OSError):
        (venv / "complete").unlink(missing_ok=True)
    shutil.rmtree(venv, ignore_errors=True)


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Whoever comes second waits: a nucleus may try an install again while the first try is not quite dead."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
