"""Out of the dead letter queue and into the queue of records: nothing is deleted before its copy has been taken."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from spotty_cloud.ingest.dead_letters import MOST_AT_ONCE, in_portions
from spotty_cloud.redrive.waiting import Waiting, read_waiting

if TYPE_CHECKING:  # the stubs are installed for development alone
    from types_boto3_sqs.client import SQSClient

_HELD_S: Final = 300
"""How long nobody else sees what is being looked at."""


@dataclass(slots=True)
class Queues:
    """Both queues. What is looked at is held until it has been deleted, or `let_go`."""

    client: "SQSClient" = field(repr=False)
    dead_url: str
    records_url: str
    wait_s: int = 1
    """How long SQS looks for one more, in all of its servers; 0: in some of them."""
    _receipts: dict[str, str] = field(default_factory=dict, repr=False)

    def look(self, most: int) -> list[Waiting]:
        """What waits there, up to so many messages."""
        found: dict[str, Waiting] = {}
        while len(found) < most:
            answer = self.client.receive_message(
                QueueUrl=self.dead_url,
                MaxNumberOfMessages=min(MOST_AT_ONCE, most - len(found)),
                VisibilityTimeout=_HELD_S,
                WaitTimeSeconds=self.wait_s,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            if not answer.get("Messages"):
                break
            for one in answer["Messages"]:
                self._receipts[one["MessageId"]] = one["ReceiptHandle"]
                sent_at_ms = int(one["Attributes"]["SentTimestamp"])
                found[one["MessageId"]] = read_waiting(one["MessageId"], one["Body"], sent_at_ms)
        return sorted(found.values(), key=lambda one: (one.since, one.id))

    def send(self, some: Sequence[Waiting]) -> set[str]:
        """Send them to be collected, and delete what was taken; the ids of what was not, and still waits."""
        left: set[str] = set()
        texts = [(one.id, one.text) for one in some if one.text is not None]
        for portion in in_portions(texts):
            entries: Any = [{"Id": str(number), "MessageBody": text} for number, (_, text) in enumerate(portion)]
            answer = self.client.send_message_batch(QueueUrl=self.records_url, Entries=entries)
            failed = {portion[int(one["Id"])][0] for one in answer.get("Failed", ())}
            left |= failed | self.delete([name for name, _ in portion if name not in failed])
        return left

    def delete(self, ids: Sequence[str]) -> set[str]:
        """For good; the ids of those that are still there."""
        left: set[str] = set()
        for start in range(0, len(ids), MOST_AT_ONCE):
            portion = ids[start : start + MOST_AT_ONCE]
            entries: Any = [{"Id": str(at), "ReceiptHandle": self._receipts[one]} for at, one in enumerate(portion)]
            answer = self.client.delete_message_batch(QueueUrl=self.dead_url, Entries=entries)
            failed = {portion[int(one["Id"])] for one in answer.get("Failed", ())}
            for one in set(portion) - failed:
                del self._receipts[one]
            left |= failed
        return left

    def let_go(self) -> None:
        """Whatever is still there can be seen again at once."""
        held = list(self._receipts.values())
        for start in range(0, len(held), MOST_AT_ONCE):
            portion = held[start : start + MOST_AT_ONCE]
            entries: Any = [
                {"Id": str(at), "ReceiptHandle": one, "VisibilityTimeout": 0} for at, one in enumerate(portion)
            ]
            self.client.change_message_visibility_batch(QueueUrl=self.dead_url, Entries=entries)
        self._receipts.clear()
