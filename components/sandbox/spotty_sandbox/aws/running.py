"""Which process is ours: its id with its start time, so that a number used again is never taken for it. Linux."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self


@dataclass(frozen=True, slots=True)
class Process:
    """One process, never another that has its number later."""

    pid: int
    started: str
    """Boot id and clock ticks since that boot."""

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this number now; None: none has, or it has ended and nobody asked for its exit code."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, *rest = stat.rpartition(")")[2].split()  # the name before may hold spaces
        return None if state == "Z" else cls(pid, f"{boot} {rest[18]}")

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return Process.of(self.pid) == self

    def ends_within(self, longest_s: float) -> bool:
        """Wait for its end; False if it still runs then."""
        with self._handle() as handle:
            return handle is None or _ended(handle, longest_s)

    def end(self, grace_s: float) -> bool:
        """SIGTERM, SIGKILL if it still runs after the grace; True if it went by itself, also if it had before."""
        with self._handle() as handle:
            if handle is None:
                return True
            try:
                signal.pidfd_send_signal(handle, signal.SIGTERM)
                signal.pidfd_send_signal(handle, signal.SIGCONT)
                if _ended(handle, grace_s):
                    return True
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                _ended(handle, grace_s)
            except ProcessLookupError:
                return True
            return False

    @contextlib.contextmanager
    def _handle(self) -> Iterator[int | None]:
        """A handle that stands for this process whatever becomes of its number; None if it has ended."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            yield None
            return
        try:
            yield handle if self.is_alive else None
        finally:
            os.close(handle)


def _ended(handle: int, within_s: float) -> bool:
    return bool(select.select([handle], [], [], within_s)[0])


@dataclass(frozen=True, slots=True)
class Running:
    """A local AWS that runs in a folder, and whose it is."""

    process: Process
    owner: Process | None
    """Who ends it; None for one that runs until `aws down`."""
    http_port: int
    mqtt_port: int

    def write(self, file: Path) -> None:
        """Leave word of it, whole or not at all."""
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)))
        partial.replace(file)

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """What was left word of and still runs."""
        try:
            told = json.loads(file.read_text())
        except FileNotFoundError:
            return None
        owner = told.pop("owner")
        found = cls(Process(**told.pop("process")), Process(**owner) if owner else None, **told)
        return found if found.process.is_alive else None
