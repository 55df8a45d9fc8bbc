"""A gateway's own item: when it was last heard of, how it is doing, what runs there, which speakers it has found."""

import json
import zlib
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Self

from spotty_cloud.consent import consent_due_day
from spotty_cloud.ingest.requests import Request, TableName, update
from spotty_cloud.ingest.rows import Item, Owner, RefusedError
from spotty_contract.records import Registration
from spotty_contract.results import CommandResult
from spotty_contract.status import DeviceStatus

HEARD_EVERY_MS: Final = 330_000
"""How much later a gateway must have been heard of to be written down for that alone. Its status comes each five
minutes and is written anyway, so this is for one that is missing: the item is large, and so is the price of writing it
with each record."""

LATE_MS: Final = 600_000
"""Of a gateway that has not been heard of for so long: it may just be given up."""

_SHARDS = 8


@dataclass(frozen=True, slots=True)
class Found:
    """The speakers of a result, and when they were found."""

    at: int
    devices: list[Any]


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """All that one batch says of one gateway. Each part has an order of its own; the later of each holds."""

    owner: Owner
    now_ms: int
    seen_at: int
    status: tuple[DeviceStatus, int] | None = None
    """And when it came."""
    registered: tuple[int, Registration] | None = None
    """And when it came, by which starts are ordered: they have no number."""
    found: Found | None = None
    left_open: bool = False
    """Whether there is a session that the sweep must find should nothing more be heard."""

    table: ClassVar[TableName] = "gateways"

    @property
    def key(self) -> str:
        """The gateway's id."""
        return self.owner.gateway_id

    def joined(self, later: Self) -> Self:
        """The later of each part."""
        pairs = [one.status for one in (self, later) if one.status is not None]
        starts = [one.registered for one in (self, later) if one.registered is not None]
        lists = [one.found for one in (self, later) if one.found is not None]
        return replace(
            self,
            seen_at=max(self.seen_at, later.seen_at),
            status=max(pairs, key=lambda one: (one[0].seq, one[0].clock_trusted, one[1]), default=None),
            registered=max(starts, key=lambda one: one[0], default=None),
            found=max(lists, key=lambda one: one.at, default=None),
            left_open=self.left_open or later.left_open,
        )

    def begin(self, known: Item | None) -> Request | None:
        """The parts that are later than what is known, if that is still there as it was."""
        if known is None or known.get("userId") != self.owner.user_id:
            raise RefusedError("nobodys", "its gateway is nobody's any more")
        sets, removes = self._parts(known)
        if self._is_heard(known, beside=bool(sets)):
            sets |= {"lastSeenAt": self.seen_at, "online": online_of(self.key)}
        elif self.left_open and self._is_late(known):
            # A sweep that is under way must see that something has come: it looks at this instant.
            sets |= {"lastSeenAt": known.get("lastSeenAt", 0) + 1, "online": online_of(self.key)}
        if not sets:
            return None
        ordering = [name for name in ("lastSeenAt", "statusSeq", "versionsAt", "devicesAt") if name in sets]
        conditions = [_as_before(name, known) for name in ordering]
        before: Item = {name: known[name] for name in ordering if name in known}
        condition = " AND ".join(["#userId = :userId", *conditions])
        return update({"gatewayId": self.key}, sets, condition, {"userId": self.owner.user_id, **before}, removes)

    def after(self, found: Item | None) -> Request | None:
        """Another one has written meanwhile: again, with what is there now."""
        return self.begin(found)

    def told(self, before: Item) -> tuple[str, Item] | None:
        """That it is there, and its status where that is new."""
        status: Item = {}
        if self.status is not None and _is_newer(self.status[0], before):
            status = {"status": json.loads(self.status[0].to_json())}
        if not status and "online" in before:
            return None
        return "gateway", {
            "gatewayId": self.key,
            "lastSeenAt": max(self.seen_at, before.get("lastSeenAt", 0)),
            **status,
        }

    def _parts(self, known: Item) -> tuple[Item, list[str]]:
        sets: Item = {}
        removes = []
        if self.status is not None and _is_newer(self.status[0], known):
            status, received_at = self.status
            sets |= {"status": json.loads(status.to_json()), "statusSeq": status.seq}
            due_day = consent_due_day(status, received_at)
            if due_day is not None:
                sets["consentDueDay"] = due_day
            elif "consentDueDay" in known:
                removes.append("consentDueDay")
        if self.registered is not None and self.registered[0] > known.get("versionsAt", -1):
            received_at, registration = self.registered
            sets |= {"versions": json.loads(registration.versions.to_json()), "versionsAt": received_at}
        if self.found is not None and self.found.at > known.get("devicesAt", -1):
            sets |= {"devices": self.found.devices, "devicesAt": self.found.at}
        return sets, removes

    def _is_heard(self, known: Item, *, beside: bool) -> bool:
        """Whether to write down that it was heard of; `beside` something else it costs nothing more."""
        before = known.get("lastSeenAt", -HEARD_EVERY_MS)
        if self.seen_at <= before:
            return False
        return beside or "online" not in known or self.seen_at - before >= HEARD_EVERY_MS

    def _is_late(self, known: Item) -> bool:
        """Whether the sweep may have passed it, or be about to."""
        return "online" not in known or self.now_ms - known.get("lastSeenAt", 0) > LATE_MS


def online_of(gateway_id: str) -> str:
    """Under which of eight heads it stands in SilentIndex."""
    return f"online#{zlib.crc32(gateway_id.encode()) % _SHARDS}"


def found_speakers(result: CommandResult, received_at: int) -> Found | None:
    """The speakers that a result brings. No wrong clock makes them newer than they are."""
    if result.devices is None:
        return None
    at = min(result.timestamp, received_at) if result.clock_trusted else received_at
    return Found(at, [json.loads(one.to_json()) for one in result.devices])


def _is_newer(status: DeviceStatus, known: Item) -> bool:
    trusted = bool(known.get("status", {}).get("clockTrusted", False))
    return (status.seq, status.clock_trusted) > (known.get("statusSeq", -1), trusted)


def _as_before(name: str, known: Item) -> str:
    return f"#{name} = :{name}" if name in known else f"attribute_not_exists(#{name})"
