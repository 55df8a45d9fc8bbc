"""The link to a real MQTT broker, with mutual TLS, as the thing."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiomqtt

from .cloud import LinkLostError, Message
from .errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_KEEP_ALIVE_S = 30


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is and how to be let in. Without `ca`, `cert` and `key` it is spoken to in the clear.

    `backoff_s`: the first and the longest wait before another try to connect; `patience_s`: how long it may take to
    answer.
    """

    host: str
    port: int = 8883
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    backoff_s: tuple[float, float] = (1.0, 60.0)
    patience_s: float = 10.0

    def tls(self) -> ssl.SSLContext | None:
        """The TLS settings. Raises BrokerError for files that cannot be used."""
        files = (self.ca, self.cert, self.key)
        if not any(files):
            return None
        if not (self.ca and self.cert and self.key):
            raise BrokerError("mutual TLS needs all three: --ca, --cert and --key")
        try:
            context = ssl.create_default_context(cafile=self.ca)
            context.load_cert_chain(self.cert, self.key)
            context.sslsocket_class = _ClosingSocket
        except OSError as error:  # SSLError is one
            raise BrokerError(f"the broker's certificates cannot be used: {error}") from None
        return context


class _ClosingSocket(ssl.SSLSocket):
    """paho lets go of a socket whose handshake failed without closing it."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class RefusedError(LinkLostError):
    """The broker says no to a subscription."""


class BrokerLink:
    """Keeps one connection to a broker, with backoff. Subscriptions are made anew after each connect."""

    def __init__(self, broker: Broker, client_id: str, *, keeps_session: bool, tell: Callable[[str], None]) -> None:
        self.on_message: Callable[[Message], None] = lambda _message: None
        self.on_change: Callable[[], None] = lambda: None
        self._broker = broker
        self._tls = broker.tls()
        self._client_id = client_id
        self._keeps_session = keeps_session
        self._tell = tell
        self._filters: dict[str, None] = {}
        self._client: aiomqtt.Client | None = None
        self._is_up = False
        self._gone: asyncio.Future[None] = asyncio.Future()
        self._allowed = asyncio.Event()
        self._allowed.set()
        self._connection: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        """Whether the broker has let us in and subscribed, and we know of no loss since."""
        return self._is_up

    async def send(self, message: Message) -> None:
        """Publish."""
        publish = self._up().publish(message.topic, message.payload, qos=message.qos, timeout=self._broker.patience_s)
        sending = asyncio.create_task(publish)
        try:
            # A publish in flight does not learn of a lost connection by itself; it would wait for its timeout.
            await asyncio.wait([sending, self._gone], return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise LinkLostError("the connection was lost")
            await sending
        except (aiomqtt.MqttError, ValueError) as error:
            raise LinkLostError(str(error)) from None
        finally:
            sending.cancel()

    async def subscribe(self, topic_filter: str) -> None:
        """Subscribe with QoS 1; what is lost with the link is made good at the next connect."""
        self._filters[topic_filter] = None
        await self._ask(topic_filter)

    async def unsubscribe(self, topic_filter: str) -> None:
        """Unsubscribe."""
        self._filters.pop(topic_filter, None)
        try:
            await self._up().unsubscribe(topic_filter, timeout=self._broker.patience_s)
        except (aiomqtt.MqttError, ValueError) as error:
            raise LinkLostError(str(error)) from None

    def allow(self, up: bool) -> None:
        """Connect from now on, or disconnect and stay so."""
        if up:
            self._allowed.set()
            return
        self._allowed.clear()
        self._lost()
        if self._connection is not None:
            self._connection.cancel()

    async def run(self) -> None:
        """Connect, and connect again."""
        first_s, longest_s = self._broker.backoff_s
        wait_s = first_s
        while True:
            await self._allowed.wait()
            self._connection = asyncio.create_task(self._connected(), name="broker")
            try:
                await asyncio.wait([self._connection])
            finally:
                was_up = self.is_up
                self._lost()
                self._connection.cancel()
                await asyncio.gather(self._connection, return_exceptions=True)
            if was_up:
                wait_s = first_s
            if not self._allowed.is_set():
                continue
            self._tell(f"broker {self._broker.host}:{self._broker.port}: {_reason(self._connection)}")
            await asyncio.sleep(wait_s * random.uniform(0.5, 1))  # noqa: S311 - to spread out, not to hide
            wait_s = min(longest_s, wait_s * 2)

    async def _connected(self) -> None:
        async with aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            identifier=self._client_id,
            clean_session=not self._keeps_session,
            tls_context=self._tls,
            keepalive=_KEEP_ALIVE_S,
            timeout=self._broker.patience_s,
            max_queued_outgoing_messages=0,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        ) as client:
            self._client = client
            self._gone = asyncio.Future()
            taking = asyncio.create_task(self._take(client))
            try:
                for topic_filter in list(self._filters):
                    await self._ask_again(topic_filter)
                self._is_up = True
                self.on_change()
                self._tell(f"broker {self._broker.host}:{self._broker.port}: connected as {self._client_id}")
                await taking
            finally:
                taking.cancel()
                await asyncio.gather(taking, return_exceptions=True)

    async def _take(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            if isinstance(message.payload, bytes | bytearray):
                self.on_message(Message(str(message.topic), bytes(message.payload), message.qos))

    async def _ask(self, topic_filter: str) -> None:
        try:
            codes = await self._up().subscribe(topic_filter, qos=1, timeout=self._broker.patience_s)
        except ValueError:
            raise RefusedError(f"{topic_filter} is no topic filter") from None
        except aiomqtt.MqttError as error:
            raise LinkLostError(str(error)) from None
        if any(int(code if isinstance(code, int) else code.value) >= 0x80 for code in codes):  # noqa: PLR2004 - refused
            raise RefusedError(f"the broker refuses a subscription to {topic_filter}")

    async def _ask_again(self, topic_filter: str) -> None:
        try:
            await self._ask(topic_filter)
        except RefusedError as error:
            self._tell(str(error))
            self._filters.pop(topic_filter, None)

    def _up(self) -> aiomqtt.Client:
        if self._client is None:
            raise LinkLostError("the broker is not connected")
        return self._client

    def _lost(self) -> None:
        self._client = None
        if not self._gone.done():
            self._gone.set_result(None)
        if self._is_up:
            self._is_up = False
            self.on_change()


def _reason(connection: asyncio.Task[None]) -> str:
    if connection.cancelled():
        return "disconnected"
    error = connection.exception()
    return f"not connected ({error})" if error else "disconnected"
