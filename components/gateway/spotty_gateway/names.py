"""Names on the network, with a resolver that may take as long as it likes."""

import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from socket import AI_NUMERICHOST, SOCK_STREAM, gaierror, getaddrinfo
from typing import Any

Address = tuple[int, int, int, Any]
"""Family, type, protocol, and what such a socket connects to."""


class Names:
    """Addresses by name. A resolver that hangs or fails is left behind: what it said last is used instead."""

    def __init__(self, ask: Callable[[str, int], list[Address]] | None = None) -> None:
        """`ask` asks the resolver; it may take as long as it likes and may raise OSError."""
        self._ask = ask or _addresses
        self._known: dict[tuple[str, int], list[Address]] = {}

    def look_up(self, host: str, port: int, within_s: float) -> list[Address]:
        """Raises OSError."""
        with contextlib.suppress(gaierror):
            return _addresses(host, port, AI_NUMERICHOST)
        answer: SimpleQueue[list[Address] | OSError] = SimpleQueue()
        # The C library waits as long as it likes and cannot be interrupted; its thread ends when it does.
        threading.Thread(target=_answer, args=(self._ask, host, port, answer), name="resolver", daemon=True).start()
        try:
            found = answer.get(timeout=within_s)
        except Empty:
            found = TimeoutError("the name is not answered")
        if isinstance(found, list):
            self._known[host, port] = found
        elif (host, port) not in self._known:
            raise found
        return self._known[host, port]


def _answer(
    ask: Callable[[str, int], list[Address]], host: str, port: int, answer: "SimpleQueue[list[Address] | OSError]"
) -> None:
    try:
        answer.put(ask(host, port))
    except OSError as error:
        answer.put(error)
    except UnicodeError:
        answer.put(gaierror("no such name can be"))


def _addresses(host: str, port: int, flags: int = 0) -> list[Address]:
    return [(*found[:3], found[4]) for found in getaddrinfo(host, port, type=SOCK_STREAM, flags=flags)]
