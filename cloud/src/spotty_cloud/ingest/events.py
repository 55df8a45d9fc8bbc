"""Decisions, and faults of rooms: what happened at an instant, told once."""

from dataclasses import dataclass
from typing import ClassVar, Self

from spotty_cloud.ingest.requests import Request, TableName, put
from spotty_cloud.ingest.rows import Arrival, Item, Owner, own
from spotty_contract.records import Decision, ErrorRecord
from spotty_contract.topics import cloud_id


@dataclass(frozen=True, slots=True)
class EventRow:
    """A decision, or a fault of a room: told once, and once more where its time has been corrected."""

    record: Decision | ErrorRecord
    owner: Owner
    arrival: Arrival

    table: ClassVar[TableName] = "events"

    @property
    def key(self) -> str:
        """The event's cloud id."""
        return cloud_id(self.owner.gateway_id, self.record.event_id)

    def joined(self, later: Self) -> Self:
        """The one with the right time."""
        return later if later.record.clock_trusted > self.record.clock_trusted else self

    def begin(self, known: Item | None) -> Request | None:  # noqa: ARG002  # nothing is read before
        """The item, where there is none, or the same one with a doubtful time."""
        condition, values = "attribute_not_exists(#eventId)", dict[str, object]()
        if self.record.clock_trusted:
            condition += " OR (#gatewayId = :gatewayId AND #userId = :userId AND #clockTrusted = :doubted)"
            values = self.owner.values() | {"doubted": False}
        ttl = self.arrival.ttl_s(self.record.timestamp, trusted=self.record.clock_trusted)
        return put(self._item() | {"ttl": ttl}, condition, values)

    def after(self, found: Item | None) -> Request | None:
        """It is there already; if it is ours at all."""
        if found is None:
            return self.begin(None)
        self.owner.check(found)
        return None

    def told(self, before: Item) -> tuple[str, Item]:  # noqa: ARG002  # an event that is written is news
        """The event as the api tells it."""
        return "error" if isinstance(self.record, ErrorRecord) else "decision", self._item()

    def _item(self) -> Item:
        record = self.record
        item = own(record, self.owner) | {"eventId": self.key}
        if isinstance(record, ErrorRecord):
            # As the list of decisions shows it; what a person can do stands beside it.
            del item["fault"], item["cleared"]
            action = "fault_cleared" if record.cleared else "fault_raised"
            return item | {"eventType": "fault", "actionTaken": action, "reason": record.fault}
        if record.session_id is not None:
            item["sessionId"] = cloud_id(self.owner.gateway_id, record.session_id)
        return item
