"""What a message of the queue holds: an MQTT message as an IoT rule of ours hands it on."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, ValidationError

from spotty_contract.messages import MAX_BATCH_RECORDS, RecordError, decode_batch
from spotty_contract.records import Part
from spotty_contract.topics import Kind, SensorTopic, TopicError
from spotty_contract.wire import Count, UtcMs, faults_of


class _Message(Part):
    body: str
    gateway_id: str
    sensor_id: str
    kind: Kind
    received_at: UtcMs
    lines: Annotated[tuple[Count, ...], Field(strict=False, max_length=MAX_BATCH_RECORDS)] | None = None
    """Only these, where somebody has sent it again for their sake."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that is ours; its records are still unread."""

    topic: SensorTopic
    payload: bytes = field(repr=False)
    received_at: int
    """When AWS had it from the gateway."""
    lines: tuple[int, ...] | None = None

    def numbered(self) -> Iterator[tuple[int, bytes]]:
        """The records that count, each with its number in the batch. Raises RecordError."""
        found = decode_batch(self.payload)
        wanted = range(len(found)) if self.lines is None else self.lines
        missing = [number for number in wanted if number >= len(found)]
        if missing:
            raise RecordError(f"there is no line {missing[0]}: the batch has {len(found)}")
        return ((number, found[number]) for number in wanted)


def read_arrived(text: str, now_ms: int) -> Arrived:
    """Raises RecordError. Nothing arrives in the future, whatever is said of it."""
    try:
        found = _Message.model_validate_json(text)
    except ValidationError as error:
        raise RecordError("; ".join(faults_of(error, "message"))) from error
    try:
        topic = SensorTopic(found.gateway_id, found.sensor_id, found.kind)
    except TopicError as error:
        raise RecordError(f"message: {error}") from error
    try:
        payload = base64.b64decode(found.body, validate=True)
    except ValueError as error:
        raise RecordError(f"message: its body is no base64: {error}") from error
    return Arrived(topic, payload, min(found.received_at, now_ms), found.lines)
