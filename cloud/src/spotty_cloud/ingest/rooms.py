"""How rooms are doing, beside the settings of their sensors."""

from dataclasses import dataclass
from typing import ClassVar, Self

from spotty_cloud.ingest.requests import Request, TableName, update
from spotty_cloud.ingest.rows import Item, NothingThereError, Owner, newer, plain, rank, seq_values
from spotty_contract.status import RoomStatus
from spotty_contract.topics import cloud_id


@dataclass(frozen=True, slots=True)
class RoomRow:
    """How a room is doing, kept with its sensor: on a sensor that there is, and that is its owner's."""

    record: RoomStatus
    owner: Owner

    table: ClassVar[TableName] = "sensors"

    @property
    def key(self) -> str:
        """The sensor's cloud id."""
        return cloud_id(self.owner.gateway_id, self.record.sensor_id)

    def joined(self, later: Self) -> Self:
        """The higher seq."""
        return later if rank(later.record) > rank(self.record) else self

    def begin(self, known: Item | None) -> Request | None:  # noqa: ARG002  # nothing is read before
        """The status alone: settings are the api's."""
        record = self.record
        is_newer = newer("#statusSeq", "#status.#clockTrusted", record)
        return update(
            {"sensorId": self.key},
            {"status": self._status(), "statusSeq": record.seq},
            f"#gatewayId = :gatewayId AND #userId = :userId AND (attribute_not_exists(#statusSeq) OR {is_newer})",
            self.owner.values() | seq_values(record),
        )

    def after(self, found: Item | None) -> Request | None:
        """A newer one is there; or the sensor is gone, or never was in the cloud."""
        if found is None or (found.get("gatewayId"), found.get("userId")) != (
            self.owner.gateway_id,
            self.owner.user_id,
        ):
            raise NothingThereError
        return None

    def told(self, before: Item) -> tuple[str, Item] | None:
        """The room's status, unless nothing but time has gone by."""
        status = self._status()
        if _still(before.get("status", {})) == _still(status):
            return None
        return "room", {"sensorId": self.key, "gatewayId": self.owner.gateway_id, "status": status}

    def _status(self) -> Item:
        status = plain(self.record)
        if self.record.session_id is not None:
            status["sessionId"] = cloud_id(self.owner.gateway_id, self.record.session_id)
        return status


def _still(status: Item) -> Item:
    """Without what changes by itself."""
    return {name: value for name, value in status.items() if name not in {"seq", "timestamp"}}
