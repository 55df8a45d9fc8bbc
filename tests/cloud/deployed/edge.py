"""A gateway's end of MQTT, by hand: what it is sent is kept; what it says, the broker has taken."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from tests.sandbox.aws.device import PATIENCE_S

from spotty_contract.messages import encode_batch
from spotty_contract.shadow import Desired, Reported, encode_reported, read_delta
from spotty_contract.topics import Kind, SensorTopic, ShadowAction, ShadowTopic, gateway_filters
from spotty_sandbox.nucleus import Broker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spotty_contract.records import Record
    from spotty_sandbox.aws import GatewayCertificate, Mqtt

Message = tuple[str, bytes]
"""Topic and payload."""


class Edge:
    """Connected as the thing of this certificate, unless the broker refuses (`is_in`)."""

    def __init__(self, mqtt: Mqtt, certificate: GatewayCertificate, client_id: str) -> None:
        self.thing = certificate.thing
        self.heard: list[Message] = []
        self._changed = threading.Condition()
        self._is_in: bool | None = None
        self._granted: dict[int | None, bool] = {}
        self._taken: set[int] = set()
        context = Broker(mqtt.host, mqtt.port, mqtt.ca, certificate.certificate, certificate.key).tls()
        assert context is not None
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, reconnect_on_failure=False)
        self._client.tls_set_context(context)
        self._client.on_connect = lambda _client, _data, _flags, code, _properties: self._is(not code.is_failure)
        self._client.on_disconnect = lambda *_: self._is(False)
        self._client.on_message = lambda _client, _data, message: self._hear((message.topic, bytes(message.payload)))
        self._client.on_subscribe = lambda _client, _data, number, codes, _properties: self._grant(
            number, not any(code.is_failure for code in codes)
        )
        self._client.on_publish = lambda _client, _data, number, *_: self._take(number)
        try:
            self._client.connect(mqtt.host, mqtt.port)
        except OSError:  # refused by TLS already
            self._is_in = False
        else:
            self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def is_in(self) -> bool:
        """Whether the broker has let it in, once that is known."""
        self._wait_for(lambda: self._is_in is not None)
        return bool(self._is_in)

    def is_put_out(self) -> None:
        """Wait until the broker has ended the connection."""
        self._wait_for(lambda: self._is_in is False)

    def subscribes(self, *filters: str) -> bool:
        """Whether the broker grants all of them; it may end the connection instead."""
        _, number = self._client.subscribe([(one, 1) for one in filters])
        self._wait_for(lambda: number in self._granted or self._is_in is False)
        return self._granted.get(number, False)

    def listens(self) -> Self:
        """To all that a gateway listens to."""
        assert self.is_in()
        assert self.subscribes(*gateway_filters(self.thing))
        return self

    def says(self, topic: object, payload: bytes) -> bool:
        """Whether the broker takes the message; it may end the connection instead."""
        number = self._client.publish(str(topic), payload, qos=1).mid
        self._wait_for(lambda: number in self._taken or self._is_in is False)
        return number in self._taken

    def tells(self, kind: Kind, *records: Record) -> None:
        """Send records of one sensor as the gateway's uplink does: as few messages as they fit into."""
        lines = [one.to_json().encode() for one in records]
        while lines:
            batch = encode_batch(lines)
            assert self.says(SensorTopic(self.thing, records[0].sensor_id, kind), batch.payload)
            lines = lines[batch.count :]

    def reports(self, local_id: str, reported: Reported) -> None:
        """Answer settings."""
        assert self.says(ShadowTopic(self.thing, local_id, ShadowAction.UPDATE), encode_reported(reported))

    def is_told(self, local_id: str, v: int) -> Desired:
        """The settings of this version, as a delta brings them."""
        topic = str(ShadowTopic(self.thing, local_id, ShadowAction.UPDATE_DELTA))

        def fits(found: str, payload: bytes) -> bool:
            desired = read_delta(payload) if found == topic else None
            return desired is not None and desired.v == v

        desired = read_delta(self.hears(fits)[1])
        assert desired is not None
        return desired

    def is_commanded(self, local_id: str, command_id: str) -> dict[str, Any]:
        """The command of this id."""
        topic = str(SensorTopic(self.thing, local_id, Kind.COMMANDS))
        _, payload = self.hears(lambda found, data: found == topic and json.loads(data)["commandId"] == command_id)
        command: dict[str, Any] = json.loads(payload)
        return command

    def hears(self, fits: Callable[[str, bytes], bool]) -> Message:
        """The first message that fits, of those that have come or come now."""

        def found() -> Sequence[Message]:
            return [one for one in self.heard if fits(*one)]

        self._wait_for(lambda: bool(found()))
        return found()[0]

    def _wait_for(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, PATIENCE_S), self.heard[-5:]

    def _is(self, there: bool) -> None:
        with self._changed:
            self._is_in = there
            self._changed.notify_all()

    def _hear(self, message: Message) -> None:
        with self._changed:
            self.heard.append(message)
            self._changed.notify_all()

    def _grant(self, number: int | None, granted: bool) -> None:
        with self._changed:
            self._granted[number] = granted
            self._changed.notify_all()

    def _take(self, number: int) -> None:
        with self._changed:
            self._taken.add(number)
            self._changed.notify_all()
