"""Time as the simulator sees it: the laptop's, a faster one, or one that only a test moves."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock(Protocol):
    """Unix time in whole milliseconds that never runs backwards."""

    @property
    def speed(self) -> float:
        """Simulated seconds that pass in one real second; 0 for a clock moved by hand."""
        ...

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00Z."""
        ...


class RunningClock:
    """A clock that runs by itself, at `speed` times real time, from `start_ms` (default: now).

    It follows the monotonic clock, so a correction of the laptop's time never moves a song backwards.
    Raises ValueError for a speed that is not positive.
    """

    def __init__(self, *, speed: float = 1.0, start_ms: int | None = None) -> None:
        if speed <= 0:
            raise ValueError(f"a clock's speed must be above 0, not {speed}")
        self._speed = speed
        self._start_ms = time.time_ns() // 1_000_000 if start_ms is None else start_ms
        self._zero_ns = time.monotonic_ns()

    @property
    def speed(self) -> float:
        """Simulated seconds in one real second."""
        return self._speed

    def now_ms(self) -> int:
        """Unix time in milliseconds, `speed` times faster than real since the clock was made."""
        return self._start_ms + int((time.monotonic_ns() - self._zero_ns) * self._speed) // 1_000_000


class ManualClock:
    """A clock that stands still until `advance_ms` is called: for tests and simulated years."""

    speed = 0.0

    def __init__(self, start_ms: int = 1_767_225_600_000) -> None:  # 2026-01-01T00:00:00Z
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return self._now_ms

    def advance_ms(self, by_ms: int) -> None:
        """Let `by_ms` milliseconds pass. Raises ValueError for a step backwards."""
        if by_ms < 0:
            raise ValueError(f"time does not run backwards ({by_ms} ms)")
        self._now_ms += by_ms


class ScriptClock:
    """Another clock, but for a while it can stand at an instant that is already past: to do then what was due then."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stands_at_ms: int | None = None

    @property
    def speed(self) -> float:
        """The other clock's."""
        return self._clock.speed

    def now_ms(self) -> int:
        """The other clock's time, or the instant that it stands at."""
        return self._clock.now_ms() if self._stands_at_ms is None else self._stands_at_ms

    @contextlib.contextmanager
    def standing_at(self, at_ms: int) -> Iterator[None]:
        """Stand still while the block runs."""
        before, self._stands_at_ms = self._stands_at_ms, at_ms
        try:
            yield
        finally:
            self._stands_at_ms = before
