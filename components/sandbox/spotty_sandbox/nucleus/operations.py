"""What a component can ask for, and what comes of it."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from . import access
from .cloud import Message
from .errors import IpcError, invalid_arguments, service_error, unauthorized

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .access import Access
    from .configuration_desk import ConfigurationDesk
    from .lifecycle_desk import LifecycleDesk
    from .local_pubsub import Kind, LocalPubSub
    from .mqtt_proxy import MqttProxy
    from .profiles import Profile
    from .request import Request

Answer = dict[str, Any]
NAMESPACE = "aws.greengrass#"
_LONGEST_TOPIC_BYTES = 65535
STREAMING = {
    f"{NAMESPACE}SubscribeTo{what}"
    for what in (
        "Topic",
        "IoTCore",
        "ConfigurationUpdate",
        "ValidateConfigurationUpdates",
        "ComponentUpdates",
    )
}


class Operations:
    """Answers every request of one nucleus."""

    def __init__(
        self,
        profile: Profile,
        allowed: Access,
        pubsub: LocalPubSub,
        proxy: MqttProxy,
        configuration: ConfigurationDesk,
        lifecycle: LifecycleDesk,
    ) -> None:
        self._profile = profile
        self._allowed = allowed
        self._pubsub = pubsub
        self._proxy = proxy
        self.subscriptions = 0
        handlers: dict[str, Callable[[Request], Awaitable[Answer]]] = {
            "GetConfiguration": configuration.get,
            "UpdateConfiguration": configuration.update,
            "SubscribeToConfigurationUpdate": configuration.subscribe,
            "UpdateState": lifecycle.update_state,
            "PublishToTopic": self._publish_to_topic,
            "SubscribeToTopic": self._subscribe_to_topic,
            "PublishToIoTCore": self._publish_to_cloud,
            "SubscribeToIoTCore": self._subscribe_to_cloud,
        }
        if profile.has_updates:
            handlers |= {
                "SubscribeToValidateConfigurationUpdates": configuration.subscribe_to_validate,
                "SendConfigurationValidityReport": configuration.report_validity,
                "SubscribeToComponentUpdates": lifecycle.subscribe_to_updates,
                "DeferComponentUpdate": lifecycle.defer_update,
            }
        self._handlers = {f"{NAMESPACE}{name}": handler for name, handler in handlers.items()}

    async def handle(self, request: Request) -> Answer:
        """Answer, or raise IpcError."""
        handler = self._handlers.get(request.operation)
        if handler is None:
            raise self._unknown(request.operation)
        if request.operation not in STREAMING:
            return await handler(request)
        if self._profile.subscriptions is not None and self.subscriptions >= self._profile.subscriptions:
            raise service_error("there are too many subscriptions")
        answer = await handler(request)
        self.subscriptions += 1
        request.stream.at_end(self._subscription_ended)
        return answer

    def _subscription_ended(self) -> None:
        self.subscriptions -= 1

    def _unknown(self, operation: str) -> IpcError:
        if self._profile.tells_why:
            return IpcError("UnsupportedOperation", f"{operation} has no handler", namespace="aws")
        return service_error(f"{operation} has no handler")

    def _check(self, service: str, request: Request, topic: str) -> None:
        if not self._allowed.allows(service, request.operation, topic):
            raise unauthorized(f"{request.operation.removeprefix(NAMESPACE)} on {topic}")

    # Local messages.

    async def _publish_to_topic(self, request: Request) -> Answer:
        topic = request.text("topic")
        message = request.content.get("publishMessage")
        kinds: list[Kind] = ["jsonMessage", "binaryMessage"]
        given = [kind for kind in kinds if isinstance(message, dict) and isinstance(message.get(kind), dict)]
        if not isinstance(message, dict) or len(given) != 1 or "message" not in message[given[0]]:
            raise invalid_arguments("a message is either jsonMessage or binaryMessage")
        self._check(access.LOCAL, request, topic)
        self._pubsub.publish(topic, given[0], message[given[0]]["message"], request.component)
        return {}

    async def _subscribe_to_topic(self, request: Request) -> Answer:
        topic, stream = request.text("topic"), request.stream
        self._check(access.LOCAL, request, topic)

        def deliver(found: str, kind: Kind, content: Any) -> None:  # noqa: ANN401 - JSON
            stream.event("SubscriptionResponseMessage", {kind: {"message": content, "context": {"topic": found}}})

        mode = request.content.get("receiveMode")
        listener = self._pubsub.subscribe(topic, request.component, mode if isinstance(mode, str) else None, deliver)
        stream.at_end(lambda: self._pubsub.unsubscribe(listener))
        return {"topicName": topic} if self._profile.tells_why else {}

    # Messages to and from the cloud.

    async def _publish_to_cloud(self, request: Request) -> Answer:
        topic = request.text("topicName")
        try:
            payload = base64.b64decode(request.content.get("payload") or "", validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise service_error("the payload is no base64") from None
        self._check(access.MQTT, request, topic)
        if not 0 < len(topic.encode()) <= _LONGEST_TOPIC_BYTES or any(sign in topic for sign in "+#\0"):
            raise service_error("that is no topic to publish to")
        self._proxy.publish(Message(topic, payload, request.qos()))
        return {}

    async def _subscribe_to_cloud(self, request: Request) -> Answer:
        topic, stream = request.text("topicName"), request.stream
        request.qos()
        self._check(access.MQTT, request, topic)

        def deliver(message: Message) -> None:
            payload = base64.b64encode(message.payload).decode()
            stream.event("IoTCoreMessage", {"message": {"topicName": message.topic, "payload": payload}})

        subscription = await self._proxy.subscribe(topic, deliver)
        stream.at_end(lambda: self._proxy.unsubscribe(subscription))
        return {}
