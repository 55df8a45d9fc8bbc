"""Our own stack on the local AWS: the functions built for what runs them there, the template as it stands."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import setting
from .deployment import Stack, zipped
from .errors import LocalAwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .local_aws import LocalAws

ROOT = setting.ROOT
TEMPLATE = ROOT / "cloud" / "template.yaml"
FUNCTIONS = ("ApiFunction", "RegistrationFunction", "IngestFunction", "ScheduledFunction", "LiveFunction")
_SOURCES = ROOT / "cloud" / "src"
_INPUTS = (_SOURCES / "spotty_cloud", ROOT / "components" / "contract" / "spotty_contract")
_RECIPE = (ROOT / "requirements" / "functions.txt", _SOURCES / "Makefile")
_BUILT = ROOT / "build" / "functions"
_ARCHITECTURES = {"aarch64": "arm64", "arm64": "arm64"}
_OF_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
"""How the make was called that called us: none of the inner one's business."""
_LAST_LINES = 5
_KEPT = 3


def deploy_ours(
    aws: LocalAws,
    tell: Callable[[str], None] = lambda _line: None,
    *,
    stack: str = "spotty",
    parameters: Mapping[str, str] | None = None,
) -> Stack:
    """Build the functions where their sources have changed, and make the stack as the template says.

    `parameters` stand beside or before those that the local AWS needs. Raises LocalAwsError.
    """
    code = built(tell)
    asked = {**local_values(aws), **(parameters or {})}
    return aws.deploy(TEMPLATE, asked, dict.fromkeys(FUNCTIONS, code), stack=stack)


def local_values(aws: LocalAws) -> dict[str, str]:
    """What the template is told where it is not AWS that runs it; cloud/README.md has the reasons."""
    return {
        "Architecture": _ARCHITECTURES.get(platform.machine(), "x86_64"),
        "RequireTls": "false",
        "WithGreengrass": "false",
        "LocalEndpoint": aws.endpoint_url,
        "LocalMqtt": f"{aws.mqtt.host}:{aws.mqtt.port}",
    }


def built(tell: Callable[[str], None] = lambda _line: None) -> Path:
    """A zip of what every function runs from, made for the Python that runs it here; the same one for the same sources.

    Raises LocalAwsError where it cannot be made.
    """
    python = setting.python()
    if not TEMPLATE.is_file():
        raise LocalAwsError(f"there is no {TEMPLATE}: the stack is deployed from a checkout, installed by make setup")
    wanted = _BUILT / f"local-{_fingerprint(python)}.zip"
    _BUILT.mkdir(parents=True, exist_ok=True)
    with _alone(_BUILT / "local.lock"):
        if not wanted.is_file():
            tell("the functions are built")
            _make(python, wanted)
    return wanted


def _make(python: Path, wanted: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="local-", dir=_BUILT) as name:
        package = Path(name) / "package"
        command = ["make", "--silent", "-C", str(_SOURCES), "host", f"ARTIFACTS_DIR={package}", f"PYTHON={python}"]
        bare = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
        done = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        if done.returncode != 0:
            said = " / ".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
            raise LocalAwsError(f"the functions cannot be built (make -C cloud/src host): {said}")
        partial = Path(name) / "package.zip"
        partial.write_bytes(zipped(package))
        former = sorted(_BUILT.glob("local-*.zip"), key=lambda file: file.stat().st_mtime)
        for file in former[:-_KEPT]:  # another program may just be reading the last one
            file.unlink()
        partial.replace(wanted)


def _fingerprint(python: Path) -> str:
    """Of everything that the zip depends on: its sources, what they need, how and for which Python it is built."""
    seen = hashlib.sha256(str(python.resolve()).encode())
    files = (file for folder in _INPUTS for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc")
    for file in sorted((*files, *_RECIPE)):
        content = file.read_bytes()
        seen.update(f"\n{file.relative_to(ROOT)} {len(content)}\n".encode())
        seen.update(content)
    return seen.hexdigest()[:16]


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Wait until nobody else builds."""
    lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
