"""Sessions: the record with the highest seq holds, whatever order they come in."""

from dataclasses import dataclass
from typing import ClassVar, Self

from spotty_cloud.ingest.requests import Request, TableName, put
from spotty_cloud.ingest.rows import Arrival, Item, Owner, newer, own, rank, seq_values
from spotty_contract.records import SessionRecord
from spotty_contract.topics import cloud_id


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session: the record with the highest seq holds."""

    record: SessionRecord
    owner: Owner
    arrival: Arrival

    table: ClassVar[TableName] = "sessions"

    @property
    def key(self) -> str:
        """The session's cloud id."""
        return cloud_id(self.owner.gateway_id, self.record.session_id)

    def joined(self, later: Self) -> Self:
        """The higher seq."""
        return later if rank(later.record) > rank(self.record) else self

    def begin(self, known: Item | None) -> Request | None:  # noqa: ARG002  # nothing is read before
        """The whole item: nothing of a session that was given up for lost may stay in one that was not."""
        record = self.record
        at = record.last_motion_time if record.end_time is None else record.end_time
        open_at = {"openGatewayId": self.owner.gateway_id} if record.ended_by is None else {}
        return put(
            own(record, self.owner)
            | {"sessionId": self.key, "ttl": self.arrival.ttl_s(at, trusted=record.clock_trusted), **open_at},
            "attribute_not_exists(#sessionId) OR (#gatewayId = :gatewayId AND #userId = :userId AND "
            f"{newer('#seq', '#clockTrusted', record)})",
            self.owner.values() | seq_values(record),
        )

    def after(self, found: Item | None) -> Request | None:
        """What is there is as new, or newer; if it is ours at all."""
        if found is None:
            return self.begin(None)
        self.owner.check(found)
        return None

    def told(self, before: Item) -> tuple[str, Item]:  # noqa: ARG002  # a session that is written is news
        """The session as the api tells it."""
        return "session", own(self.record, self.owner) | {"sessionId": self.key}
