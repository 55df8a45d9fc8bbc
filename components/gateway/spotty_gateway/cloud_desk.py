"""What comes from the cloud, one after the other on a thread of its own: policies and commands.

The nucleus's thread hands over and goes on; the loop's is never asked to wait for a disk or a network.
"""

import logging
import threading
import time
from collections.abc import Callable
from math import inf
from queue import Empty, Full, Queue
from typing import Protocol

from spotty_contract.topics import SensorTopic, ShadowTopic, TopicError, gateway_filters, read_topic
from spotty_gateway.ports import Cloud

log = logging.getLogger(__name__)

MOST_WAITING = 256
"""What is more is let go: policies are asked for again within the hour, and a command is gone in seconds anyway."""
LONGEST_SLEEP_S = 3_600.0
BREATHE_S = 1.0
"""After a fault: one that comes again at once must not keep the computer busy."""


class Policies(Protocol):
    """policy_sync.PolicySync."""

    def due_at(self) -> float:
        """When to look next, in monotonic seconds."""

    def ask_all(self) -> None:
        """Something may have been missed."""

    def look(self) -> None:
        """Send what is due."""

    def hear(self, topic: ShadowTopic, payload: bytes) -> None:
        """A message about a shadow."""


class Commands(Protocol):
    """orders.Orders."""

    def hear(self, sensor_id: str, payload: bytes) -> None:
        """A command."""


class CloudDesk:
    """`start` it, `close` it. Everything else returns at once, from any thread."""

    def __init__(
        self,
        gateway_id: str,
        cloud: Cloud,
        policies: Policies,
        commands: Commands,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now_s` is the clock of `policies.due_at`."""
        self._gateway_id = gateway_id
        self._cloud = cloud
        self._policies = policies
        self._commands = commands
        self._now_s = now_s
        self._inbox: Queue[Callable[[], None]] = Queue(MOST_WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cloud", daemon=True)

    def start(self) -> None:
        """Listen, and begin to ask."""
        self._thread.start()
        for topic_filter in gateway_filters(self._gateway_id):
            self._cloud.subscribe(topic_filter, self.hear, self.may_have_missed)

    def hear(self, topic: str, payload: bytes) -> None:
        """Something has come."""
        self._put(lambda: self._take(topic, payload))

    def may_have_missed(self) -> None:
        """A subscription stands anew, or the cloud is there again after a failure."""
        self._put(self._policies.ask_all)

    def close(self, timeout_s: float) -> None:
        """Hear nothing any more; what hangs is left behind."""
        self._closing.set()
        self._put(lambda: None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _put(self, item: Callable[[], None]) -> None:
        try:
            self._inbox.put_nowait(item)
        except Full:
            log.warning("too much has come from the cloud at once: a message is let go")

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                item = self._inbox.get(timeout=self._patience_s())
            except Empty:
                item = self._policies.look
            if not self._closing.is_set():
                self._do(item)
                self._do(self._policies.look)

    def _do(self, item: Callable[[], None]) -> None:
        try:
            item()
        except Exception as error:  # whatever it was must not end the hearing
            log.critical("a fault in the gateway itself, please report it", exc_info=error)
            self._closing.wait(BREATHE_S)

    def _patience_s(self) -> float:
        due_at = self._policies.due_at()
        return LONGEST_SLEEP_S if due_at == inf else min(LONGEST_SLEEP_S, max(0.0, due_at - self._now_s()))

    def _take(self, topic: str, payload: bytes) -> None:
        try:
            found = read_topic(topic)
        except TopicError as error:
            log.info("%s", error)
            return
        if found.gateway_id != self._gateway_id:
            log.info("%s is another gateway's", topic[:300])
        elif isinstance(found, ShadowTopic):
            self._policies.hear(found, payload)
        elif isinstance(found, SensorTopic):
            self._commands.hear(found.sensor_id, payload)
