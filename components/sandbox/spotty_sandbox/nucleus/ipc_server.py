"""The Unix socket that components connect to, and the tokens that let them in."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .connection import Connection
from .errors import NucleusError
from .operations import STREAMING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .journal import Journal
    from .operations import Operations
    from .profiles import Profile

_MOST_PATH_BYTES = 100
"""A Unix socket's path may have 107."""


class IpcServer:
    """Serves one socket on one event loop. A token is good until the server is restarted."""

    def __init__(
        self, profile: Profile, root: Path, operations: Operations, journal: Journal, on_change: Callable[[], None]
    ) -> None:
        self._profile = profile
        self._operations = operations
        self._journal = journal
        self._on_change = on_change
        self._tokens: dict[str, str] = {}
        self._served: dict[Connection, asyncio.Task[Any] | None] = {}
        self._count = 0
        self._server: asyncio.Server | None = None
        self._short: Path | None = None
        self.path = root / ("gg-ipc.socket" if profile.name == "lite" else "ipc.socket")
        if len(bytes(self.path)) > _MOST_PATH_BYTES:
            self._short = Path(tempfile.mkdtemp(prefix="gg-"))
            self.path = self._short / self.path.name

    @property
    def connections(self) -> int:
        """How many clients are connected and admitted."""
        return sum(connection.is_admitted for connection in self._served)

    @property
    def open_streams(self) -> int:
        """How many streams neither side has ended."""
        return sum(len(connection.streams) for connection in self._served)

    def new_token(self, component: str) -> str:
        """A token that stands for a component."""
        token = secrets.token_urlsafe(12)
        self._tokens[token] = component
        return token

    async def start(self) -> None:
        """Take the socket. Raises NucleusError where another nucleus has it."""
        await self._free()
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        self.path.chmod(0o600)

    async def restart(self) -> None:
        """As after a crash of the server: all connections close, all tokens are void."""
        self._tokens.clear()
        await self.drop()

    async def drop(self) -> None:
        """Close all connections; tokens stay good."""
        for connection in list(self._served):
            connection.close()
        await asyncio.gather(*(task for task in self._served.values() if task), return_exceptions=True)

    async def stop(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.close()
        await self.drop()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        if self._short is not None:
            shutil.rmtree(self._short, ignore_errors=True)

    async def _free(self) -> None:
        """Remove the socket that a dead nucleus left."""
        try:
            _, writer = await asyncio.open_unix_connection(self.path)
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            self.path.unlink()
            return
        writer.close()
        raise NucleusError(f"another nucleus runs in {self.path.parent}: stop it, or choose another --root")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        connection = Connection(
            self._count,
            (reader, writer),
            self._profile,
            self._journal,
            admit=self._tokens.get,
            handle=self._operations.handle,
            is_streaming=STREAMING.__contains__,
            on_change=self._on_change,
        )
        self._served[connection] = asyncio.current_task()
        try:
            await connection.serve()
        finally:
            del self._served[connection]
            self._on_change()
