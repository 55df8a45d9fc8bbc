"""What will happen, in order of time; what shares an instant happens in an order that the seed decides."""

import random
from collections.abc import Callable
from heapq import heappop, heappush

from .clock import YearClock


class Agenda:
    """Time passes here and nowhere else: also while a request is under way, so that a house goes on meanwhile."""

    def __init__(self, clock: YearClock, rng: random.Random) -> None:
        """`rng` draws the order within an instant."""
        self.clock = clock
        self.is_over = False
        """Set when nobody wants to know how it goes on."""
        self._rng = rng
        self._due: list[tuple[int, float, int, Callable[[], None]]] = []
        self._number = 0

    def at(self, at: int, happens: Callable[[], None]) -> None:
        """Let it happen at that instant, or now if that has passed."""
        self._number += 1
        heappush(self._due, (max(at, self.clock.at), self._rng.random(), self._number, happens))

    def after(self, us: int, happens: Callable[[], None]) -> None:
        """Let it happen in so many microseconds."""
        self.at(self.clock.at + us, happens)

    def pass_until(self, until: int, enough: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, and everything happen that is due, or less when it is over or `enough`."""
        while not self.is_over and not enough():
            if not self._due or self._due[0][0] > until:
                self.clock.at = max(self.clock.at, until)
                return
            at, _, _, happens = heappop(self._due)
            self.clock.at = max(self.clock.at, at)
            happens()

    def pass_us(self, us: int) -> None:
        """Let so much time pass."""
        self.pass_until(self.clock.at + us)
