"""Greengrass IPC: the only file that knows awsiot. Every call ends, in time, and leaves nothing behind.

The SDK's comfortable client leaves the stream of every request open until the server ends it, and nucleus lite never
does; so these are the generated operations, each closed by whoever began it.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from awscrt.exceptions import AwsCrtError
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup, SocketDomain, SocketOptions
from awsiot.eventstreamrpc import (
    AccessDeniedError,
    Connection,
    ConnectionClosedError,
    DeserializeError,
    EventStreamError,
    EventStreamOperationError,
    LifecycleHandler,
    MessageAmendment,
    StreamClosedError,
    UnmappedDataError,
)
from awsiot.greengrasscoreipc import model
from awsiot.greengrasscoreipc.client import GreengrassCoreIPCClient

from spotty_gateway.errors import CloudError, CloudGoneError, CloudNotNowError, CloudRefusedError

MOST_BYTES_UP = 4_500
"""In base64 and JSON this is well within the 10,000 bytes over which nucleus lite closes the connection."""
CONNECT_WITHIN_S = 3.0
ANSWER_WITHIN_S = 4.0
"""It is a socket on the same computer. Who waits for either still ends within five seconds of being told to."""
SUBSCRIBE_WITHIN_S = 35.0
"""Nucleus classic answers when the broker has, and gives that half a minute."""
CLOSE_WITHIN_S = 0.1

_BROKEN = (AwsCrtError, ConnectionClosedError, EventStreamError, StreamClosedError, OSError)
"""awscrt makes some of its errors into Python's own."""

Hear = Callable[[str, bytes], None]
Ended = Callable[[], None]

logging.getLogger("awsiot").setLevel(logging.CRITICAL)  # what it would say reaches us as exceptions; DEBUG has payloads


class TokenRefusedError(CloudGoneError):
    """The nucleus does not know our token: it will not know it later either."""


class CloudNotThereError(CloudNotNowError):
    """The nucleus does not do this, or not now: lite says both in one word, and it is asked again or done without."""


