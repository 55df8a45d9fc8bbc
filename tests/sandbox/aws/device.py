"""A gateway's MQTT client, as plain as can be."""

from __future__ import annotations

import queue
import ssl
from typing import TYPE_CHECKING, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    from spotty_sandbox.aws import GatewayCertificate, Mqtt

PATIENCE_S = 10.0


class Device:
    """Connected, unless the broker refuses; `ended` is told when the connection is no more."""

    def __init__(self, mqtt: Mqtt, certificate: GatewayCertificate | None, client_id: str) -> None:
        self.connected: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.ended: queue.SimpleQueue[None] = queue.SimpleQueue()
        context = ssl.create_default_context(cafile=mqtt.ca)
        if certificate is not None:
            context.load_cert_chain(certificate.certificate, certificate.key)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, reconnect_on_failure=False)
        self._client.tls_set_context(context)
        self._client.on_connect = lambda _client, _data, _flags, code, _properties: self.connected.put(
            not code.is_failure
        )
        self._client.on_disconnect = lambda *_: self.ended.put(None)
        self._client.connect(mqtt.host, mqtt.port)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes) -> None:
        """At QoS 1, without a wait."""
        self._client.publish(topic, payload, qos=1)

    def say(self, topic: str, payload: bytes) -> None:
        """Publish, and wait for the broker's word that it has it."""
        self._client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)
