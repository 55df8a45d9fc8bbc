"""One run of a lifecycle script: a shell with a process group of its own, and its output line by line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_PIECE_BYTES = 65536
_LONGEST_LINE_BYTES = 16384
_AFTER_KILL_S = 1.0


class ScriptProcess:
    """A script that runs. It is over when the shell has ended and nobody holds its output any more.

    What is told to end has `grace_s` from SIGTERM to SIGKILL.
    """

    def __init__(self, process: asyncio.subprocess.Process, on_line: Callable[[str], None], grace_s: float) -> None:
        self._process = process
        self._grace_s = grace_s
        self._output = asyncio.create_task(self._follow(on_line))
        self._is_gone = False

    @classmethod
    async def start(
        cls, script: str, folder: Path, environment: Mapping[str, str], on_line: Callable[[str], None], grace_s: float
    ) -> ScriptProcess:
        """Start `script` in `folder`."""
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            script,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return cls(process, on_line, grace_s)

    @property
    def pid(self) -> int:
        """The shell, and its process group."""
        return self._process.pid

    async def ended(self) -> int:
        """Wait for the end; the exit code, negative for a signal. What the shell leaves behind is ended with it."""
        code = await self._process.wait()
        await self.stop()
        with contextlib.suppress(TimeoutError):
            # Whoever left the group and still holds the output is not ours to wait for.
            await asyncio.wait_for(self._output, _AFTER_KILL_S)
        self._is_gone = True
        return code

    async def ended_within(self, longest_s: float) -> int | None:
        """The exit code, or None if it took longer and was killed."""
        ending = asyncio.create_task(self.ended())
        done, _ = await asyncio.wait([ending], timeout=longest_s)
        if not done:
            self.signal(signal.SIGKILL)
        code = await ending
        return code if done else None

    async def stop(self) -> None:
        """SIGTERM to the group, SIGKILL to what is left of it after its grace."""
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._output), self._grace_s)
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; a group that is gone needs none."""
        if not self._is_gone:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def _follow(self, on_line: Callable[[str], None]) -> None:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        rest = b""
        while piece := await self._process.stdout.read(_PIECE_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > _LONGEST_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                on_line(line.decode(errors="replace").rstrip("\r"))
        if rest:
            on_line(rest.decode(errors="replace"))
