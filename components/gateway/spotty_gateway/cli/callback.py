"""Where Spotify's answer to `spotty login` arrives: a page on this computer, or an address that a person pastes."""

import base64
import hashlib
import os
import select
import socketserver
import sys
import threading
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from queue import Empty, SimpleQueue
from typing import Protocol, Self, cast

HOST = "127.0.0.1"
PATH = "/callback"

BROWSER_WITHIN_S = 5.0
"""How long a browser may take to send a request or to fetch the page that it gets."""

_STYLE = """
body { margin: 0; min-height: 100vh; display: grid; place-items: center; color-scheme: light dark;
  font: 1.125rem/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }
main { max-width: 34rem; padding: 2rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; }
p { margin: 0; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - SpottyPottySense</title>
<link rel="icon" href="data:,">
<style>{style}</style>
<main><h1>{title}</h1><p>{text}</p></main>
</html>
"""

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    # The address that led here holds the code.
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What the browser shows; plain text, of which no part is trusted."""

    title: str
    text: str
    status: HTTPStatus = HTTPStatus.BAD_REQUEST


class Answers(Protocol):
    """Where answers come from."""

    def wait(self, within_s: float) -> str | None:
        """The address that a browser ended up at, or None when the time is over. Raises EOFError: none will come."""

    def tell(self, page: Page) -> None:
        """What has become of the address that `wait` gave last; to be said before the next `wait`."""


class Pasted:
    """Addresses that a person pastes, one a line, from a terminal or a pipe."""

    def __init__(self) -> None:
        """Reads standard input by its number, so that waiting for it can end."""
        self._input = sys.stdin.fileno()
        self._read = b""

    def wait(self, within_s: float) -> str | None:
        """The next line. Raises EOFError."""
        while b"\n" not in self._read:
            ready, _, _ = select.select([self._input], [], [], within_s)
            if not ready:
                return None
            chunk = os.read(self._input, 4096)
            if not chunk and not self._read:
                raise EOFError
            self._read += chunk or b"\n"
        line, _, self._read = self._read.partition(b"\n")
        return line.decode(errors="replace")

    def tell(self, page: Page) -> None:
        """Nothing: what is said on the terminal reaches the person already."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """A browser that waits for its page."""

    address: str
    page: SimpleQueue[Page] = field(default_factory=SimpleQueue)
    seen: threading.Event = field(default_factory=threading.Event)


class Served:
    """Addresses that a browser on this computer opens. A context manager: at its end nothing is served any more."""

    def __init__(self, port: int) -> None:
        """Serves at once, on the loopback address only. Raises OSError where the port cannot be had."""
        self._server = _Server(port)
        self._visit: _Visit | None = None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="callback", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        while not self._server.visits.empty():
            self._server.visits.get().page.put(Page("Too late", "spotty login has ended already.", HTTPStatus.GONE))

    def wait(self, within_s: float) -> str | None:
        """The address of the next visit."""
        try:
            self._visit = self._server.visits.get(timeout=within_s)
        except Empty:
            return None
        return self._visit.address

    def tell(self, page: Page) -> None:
        """Show it in the browser; returns when it is there, or when the browser takes too long."""
        if self._visit is not None:
            self._visit.page.put(page)
            self._visit.seen.wait(BROWSER_WITHIN_S)


class _Server(socketserver.ThreadingTCPServer):
    """A thread a connection, for browsers open some that they never use; none of them holds up the end.

    Not http.server's own server, which looks up this computer's name and may wait for a resolver.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.visits: SimpleQueue[_Visit] = SimpleQueue()

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that broke off: it will come again, and a traceback helps nobody."""


class _Handler(BaseHTTPRequestHandler):
    timeout = BROWSER_WITHIN_S

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self._send(Page("Nothing here", "Open the link that spotty login shows.", HTTPStatus.NOT_FOUND))
            return
        visit = _Visit(self.path)
        cast("_Server", self.server).visits.put(visit)
        try:
            self._send(visit.page.get())
        finally:
            visit.seen.set()

    def log_message(self, *_: object) -> None:
        """Nothing: the request line holds the code."""

    def version_string(self) -> str:
        return "spotty"

    def _send(self, page: Page) -> None:
        body = _PAGE.format(title=escape(page.title), style=_STYLE, text=escape(page.text)).encode()
        self.send_response(page.status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
