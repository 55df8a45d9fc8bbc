"""The nucleus that runs us: the way to the cloud, the configuration, and what becomes of us when it is gone.

One thread of its own hands on what comes, and sets up again what has ended. While all stands, it sleeps.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Literal

from spotty_gateway.back_off import BackOff
from spotty_gateway.errors import CloudError, CloudGoneError
from spotty_gateway.ipc import Hear, Ipc, TokenRefusedError

log = logging.getLogger(__name__)

Kind = Literal["lite", "classic"]

MOST_BYTES_DOWN = 32_768
"""Several times what a shadow of 8 kB grows to with its metadata."""
MOST_WAITING = 256
"""So many messages may wait to be heard; whoever floods us loses the rest."""

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
RECONNECTS = 5
"""With the same token, in half a minute. It dies with the server that gave it: then only a new start brings another."""
CLOSED_WITHIN_S = 0.1
FAULT = "a fault in the gateway itself, please report it"


@dataclass(slots=True)
class _Stream:
    """Something that the nucleus tells us until it ends."""

    begin: Callable[[Callable[[], None]], None]
    """Asks for it; what it is given is to be called when it has ended."""
    stands: Callable[[], None]
    """Whoever wanted it hears that it stands, again after each end."""
    attempt: object | None = None
    """Which attempt stands; None while none does."""
    trouble: str = ""


class Nucleus:
    """IPC as the gateway wants it (`ports.Cloud`, and more). `connect` it, `close` it; calls come from any thread."""

    def __init__(
        self,
        socket: str,
        token: str,
        say: Callable[[str], None],
        on_gone: Callable[[], None] = lambda: None,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        """`say` is told what a person would want to know; `on_gone`, once, that this nucleus is lost to us for good."""
        self._ipc = Ipc(socket, token, lambda: self._inbox.put(self._lost))
        self._say = say
        self._on_gone = on_gone
        self._inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._streams: list[_Stream] = []
        self._unread: Callable[[], None] | None = None
        self._is_connected = False
        self._attempts = 0
        self._back_off = BackOff(first_wait_s, LONGEST_WAIT_S)
        self._look_at: float | None = None
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="nucleus", daemon=True)
        self.keeps_acknowledged = True
        """As ports.Cloud has it; until we know which nucleus this is, the more careful answer."""

    def connect(self) -> None:
        """Connect for the first time. Raises CloudGoneError; then it may be called again."""
        self._ipc.connect()
        self._is_connected = True
        self._thread.start()

    def know(self, kind: Kind | Literal["auto"]) -> Kind:
        """Take it for this kind of nucleus, or look; where that cannot be seen, for the one that needs more care."""
        if kind == "auto":
            try:
                kind = "classic" if self._ipc.knows_component_updates() else "lite"
            except CloudError as error:
                self._say(f"taken for nucleus classic, until the next start: {error}")
                kind = "classic"
        self.keeps_acknowledged = kind == "classic"
        return kind

    def close(self) -> None:
        """Hear nothing any more. Soon, whatever the other side does."""
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(CLOSED_WITHIN_S)
        self._ipc.close()

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message over, at least once. Raises CloudError."""
        self._ipc.publish(topic, payload)

    def subscribe(self, topic_filter: str, hear: Hear, stands: Callable[[], None] = lambda: None) -> None:
        """Let `hear` be told topic and payload of what comes, and `stands` each time that the subscription does.

        Returns at once. Both are called on one thread of ours, in order. What does not succeed is tried again.
        """

        def begin(ended: Callable[[], None]) -> None:
            self._ipc.subscribe(topic_filter, partial(self._take, hear), ended)

        self._want(_Stream(begin, stands))

    def configuration(self) -> Mapping[str, Any]:
        """The component's configuration, as it came. Raises CloudError."""
        return self._ipc.configuration()

    def watch_configuration(self, hear: Callable[[Mapping[str, Any]], None]) -> None:
        """Let `hear` be told the whole configuration, on our thread: now, and whenever it has changed."""
        waiting = threading.Event()

        def read() -> None:
            waiting.clear()
            try:
                hear(self._ipc.configuration())
            except CloudError as error:
                self._unread = read
                self._look_again()
                log.info("%s; it is tried again", error)

        def changed() -> None:
            if not waiting.is_set():  # one deployment changes many values, and tells of each
                waiting.set()
                self._inbox.put(read)

        self._want(_Stream(partial(self._ipc.watch_configuration, changed), stands=read))

    def report(self, *, running: bool, within_s: float = 0.0) -> None:
        """Say RUNNING or ERRORED, and wait so long until that is said. Who does not want to know is not pressed."""
        said = threading.Event()

        def say() -> None:
            try:
                self._ipc.report(running=running)
            except CloudError as error:
                log.info("the nucleus was not told how we are: %s", error)
            said.set()

        self._inbox.put(say)
        said.wait(within_s)

    # On awscrt's thread.

    def _take(self, hear: Hear, topic: str, payload: bytes) -> None:
        if len(payload) <= MOST_BYTES_DOWN and self._inbox.qsize() < MOST_WAITING:
            self._inbox.put(partial(hear, topic, payload))
            return
        self._dropped += 1
        if self._dropped == 1:
            self._inbox.put(self._tell_dropped)

    # On our own thread.

    def _run(self) -> None:
        while True:
            try:
                patience_s = None if self._look_at is None else max(0.0, self._look_at - time.monotonic())
                item: Callable[[], None] | None = self._inbox.get(timeout=patience_s)
            except Empty:
                item = self._look
            if item is None:
                return
            _try(item)

    def _want(self, stream: _Stream) -> None:
        def begin() -> None:
            self._streams.append(stream)
            if not (self._is_connected and self._begin(stream)):
                self._look_again()

        self._inbox.put(begin)

    def _lost(self) -> None:
        self._is_connected = False
        self._attempts = 0
        self._say("the connection to the nucleus is lost; the music goes on")
        self._look_again()

    def _look(self) -> None:
        """Set up what does not stand: the connection first, then what comes over it."""
        self._look_at = None
        if not self._is_connected and not self._connect():
            return
        unread, self._unread = self._unread, None
        if unread is not None:
            unread()
        failed = [stream for stream in self._streams if stream.attempt is None and not self._begin(stream)]
        if failed:
            self._look_again()

    def _connect(self) -> bool:
        self._attempts += 1
        try:
            self._ipc.connect()
        except CloudGoneError as error:
            if isinstance(error, TokenRefusedError) or self._attempts >= RECONNECTS:
                self._say(f"{error}; records wait until the component is started anew")
                self._on_gone()
            else:
                self._look_again()
            return False
        self._is_connected = True
        self._say("connected to the nucleus again")
        return True

    def _begin(self, stream: _Stream) -> bool:
        attempt = object()
        stream.attempt = attempt
        try:
            stream.begin(lambda: self._inbox.put(partial(self._ended, stream, attempt)))
        except CloudError as error:
            stream.attempt = None
            if not isinstance(error, CloudGoneError) and str(error) != stream.trouble:
                stream.trouble = str(error)
                self._say(f"{error}; it is tried again")
            return False
        except Exception as error:  # a defect must not end this stream for good: told, and tried again
            log.critical(FAULT, exc_info=error)
            stream.attempt = None
            return False
        stream.trouble = ""
        _try(stream.stands)
        return True

    def _ended(self, stream: _Stream, attempt: object) -> None:
        if stream.attempt is attempt:
            stream.attempt = None
            self._look_again()

    def _look_again(self) -> None:
        if self._look_at is None:
            self._look_at = self._back_off.after_trouble(time.monotonic())

    def _tell_dropped(self) -> None:
        dropped, self._dropped = self._dropped, 0
        self._say(f"let go of {dropped} from the cloud: longer than {MOST_BYTES_DOWN} bytes, or too many at once")


def _try(item: Callable[[], None]) -> None:
    try:
        item()
    except Exception as error:  # whatever hears must not end the hearing
        log.critical(FAULT, exc_info=error)
