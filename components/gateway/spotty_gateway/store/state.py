"""state.db: what must be there after a crash: snapshot, account's memory and outbox, in one transaction if need be."""

import sqlite3
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from spotty_gateway import account_memory, snapshot
from spotty_gateway.account_memory import AccountMemory
from spotty_gateway.engine.state import House
from spotty_gateway.store import outbox_layout
from spotty_gateway.store.database import Database, Layout
from spotty_gateway.store.outbox import Found, Outbox
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
        ("CREATE TABLE account (only INTEGER PRIMARY KEY CHECK (only = 1), data BLOB NOT NULL)",),
        outbox_layout.TABLES,
    ),
    needs=("SELECT only, boot_id, data FROM snapshot", "SELECT only, data FROM account", *outbox_layout.NEEDS),
)

ACCOUNT_EVERY_S = 30.0
"""How long a mere count of calls may wait for company: a card is worn by writes."""

# Where nothing has changed no page does, and SQLite then writes and syncs nothing.
_PUT = """
INSERT INTO snapshot (only, boot_id, data) VALUES (1, ?, ?)
ON CONFLICT (only) DO UPDATE SET boot_id = excluded.boot_id, data = excluded.data
WHERE boot_id IS NOT excluded.boot_id OR data IS NOT excluded.data
"""
_GET = "SELECT boot_id, data FROM snapshot"
_GET_ACCOUNT = "SELECT data FROM account"
_PUT_ACCOUNT = """
INSERT INTO account (only, data) VALUES (1, ?)
ON CONFLICT (only) DO UPDATE SET data = excluded.data WHERE data IS NOT excluded.data
"""


@dataclass(frozen=True, slots=True)
class Saved:
    """The last snapshot: of which boot it is, and the bytes that `snapshot.decode` understands."""

    boot_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The newest of each kind, None where nothing waits."""

    snapshot: tuple[House, str] | None = None
    account: AccountMemory | None = None


_NOTHING = _Waiting()


class StateDesk:
    """What waits to be written to state.db: the newest snapshot, the newest account memory, and the outbox's part."""

    def __init__(self, database: Database, trouble: Trouble, outbox: Outbox) -> None:
        self.trouble = trouble
        self._outbox = outbox
        self._database = database
        self._pending = _NOTHING
        self._taken = _NOTHING
        self._is_urgent = False
        self._account_due_at: float | None = None

    def load(self) -> Saved | None:
        """The last snapshot in the file. Raises what Database.run does."""
        row: tuple[str, bytes] | None = self._database.run(lambda connection: _one(connection, _GET))
        return None if row is None else Saved(*row)

    def load_account(self) -> bytes | None:
        """The last account memory in the file. Raises what Database.run does."""
        row: tuple[bytes] | None = self._database.run(lambda connection: _one(connection, _GET_ACCOUNT))
        return None if row is None else row[0]

    def begin_outbox(self, boot_id: str) -> int:
        """The outbox as the last run left it; the highest `seq` ever put. Raises what Database.run does."""
        self._outbox.live_in(boot_id)
        seq = self._database.run(self._outbox.begin)
        self._outbox.written()
        return seq

    def put(self, house: House, boot_id: str) -> None:
        """Write this house, and no older one that still waits."""
        self._pending = replace(self._pending, snapshot=(house, boot_id))

    def put_account(self, memory: AccountMemory, *, urgent: bool) -> bool:
        """Write this memory, and no older one that still waits. Returns whether the writer should look."""
        is_news = urgent or self._pending.account is None
        self._is_urgent = self._is_urgent or urgent
        self._pending = replace(self._pending, account=memory)
        return is_news

    def due_at(self, now: float) -> float:
        """At once, a while later for what is not urgent, or when the next attempt is due after trouble."""
        return min(self._own_due_at(now), max(self.trouble.retry_at, self._outbox.due_at(now)))

    def _own_due_at(self, now: float) -> float:
        if self._pending == _NOTHING:
            return inf
        if self._pending.snapshot is not None or self._is_urgent:
            return self.trouble.retry_at
        if self._account_due_at is None:
            self._account_due_at = now + ACCOUNT_EVERY_S
        return max(self.trouble.retry_at, self._account_due_at)

    def take(self) -> None:
        """What waits is what `write` will write: all of it, since one sync is enough for both."""
        self._taken, self._pending = self._pending, _NOTHING
        self._is_urgent, self._account_due_at = False, None
        self._outbox.take()

    def write(self) -> int:
        """Make what was taken durable. Its values never change, so they are read without a lock."""
        house, account = self._taken.snapshot, self._taken.account
        rows: list[tuple[str, tuple[object, ...]]] = []
        if house is not None:
            rows.append((_PUT, (house[1], snapshot.encode(house[0]))))
        if account is not None:
            rows.append((_PUT_ACCOUNT, (account_memory.encode(account),)))

        def put(connection: sqlite3.Connection) -> None:
            for statement, row in rows:
                connection.execute(statement, row).close()
            self._outbox.write(connection)

        try:
            self._database.run(put)
        except BaseException:
            self._outbox.tell_unwritten(self._readable())
            raise
        self._taken = _NOTHING
        self._outbox.written()
        if self._outbox.is_asked:  # after: where this fails, nothing is to be written again
            self._outbox.hand_over(self._database.read(self._outbox.find))
        return 0

    def _readable(self) -> Found | None:
        """What waits in the file, which can often be read where nothing can be written; None where it cannot."""
        if not self._outbox.is_asked:
            return None
        try:
            return self._database.read(self._outbox.find)
        except Exception:  # noqa: BLE001 - the trouble is the one that is about to be told
            return None
        finally:
            self._database.close()  # the next attempt finds the disk as it is then

    def give_back(self) -> None:
        """What was taken could not be written: it waits again, unless a newer one does."""
        pending, taken = self._pending, self._taken
        self._pending = _Waiting(pending.snapshot or taken.snapshot, pending.account or taken.account)
        self._is_urgent = self._pending != _NOTHING
        self._outbox.give_back()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def _one(connection: sqlite3.Connection, query: str) -> Any:  # noqa: ANN401 - whatever the columns hold
    return connection.execute(query).fetchone()
