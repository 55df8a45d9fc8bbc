"""state.db: what must be there after a crash. Today the snapshot; the outbox will share its transactions."""

import sqlite3
from dataclasses import dataclass
from math import inf

from spotty_gateway import snapshot
from spotty_gateway.engine.state import House
from spotty_gateway.store.database import Database, Layout
from spotty_gateway.store.trouble import Trouble

STATE = Layout(
    name="state.db",
    application_id=0x53505331,  # "SPS1"
    synchronous="FULL",
    migrations=(
        (
            """
            CREATE TABLE snapshot (
                only INTEGER PRIMARY KEY CHECK (only = 1), boot_id TEXT NOT NULL, data BLOB NOT NULL)
            """,
        ),
    ),
    needs=("SELECT only, boot_id, data FROM snapshot",),
)

# Where nothing has changed no page does, and SQLite then writes and syncs nothing.
_PUT = """
INSERT INTO snapshot (only, boot_id, data) VALUES (1, ?, ?)
ON CONFLICT (only) DO UPDATE SET boot_id = excluded.boot_id, data = excluded.data
WHERE boot_id IS NOT excluded.boot_id OR data IS NOT excluded.data
"""


@dataclass(frozen=True, slots=True)
class Saved:
    """The last snapshot: of which boot it is, and the bytes that `snapshot.decode` understands."""

    boot_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Snapshot:
    house: House
    boot_id: str


class StateDesk:
    """What waits to be written to state.db: the newest snapshot, never more than one."""

    def __init__(self, database: Database, trouble: Trouble) -> None:
        self.trouble = trouble
        self._database = database
        self._pending: _Snapshot | None = None
        self._taken: _Snapshot | None = None

    def load(self) -> Saved | None:
        """The last snapshot in the file. Raises what Database.run does."""
        row = self._database.run(_last_snapshot)
        return None if row is None else Saved(*row)

    def put(self, house: House, boot_id: str) -> None:
        """Write this house, and no older one that still waits."""
        self._pending = _Snapshot(house, boot_id)

    def due_at(self, now: float) -> float:
        """At once, or when the next attempt is due after trouble."""
        del now
        return inf if self._pending is None else self.trouble.retry_at

    def take(self) -> None:
        """What waits is what `write` will write."""
        self._taken, self._pending = self._pending, None

    def write(self) -> int:
        """Make what was taken durable. The engine's values never change, so it is read without a lock."""
        if self._taken is None:
            return 0
        row = (self._taken.boot_id, snapshot.encode(self._taken.house))
        self._database.run(lambda connection: connection.execute(_PUT, row).close())
        self._taken = None
        return 0

    def give_back(self) -> None:
        """What was taken could not be written: it waits again, unless a newer one does."""
        self._pending = self._pending or self._taken

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def _last_snapshot(connection: sqlite3.Connection) -> tuple[str, bytes] | None:
    row: tuple[str, bytes] | None = connection.execute("SELECT boot_id, data FROM snapshot").fetchone()
    return row
