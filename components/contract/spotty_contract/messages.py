"""What one MQTT message of records holds, and how it is read at the cloud's door.

A record alone travels as its own JSON where that fits. Several of one sensor and kind, or one that is too long, travel
as a batch: a byte that names the format, then lines of compact JSON, deflated (zlib). No record is ever split.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from pydantic_core import from_json

from spotty_contract.gateway import RESERVED_SENSOR_ID
from spotty_contract.records import SCHEMA_VERSION, Decision, ErrorRecord, Record, Registration, SessionRecord
from spotty_contract.results import CommandResult
from spotty_contract.status import DeviceStatus, RoomStatus
from spotty_contract.topics import Kind, SensorTopic
from spotty_contract.wire import faults_of, fit

MAX_MESSAGE_BYTES = 4_500
"""Of a payload: what Greengrass's lite nucleus passes on for certain."""
MAX_BATCH_RECORDS = 100
MAX_BATCH_BYTES = 64 * 1024
"""Of a batch when it is inflated: a hundred records of any ordinary length."""

_DEFLATED_LINES: Final = b"\x01"
_LEVEL = 6

_SHAPES: dict[Kind, type[Record]] = {
    Kind.MOTION: Decision,
    Kind.PLAYBACK: Decision,
    Kind.SESSION: SessionRecord,
    Kind.STATUS: RoomStatus,
    Kind.ERRORS: ErrorRecord,
    Kind.REGISTER: Registration,
    Kind.RESULTS: CommandResult,
}


class RecordError(Exception):
    """This is no record, or no batch, that can be kept; the message says why and repeats no more than a short value."""


class UnknownVersionError(RecordError):
    """A gateway newer than this cloud speaks: keep the message, and read it again after an upgrade."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A payload to publish, and how many of the first records are in it."""

    payload: bytes
    count: int


def encode_batch(records: Sequence[bytes]) -> Batch:
    """As many of the first records, of which there is one at least, as fit into one message.

    Raises RecordError where the first one fits no message, however it is packed, or is no compact JSON.
    """
    if not records:
        raise ValueError("no records, no batch: it takes one at least")
    most = _inflatable(records)
    if len(records) == 1 and len(records[0]) <= MAX_MESSAGE_BYTES:
        return Batch(records[0], 1)
    fitting = _packed(records[:1])
    if fitting is None:
        raise RecordError(f"a record of {len(records[0])} bytes does not fit into a message of {MAX_MESSAGE_BYTES}")
    least = 1
    while least < most:
        middle = (least + most + 1) // 2
        tried = _packed(records[:middle])
        if tried is None:
            most = middle - 1
        else:
            least, fitting = middle, tried
    return Batch(fitting, least)


def decode_batch(payload: bytes) -> tuple[bytes, ...]:
    """The records in a payload, each as its JSON, unread: one that is no good takes no other along. RecordError."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise RecordError(f"a message of {len(payload)} bytes: at most {MAX_MESSAGE_BYTES} are ours")
    if payload.startswith(b"{"):
        return (payload,)
    if not payload.startswith(_DEFLATED_LINES):
        raise RecordError(f"neither JSON nor a batch: it begins with {payload[:4].hex(' ') or 'nothing'}")
    inflater = zlib.decompressobj()
    try:
        lines = inflater.decompress(payload[1:], MAX_BATCH_BYTES + 1)
    except zlib.error as error:
        raise RecordError(f"a batch that cannot be inflated: {error}") from error
    if len(lines) > MAX_BATCH_BYTES:
        raise RecordError(f"a batch of more than {MAX_BATCH_BYTES} bytes when inflated")
    if not inflater.eof or inflater.unused_data:
        raise RecordError("a batch that is cut off, or has something behind its end")
    records = tuple(lines.split(b"\n"))
    if len(records) > MAX_BATCH_RECORDS:
        raise RecordError(f"a batch of {len(records)} records: at most {MAX_BATCH_RECORDS} are ours")
    return records


def read_record(topic: SensorTopic, data: bytes) -> Record:
    """The record that came on this topic. Raises UnknownVersionError, and RecordError for what is no record of it."""
    shape = shape_of(topic)
    what = f"{topic.kind} record"
    try:
        found = from_json(data)
    except ValueError as error:
        raise RecordError(f"{what} is not JSON: {error}") from error
    version = found.get("schemaVersion") if isinstance(found, dict) else None
    if not isinstance(version, int):
        raise RecordError(f"{what}: it should be an object with the whole number schemaVersion")
    if version > SCHEMA_VERSION:
        raise UnknownVersionError(f"{what} of schema version {fit(str(version), 20)}: {SCHEMA_VERSION} is known here")
    try:
        record = shape.from_json(data)
    except ValidationError as error:
        raise RecordError("; ".join(faults_of(error, what))) from error
    if (record.gateway_id, record.sensor_id) != (topic.gateway_id, topic.sensor_id):
        raise RecordError(
            f"{what} says it is of {record.gateway_id}/{record.sensor_id} and came from "
            f"{topic.gateway_id}/{topic.sensor_id}"
        )
    return record


def shape_of(topic: SensorTopic) -> type[Record]:
    """What travels on a topic. Raises RecordError for `commands`, which go the other way."""
    if topic.kind not in _SHAPES:
        raise RecordError(f"no records travel on {topic.kind}")
    if topic.kind is Kind.STATUS and topic.sensor_id == RESERVED_SENSOR_ID:
        return DeviceStatus
    return _SHAPES[topic.kind]


def _inflatable(records: Sequence[bytes]) -> int:
    """How many of the first records a reader will inflate."""
    count, size = 0, 0
    for record in records[:MAX_BATCH_RECORDS]:
        size += len(record) + 1
        if size > MAX_BATCH_BYTES or not record.startswith(b"{") or b"\n" in record:
            break
        count += 1
    if not count:
        raise RecordError(f"a record of {len(records[0])} bytes is too large, or no compact JSON object")
    return count


def _packed(records: Sequence[bytes]) -> bytes | None:
    payload = _DEFLATED_LINES + zlib.compress(b"\n".join(records), _LEVEL)
    return payload if len(payload) <= MAX_MESSAGE_BYTES else None
