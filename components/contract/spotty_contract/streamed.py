"""What one message of a local stream holds where records go by Stream Manager: an MQTT message, topic and payload.

AWS has checked nobody's name on this way: whoever reads a stream knows the gateway only by what it says of itself.
"""

import base64
from typing import NamedTuple

from pydantic_core import from_json, to_json

from spotty_contract.messages import RecordError


class Streamed(NamedTuple):
    """What would have been published. `topics.read_topic` reads the one, `messages.decode_batch` the other."""

    topic: str
    payload: bytes


def encode_streamed(message: Streamed) -> bytes:
    """As compact JSON; the payload in base64, as an IoT rule of ours hands it on."""
    return to_json({"topic": message.topic, "body": base64.b64encode(message.payload).decode()})


def decode_streamed(data: bytes) -> Streamed:
    """Read it back. Raises RecordError."""
    try:
        found = from_json(data)
    except ValueError as error:
        raise RecordError(f"a streamed message that is not JSON: {error}") from error
    match found:
        case {"topic": str(topic), "body": str(body)}:
            try:
                return Streamed(topic, base64.b64decode(body, validate=True))
            except ValueError as error:  # no base64, or no ASCII
                raise RecordError(f"a streamed message whose body is no base64: {error}") from error
    raise RecordError("a streamed message should be an object with the texts topic and body")
