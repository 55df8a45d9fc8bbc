"""The clock of a simulated house: it runs at a chosen speed and stands still at each event until that has happened.

So an event has exactly the instant that the log or the script gives it, however busy the laptop is, and a recorded
day gives the same sessions through pins and threads as it does in a replay.
"""

import threading
import time

from spotty_gateway.engine.rules import NEVER, SECOND

AT_ONCE = float("inf")
"""A speed: do not wait between events at all."""


class HouseClock:
    """A gateway's Clock and the Spotify simulator's Clock in one. Instants in microseconds, the simulator's in ms."""

    def __init__(self, start_at: int, speed: float) -> None:
        """Starts at UTC instant `start_at`, `speed` times as fast as real time (or AT_ONCE)."""
        self._speed = speed
        self._lock = threading.Lock()
        self._house_us = start_at
        self._real_s = time.monotonic()
        self._until = start_at
        self._stopped = threading.Event()

    @property
    def speed(self) -> float:
        """Seconds of the house in a real one."""
        return 0.0 if self._speed == AT_ONCE else self._speed

    def mono(self) -> int:
        """The UTC instant in microseconds."""
        with self._lock:
            return self._now()

    def offset(self) -> int:
        """None: the house's monotonic time is its wall clock, which nobody sets."""
        return 0

    def trusted(self) -> bool:
        """Always."""
        return True

    def now_ms(self) -> int:
        """The UTC instant in milliseconds."""
        return self.mono() // 1000

    def real_s(self, us: int) -> float:
        """The real seconds in which so much of the house's time passes."""
        return 0.001 if self._speed == AT_ONCE else us / SECOND / self._speed

    def run_to(self, at: int) -> bool:
        """Let time pass until `at` and stand still there. False if the house was stopped before."""
        with self._lock:
            now = self._now()
            self._house_us, self._real_s = now, time.monotonic()
            self._until = max(at, now)
            wait_s = 0.0 if self._speed == AT_ONCE else (self._until - now) / SECOND / self._speed
        if self._stopped.wait(wait_s):
            return False
        with self._lock:
            self._house_us = self._until
        return True

    def run_free(self) -> None:
        """Let time pass without an end (at speed AT_ONCE it keeps standing)."""
        with self._lock:
            self._house_us, self._real_s = self._now(), time.monotonic()
            self._until = self._house_us if self._speed == AT_ONCE else NEVER

    def stop(self) -> None:
        """Wake up whoever lets time pass."""
        self._stopped.set()

    def _now(self) -> int:
        if self._speed == AT_ONCE or self._house_us >= self._until:
            return self._house_us
        passed_us = int((time.monotonic() - self._real_s) * self._speed * SECOND)
        return min(self._house_us + passed_us, self._until)
