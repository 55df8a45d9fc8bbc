"""A day's suppressed motions of one sensor: what "why did no music start" is answered from without raw motion."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import ClassVar, Final, Self

from spotty_cloud.ingest.requests import Request, TableName, put
from spotty_cloud.ingest.rows import Arrival, Item, Owner
from spotty_cloud.store import counts_id
from spotty_contract.messages import RecordError
from spotty_contract.status import RoomStatus
from spotty_contract.topics import cloud_id

_MOST_REASONS: Final = 40
"""Of one day; there are nine. A gateway that made up ever new ones would make the item as large as DynamoDB allows,
and it is read and written with every status."""


@dataclass(frozen=True, slots=True)
class DayRow:
    """Counts only rise within a day. So the higher of each holds, in whatever order they come."""

    sensor_id: str
    day: str
    begins_at: int
    counts: Mapping[str, int]
    ttl_s: int
    owner: Owner

    table: ClassVar[TableName] = "events"

    @property
    def key(self) -> str:
        """One item a sensor and day."""
        return counts_id(self.sensor_id, self.day)

    def joined(self, later: Self) -> Self:
        """The higher of each."""
        return type(self)(
            self.sensor_id,
            self.day,
            self.begins_at,
            _higher(self.counts, later.counts),
            max(self.ttl_s, later.ttl_s),
            self.owner,
        )

    def begin(self, known: Item | None) -> Request | None:
        """Nothing where nothing rises; else both together, if nobody else came between."""
        item: Item = {
            "eventId": self.key,
            "sensorId": self.sensor_id,
            "gatewayId": self.owner.gateway_id,
            "userId": self.owner.user_id,
            "timestamp": self.begins_at,
            "eventType": "heartbeat",
            "actionTaken": "counted",
            "day": self.day,
        }
        if known is None:
            item |= {"suppressed": dict(self.counts), "ttl": self.ttl_s}
            return put(item, "attribute_not_exists(#eventId)")
        self.owner.check(known)
        counts = _higher(known["suppressed"], self.counts)
        if counts == known["suppressed"]:
            return None
        item |= {"suppressed": counts, "ttl": max(self.ttl_s, known.get("ttl", 0))}
        return put(item, "#suppressed = :before", {"before": known["suppressed"]})

    def after(self, found: Item | None) -> Request | None:
        """Another one has written meanwhile: again, with what is there now."""
        return self.begin(found)

    def told(self, before: Item) -> None:
        """Dashboards have the counts in the room's status."""


def day_rows(status: RoomStatus, owner: Owner, arrival: Arrival) -> Iterator[DayRow]:
    """The counts that come with a status, if there are any. Raises RecordError where its day is in no calendar."""
    if not status.suppressed_today:
        return
    try:
        begins_at = int(datetime.fromisoformat(status.day).replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError as error:
        raise RecordError(f"status record: day is {status.day}, which is no date") from error
    ttl_s = arrival.ttl_s(begins_at, trusted=status.clock_trusted)
    sensor_id = cloud_id(owner.gateway_id, status.sensor_id)
    yield DayRow(sensor_id, status.day, max(0, begins_at), status.suppressed_today, ttl_s, owner)


def _higher(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Of each reason; those of `one` have their place already, and new ones have what is left."""
    names = islice({**one, **other}, _MOST_REASONS)
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in names}
