"""The dead letter queue, where what cannot be kept waits for somebody to look at it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from spotty_cloud.ingest.letters import MOST_BYTES, Letter, letter_text

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from collections.abc import Callable

    from types_boto3_sqs.client import SQSClient

LOG = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 10
"""Messages that SQS takes in one request."""


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The queue. The client is made when something has to be refused, which is hardly ever."""

    client: "Callable[[], SQSClient]"
    url: str = field(repr=False)

    def send(self, letters: Sequence[Letter]) -> set[str]:
        """Send them; the ids of those messages whose letters did not get through."""
        left: set[str] = set()
        for some in in_portions([(one.message_id, letter_text(one)) for one in letters]):
            entries: Any = [{"Id": str(number), "MessageBody": text} for number, (_, text) in enumerate(some)]
            try:
                answer = self.client().send_message_batch(QueueUrl=self.url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                LOG.warning("letters to the dead letter queue are not taken for now: %s", type(error).__name__)
                left |= {message_id for message_id, _ in some}
            else:
                left |= {some[int(one["Id"])][0] for one in answer.get("Failed", ())}
        return left


def in_portions(texts: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """As SQS takes them: ten at once, and no more bytes together than one may have alone."""
    portion: list[tuple[str, str]] = []
    size = 0
    for name, text in texts:
        length = len(text.encode())
        if portion and (len(portion) == MOST_AT_ONCE or size + length > MOST_BYTES):
            yield portion
            portion, size = [], 0
        portion.append((name, text))
        size += length
    if portion:
        yield portion
