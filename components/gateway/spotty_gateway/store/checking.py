"""Whether a database file is sound, looked at without changing it, also while the gateway writes."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from spotty_gateway.store.reading import connect_for_reading

_LOOK_EVERY = 10_000
"""Steps of SQLite's machine between two looks at the clock."""


def unsound(path: Path, within_s: float) -> str | None:
    """What SQLite's quick check has against the file; None where that is nothing, or where time did not suffice."""
    until_s = time.monotonic() + within_s
    try:
        with closing(connect_for_reading(path)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > until_s, _LOOK_EVERY)
            first: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if time.monotonic() > until_s:
            return None
        return str(error)
    except sqlite3.Error as error:
        return str(error)
    return None if first == "ok" else first
