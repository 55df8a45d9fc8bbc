"""The simulator as a thing one starts and stops: a thread with an event loop that owns the world."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Self, TypeVar

from .server import Server
from .service import Service
from .world import SpotifyWorld, demo_world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from .faults import Fault, FaultPlan
    from .journal import Entry, Tally
    from .limits import Limits

_T = TypeVar("_T")
HOST = "127.0.0.1"


class PortTakenError(OSError):
    """The port cannot be had; the text is one line for a person."""


class SpotifySimulator:
    """A simulated Spotify on this computer's loopback address.

    Use it as a context manager, or `start` and `stop` it. While it runs, its own thread owns the world: reach it by
    `call`. Before and after that, `call` simply calls.

    `world`: what there is (default: `demo_world()`); its clock is the simulator's time. `port`: 0 takes a free one.
    `faults`: what goes wrong. `limits`: how many calls an app may make. `on_request(method, path, perf_counter_ns)`:
    called on the simulator's thread as each request has been received, before it is answered; `on_entry(entry)`: as it
    has been written down. `tls`: the files of a certificate and its key; the addresses are https then.
    `round_trip_ms`: how far away Spotify is; no answer comes sooner, and a new connection costs it too.
    """

    def __init__(
        self,
        world: SpotifyWorld | None = None,
        *,
        port: int = 0,
        faults: FaultPlan | None = None,
        limits: Limits | None = None,
        on_request: Callable[[str, str, int], None] | None = None,
        on_entry: Callable[[Entry], None] | None = None,
        tls: tuple[Path | str, Path | str] | None = None,
        round_trip_ms: int = 0,
    ) -> None:
        self.world = world or demo_world()
        self.port = port
        self._service = Service(self.world, faults, limits=limits)
        self._service.journal.on_entry = on_entry
        self._tls = None if tls is None else _tls(*tls)
        self._round_trip_ms = round_trip_ms
        self._on_request = on_request
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None

    # Addresses.

    @property
    def api_url(self) -> str:
        """The Web API, with the trailing slash that `spotipy.Spotify.prefix` has: `http://127.0.0.1:PORT/v1/`."""
        return f"{self.accounts_url}/v1/"

    @property
    def accounts_url(self) -> str:
        """The accounts service without a trailing slash; `/authorize` and `/api/token` lie under it."""
        return f"{'http' if self._tls is None else 'https'}://{HOST}:{self.port}"

    @property
    def page_url(self) -> str:
        """The page of the speakers."""
        return f"{self.accounts_url}/"

    # Life.

    def start(self) -> Self:
        """Take the port and serve. Raises PortTakenError when the port is in use, RuntimeError when already started."""
        if self._thread is not None:
            raise RuntimeError("the simulator is already running")
        bound = _bound(self.port)
        self.port = bound.getsockname()[1]
        self._service.shapes.api_url = self.api_url
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(bound, ready)), name="spotify-simulator", daemon=True
        )
        self._thread.start()
        ready.result()
        return self

    def stop(self) -> None:
        """Stop serving and end the thread; all connections are closed. Stopping twice does nothing."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = self._loop = self._stop = self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # Reaching in.

    def call(self, do: Callable[[SpotifyWorld], _T]) -> _T:
        """Run `do(world)` where nothing else touches the world, and give back what it returns or raises.

        The page, and whoever waits, learns of the change. Time has been brought to the present before.
        """
        return self._on_loop(lambda: self._touched(do))

    def requests(self) -> tuple[Entry, ...]:
        """The journal: every request to the simulated Spotify, oldest first, as far as the ring reaches."""
        return self._on_loop(lambda: tuple(self._service.journal))

    def tally(self, day: int | None = None) -> Tally:
        """How often what was asked, on one UTC day (counted from 1970) or in all."""
        return self._on_loop(lambda: self._service.journal.tally(day))

    def forget_requests(self) -> None:
        """Empty the journal."""
        self._on_loop(self._service.journal.clear)

    def inject(self, *faults: Fault) -> None:
        """From now on let `faults` happen, after those that were there before."""
        self._on_loop(lambda: self._service.faults.add(*faults))

    def heal(self) -> None:
        """From now on nothing goes wrong any more."""
        self._on_loop(self._service.faults.clear)

    def wait_until(self, holds: Callable[[SpotifyWorld], bool], timeout_s: float = 5.0) -> None:
        """Block until `holds(world)` is true; it is asked again after every request, call and change by itself.

        Raises TimeoutError after `timeout_s` real seconds, RuntimeError when the simulator does not run.
        """
        if self._loop is None:
            raise RuntimeError("the simulator is not running")
        asyncio.run_coroutine_threadsafe(self._until(holds, timeout_s), self._loop).result()

    # Inside.

    async def _serve(self, bound: socket.socket, ready: concurrent.futures.Future[None]) -> None:
        try:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            server = Server(self._service, self._on_request, tls=self._tls, round_trip_ms=self._round_trip_ms)
            await server.start(bound)
            self._server = server
        except BaseException as error:
            bound.close()
            ready.set_exception(error)
            raise
        ready.set_result(None)
        await self._stop.wait()
        await server.stop()

    def _touched(self, do: Callable[[SpotifyWorld], _T]) -> _T:
        self.world.settle()
        try:
            return do(self.world)
        finally:
            if self._server is not None:
                self._server.changes.tell()

    def _on_loop(self, do: Callable[[], _T]) -> _T:
        if self._loop is None or threading.current_thread() is self._thread:
            return do()
        result: concurrent.futures.Future[_T] = concurrent.futures.Future()

        def run() -> None:
            try:
                result.set_result(do())
            except BaseException as error:  # noqa: BLE001 - whatever it was belongs to the caller's thread
                result.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return result.result()

    async def _until(self, holds: Callable[[SpotifyWorld], bool], timeout_s: float) -> None:
        if self._server is None:
            raise RuntimeError("the simulator is not running")
        with self._server.changes.watched() as changed:
            async with asyncio.timeout(timeout_s):
                while True:
                    changed.clear()
                    self.world.settle()
                    if holds(self.world):
                        return
                    await self._server.settled(changed, timeout_s)


def _tls(certificate: Path | str, key: Path | str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.ExitStack() as on_error:
        on_error.callback(bound.close)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, port))
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
            raise PortTakenError(f"port {port} {why}: choose another one with --port") from None
        on_error.pop_all()
    return bound
