"""A nucleus that hangs: what lies between it and the component passes nothing on any more."""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

from tests.gateway.flat import PATIENCE_S


class Freezer:
    """Between component and nucleus: passes everything on until it is told to freeze, then nothing, and stays open."""

    def __init__(self, path: Path, beyond: str) -> None:
        self._beyond = beyond
        self.reached = threading.Event()
        """Set once the component has connected."""
        self._frozen = threading.Event()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._begin(self._accept)

    def freeze(self) -> None:
        """From now on nobody hears of the other."""
        self._frozen.set()

    def close(self) -> None:
        """End."""
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):  # the other side was first
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for end in (self._listener, *self._ends):
            end.close()

    def _begin(self, work: Any, *arguments: socket.socket) -> None:  # noqa: ANN401 - any function
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                self.reached.set()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._beyond)
                self._ends += [near, far]
                self._begin(self._pass_on, near, far)
                self._begin(self._pass_on, far, near)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed
            while data := source.recv(65_536):
                if not self._frozen.is_set():
                    target.sendall(data)
