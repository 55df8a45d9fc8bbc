"""What stands in a database file and whether it is sound, looked at without changing it, also while it is written."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from spotty_gateway.store.reading import connect_for_reading, has_log
from spotty_gateway.store.state import STATE

_LOOK_EVERY = 10_000
"""Steps of SQLite's machine between two looks at the clock."""


def unsound(path: Path, within_s: float) -> str | None:
    """What SQLite's quick check has against the file; None where that is nothing, or where time did not suffice."""
    until_s = time.monotonic() + within_s
    try:
        with closing(_looking_at(path)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > until_s, _LOOK_EVERY)
            first: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if time.monotonic() > until_s:
            return None
        return str(error)
    except sqlite3.Error as error:
        return str(error)
    return None if first == "ok" else first


class AccountUnreadableError(Exception):
    """The account's memory cannot be read from the file. One clear line."""


def account_in(path: Path) -> bytes | None:
    """The account's memory in a state.db; None where it has none yet. Raises AccountUnreadableError.

    Also where a gateway would not go on with the file as it is: moved aside, or brought to its own layout.
    """
    try:
        with closing(_looking_at(path)) as connection:
            if connection.execute("PRAGMA application_id").fetchone()[0] != STATE.application_id:
                raise AccountUnreadableError(f"{path.name} is another program's database")
            for query in STATE.needs:
                connection.execute(query).close()
            row: tuple[bytes] | None = connection.execute("SELECT data FROM account").fetchone()
    except sqlite3.Error as error:
        raise AccountUnreadableError(f"{path.name} cannot be read: {error}") from error
    return None if row is None else row[0]


def _looking_at(path: Path) -> sqlite3.Connection:
    """Without a log beside it nobody writes it, and it can be read without leaving one."""
    if has_log(path):
        return connect_for_reading(path)
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
