"""Letters to the dead letter queue: what cannot be kept, why, and all that it takes to try again."""

from typing import Annotated, Final, Literal

from pydantic import Field

from spotty_contract.messages import MAX_BATCH_RECORDS
from spotty_contract.records import Part
from spotty_contract.wire import Count, UtcMs, fit, told

MOST_BYTES: Final = 250_000
"""Of one letter, and of all that are sent at once: SQS takes 256 kB, in both ways to count them."""

_MOST_REASON = 400
_MOST_CUT = 150_000

Why = Literal["unreadable", "unknown_version", "nobodys", "foreign", "unstorable"]
"""unreadable: no record of ours. unknown_version: of a newer gateway, to be sent again after an upgrade. nobodys: its
gateway is nobody's, or no longer. foreign: there is such an item, and it is another's. unstorable: DynamoDB says so."""


class Fault(Part):
    """What is wrong with a message, or with one record in it."""

    line: Count | None = None
    """Which record of the batch; None for the message as a whole."""
    why: Why
    reason: Annotated[str, told(_MOST_REASON)]


class Letter(Part):
    """A message of the queue and what of it could not be kept. All else in it has been."""

    letter: Literal[1] = 1
    refused_at: UtcMs
    message_id: str
    message: str
    """As it was in the queue."""
    is_cut: bool = False
    """It was too long for a letter, so it cannot be sent again."""
    faults: Annotated[tuple[Fault, ...], Field(strict=False, max_length=MAX_BATCH_RECORDS)]


def letter_text(letter: Letter) -> str:
    """What is sent: no longer than SQS takes."""
    text = letter.to_json()
    if len(text.encode()) <= MOST_BYTES:
        return text
    return letter.model_copy(update={"message": fit(letter.message, _MOST_CUT), "is_cut": True}).to_json()
