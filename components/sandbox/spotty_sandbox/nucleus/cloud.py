"""What lies beyond the MQTT proxy: a message, a link to the cloud, and the link that needs no broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message."""

    topic: str
    payload: bytes
    qos: int = 1

    @property
    def size(self) -> int:
        """Bytes of topic and payload."""
        return len(self.topic.encode()) + len(self.payload)


class LinkLostError(ConnectionError):
    """The message was not acknowledged, or the broker has not subscribed."""


class Link(Protocol):
    """A way to the cloud that may be up or down. Both callbacks are called on the event loop."""

    on_message: Callable[[Message], None]
    on_change: Callable[[], None]

    @property
    def is_up(self) -> bool:
        """Whether it is connected."""

    async def send(self, message: Message) -> None:
        """Send; returns when the cloud has acknowledged (QoS 0: when sent). Raises LinkLostError."""

    async def subscribe(self, topic_filter: str) -> None:
        """Subscribe; returns when the cloud has. LinkLostError: not now, but after the next connect, if not refused."""

    async def unsubscribe(self, topic_filter: str) -> None:
        """Subscribe no more. Raises LinkLostError."""

    def allow(self, up: bool) -> None:
        """Connect from now on, or stay disconnected."""

    async def run(self) -> None:
        """Keep the link up until cancelled."""


class Loopback:
    """A cloud that takes everything, and gives back what the component itself has subscribed to."""

    def __init__(self) -> None:
        self.on_message: Callable[[Message], None] = lambda _message: None
        self.on_change: Callable[[], None] = lambda: None
        self._is_up = True

    @property
    def is_up(self) -> bool:
        """Whether `allow` lets it."""
        return self._is_up

    async def send(self, message: Message) -> None:
        """Take it, and echo it."""
        if not self._is_up:
            raise LinkLostError
        self.on_message(message)

    async def subscribe(self, topic_filter: str) -> None:  # noqa: ARG002 - everything is echoed, the proxy sorts it out
        """Nothing to do: the proxy knows its subscriptions."""
        if not self._is_up:
            raise LinkLostError

    async def unsubscribe(self, topic_filter: str) -> None:
        """Nothing to do either."""

    def allow(self, up: bool) -> None:
        """Go up or down."""
        self._is_up = up
        self.on_change()

    async def run(self) -> None:
        """Nothing keeps it up."""
