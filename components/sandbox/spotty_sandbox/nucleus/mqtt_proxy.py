"""The MQTT proxy: what components send to the cloud, and what comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from .cloud import LinkLostError, Message
from .errors import service_error
from .topics import fits

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cloud import Link
    from .profiles import Profile

_LITE_UNACKNOWLEDGED_BYTES = 15_000
_KEPT_MESSAGES = 10_000


class Subscription:
    """One component's subscription to the cloud."""

    def __init__(self, topic_filter: str, deliver: Callable[[Message], None]) -> None:
        self.topic_filter = topic_filter
        self.deliver = deliver


class MqttProxy:
    """Between components and a link to the cloud. Lives on one event loop.

    Lite has no memory: a publish is handed to the link or refused, and what was on its way when the link broke is lost.
    Classic spools in memory, sends in order, and again what was not acknowledged.
    """

    def __init__(self, profile: Profile, link: Link, tell: Callable[[str], None]) -> None:
        self.link = link
        self.sent: deque[Message] = deque(maxlen=_KEPT_MESSAGES)
        """What the cloud has acknowledged."""
        self.lost = 0
        """Messages from the cloud that were too long, and messages to it that a broken link took along."""
        self._profile = profile
        self._tell = tell
        self._subscriptions: list[Subscription] = []
        self._spool: deque[Message] = deque()
        self._spool_bytes = 0
        self._on_way: dict[asyncio.Task[None], Message] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self.on_change: Callable[[], None] = lambda: None
        link.on_message = self.arrive
        link.on_change = self._link_changed

    @property
    def spooled(self) -> int:
        """How many messages wait in memory."""
        return len(self._spool)

    # To the cloud.

    def publish(self, message: Message) -> None:
        """Take a message. Raises IpcError(ServiceError) where this nucleus would not."""
        if self._profile.spool_bytes is None:
            self._send_now(message)
        else:
            self._put_by(message, self._profile.spool_bytes)

    def _send_now(self, message: Message) -> None:
        if not self.link.is_up:
            raise service_error("there is no connection to the cloud")
        held = sum(other.size for other in self._on_way.values())
        if len(self._on_way) >= self._profile.unacknowledged or held + message.size > _LITE_UNACKNOWLEDGED_BYTES:
            raise service_error("too much is on its way that the cloud has not acknowledged")
        task = asyncio.create_task(self._send(message))
        self._on_way[task] = message
        task.add_done_callback(self._on_way.pop)

    async def _send(self, message: Message) -> None:
        try:
            await self.link.send(message)
        except LinkLostError:
            self.lost += 1
            self._tell(f"lost with the link: a message on {message.topic}")
        else:
            self.sent.append(message)
        self.on_change()

    def _put_by(self, message: Message, most_bytes: int) -> None:
        if message.qos == 0 and not self.link.is_up:
            raise service_error("the device is offline: a QoS 0 message is dropped")
        if self._spool_bytes + message.size > most_bytes:
            raise service_error("the spool is full")
        self._spool.append(message)
        self._spool_bytes += message.size
        self._wake.set()

    async def run(self) -> None:
        """Drain the spool until cancelled."""
        while True:
            self._wake.clear()
            while self._spool and self.link.is_up:
                await self._drain()
            await self._wake.wait()

    async def _drain(self) -> None:
        batch = list(islice(self._spool, self._profile.unacknowledged))
        results = await asyncio.gather(*(self.link.send(message) for message in batch), return_exceptions=True)
        for message, result in zip(batch, results, strict=True):
            if result is None:
                self._spool.remove(message)  # it stands at the front, or near it
                self._spool_bytes -= message.size
                self.sent.append(message)
            elif not isinstance(result, LinkLostError):
                raise result
        self.on_change()

    # From the cloud.

    async def subscribe(self, topic_filter: str, deliver: Callable[[Message], None]) -> Subscription:
        """Subscribe. Raises IpcError(ServiceError) where the cloud cannot be asked."""
        subscription = Subscription(topic_filter, deliver)
        if not self.link.is_up and not self._profile.keeps_session:
            raise service_error("there is no connection to the cloud")
        self._subscriptions.append(subscription)
        asking = asyncio.create_task(self._ask(subscription))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        if self._profile.waits_for_broker and self.link.is_up:
            await asking
            if subscription not in self._subscriptions:
                raise service_error(f"subscribing to {topic_filter} failed")
        return subscription

    async def _ask(self, subscription: Subscription) -> None:
        try:
            await self.link.subscribe(subscription.topic_filter)
        except LinkLostError as error:
            self._tell(f"{subscription.topic_filter}: {error}")
            if self.link.is_up:
                with contextlib.suppress(ValueError):  # it was closed meanwhile
                    self._subscriptions.remove(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; one that has ended is no fault."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        if self.link.is_up and all(other.topic_filter != subscription.topic_filter for other in self._subscriptions):
            leaving = asyncio.create_task(self._leave(subscription.topic_filter))
            self._asking.add(leaving)
            leaving.add_done_callback(self._asking.discard)

    async def _leave(self, topic_filter: str) -> None:
        with contextlib.suppress(LinkLostError):  # then the broker has forgotten it anyway
            await self.link.unsubscribe(topic_filter)

    def arrive(self, message: Message) -> None:
        """Hand a message from the cloud to whoever subscribed."""
        if self._profile.mqtt_bytes is not None and message.size > self._profile.mqtt_bytes:
            self.lost += 1
            self._tell(f"lost, as on nucleus lite: {message.size} bytes on {message.topic}")
            return
        for subscription in list(self._subscriptions):
            if fits(subscription.topic_filter, message.topic):
                subscription.deliver(message)

    def _link_changed(self) -> None:
        self._wake.set()
        self.on_change()

    async def close(self) -> None:
        """Let nothing run on."""
        tasks = [*self._on_way, *self._asking]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
