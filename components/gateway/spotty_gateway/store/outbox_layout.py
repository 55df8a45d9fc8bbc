"""What the outbox has in state.db: tables, rows, the order in which they leave, and what is given up first."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from spotty_contract.topics import Kind
from spotty_gateway.ports import HandOver, Lane, OutboxView

TABLES = (
    """
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY, state INTEGER NOT NULL, sensor_id TEXT NOT NULL, kind TEXT NOT NULL, key TEXT,
        seq INTEGER NOT NULL, size INTEGER NOT NULL, boot_id TEXT, offset_us INTEGER, sent_us INTEGER,
        data BLOB NOT NULL)
    """,
    "CREATE INDEX outbox_turn ON outbox (state, sensor_id, kind, id, size, seq)",
    "CREATE INDEX outbox_key ON outbox (key) WHERE key IS NOT NULL",
    "CREATE INDEX outbox_sent ON outbox (sent_us) WHERE sent_us IS NOT NULL",
    "CREATE TABLE outbox_boot (boot_id TEXT PRIMARY KEY, offset_us INTEGER NOT NULL)",
    "CREATE TABLE outbox_count (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
)
"""Without totals in a table: each put would write one page more to keep them, and an index tells them at the start."""

NEEDS = (
    "SELECT id, state, sensor_id, kind, key, seq, size, boot_id, offset_us, sent_us, data FROM outbox",
    "SELECT boot_id, offset_us FROM outbox_boot",
    "SELECT name, value FROM outbox_count",
)

TURNS = (Kind.RESULTS, Kind.REGISTER, Kind.ERRORS, Kind.SESSION, Kind.STATUS, Kind.PLAYBACK, Kind.MOTION)
"""What goes out first: somebody waits for a result."""

TIERS = (
    frozenset({Kind.MOTION, Kind.PLAYBACK, Kind.STATUS}),
    frozenset({Kind.ERRORS, Kind.REGISTER, Kind.RESULTS}),
    frozenset({Kind.SESSION}),
)
"""What is given up first where there is no more room; within a tier the oldest."""


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """How much is kept in the file, and how much waits in memory while the file cannot be written."""

    records: int = 100_000
    size_bytes: int = 64_000_000
    waiting_records: int = 2_000
    waiting_bytes: int = 2_000_000


class State(IntEnum):
    """What has become of a row."""

    WAITS = 0
    SENT = 1
    ASIDE = 2


Found = tuple[int, State, Lane, int]
"""A row's id, state, lane and size."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be handed over, in the words of the port's `fetch`."""

    busy: Collection[str]
    at_most: int
    hand_over: HandOver
    resting: Collection[Lane]
    failed: Mapping[Lane, int]


@dataclass(frozen=True, slots=True)
class Row:
    """A record on its way into the file. Of those with one `key`, sensor and kind the highest `seq` holds."""

    sensor_id: str
    kind: Kind
    data: bytes
    key: str | None
    seq: int
    boot_id: str | None
    """Of the boot whose clock was not trusted when it was stamped; None where nothing is to be corrected."""
    offset_us: int | None


@dataclass(slots=True)
class Tally:
    """What is in the file."""

    rows: Counter[State] = field(default_factory=Counter)
    sizes: Counter[State] = field(default_factory=Counter)
    waiting: Counter[Lane] = field(default_factory=Counter)
    dropped: int = 0
    seq: int = 0

    def add(self, state: State, lane: Lane, size: int, rows: int = 1) -> None:
        """So many rows more in this state; fewer where negative, `size` as well."""
        self.rows[state] += rows
        self.sizes[state] += size
        if state is State.WAITS:
            self.waiting[lane] += rows

    def view(self) -> OutboxView:
        """For people and records."""
        return OutboxView(
            self.rows[State.WAITS], self.sizes[State.WAITS], self.dropped, self.rows[State.ASIDE], self.seq
        )
