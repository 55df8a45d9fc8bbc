"""The other end of a connection, as a test wants it: servers that hang up, drip, refuse, and TLS in front of others."""

import select
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Self

CERTIFICATE = Path(__file__).with_name("tls") / "localhost.pem"
"""Of 127.0.0.1; what a client must be told to trust."""

Serve = Callable[[socket.socket, int], None]
"""Serve one connection, which is the n-th from 0; it is closed afterwards."""


class Listener:
    """Serves each connection on a thread of its own, and remembers the requests that it heard."""

    def __init__(self, serve: Serve, *, tls: bool = False) -> None:
        self._serve = serve
        self._tls = server_tls() if tls else None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.connections = 0
        self.heard: list[str] = []
        """The first lines of the requests."""
        self._arrived: SimpleQueue[socket.socket] = SimpleQueue()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._shut()
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listening.close()

    def hang_up(self) -> None:
        """Close the connection that was made last, as soon as it has arrived here."""
        self._open.append(self._arrived.get(timeout=10))
        self._shut()

    def _shut(self) -> None:
        while not self._arrived.empty():
            self._open.append(self._arrived.get())
        while self._open:
            try:
                self._open.pop().shutdown(socket.SHUT_RDWR)
            except OSError:  # the other end was quicker
                continue

    def request_on(self, connection: socket.socket) -> str:
        """The next request's first line; empty where the other side has left."""
        read = b""
        while b"\r\n\r\n" not in read:
            more = connection.recv(65536)
            if not more:
                return ""
            read += more
        line = read.split(b"\r\n", 1)[0].decode()
        self.heard.append(line)
        return line

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._run, args=(connection, self.connections), daemon=True)
            self.connections += 1
            self._threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket, number: int) -> None:
        with connection:
            try:
                if self._tls is None:
                    self._arrived.put(connection)
                    self._serve(connection, number)
                    return
                with self._tls.wrap_socket(connection, server_side=True) as wrapped:
                    self._arrived.put(wrapped)
                    self._serve(wrapped, number)
            except OSError:  # the client has left, or the test is over
                return


def server_tls() -> ssl.SSLContext:
    """TLS as 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def answer(status: int = 204, body: bytes = b"", *headers: str) -> bytes:
    """An HTTP answer, whole."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def drip(connection: socket.socket, content: bytes, given_up: threading.Event, piece: int = 1) -> None:
    """Send a piece every hundredth of a second, until the test has seen enough."""
    for begin in range(0, len(content), piece):
        if given_up.wait(0.01):
            return
        connection.sendall(content[begin : begin + piece])


def relay_to(port: int) -> Serve:
    """Pass everything on to the server at this port, and back."""

    def serve(near: socket.socket, _: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as far:
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            other = {near: far, far: near}
            while True:
                for one in select.select([near, far], [], [])[0]:
                    passed = one.recv(65536)
                    if not passed:
                        return
                    other[one].sendall(passed)

    return serve
