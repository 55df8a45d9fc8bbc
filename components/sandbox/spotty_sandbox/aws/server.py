"""MiniStack as a process: started in a folder, one at a time, its state kept there, ended by its owner."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Self

from . import ports, setting
from .errors import LocalAwsError
from .readiness import is_ready
from .running import Process, Running

if TYPE_CHECKING:
    from pathlib import Path

READY_WITHIN_S = 60.0
GRACE_S = 15.0
_LOOK_EVERY_S = 0.05
_LAST_LINES = 5


class Server:
    """A MiniStack that was started here (`process`), or a detached one that somebody else has started."""

    def __init__(
        self,
        folder: Path,
        running: Running,
        process: subprocess.Popen[bytes] | None = None,
        lifeline: int | None = None,
    ) -> None:
        self.running = running
        self._folder = folder
        self._process = process
        self._lifeline = lifeline

    @classmethod
    def start(cls, folder: Path, *, detached: bool = False) -> Self:
        """Start it and wait until it serves. A detached one outlives this process.

        Raises LocalAwsError where one runs in this folder, where MiniStack is not installed, or if it does not start.
        """
        python = setting.python()
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
        try:
            server = cls._spawn(python, folder, lock, detached=detached)
        finally:
            os.close(lock)
        try:
            server.wait_until_ready()
        except BaseException:
            with contextlib.suppress(LocalAwsError):  # the first error is the reason
                server.stop()
            raise
        return server

    @classmethod
    def attach(cls, folder: Path) -> Self | None:
        """The detached one that runs in this folder, if one does, once it serves; `stop` leaves it alone."""
        running = Running.read(folder / "running.json")
        if running is None or running.owner is not None:
            return None
        found = cls(folder, running)
        found.wait_until_ready()
        return found

    @classmethod
    def _spawn(cls, python: Path, folder: Path, lock: int, *, detached: bool) -> Self:
        shutil.rmtree(folder / "tmp", ignore_errors=True)  # of one that was killed
        (folder / "tmp").mkdir()
        http, mqtt = ports.bind(folder)
        near, far = os.pipe()
        with http, mqtt, (folder / "ministack.log").open("wb") as log:
            handed = [http.fileno(), mqtt.fileno(), *([] if detached else [near])]
            try:
                process = subprocess.Popen(  # noqa: S603 - our own program
                    [python, setting.PROGRAM, *map(str, handed), *(["-1"] if detached else [])],
                    env=setting.variables(folder, http.getsockname()[1], mqtt.getsockname()[1]),
                    pass_fds=[*handed, lock],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except BaseException:
                os.close(far)
                raise
            finally:
                os.close(near)
            itself = Process.of(process.pid) or Process(process.pid, "ended at once")
            owner = None if detached else Process.of(os.getpid())
            running = Running(itself, owner, http.getsockname()[1], mqtt.getsockname()[1])
            running.write(folder / "running.json")
        if detached:
            os.close(far)
        return cls(folder, running, process, None if detached else far)

    def wait_until_ready(self) -> None:
        """Wait until it answers. Raises LocalAwsError if it ends before that, or takes longer than a minute."""
        until = time.monotonic() + READY_WITHIN_S
        while (left_s := until - time.monotonic()) > 0:
            if is_ready(self.running.http_port, left_s):
                return
            self.running.process.ends_within(_LOOK_EVERY_S)
            self.check()
        raise LocalAwsError(f"the local AWS does not get ready; {self._last_words()}")

    def check(self) -> None:
        """Raises LocalAwsError if it has ended."""
        if self.running.process.is_alive:
            return
        code = self._process.wait() if self._process is not None else None
        raise LocalAwsError(f"the local AWS has ended{_how(code)}; {self._last_words()}")

    def stop(self) -> None:
        """End it, if it was started here; its state is kept. LocalAwsError: it had ended, or had to be killed."""
        try:
            self.check()
            if self._process is None:
                return
            went = self.running.process.end(GRACE_S)
            code = self._process.wait()
            if not went:
                raise LocalAwsError(f"the local AWS had to be killed, what it held is lost; {self._last_words()}")
            if code not in {0, -signal.SIGTERM}:  # the latter: it was not even ready
                raise LocalAwsError(f"the local AWS has ended{_how(code)}; {self._last_words()}")
            shutil.rmtree(self._folder / "tmp", ignore_errors=True)  # functions' folders, each whole
        finally:
            if self._lifeline is not None:
                os.close(self._lifeline)
                self._lifeline = None

    def _last_words(self) -> str:
        file = self._folder / "ministack.log"
        lines = file.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        return f"it last said, in {file}: {' / '.join(line.strip() for line in lines) or 'nothing'}"


def _how(code: int | None) -> str:
    if code is None:
        return ""
    return f" by {signal.Signals(-code).name}" if code < 0 else f" with exit code {code}"


def _lock(folder: Path) -> int:
    """Held by MiniStack for as long as it lives. A leftover, whose owner has died, is ended first."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    if _is_ours(lock):
        return lock
    running = Running.read(folder / "running.json")
    if running is not None and (running.owner is None or running.owner.is_alive):
        os.close(lock)
        whose = f"the program {running.owner.pid}" if running.owner else "spotty-sandbox aws down"
        raise LocalAwsError(f"an AWS runs in {folder} already (process {running.process.pid}); {whose} ends it")
    if running is not None:
        running.process.end(GRACE_S)
    if running is None or not _is_ours(lock):
        os.close(lock)
        raise LocalAwsError(f"another program is just starting an AWS in {folder}; try again")
    return lock


def _is_ours(lock: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def end(folder: Path) -> bool:
    """End what runs in this folder, whoever started it; False: nothing does. LocalAwsError: it had to be killed."""
    running = Running.read(folder / "running.json")
    if running is None:
        return False
    if not running.process.end(GRACE_S):
        raise LocalAwsError("the local AWS did not end and had to be killed: what it held since its start is lost")
    return True
