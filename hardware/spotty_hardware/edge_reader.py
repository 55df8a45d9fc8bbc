"""One thread, asleep in the kernel until a line's file descriptor has something to read.

There is no timeout anywhere: while nothing happens on the wires, nothing happens here.
"""

import logging
import os
import select
import threading
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger(__name__)

_GONE = select.EPOLLHUP | select.EPOLLERR


class Poller(Protocol):
    """The part of `select.epoll` used here; tests count through it."""

    def register(self, fd: int, eventmask: int = ..., /) -> None:
        """Watch `fd`."""

    def unregister(self, fd: int, /) -> None:
        """Watch `fd` no more."""

    def poll(self) -> list[tuple[int, int]]:
        """Sleep until at least one descriptor is ready; the ready ones as (fd, event mask)."""

    def close(self) -> None:
        """Give the poller's own descriptor back."""


class EdgeReader:
    """Calls a drain function, on its own thread, whenever that function's file descriptor becomes readable.

    The thread starts with the first descriptor and ends with `close()`. Descriptors may be added and removed from any
    thread, from inside a drain too.

    Args:
        poller: makes the poller; `select.epoll` but in tests.
    """

    def __init__(self, poller: Callable[[], Poller] = select.epoll) -> None:
        self._make_poller = poller
        self._lock = threading.Lock()
        self._drains: dict[int, Callable[[], None]] = {}
        self._poller: Poller | None = None
        self._stop_fd = -1
        self._thread: threading.Thread | None = None

    def add(self, fd: int, drain: Callable[[], None]) -> None:
        """Call `drain` whenever `fd` is readable.

        `drain` must not block (so `fd` is non-blocking); it is called again while something is left to read. If it
        raises, the descriptor counts as dead: it is dropped, and the log says so.
        """
        with self._lock:
            if self._poller is None:
                self._poller = self._start()
            self._drains[fd] = drain
            self._poller.register(fd, select.EPOLLIN)

    def remove(self, fd: int) -> None:
        """Stop watching `fd`; unknown ones are ignored. A drain already under way on the thread runs to its end."""
        with self._lock:
            if self._drains.pop(fd, None) is not None and self._poller is not None:
                self._poller.unregister(fd)

    def close(self) -> None:
        """End the thread and wait for it (unless called on it). Idempotent; a later `add` starts anew."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._poller = None
            self._drains.clear()
            if thread is not None:
                os.eventfd_write(self._stop_fd, 1)
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _start(self) -> Poller:
        poller, self._stop_fd = self._make_poller(), os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        poller.register(self._stop_fd, select.EPOLLIN)
        # A daemon, because a forgotten close() must not keep a finished program alive.
        self._thread = threading.Thread(
            target=self._serve, args=(poller, self._stop_fd), name="spotty-gpio", daemon=True
        )
        self._thread.start()
        return poller

    def _serve(self, poller: Poller, stop_fd: int) -> None:
        # The thread owns its poller and stop descriptor and closes them itself: no one can close them under its poll.
        try:
            while True:
                for fd, mask in poller.poll():
                    if fd == stop_fd:
                        return
                    self._drain(fd, mask)
        finally:
            poller.close()
            os.close(stop_fd)

    def _drain(self, fd: int, mask: int) -> None:
        drain = self._drains.get(fd)
        if drain is None:  # removed since the poll returned
            return
        try:
            drain()
        except Exception as error:  # noqa: BLE001 - one line's fault, whatever it is, must not silence all others
            self._drop(fd, f"{type(error).__name__}: {error}")
        else:
            if mask & _GONE:  # else the poll would return for it at once, for ever
                self._drop(fd, "hung up")

    def _drop(self, fd: int, why: str) -> None:
        log.error("a GPIO line went away (%s): its input is silent until a restart", why)
        self.remove(fd)
