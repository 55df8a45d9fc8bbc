"""The outbox in its file: which rows wait, which have been sent, and what goes when there is no more room.

Only the writer's thread comes here, inside one transaction at a time. How many rows there are is counted once for each
time the file is opened, from an index alone, and kept from then on; an attempt that fails closes the file, so a count
that it has spoilt is made anew.

A row waits, has been sent and is kept for a while (where an acknowledgement does not prove much), or is set aside: it
was refused for good, holds up nobody, and has one more try at the next start, which may be one that has mended it.
"""

import sqlite3
from collections import deque
from collections.abc import Collection, Iterable
from contextlib import closing

from pydantic import ValidationError

from spotty_contract.messages import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, shape_of
from spotty_contract.topics import Kind, SensorTopic, TopicError
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.ports import Fate, Lane, Outgoing
from spotty_gateway.store.outbox_layout import TIERS, TURNS, Found, OutboxLimits, Row, State, Tally, Wish

COUNT = """
SELECT state, sensor_id, kind, count(*), sum(size), max(id), max(seq) FROM outbox GROUP BY state, sensor_id, kind
"""
"""Answered from an index alone: a full outbox is 64 MB, its index a tenth."""

KEEP_SENT_US = 86_400 * SECOND
"""How long what may have been acknowledged from memory only is kept (design §4)."""

HOLD_S = 3_600.0
"""How long a record waits for the clock to be set: on a computer that never learns the time it is wanted all the same.
Longer by some minutes at most, since nobody is woken for it."""

MARK_EVERY_S = 60.0

STATES = frozenset(State)

AT_ONCE = 1_000
"""Rows that are looked up together where many must go."""

KEEP_BOOTS = 50
"""Of so many boots it stays known how wrong their clocks were."""


