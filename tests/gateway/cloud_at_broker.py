"""The cloud at a real broker: keeps named shadows as AWS does, hears records and gives commands."""

import json
import ssl
import threading
from collections.abc import Callable
from typing import Self, TypeVar

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from tests.gateway.shadows import THING, FakeCloud, Json
from tests.sandbox.nucleus.mosquitto import PATIENCE_S, Mosquitto

from spotty_contract.messages import decode_batch, read_record
from spotty_contract.records import Record
from spotty_contract.topics import Kind, SensorTopic, ShadowTopic, read_topic

FILTERS = ("sensors/+/+/+", "$aws/things/+/shadow/name/+/get", "$aws/things/+/shadow/name/+/update")

RecordT = TypeVar("RecordT", bound=Record)


class CloudAtBroker:
    """Connects as `cloud`, again and again: the broker may go and come."""

    def __init__(self, mosquitto: Mosquitto) -> None:
        self.shadows = FakeCloud()
        self.records: list[tuple[SensorTopic, Record]] = []
        """In the order of their coming, repeated ones too."""
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="cloud")
        certificates = mosquitto.certificates
        context = ssl.create_default_context(cafile=certificates.ca)
        context.load_cert_chain(certificates.cert("cloud"), certificates.key("cloud"))
        self._client.tls_set_context(context)
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_connect = lambda client, *_: client.subscribe([(one, 1) for one in FILTERS])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self._hear(message.topic, bytes(message.payload))
        self._client.connect("127.0.0.1", mosquitto.port)
        self._client.loop_start()
        self.is_listening()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def is_listening(self) -> None:
        """Wait until it hears what is said at the broker; after `goes_away`, once more."""
        assert self._subscribed.wait(PATIENCE_S)

    def goes_away(self) -> None:
        """The broker is about to end."""
        self._subscribed.clear()

    def wants(self, of: str, v: int, policy: str) -> None:
        """A person has saved settings on the dashboard."""
        with self._changed:
            self.shadows.wants(of, v, policy)
            self._say_all()

    def commands(self, command: str, sensor_id: str, now_ms: int, lasts_ms: int = 30_000, **fields: object) -> str:
        """A person has pressed a button on the dashboard; the command's id."""
        command_id = f"{command.replace('_', '-')}-{now_ms}"
        given = {"command": command, "commandId": command_id, "issuedAt": now_ms, "expiresAt": now_ms + lasts_ms}
        topic = SensorTopic(THING, sensor_id, Kind.COMMANDS)
        self._client.publish(str(topic), json.dumps({**given, **fields}).encode(), qos=1)
        return command_id

    def wait_for(self, holds: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
        """Wait until that is so; looked at after every message."""
        if not self.comes_to(holds, within_s):
            raise TimeoutError(f"it did not come to that; records: {self.records[-20:]}, {self.shadows.reports}")

    def comes_to(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Whether that is so within the time given."""
        with self._changed:
            return self._changed.wait_for(holds, within_s)

    def wait_for_report(self, of: str, v: int) -> Json:
        """What is reported of this version."""

        def found() -> list[Json]:
            return [one for name, one in self.shadows.reports if name == of and one["v"] == v]

        self.wait_for(lambda: bool(found()))
        return found()[-1]

    def wait_for_record(self, shape: type[RecordT], fits: Callable[[RecordT], bool] = lambda _: True) -> RecordT:
        """The first record of this shape that fits."""

        def found() -> list[RecordT]:
            return [one for _, one in self.records if isinstance(one, shape) and fits(one)]

        self.wait_for(lambda: bool(found()))
        return found()[0]

    def _hear(self, topic: str, payload: bytes) -> None:
        found = read_topic(topic)
        with self._changed:
            if isinstance(found, ShadowTopic):
                self.shadows.publish(topic, payload)
                self._say_all()
            elif found.kind is not Kind.COMMANDS:
                self.records += [(found, read_record(found, line)) for line in decode_batch(payload)]
            self._changed.notify_all()

    def _say_all(self) -> None:
        while self.shadows.post:
            topic, payload = self.shadows.post.pop(0)
            self._client.publish(topic, payload, qos=1)
