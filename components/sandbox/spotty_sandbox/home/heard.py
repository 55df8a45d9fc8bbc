"""What the gateway has said, line by line, and a way to wait for it."""

from __future__ import annotations

import threading
from collections import deque

_KEPT = 1000


class Heard:
    """The last lines; from any thread."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._total = 0
        self._more = threading.Condition()

    def hear(self, line: str) -> None:
        """One line more."""
        with self._more:
            self._lines.append(line)
            self._total += 1
            self._more.notify_all()

    def mark(self) -> int:
        """Where we are now, for `wait_for`."""
        with self._more:
            return self._total

    def last(self, count: int) -> list[str]:
        """The latest lines, oldest first."""
        with self._more:
            return list(self._lines)[-count:]

    def wait_for(self, words: str, since: int, longest_s: float) -> str | None:
        """The first line with these words after `since`; None if none came in time."""
        with self._more:
            return self._more.wait_for(lambda: self._found(words, since), longest_s) or None

    def _found(self, words: str, since: int) -> str:
        new = self._total - since
        recent = list(self._lines)[-new:] if new else []
        return next((line for line in recent if words in line), "")