class Ipc:
    """One connection to a nucleus. Calls may come from any thread; each raises a CloudError, by what we do next."""

    def __init__(self, socket: str, token: str, on_lost: Callable[[], None]) -> None:
        """`on_lost` is called on a thread that must not be kept, when a connection has ended that we did not close."""
        loops = EventLoopGroup(num_threads=1)
        options = SocketOptions()
        options.domain = SocketDomain.Local
        self._socket = socket
        self._life = _Life(on_lost)
        self._connection = Connection(
            host_name=socket,
            port=0,  # a Unix socket has none
            bootstrap=ClientBootstrap(loops, DefaultHostResolver(loops)),
            socket_options=options,
            connect_message_amender=MessageAmendment.create_static_authtoken_amender(token),
        )
        self._client = GreengrassCoreIPCClient(self._connection)

    def connect(self) -> None:
        """Connect, for the first time or after a loss."""
        try:
            self._connection.connect(self._life).result(CONNECT_WITHIN_S)
        except AccessDeniedError:
            raise TokenRefusedError(f"the nucleus at {self._socket} does not know our token any more") from None
        except (*_BROKEN, RuntimeError, TimeoutError) as error:  # RuntimeError: the last one is still closing
            self._connection.close()
            raise CloudGoneError(f"no nucleus answers at {self._socket} ({_told(error)})") from error

    def close(self) -> None:
        """Close for good, and do not wait long for the other side."""
        self._life.is_closing = True
        try:
            self._connection.close().result(CLOSE_WITHIN_S)
        except (*_BROKEN, EventStreamOperationError, TimeoutError):
            pass  # it was lost before, or nobody answers: it ends with the process

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message over, QoS 1."""
        if len(payload) > MOST_BYTES_UP:
            raise CloudRefusedError(f"a message on {topic} has {len(payload)} bytes; there may be {MOST_BYTES_UP}")
        request = model.PublishToIoTCoreRequest(topic_name=topic, qos=model.QOS.AT_LEAST_ONCE, payload=payload)
        self._ask(self._client.new_publish_to_iot_core, request, f"publishing on {topic}")

    def subscribe(self, topic_filter: str, hear: Hear, ended: Ended) -> None:
        """Let `hear` be told topic and payload until that has `ended`; both on a thread that must not be kept."""

        def take(event: model.IoTCoreMessage) -> None:
            hear(event.message.topic_name or "", event.message.payload or b"")

        request = model.SubscribeToIoTCoreRequest(topic_name=topic_filter, qos=model.QOS.AT_LEAST_ONCE)
        self._listen(
            self._client.new_subscribe_to_iot_core, request, _Handler(take, ended), f"subscribing to {topic_filter}"
        )

    def configuration(self) -> Mapping[str, Any]:
        """The whole configuration of the component."""
        request = model.GetConfigurationRequest(key_path=[])
        found = self._ask(self._client.new_get_configuration, request, "reading the configuration").value
        return found if isinstance(found, dict) else {}

    def watch_configuration(self, changed: Callable[[], None], ended: Ended) -> None:
        """Call `changed` for everything that changes in the configuration, until that has `ended`; as above."""
        request = model.SubscribeToConfigurationUpdateRequest(key_path=[])
        new = self._client.new_subscribe_to_configuration_update
        self._listen(new, request, _Handler(lambda _: changed(), ended), "watching the configuration")

    def report(self, *, running: bool) -> None:
        """Tell the nucleus that the component runs, or that it has given up."""
        state = model.ReportedLifecycleState.RUNNING if running else model.ReportedLifecycleState.ERRORED
        self._ask(self._client.new_update_state, model.UpdateStateRequest(state=state), f"reporting {state}")

    def knows_component_updates(self) -> bool:
        """Whether this nucleus tells of coming updates. Only classic does; lite has no such operation."""
        operation = self._client.new_subscribe_to_component_updates
        request = model.SubscribeToComponentUpdatesRequest()
        try:  # the stream is closed again at once: nobody here would answer the question whether an update may come
            self._ask(
                lambda: operation(_Handler(lambda _: None, lambda: None)), request, "looking which nucleus this is"
            )
        except CloudNotThereError:
            return False
        return True

    def _ask(self, new: Callable[[], Any], request: object, doing: str) -> Any:  # noqa: ANN401 - awsiot has no types
        operation = self._begin(new, doing)
        try:
            return _answer(operation, request, doing, ANSWER_WITHIN_S)
        finally:
            operation.close()

    def _listen(self, new: Callable[["_Handler"], Any], request: object, handler: "_Handler", doing: str) -> None:
        operation = self._begin(lambda: new(handler), doing)
        try:
            _answer(operation, request, doing, SUBSCRIBE_WITHIN_S)
        except CloudError:
            operation.close()
            raise

    @staticmethod
    def _begin(new: Callable[[], Any], doing: str) -> Any:  # noqa: ANN401 - awsiot has no types
        try:
            return new()
        except _BROKEN as error:
            raise CloudGoneError(f"{doing}: the nucleus is not connected") from error


def _answer(operation: Any, request: object, doing: str, within_s: float) -> Any:  # noqa: ANN401 - awsiot has no types
    """The answer, or a CloudError by the type of what came instead; lite's errors have no message."""
    until_s = time.monotonic() + within_s
    try:
        operation.activate(request).result(within_s)
        return operation.get_response().result(max(0.0, until_s - time.monotonic()))
    except model.UnauthorizedError as error:
        raise CloudNotNowError(
            f"{doing}: not allowed; the component's accessControl must be the recipe's, and on nucleus classic the "
            "deployment must set interpolateComponentConfiguration to true"
        ) from error
    except (model.ServiceError, UnmappedDataError) as error:
        raise CloudNotThereError(f"{doing}: the nucleus cannot, now or at all") from error
    except EventStreamOperationError as error:
        raise CloudRefusedError(f"{doing}: refused ({type(error).__name__})") from error
    except TimeoutError as error:  # before the broken ones: it is an OSError
        raise CloudNotNowError(f"{doing}: no answer within {within_s:g} s") from error
    except _BROKEN as error:
        raise CloudGoneError(f"{doing}: the connection to the nucleus broke") from error
    except DeserializeError as error:
        raise CloudNotNowError(f"{doing}: the answer could not be read") from error
    except RuntimeError as error:  # after its children: a bare one is awscrt's for a connection that has just ended
        raise CloudGoneError(f"{doing}: the connection to the nucleus broke") from error


def _told(error: Exception) -> str:
    return error.name if isinstance(error, AwsCrtError) else type(error).__name__


class _Life(LifecycleHandler):  # type: ignore[misc] # awsiot has no types
    def __init__(self, on_lost: Callable[[], None]) -> None:
        self.is_closing = False
        self._on_lost = on_lost

    def on_disconnect(self, _reason: Exception | None) -> None:
        if not self.is_closing:
            self._on_lost()


class _Handler:
    """Takes the events of one stream, on awscrt's own thread."""

    def __init__(self, take: Callable[[Any], None], ended: Ended) -> None:
        self.on_stream_event = take
        self.on_stream_closed = ended

    def on_stream_error(self, _error: Exception) -> bool:
        """An event that could not be read is let go; the stream stays."""
        return False