class OutboxRows:
    """The rows of one file. `boot_id` is the present boot's."""

    def __init__(self, limits: OutboxLimits) -> None:
        self.boot_id = ""
        self.is_begun = False
        """Whether it is in the file that what the last run had sent waits again."""
        self.tally = Tally()
        self._limits = limits
        self._counted: sqlite3.Connection | None = None
        self._next_id = 1
        self._trusted: dict[str, int] = {}
        self._marks: deque[tuple[float, int]] = deque()
        """Now and then within the last hour: when, and the id that was the next one then."""
        self._held_from = 0
        """The first row that has not waited for the clock long enough in this run."""
        self._turn = 0
        self._served: dict[Lane, int] = {}
        self._has_settled = False
        """Whether rows have gone whose `seq` must not be forgotten with them."""

    def open(self, connection: sqlite3.Connection) -> None:
        """Know what is in the file; at the first time in a run everything that is not settled waits again."""
        if connection is self._counted:
            return
        self._counted = None
        tally = Tally()
        _make_legible(connection)
        if not self.is_begun:
            self.send_again(connection, (State.SENT, State.ASIDE))
        counts = dict(connection.execute("SELECT name, value FROM outbox_count"))
        tally.dropped, tally.seq = counts.get("dropped", 0), counts.get("seq", 0)
        for state, sensor_id, kind, rows, size, last_id, seq in connection.execute(COUNT):
            tally.seq = max(tally.seq, seq)
            self._next_id = max(self._next_id, last_id + 1)
            if kind in TURNS and state in STATES:  # else a newer version's, which finds it again
                tally.add(State(state), Lane(sensor_id, Kind(kind)), size, rows)
        self._trusted = dict(connection.execute("SELECT boot_id, offset_us FROM outbox_boot"))
        self.tally, self._counted = tally, connection

    def pass_time(self, now_s: float) -> None:
        """It is this late: what has been held long enough for the clock is held no more."""
        if not self._marks or now_s >= self._marks[-1][0] + MARK_EVERY_S:
            self._marks.append((now_s, self._next_id))
        while self._marks and now_s >= self._marks[0][0] + HOLD_S:
            self._held_from = self._marks.popleft()[1]

    def send_again(self, connection: sqlite3.Connection, states: Iterable[State] = (State.SENT,)) -> None:
        """What was sent (or set aside) waits as before, in its old place."""
        for state in states:
            connection.execute("UPDATE outbox SET state = 0, sent_us = NULL WHERE state = ?", (state,)).close()
        self._counted = None

    def trust(self, connection: sqlite3.Connection, boot_id: str, offset_us: int) -> None:
        """In that boot the clock turned out to be right with this offset; the first one told holds."""
        if boot_id in self._trusted:
            return
        connection.execute("INSERT INTO outbox_boot (boot_id, offset_us) VALUES (?, ?)", (boot_id, offset_us)).close()
        forget = "DELETE FROM outbox_boot WHERE rowid <= (SELECT max(rowid) FROM outbox_boot) - ?"
        connection.execute(forget, (KEEP_BOOTS,)).close()
        self._trusted[boot_id] = offset_us

    def settle(self, connection: sqlite3.Connection, ids: Iterable[int], fate: Fate, now_us: int) -> None:
        """What has become of rows that were handed out. One that is gone or replaced meanwhile is passed over."""
        self._has_settled = True
        for row_id in ids:
            query = "SELECT state, sensor_id, kind, key, seq, size FROM outbox WHERE id = ?"
            found = connection.execute(query, (row_id,)).fetchone()
            if found is None:
                continue
            state, sensor_id, kind, key, seq, size = found
            lane = Lane(sensor_id, Kind(kind))
            if fate is Fate.DONE:
                self._delete(connection, [(row_id, State(state), lane, size)])
                continue
            after, sent_us = (State.SENT, now_us) if fate is Fate.KEPT else (State.ASIDE, None)
            move = "UPDATE outbox SET state = ?, sent_us = ? WHERE id = ?"
            connection.execute(move, (after, sent_us, row_id)).close()
            self.tally.add(State(state), lane, -size, -1)
            self.tally.add(after, lane, size)
            if key is not None and after is State.SENT:
                self._delete(connection, _rows_of_key(connection, lane, key, seq, State.SENT))
        expired = "SELECT id, state, sensor_id, kind, size FROM outbox WHERE sent_us <= ?"
        self._delete(connection, _found(connection, expired, (now_us - KEEP_SENT_US,)))

    def put(self, connection: sqlite3.Connection, row: Row) -> None:
        """Add a record, and take away what it replaces; one that is older than what waits is let go."""
        self.tally.seq = max(self.tally.seq, row.seq)
        lane = Lane(row.sensor_id, row.kind)
        if row.key is not None:
            newer = "SELECT 1 FROM outbox WHERE key = ? AND sensor_id = ? AND kind = ? AND seq >= ? LIMIT 1"
            if connection.execute(newer, (row.key, *lane, row.seq)).fetchone() is not None:
                return
            for state in (State.WAITS, State.ASIDE):
                self._delete(connection, _rows_of_key(connection, lane, row.key, row.seq, state))
        insert = """
        INSERT INTO outbox (id, state, sensor_id, kind, key, seq, size, boot_id, offset_us, data)
        VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?)
        """
        size = len(row.data)
        values = (self._next_id, *lane, row.key, row.seq, size, row.boot_id, row.offset_us, row.data)
        connection.execute(insert, values).close()
        self._next_id += 1
        self.tally.add(State.WAITS, lane, size)

    def finish(self, connection: sqlite3.Connection, dropped_in_memory: int) -> None:
        """Keep the bounds, and the counts that nothing could tell at the next start."""
        tally, limits = self.tally, self._limits
        before = (tally.rows.total(), tally.dropped)
        tally.dropped += dropped_in_memory
        if tally.rows.total() > limits.records or tally.sizes.total() > limits.size_bytes:
            # room for more than the next row, so that this is rare
            self._make_room(connection, limits.records * 99 // 100, limits.size_bytes * 99 // 100)
        if (tally.rows.total(), tally.dropped) == before and not self._has_settled:
            return  # all that counts stands in the rows themselves, and a page less is written
        self._has_settled = False
        put = """
        INSERT INTO outbox_count (name, value) VALUES (?, ?)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value IS NOT excluded.value
        """
        for name, value in (("dropped", tally.dropped), ("seq", tally.seq)):
            connection.execute(put, (name, value)).close()

    def ready(self, connection: sqlite3.Connection, wish: Wish, settled: Collection[int]) -> list[Outgoing]:
        """The first rows of at most so many sensors that are not `busy`, one kind each, without those in `settled`."""
        found: list[Outgoing] = []
        taken = set(wish.busy)

        def turn(lane: Lane) -> tuple[int, int, int]:
            return wish.failed.get(lane, 0), TURNS.index(lane.kind), self._served.get(lane, 0)

        for lane in sorted(self.tally.waiting, key=turn):
            if len(found) >= wish.at_most:
                break
            if lane.sensor_id in taken or lane in wish.resting or self.tally.waiting[lane] <= 0:
                continue
            out = self._first_of(connection, lane, settled)
            if out.ids:
                self._turn += 1
                self._served[lane] = self._turn
                taken.add(lane.sensor_id)
                found.append(out)
        return found

    def _first_of(self, connection: sqlite3.Connection, lane: Lane, settled: Collection[int]) -> Outgoing:
        query = """
        SELECT id, boot_id, offset_us, data FROM outbox WHERE state = 0 AND sensor_id = ? AND kind = ? ORDER BY id
        """
        ids: list[int] = []
        lines: list[bytes] = []
        size = 0
        with closing(connection.execute(query, lane)) as rows:
            for row_id, boot_id, offset_us, data in rows:
                size += len(data) + 1
                if len(ids) == MAX_BATCH_RECORDS or (ids and size > MAX_BATCH_BYTES) or self._is_held(row_id, boot_id):
                    break
                if row_id not in settled:
                    ids.append(row_id)
                    lines.append(self._corrected(lane, boot_id, offset_us, data))
        return Outgoing(*lane, tuple(ids), tuple(lines))

    def _is_held(self, row_id: int, boot_id: str | None) -> bool:
        """Whether it may still be learnt how wrong the clock was, soon enough."""
        if boot_id is None or boot_id != self.boot_id or boot_id in self._trusted:
            return False
        return row_id >= self._held_from

    def _corrected(self, lane: Lane, boot_id: str | None, offset_us: int | None, data: bytes) -> bytes:
        if boot_id is None or offset_us is None or boot_id not in self._trusted:
            return data
        try:
            record = shape_of(SensorTopic("any", *lane)).from_json(data)
        except (TopicError, ValidationError):  # of another version, or damaged: it goes out in doubt
            return data
        return record.corrected((self._trusted[boot_id] - offset_us) // 1000).to_json().encode()

    def _make_room(self, connection: sqlite3.Connection, most_rows: int, most_bytes: int) -> None:
        tally = self.tally
        for state, kinds in (
            (State.SENT, frozenset(TURNS)),
            *((state, tier) for tier in TIERS for state in (State.ASIDE, State.WAITS)),
        ):
            while oldest := self._oldest(connection, state, kinds):
                for row in oldest:
                    if tally.rows.total() <= most_rows and tally.sizes.total() <= most_bytes:
                        return
                    self._delete(connection, [row])
                    tally.dropped += state is not State.SENT

    def _oldest(self, connection: sqlite3.Connection, state: State, kinds: Collection[Kind]) -> list[Found]:
        """Some of the rows of these kinds, oldest first, from the index alone."""
        among = ", ".join("?" * len(kinds))
        query = f"""
        SELECT id, state, sensor_id, kind, size FROM outbox WHERE state = ? AND kind IN ({among}) ORDER BY id LIMIT ?
        """  # noqa: S608 - question marks
        return _found(connection, query, (state, *kinds, AT_ONCE))

    def _delete(self, connection: sqlite3.Connection, rows: Iterable[Found]) -> None:
        for row_id, state, lane, size in rows:
            connection.execute("DELETE FROM outbox WHERE id = ?", (row_id,)).close()
            self.tally.add(state, lane, -size, -1)


def _make_legible(connection: sqlite3.Connection) -> None:
    """A name that a failing disk has made into no text becomes the nearest text: its rows can be found and told."""
    query = "SELECT DISTINCT typeof(sensor_id), CAST(sensor_id AS BLOB) FROM outbox"
    for found_as, name in connection.execute(query).fetchall():
        legible = name.decode(errors="replace")
        if found_as != "text" or legible.encode() != name:
            mend = "UPDATE outbox SET sensor_id = ? WHERE CAST(sensor_id AS BLOB) = ?"
            connection.execute(mend, (legible, name)).close()


def _rows_of_key(connection: sqlite3.Connection, lane: Lane, key: str, before_seq: int, state: State) -> list[Found]:
    query = """
    SELECT id, state, sensor_id, kind, size FROM outbox
    WHERE key = ? AND sensor_id = ? AND kind = ? AND seq < ? AND state = ?
    """
    return _found(connection, query, (key, *lane, before_seq, state))


def _found(connection: sqlite3.Connection, query: str, values: tuple[object, ...]) -> list[Found]:
    return [
        (row_id, State(state), Lane(sensor_id, Kind(kind)), size)
        for row_id, state, sensor_id, kind, size in connection.execute(query, values)
    ]
