"""What a message in the dead letter queue says, whoever put it there: ingest, SQS itself, or an IoT rule. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from spotty_cloud.ingest.arrived import read_arrived
from spotty_cloud.ingest.letters import Letter
from spotty_contract.messages import RecordError
from spotty_contract.records import Part
from spotty_contract.topics import SensorTopic, TopicError, read_topic

Origin = Literal["ingest", "queue", "rule", "unknown"]

NOT_COLLECTED = "not_collected"
RULE_FAILED = "rule_failed"
STRANGE = "strange"
TOO_LONG = "too_long"


class _Failure(Part):
    error_message: str = ""


class _RuleFailed(Part):
    """What an IoT rule says when its action failed."""

    rule_name: str
    topic: str
    payload: Annotated[str, Field(alias="base64OriginalPayload")]
    failures: Annotated[tuple[_Failure, ...], Field(strict=False)] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits for somebody, and what would be sent to give it another try."""

    id: str
    since: int
    """When it was put there, in milliseconds since 1970."""
    origin: Origin
    topic: str
    """Where it came from; empty where that cannot be told."""
    why: tuple[str, ...]
    reasons: tuple[str, ...]
    lines: tuple[int, ...] | None = None
    """Which records of its batch it is about; None for all."""
    text: str | None = field(default=None, repr=False)
    """What would be sent; None where it cannot be sent again."""

    @property
    def gateway_id(self) -> str:
        """Whose it is; empty where that cannot be told."""
        return self.topic.split("/")[1] if self.topic else ""

    def told(self) -> Mapping[str, object]:
        """For a program: all but what it holds."""
        return {
            "id": self.id,
            "since": self.since,
            "origin": self.origin,
            "topic": self.topic,
            "why": self.why,
            "reasons": self.reasons,
            "lines": self.lines,
            "canBeSent": self.text is not None,
        }


def read_waiting(message_id: str, body: str, sent_at_ms: int) -> Waiting:
    """Everything that may lie there can be read; what is strange to us is told as such."""
    for read in (_of_ingest, _of_rule):
        try:
            return read(message_id, body, sent_at_ms)
        except ValidationError:
            continue
    try:
        topic = str(read_arrived(body, sent_at_ms).topic)
    except RecordError as error:
        return Waiting(message_id, sent_at_ms, "unknown", "", (STRANGE,), (str(error),))
    reason = "ingest did not get it done within five deliveries"
    return Waiting(message_id, sent_at_ms, "queue", topic, (NOT_COLLECTED,), (reason,), text=body)


def _of_ingest(message_id: str, body: str, sent_at_ms: int) -> Waiting:
    letter = Letter.model_validate_json(body)
    numbers = sorted({one.line for one in letter.faults if one.line is not None})
    is_whole = len(numbers) < len(letter.faults)
    why = tuple(sorted({str(one.why) for one in letter.faults}))
    reasons = tuple(dict.fromkeys(one.reason for one in letter.faults))
    text: str | None = letter.message
    try:
        topic = str(read_arrived(letter.message, sent_at_ms).topic)
    except RecordError:
        topic = ""
    else:
        text = letter.message if is_whole else _only(letter.message, numbers)
    if letter.is_cut:
        why, text = (*why, TOO_LONG), None
    return Waiting(
        message_id,
        letter.refused_at,
        "ingest",
        topic,
        why,
        reasons,
        None if is_whole else tuple(numbers),
        text,
    )


def _of_rule(message_id: str, body: str, sent_at_ms: int) -> Waiting:
    found = _RuleFailed.model_validate_json(body)
    reasons = tuple(dict.fromkeys(f"{found.rule_name}: {one.error_message}" for one in found.failures))
    try:
        topic = read_topic(found.topic)
    except TopicError as error:
        return Waiting(message_id, sent_at_ms, "rule", "", (RULE_FAILED, STRANGE), (*reasons, str(error)))
    if not isinstance(topic, SensorTopic):
        reason = f"{found.topic} is no topic of records"
        return Waiting(message_id, sent_at_ms, "rule", "", (RULE_FAILED, STRANGE), (*reasons, reason))
    said: dict[str, Any] = {
        "body": found.payload,
        "gatewayId": topic.gateway_id,
        "sensorId": topic.sensor_id,
        "kind": topic.kind,
        "receivedAt": sent_at_ms,
    }
    return Waiting(message_id, sent_at_ms, "rule", str(topic), (RULE_FAILED,), reasons, text=json.dumps(said))


def _only(text: str, lines: list[int]) -> str:
    return json.dumps({**json.loads(text), "lines": lines})
