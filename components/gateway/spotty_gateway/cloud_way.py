"""The way to the cloud with an eye on it: who must hear that it is open again, and how much it takes at once."""

import threading
from collections import deque
from collections.abc import Callable

from spotty_gateway.engine.rules import SECOND
from spotty_gateway.errors import CloudError, CloudNotNowError, CloudRefusedError
from spotty_gateway.ports import Clock, Cloud

LITE_UNANSWERED = 10
"""Nucleus lite holds so many messages that the broker has not acknowledged; they die with the link, and one more is
refused as if there were none."""
IN_US = SECOND
"""So many are handed over in no less than this: the broker answers sooner, and none is refused that way."""

TOLD_EVERY_US = 30 * SECOND
"""Whoever asks for what may have been missed sends a message for each sensor: not after every hiccup."""


class CloudWay:
    """A `ports.Cloud` around another one. Calls come from any thread."""

    def __init__(self, cloud: Cloud, clock: Clock, opened: Callable[[], None], stood_again: Callable[[], None]) -> None:
        """`opened` is told of the first success after failures; `stood_again` of a subscription that had ended."""
        self.keeps_acknowledged = cloud.keeps_acknowledged
        self._cloud = cloud
        self._clock = clock
        self._opened = opened
        self._stood_again = stood_again
        self._lock = threading.Lock()
        self._has_failed = False
        self._told_at: int | None = None
        self._taken_at: deque[int] = deque(maxlen=LITE_UNANSWERED)
        self._closed = threading.Event()

    @property
    def unproven(self) -> int:
        """How many of the messages that were taken last may yet die with the link."""
        return 0 if self.keeps_acknowledged else LITE_UNANSWERED

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message over; where too many have been at once, after a moment. Raises CloudError."""
        self._await_turn()
        try:
            self._cloud.publish(topic, payload)
        except CloudRefusedError:
            raise  # whoever says no is there
        except CloudError:
            self._has_failed = True
            raise
        if self._has_failed and self._may_tell():
            self._opened()

    def subscribe(
        self, topic_filter: str, hear: Callable[[str, bytes], None], stands: Callable[[], None] = lambda: None
    ) -> None:
        """As ports.Cloud has it."""
        is_first = True

        def stood() -> None:
            nonlocal is_first
            stands()
            if not is_first:
                self._stood_again()
            is_first = False

        self._cloud.subscribe(topic_filter, hear, stood)

    def close(self) -> None:
        """Let nobody wait any more."""
        self._closed.set()

    def _may_tell(self) -> bool:
        """Whether it is time; where it is not, a later success is told."""
        with self._lock:
            now = self._clock.mono()
            if not self._has_failed or (self._told_at is not None and now < self._told_at + TOLD_EVERY_US):
                return False
            self._has_failed, self._told_at = False, now
            return True

    def _await_turn(self) -> None:
        if not self.unproven:
            return
        with self._lock:
            now = self._clock.mono()
            due_at = now
            if len(self._taken_at) == LITE_UNANSWERED:
                due_at = max(now, self._taken_at[0] + IN_US)
            self._taken_at.append(due_at)
        if due_at > now and self._closed.wait(self._clock.real_s(due_at - now)):
            raise CloudNotNowError("the gateway stops")
