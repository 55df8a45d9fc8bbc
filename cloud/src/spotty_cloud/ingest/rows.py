"""What becomes of one item by what a gateway tells. Each row knows when it holds, and what an item there must be like.

Records come in any order, and any of them twice. So every write has a condition, and whatever a condition refuses is
either older than what is there, which is well, or would change what belongs to another, which is not.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from spotty_cloud.ingest.letters import Why
from spotty_cloud.ingest.requests import Request, TableName
from spotty_contract.records import Record, SessionRecord
from spotty_contract.status import RoomStatus
from spotty_contract.topics import cloud_id

Item = dict[str, Any]

_DAY_S = 86_400


class RefusedError(Exception):
    """This is not to be kept, now or later; the message says why."""

    def __init__(self, why: Why, reason: str) -> None:
        super().__init__(reason)
        self.why: Why = why


class NothingThereError(Exception):
    """There is no such item, and none is made: not an error of anybody's, and nothing to keep."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A gateway and the person that it belongs to."""

    gateway_id: str
    user_id: str

    def values(self) -> dict[str, object]:
        """For a condition."""
        return {"gatewayId": self.gateway_id, "userId": self.user_id}

    def check(self, found: Item) -> None:
        """Raises RefusedError where an item is another's."""
        if (found.get("gatewayId"), found.get("userId")) != (self.gateway_id, self.user_id):
            raise RefusedError(
                "foreign", "an item of this id belongs to another gateway, or to another owner of this one"
            )


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a record came, and how long such records are kept."""

    received_at: int
    retention_s: int

    def ttl_s(self, at_ms: int, *, trusted: bool) -> int:
        """When an item of this instant goes. No wrong clock lets one stay for ever, or go before somebody saw it."""
        received_s = self.received_at // 1000
        from_s = min(at_ms // 1000, received_s) if trusted else received_s
        return max(from_s + self.retention_s, received_s + min(self.retention_s, _DAY_S))


class Row(Protocol):
    """One item, as it should become."""

    table: ClassVar[TableName]

    @property
    def key(self) -> str:
        """Of its item."""

    @property
    def owner(self) -> Owner:
        """Whose it is."""

    def joined(self, later: Self) -> Self:
        """This row and another one of the same item in one."""

    def begin(self, known: Item | None) -> Request | None:
        """What to write where this is known of the item; None where that is nothing."""

    def after(self, found: Item | None) -> Request | None:
        """The same where another item was found than `begin` reckoned with. Raises RefusedError, NothingThereError."""

    def told(self, before: Item) -> tuple[str, Item] | None:
        """What dashboards are told when it is written, `before` having been there: kind and data."""


def plain(record: Record) -> Item:
    """As its JSON has it."""
    found: Item = json.loads(record.to_json())
    return found


def own(record: Record, owner: Owner) -> Item:
    """As its JSON has it, with the ids that the cloud has for gateway, sensor and owner."""
    return plain(record) | {
        "gatewayId": owner.gateway_id,
        "sensorId": cloud_id(owner.gateway_id, record.sensor_id),
        "userId": owner.user_id,
    }


def rank(record: SessionRecord | RoomStatus) -> tuple[int, bool]:
    """The higher one holds: the later one, and of the same one that with the right time."""
    return record.seq, record.clock_trusted


def newer(seq: str, trusted: str, record: SessionRecord | RoomStatus) -> str:
    """That what is there has a lower seq; or the same one, stamped by a clock that has been set right since."""
    corrected = f" OR ({seq} = :seq AND {trusted} = :doubted)" if record.clock_trusted else ""
    return f"({seq} < :seq{corrected})"


def seq_values(record: SessionRecord | RoomStatus) -> dict[str, object]:
    """What `newer` speaks of."""
    return {"seq": record.seq, **({"doubted": False} if record.clock_trusted else {})}
