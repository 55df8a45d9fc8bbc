"""Records into rows, one an item: what of a batch is written, and what of it can never be."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from spotty_cloud.ingest.arrived import Arrived
from spotty_cloud.ingest.daily_counts import day_rows
from spotty_cloud.ingest.events import EventRow
from spotty_cloud.ingest.gateways import GatewayRow, found_speakers
from spotty_cloud.ingest.keeping import Place
from spotty_cloud.ingest.letters import Fault
from spotty_cloud.ingest.results import ResultRow
from spotty_cloud.ingest.rooms import RoomRow
from spotty_cloud.ingest.rows import Arrival, Item, Owner, Row
from spotty_cloud.ingest.sessions import SessionRow
from spotty_contract.gateway import RESERVED_SENSOR_ID
from spotty_contract.messages import RecordError, UnknownVersionError, read_record
from spotty_contract.records import Decision, ErrorRecord, Record, Registration, SessionRecord
from spotty_contract.results import CommandResult
from spotty_contract.status import DeviceStatus, RoomStatus

LOG = logging.getLogger(__name__)

Source = tuple[str, int | None]
"""Where a row comes from: the message's id and the record's number; None for the message as a whole."""


@dataclass(slots=True)
class Sorted:
    """What a batch comes to."""

    now_ms: int
    retention_s: int
    rows: dict[Place, Row] = field(default_factory=dict)
    sources: dict[Place, list[Source]] = field(default_factory=dict)
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    """With the message's id."""
    said: list[tuple[Owner, Item]] = field(default_factory=list)
    """Faults of gateways: dashboards are told, the log has them, and no table."""
    records: int = 0

    def take(self, message_id: str, arrived: Arrived, owner: Owner) -> None:
        """Whatever is good in a message of this owner's gateway."""
        try:
            lines = list(arrived.numbered())
        except RecordError as error:
            self.refuse(message_id, Fault(why="unreadable", reason=str(error)))
            return
        for number, data in lines:
            self.records += 1
            try:
                record = read_record(arrived.topic, data)
                found = list(self._rows(record, owner, Arrival(arrived.received_at, self.retention_s)))
            except UnknownVersionError as error:
                self.refuse(message_id, Fault(line=number, why="unknown_version", reason=str(error)))
            except RecordError as error:
                self.refuse(message_id, Fault(line=number, why="unreadable", reason=str(error)))
            else:
                for row in found:
                    self._add(row, (message_id, number))
        self._add(GatewayRow(owner, self.now_ms, arrived.received_at), (message_id, None))

    def refuse(self, message_id: str, fault: Fault) -> None:
        """It can never be kept."""
        self.faults.append((message_id, fault))

    def _add(self, row: Row, source: Source) -> None:
        place = row.table, row.key
        before = self.rows.get(place)
        self.rows[place] = row if before is None else before.joined(row)
        self.sources.setdefault(place, []).append(source)

    def _rows(self, record: Record, owner: Owner, arrival: Arrival) -> Iterator[Row]:
        heard = GatewayRow(owner, self.now_ms, arrival.received_at)
        match record:
            case SessionRecord():
                yield SessionRow(record, owner, arrival)
                yield replace(heard, left_open=record.ended_by is None)
            case ErrorRecord() if record.sensor_id == RESERVED_SENSOR_ID:
                LOG.warning("a gateway reports a fault", extra={"gatewayId": owner.gateway_id, "fault": record.fault})
                self.said.append((owner, EventRow(record, owner, arrival).told({})[1]))
            case Decision() | ErrorRecord():
                yield EventRow(record, owner, arrival)
            case RoomStatus():
                yield RoomRow(record, owner)
                yield from day_rows(record, owner, arrival)
            case DeviceStatus():
                yield replace(heard, status=(record, arrival.received_at))
            case Registration():
                yield replace(heard, registered=(arrival.received_at, record))
            case CommandResult():
                yield ResultRow(record, owner)
                yield replace(heard, found=found_speakers(record, arrival.received_at))
