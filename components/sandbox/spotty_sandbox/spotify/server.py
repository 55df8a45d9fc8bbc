"""The sockets: aiohttp in front of the pure service, the page's live stream, and connections that go wrong.

Nothing here decides anything. Requests are handled without a router or an access log: benchmarks measure the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import time
import weakref
from typing import TYPE_CHECKING

from aiohttp import web

from . import page
from .messages import Answer, Request, text_answer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterator

    from .faults import Fault
    from .service import Service

_KEEP_ALIVE_S = 15.0
_GATHER_S = 0.04
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_STEPS_INSIDE = 3
"""Turns of the event loop from a socket that was accepted to a connection that the server knows of."""
_LINGER_0 = struct.pack("ii", 1, 0)


class Changes:
    """Tells everybody who waits that something may have changed. For one event loop."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def tell(self) -> None:
        """Wake all who wait."""
        for event in self._waiting:
            event.set()

    @contextlib.contextmanager
    def watched(self) -> Iterator[asyncio.Event]:
        """An event that is set at every change while the block runs; whoever waits clears it."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)


class _Door(web.Server):
    """Lets clients in, and notes when each connection was opened, until its first request takes that out."""

    def __init__(self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handle, access_log=None, handler_cancellation=True)
        self.opened_s: weakref.WeakKeyDictionary[asyncio.Transport, float] = weakref.WeakKeyDictionary()

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """A client is in."""
        super().connection_made(handler, transport)
        self.opened_s[transport] = asyncio.get_running_loop().time()


class Server:
    """Serves one `Service` on one bound socket, inside the running event loop.

    `on_request(method, path, perf_counter_ns)` is called on the loop's thread as each request to the simulated Spotify
    has been received, before anything is done about it; it must be quick.

    No answer leaves sooner than `round_trip_ms` after its request, and the first request of a connection is received
    later by as many round trips as setting it up costs on a real line: one for TCP, one more for TLS 1.3.
    """

    def __init__(
        self,
        service: Service,
        on_request: Callable[[str, str, int], None] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        round_trip_ms: int = 0,
    ) -> None:
        self.service = service
        self.changes = Changes()
        self._on_request = on_request
        self._tls = tls
        self._round_trip_s = round_trip_ms / 1000
        self._stopping = asyncio.Event()
        self._listens_on: socket.socket | None = None
        self._door = _Door(self._handle)
        self._runner = web.ServerRunner(self._door, shutdown_timeout=0.2)

    async def start(self, bound: socket.socket) -> None:
        """Accept connections on a bound socket; the server closes it."""
        self._listens_on = bound
        await self._runner.setup()
        await web.SockSite(self._runner, bound, ssl_context=self._tls).start()

    async def stop(self) -> None:
        """Let go of everybody who hangs or watches, close all connections."""
        self._stopping.set()
        self.changes.tell()
        if self._listens_on is not None:
            # Who is on the way in gets in first: a listener that is closed meanwhile would leave their sockets open.
            asyncio.get_running_loop().remove_reader(self._listens_on)
            for _ in range(_STEPS_INSIDE):
                await asyncio.sleep(0)
        if self._tls is not None:
            # Closing politely waits for the other side's farewell, and the loop is gone before it comes.
            for handler in self._door.connections:
                if handler.transport is not None:
                    handler.transport.abort()
            await asyncio.sleep(0)
        await self._runner.cleanup()

    async def settled(self, changed: asyncio.Event, longest_s: float) -> None:
        """Wait until `changed` is set, until the world changes by itself, or for `longest_s` seconds."""
        clock = self.service.world.clock
        due_ms = self.service.world.next_change_ms()
        if due_ms is not None and clock.speed > 0:
            longest_s = min(longest_s, max(0.0, (due_ms - clock.now_ms()) / 1000 / clock.speed) + 0.01)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), longest_s)

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        method, path = http.method, http.path
        opened_s = self._door.opened_s.pop(http.transport, None) if http.transport is not None else None
        if opened_s is not None and self._round_trip_s and not page.has(path):  # open since, if it was opened ahead
            is_open_s = opened_s + self._round_trip_s * (1 if self._tls is None else 2)
            await asyncio.sleep(is_open_s - asyncio.get_running_loop().time())
        if not page.has(path):
            if self._on_request is not None:
                self._on_request(method, path, time.perf_counter_ns())
            return await self._spotify(http)
        return await self._page(http)

    async def _page(self, http: web.BaseRequest) -> web.StreamResponse:
        # A page of another site could be given a name that leads here; the browser would then let it read and press.
        if http.host.rsplit(":", 1)[0] not in _LOOPBACK:
            return _plain(text_answer("This simulator is only reached as 127.0.0.1.", status=421))
        match http.method, http.path:
            case "GET", page.EVENTS:
                return await self._events(http)
            case "POST", page.ACT:
                answer = page.act(self.service.world, await _request(http))
                self.changes.tell()
            case "POST", page.TROUBLE:
                answer = page.trouble(self.service.faults, await _request(http))
                self.changes.tell()
            case "GET", path if path not in (page.ACT, page.TROUBLE):
                answer = page.file(path)
            case _:
                answer = text_answer("Nothing to see here.", status=405)
        return _plain(answer)

    async def _spotify(self, http: web.BaseRequest) -> web.StreamResponse:
        received_s = asyncio.get_running_loop().time()
        request = await _request(http)
        fault = self.service.strike(request)
        if fault is not None and fault.delay_ms:
            try:
                await asyncio.sleep(fault.delay_ms / 1000)
            except asyncio.CancelledError:
                # Who gives up waiting has asked all the same: a server does not take a command back.
                self.service.respond(request, fault)
                self.changes.tell()
                raise
        answer = self.service.respond(request, fault)
        self.changes.tell()
        if self._round_trip_s:
            await asyncio.sleep(received_s + self._round_trip_s - asyncio.get_running_loop().time())
        if fault is None or fault.ending == "complete":
            return _plain(answer or Answer(200))
        return await self._spoilt(http, fault, answer)

    async def _spoilt(self, http: web.BaseRequest, fault: Fault, answer: Answer | None) -> web.StreamResponse:
        response = web.StreamResponse()
        if fault.ending == "hang":
            await self._stopping.wait()
        elif answer is not None and answer.body:
            response = web.StreamResponse(status=answer.status, headers=answer.headers)
            response.content_length = len(answer.body)
            await response.prepare(http)
            await response.write(answer.body[: len(answer.body) // 2])
            if http.transport is not None:
                http.transport.close()
            return response
        _reset(http)
        return response

    async def _events(self, http: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-store"})
        await response.prepare(http)
        with self.changes.watched() as changed, contextlib.suppress(ConnectionResetError):
            while not self._stopping.is_set():
                changed.clear()
                picture = page.picture(self.service.world, self.service.journal, self.service.faults)
                await response.write(b"data: " + json.dumps(picture, separators=(",", ":")).encode() + b"\n\n")
                await self.settled(changed, _KEEP_ALIVE_S)
                # A burst of requests is one picture.
                await asyncio.sleep(_GATHER_S)
        return response


async def _request(http: web.BaseRequest) -> Request:
    body = await http.read() if http.can_read_body else b""
    headers = {name.lower(): value for name, value in http.headers.items()}
    return Request(http.method, http.path, dict(http.query), headers, body)


def _plain(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body or None, headers=answer.headers)


def _reset(http: web.BaseRequest) -> None:
    """Break the connection so that the client sees a reset, not a polite end."""
    if http.transport is None:
        return
    connection = http.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
    http.transport.abort()
