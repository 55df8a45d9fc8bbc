"""What happened: a short memory, told when a promise is broken."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from spotty_gateway.engine.quiet_hours import to_local

from .clock import YearClock

MEMORY = 40
"""Happenings that are told with a broken promise."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that did not hold: which, when (microseconds UTC), what was seen, and what had happened before."""

    promise: str
    at: int
    what: str
    happenings: tuple[str, ...]


class Story:
    """Told everything; remembers the last of it, and counts."""

    def __init__(self, clock: YearClock, zone: tzinfo, tell: Callable[[str], None] | None) -> None:
        """`tell` gets every line as it happens (None: nobody wants to)."""
        self._clock = clock
        self._zone = zone
        self._tell = tell
        self._lines: deque[tuple[int, str, str]] = deque(maxlen=MEMORY)
        self.counts: Counter[str] = Counter()
        self.broken: Broken | None = None

    def note(self, who: str, what: str) -> None:
        """Something has happened."""
        self._lines.append((self._clock.at, who, what))
        if self._tell is not None:
            self._tell(self._line(self._clock.at, who, what))

    def count(self, what: str, by: int = 1) -> None:
        """For the summary."""
        self.counts[what] += by

    def breaks(self, promise: str, what: str) -> None:
        """A promise has not held. The first one is it: what comes after may follow from it."""
        if self.broken is None:
            self.note("BROKEN", f"{promise}: {what}")
            self.broken = Broken(promise, self._clock.at, what, tuple(self._line(*line) for line in self._lines))

    def local(self, at: int) -> str:
        """An instant as the household's clocks show it."""
        local = to_local(at, self._zone)
        return f"{local:%Y-%m-%d %a %H:%M:%S}.{local.microsecond // 1000:03} {local:%Z}"

    def _line(self, at: int, who: str, what: str) -> str:
        return f"{self.local(at)}  {who:9} {what}"
