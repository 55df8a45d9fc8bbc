"""history.db: every input edge (the ring) and every decision (the ledger), each bounded, oldest out first."""

import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from spotty_gateway.engine.rules import SECOND
from spotty_gateway.ports import DecisionRow, EdgeRow
from spotty_gateway.store.database import Database, Layout
from spotty_gateway.store.trouble import Trouble

DAY_US = 86_400 * SECOND
HOUR_US = 3_600 * SECOND

HISTORY = Layout(
    name="history.db",
    application_id=0x53505332,  # "SPS2"
    synchronous="NORMAL",
    migrations=(
        (
            """
            CREATE TABLE edge (
                id INTEGER PRIMARY KEY, mono_us INTEGER NOT NULL, wall_us INTEGER NOT NULL, trusted INTEGER NOT NULL,
                run TEXT NOT NULL, sensor_id TEXT NOT NULL, input_id TEXT NOT NULL, kind TEXT NOT NULL,
                active INTEGER NOT NULL, initial INTEGER NOT NULL)
            """,
            """
            CREATE TABLE decision (
                id INTEGER PRIMARY KEY, at_wall_us INTEGER NOT NULL, trusted INTEGER NOT NULL, sensor_id TEXT NOT NULL,
                session_id TEXT, action TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL)
            """,
        ),
    ),
    needs=(
        "SELECT id, mono_us, wall_us, trusted, run, sensor_id, input_id, kind, active, initial FROM edge",
        "SELECT id, at_wall_us, trusted, sensor_id, session_id, action, reason, detail FROM decision",
    ),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept, in the file and in memory, and how long rows wait for company."""

    edges: int = 500_000
    edges_age_us: int = 30 * DAY_US
    decisions: int = 50_000
    batch_s: float = 10.0
    big_batch: int = 500
    """So many rows are written at once without waiting for the ten seconds."""
    waiting: int = 20_000
    """More rows than this never wait in memory (about 5 MB): the oldest edges go first, then the oldest decisions."""


@dataclass(frozen=True, slots=True)
class _Ring:
    """A table that forgets its oldest rows. Only the front is ever deleted, so the ids tell how many rows there are."""

    insert: str
    ends: str
    forget: str

    def append(self, connection: sqlite3.Connection, rows: Iterable[Sequence[object]], at_most: int) -> int:
        """Add rows and keep the bound. Returns how many no database can hold (half a character pair, for one)."""
        unfit = 0
        for row in rows:
            try:
                connection.execute(self.insert, row)
            except (ValueError, OverflowError, sqlite3.ProgrammingError):
                unfit += 1
        oldest, newest = self.reach(connection)
        if newest - oldest >= at_most:  # room for more than the next row, so that this is rare
            connection.execute(self.forget, (newest - at_most + 1 + at_most // 100,))
        return unfit

    def reach(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """The ids of the oldest and the newest row."""
        oldest, newest = connection.execute(self.ends).fetchone()
        return oldest or 0, newest or 0


_EDGES = _Ring(
    insert="""
    INSERT INTO edge (mono_us, wall_us, trusted, run, sensor_id, input_id, kind, active, initial)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    """,
    ends="SELECT (SELECT min(id) FROM edge), (SELECT max(id) FROM edge)",
    forget="DELETE FROM edge WHERE id < ?",
)
# Only a trusted clock tells an edge's age; the others are as old as their neighbours.
_LAST_EDGE_BEFORE = """
SELECT max(id) FROM edge WHERE trusted AND wall_us < :wall_us
AND id < (SELECT min(id) FROM edge WHERE trusted AND wall_us >= :wall_us)
"""
_DECISIONS = _Ring(
    insert="""
    INSERT INTO decision (at_wall_us, trusted, sensor_id, session_id, action, reason, detail)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    """,
    ends="SELECT (SELECT min(id) FROM decision), (SELECT max(id) FROM decision)",
    forget="DELETE FROM decision WHERE id < ?",
)


class HistoryDesk:
    """The rows that wait to be written to history.db."""

    def __init__(self, database: Database, trouble: Trouble, limits: Limits) -> None:
        self.trouble = trouble
        self._database = database
        self._limits = limits
        self._edges: deque[EdgeRow] = deque()
        self._decisions: deque[DecisionRow] = deque()
        self._taken: tuple[deque[EdgeRow], deque[DecisionRow]] = (deque(), deque())
        self._batch_due_at: float | None = None
        self._dropped = 0
        """Since the last take, for want of room in memory."""
        self._dropped_before = 0
        """Before it, and not yet told."""
        self._aged_at = -inf
        """When edges were last seen to be young enough, by the wall clock."""

    def add_edge(self, edge: EdgeRow) -> bool:
        """Let it wait. Returns whether the writer should look: at the first row of a batch, and when it is big."""
        self._edges.append(edge)
        return self._is_worth_a_look()

    def add_decision(self, decision: DecisionRow) -> bool:
        """The same for a decision."""
        self._decisions.append(decision)
        return self._is_worth_a_look()

    def due_at(self, now: float) -> float:
        """Ten seconds after the writer first saw a row of the batch; at once if it is big; later after trouble."""
        waiting = len(self._edges) + len(self._decisions)
        if not waiting:
            return inf
        if self._batch_due_at is None:
            self._batch_due_at = now + self._limits.batch_s
        return max(self.trouble.retry_at, now if waiting >= self._limits.big_batch else self._batch_due_at)

    def take(self) -> None:
        """What waits is what `write` will write."""
        self._taken = self._edges, self._decisions
        self._edges, self._decisions = deque(), deque()
        self._batch_due_at = None
        self._dropped_before, self._dropped = self._dropped, 0

    def write(self) -> int:
        """Write what was taken, in one transaction. Returns how many rows were lost since the last write."""
        unfit = self._database.run(self._append) if any(self._taken) else 0
        self._taken = deque(), deque()
        return self._dropped_before + unfit

    def give_back(self) -> None:
        """What was taken could not be written: it waits again, before what came meanwhile."""
        edges, decisions = self._taken
        edges.extend(self._edges)
        decisions.extend(self._decisions)
        self._edges, self._decisions = edges, decisions
        self._batch_due_at = -inf
        self._dropped += self._dropped_before
        self._keep_bound()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _is_worth_a_look(self) -> bool:
        self._keep_bound()
        return len(self._edges) + len(self._decisions) in {1, self._limits.big_batch}

    def _keep_bound(self) -> None:
        while len(self._edges) + len(self._decisions) > self._limits.waiting:
            (self._edges or self._decisions).popleft()
            self._dropped += 1

    def _append(self, connection: sqlite3.Connection) -> int:
        edges, decisions = self._taken
        unfit = _EDGES.append(connection, edges, self._limits.edges)
        unfit += _DECISIONS.append(connection, decisions, self._limits.decisions)
        now = max((edge.wall_us for edge in edges if edge.trusted), default=None)
        if now is not None and now >= self._aged_at + HOUR_US:
            at_once = max(1, self._limits.edges // 100)
            if _is_rid_of_older(connection, now - self._limits.edges_age_us, at_once):
                self._aged_at = now
        return unfit


def _is_rid_of_older(connection: sqlite3.Connection, wall_us: int, at_once: int) -> bool:
    """Forget edges from before `wall_us`, some at once so that no snapshot waits long; whether none is left."""
    (last_old,) = connection.execute(_LAST_EDGE_BEFORE, {"wall_us": wall_us}).fetchone()
    if last_old is None:
        return True
    oldest, _ = _EDGES.reach(connection)
    connection.execute(_EDGES.forget, (min(last_old + 1, oldest + at_once),))
    return bool(last_old < oldest + at_once)
