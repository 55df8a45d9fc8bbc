"""The outbox as the rest of the gateway sees it: records that wait to be sent, and are promised once they are on disk.

What is asked of it waits in memory until the writer's next transaction on state.db, and shares it with the snapshot.
Records that cannot be written are kept in memory up to a bound; then they are given up in the same order as in the
file, and counted. Acknowledgements wait ten seconds for company, since losing them costs a repetition and no record.
While the disk takes nothing, what it holds still leaves if it can be read, and what tells of the trouble from memory.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain, count
from math import inf
from sqlite3 import Connection

from spotty_contract.records import Record, SessionRecord
from spotty_contract.status import DeviceStatus, RoomStatus
from spotty_contract.topics import Kind
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.ports import NOTHING_FAILED, Fate, HandOver, Lane, OutboxView, Outgoing, Stamp
from spotty_gateway.store.outbox_layout import OutboxLimits, Row, Wish
from spotty_gateway.store.outbox_rows import OutboxRows
from spotty_gateway.store.outbox_unwritten import Unwritten
from spotty_gateway.store.outbox_waiting import Waiting

SETTLE_EVERY_S = 10.0
"""How long an acknowledgement may wait to be written: a card is worn by writes."""

AT_ONCE = frozenset({Kind.RESULTS, Kind.STATUS})
"""Never held back for the clock: somebody waits for a result, and that the clock is not set is news itself."""


Found = tuple[list[Outgoing], dict[str, int]]
"""What goes out next, and how many records of each sensor wait in all."""


class Outbox:
    """`put`, `trust`, `settle`, `fetch`, `send_again` and `view`: from any thread, returning at once.

    The rest is the writer's own.
    """

    def __init__(self, wake: threading.Condition, limits: OutboxLimits, now_s: Callable[[], float]) -> None:
        """`wake` is the writer's; `now_s` its clock."""
        self.on_growth: Callable[[], object] = lambda: None
        """Told, on the writer's thread, whenever there may be something new to fetch."""
        self._wake = wake
        self._limits = limits
        self._now_s = now_s
        self._rows = OutboxRows(limits)
        self._pending = Waiting()
        self._taken = Waiting()
        self._unwritten = Unwritten()
        self._numbers = count()
        self._settle_due_at: float | None = None
        self._view = OutboxView()

    @property
    def view(self) -> OutboxView:
        """How much waits, and what was given up since the component was installed."""
        with self._wake:
            seen, waits, taken = self._view, self._pending, self._taken
            return seen._replace(
                records=seen.records + waits.records + taken.records,
                size_bytes=seen.size_bytes + waits.size + taken.size,
                dropped=seen.dropped + waits.dropped + taken.dropped,
            )

    def put(self, kind: Kind, record: Record, stamp: Stamp) -> None:
        """Send this record some time: promised from the writer's next transaction on.

        One that has a higher `seq` replaces a lower one of the same session, or of the same status and day, that has
        not been sent. `stamp` is of the clock that the record's instants are by.
        """
        key, seq = _order_of(record)
        in_doubt = not record.clock_trusted and kind not in AT_ONCE
        boot_id, offset_us = stamp if in_doubt else (None, None)
        row = Row(record.sensor_id, kind, record.to_json().encode(), key, seq, boot_id, offset_us)
        with self._wake:
            self._pending.add((row.sensor_id, kind, next(self._numbers) if key is None else key), row, self._limits)
            self._wake.notify()

    def trust(self, stamp: Stamp) -> None:
        """The clock has turned out to be right: what was stamped before in this boot is corrected and goes out."""
        with self._wake:
            self._pending.trusted = stamp
            self._wake.notify()

    def fetch(
        self,
        busy: Collection[str],
        at_most: int,
        hand_over: HandOver,
        *,
        resting: Collection[Lane] = (),
        failed: Mapping[Lane, int] = NOTHING_FAILED,
    ) -> None:
        """Let the writer hand over what goes out next, as the port says.

        What is handed over stays in the outbox until it is settled.
        """
        with self._wake:
            self._pending.fetch = Wish(busy, at_most, hand_over, resting, failed)
            self._wake.notify()

    def settle(self, ids: Iterable[int], fate: Fate) -> None:
        """Say what has become of rows that were handed over."""
        told = tuple(ids)
        in_file = tuple(one for one in told if one > 0)
        with self._wake:
            self._unwritten.settle(told, fate)
            is_first = bool(in_file) and not self._pending.settled
            if in_file:
                self._pending.settled.append((in_file, fate))
            if is_first:
                self._wake.notify()

    def send_again(self) -> None:
        """What was acknowledged may be lost after all: send again what has been kept."""
        with self._wake:
            self._pending.settled.append(None)
            self._unwritten.send_again()
            self._wake.notify()

    def live_in(self, boot_id: str) -> None:
        """Know the present boot, by whose clock records may be corrected yet. Before the writer starts."""
        self._rows.boot_id = boot_id

    def begin(self, connection: Connection) -> int:
        """Before the writer starts: the outbox as the last run left it. Returns the highest `seq` ever put."""
        self._rows.open(connection)
        self._view = self._rows.tally.view()
        return self._rows.tally.seq

    def due_at(self, now: float) -> float:
        """At once, or in ten seconds where only acknowledgements wait."""
        if self._pending.is_urgent:
            return -inf
        if self._pending.is_empty:
            return inf
        if self._settle_due_at is None:
            self._settle_due_at = now + SETTLE_EVERY_S
        return self._settle_due_at

    def take(self) -> None:
        """What waits is what `write` will do."""
        self._taken, self._pending = self._pending, Waiting()
        self._taken.leave_out(self._unwritten.has_arrived)
        self._settle_due_at = None

    def write(self, connection: Connection) -> None:
        """Do what was taken, within the transaction of whatever else state.db gets."""
        rows, taken, now_s = self._rows, self._taken, self._now_s()
        rows.open(connection)
        if taken.trusted is not None:
            rows.trust(connection, *taken.trusted)
        for told in taken.settled:
            if told is None:
                rows.send_again(connection)
                rows.open(connection)
            else:
                rows.settle(connection, *told, round(now_s * SECOND))
        for tier in taken.tiers:
            for row in tier.values():
                rows.put(connection, row)
        rows.pass_time(now_s)
        rows.finish(connection, taken.dropped)

    @property
    def is_asked(self) -> bool:
        """Whether something is to be handed over."""
        return self._taken.fetch is not None

    def find(self, connection: Connection) -> Found:
        """What was asked for, as far as it is in the file, and how much of each sensor is. Nothing is written."""
        rows, fetch = self._rows, self._taken.fetch
        rows.open(connection)
        found = [] if fetch is None else rows.ready(connection, fetch, self._taken.settled_ids())
        waiting: dict[str, int] = {}
        for lane, number in rows.tally.waiting.items():
            waiting[lane.sensor_id] = waiting.get(lane.sensor_id, 0) + number
        return found, waiting

    def hand_over(self, found: Found) -> None:
        """Give it to who asked."""
        fetch, self._taken.fetch = self._taken.fetch, None
        if fetch is not None:
            fetch.hand_over(*found)

    def tell_unwritten(self, found: Found | None) -> None:
        """What was taken could not be written: give to who asked what was found, if anything, and what tells of it."""
        in_file, waiting = ([], {}) if found is None else found
        with self._wake:
            is_news = self._unwritten.take_in(chain.from_iterable(tier.values() for tier in self._taken.tiers))
            fetch = self._taken.fetch
            more = [] if fetch is None else self._unwritten.ready(fetch, in_file)
            for sensor_id, number in self._unwritten.waiting().items():
                waiting[sensor_id] = waiting.get(sensor_id, 0) + number
        self.hand_over(([*in_file, *more], waiting))
        if is_news:
            self.on_growth()

    def written(self) -> None:
        """What was taken is on the disk; what was asked for is still to be handed over."""
        done = self._taken
        with self._wake:
            self._taken = Waiting(fetch=done.fetch)
            self._rows.is_begun = True
            self._unwritten.take_in(())
            self._view = self._rows.tally.view()
        if any(done.tiers) or done.again or done.trusted is not None:
            self.on_growth()

    def give_back(self) -> None:
        """What was taken could not be written: it waits again, before what came meanwhile."""
        self._pending = self._pending.behind(self._taken, self._limits)
        self._taken = Waiting()


def _order_of(record: Record) -> tuple[str | None, int]:
    """What a record is the newest word on, and its place among all that was said of that; None where it stands alone.

    A room's status is about a day: the last one of a day holds that day's counts for ever.
    """
    match record:
        case SessionRecord():
            return record.session_id, record.seq
        case RoomStatus():
            return record.day, record.seq
        case DeviceStatus():
            return "gateway", record.seq
    return None, 0
