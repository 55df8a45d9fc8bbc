"""A file that cannot be written for now: said once, tried again ever more rarely, said once more when it is over."""

import sqlite3
from collections.abc import Callable
from math import inf

from spotty_gateway.store.database import error_code

RETRY_AT_MOST_S = 60.0
"""The longest wait between two attempts."""

_LONGEST_POWER = 6
_WHOSE = "make sure that the data folder exists and belongs to the user the component runs as"
_CURES = {
    sqlite3.SQLITE_FULL: "free some space on the disk",
    sqlite3.SQLITE_IOERR: "the disk or card is full or failing: check it",
    sqlite3.SQLITE_BUSY: "close the other program that has it open",
    sqlite3.SQLITE_CANTOPEN: _WHOSE,
    sqlite3.SQLITE_READONLY: f"if the card has gone read-only, as a failing one does, check it; else {_WHOSE}",
    sqlite3.SQLITE_PERM: _WHOSE,
}


class Trouble:
    """What is wrong with one file. `text` is None while all is well; `retry_at` is when an attempt is due again."""

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self.text: str | None = None
        self.retry_at = -inf
        self._name = name
        self._say = say
        self._attempts = 0

    def met(self, error: Exception, now: float) -> None:
        """An attempt failed: say so if it is the first, and wait longer after each."""
        self.retry_at = now + min(2.0 ** min(self._attempts, _LONGEST_POWER), RETRY_AT_MOST_S)
        self._attempts += 1
        cure = _WHOSE if isinstance(error, OSError) else _CURES.get(error_code(error), "please report this line")
        is_new, self.text = self.text is None, f"{self._name} cannot be written ({error}): {cure}"
        if is_new:
            self._say(f"{self.text}. Music goes on; what should be written waits in memory and is tried again")

    def over(self, lost: int) -> None:
        """An attempt succeeded. `lost` rows had to be given up since the last one that did."""
        was_bad, self.text = self.text is not None, None
        self.retry_at, self._attempts = -inf, 0
        if was_bad:
            self._say(f"{self._name} can be written again; {lost} rows were lost meanwhile")
        elif lost:
            self._say(f"{self._name}: {lost} rows could not be written down and were left out")
