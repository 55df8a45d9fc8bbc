"""What a token is worth that Spotify goes on refusing: two strikes, then nothing is asked with it for a while. Pure.

Spotify at times refuses what it accepts a second later, and at times for hours. So one refusal proves nothing, a token
is never deleted for any number of them, and the wait ends by itself; it ends at once when consent is given anew.
"""

from dataclasses import dataclass
from typing import Self

STRIKES = 2
APART_S = 10.0
"""Refusals nearer to each other than this are one hiccup."""

FIRST_S, LONGEST_S = 900.0, 86_400.0


class Strikes:
    """Counts refusals in a row."""

    def __init__(self) -> None:
        self._count = 0
        self._last_s = float("-inf")

    def strike(self, at_s: float) -> bool:
        """One more, at a monotonic instant; whether they are now enough."""
        if at_s - self._last_s >= APART_S:
            self._count += 1
            self._last_s = at_s
        return self._count >= STRIKES

    def forget(self) -> None:
        """Spotify accepts the token."""
        self._count = 0
        self._last_s = float("-inf")


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Until when nothing is asked (seconds since 1970), and how long that is in all."""

    until_s: float
    wait_s: float

    @classmethod
    def read(cls, found: object) -> Self | None:
        """As `written` has left it; None where there is none that makes sense."""
        if not isinstance(found, dict):
            return None
        until_s, wait_s = found.get("until"), found.get("wait_s")
        if not isinstance(until_s, int | float) or not isinstance(wait_s, int | float):
            return None
        return cls(until_s, min(max(wait_s, FIRST_S), LONGEST_S))

    def written(self) -> dict[str, float]:
        """For the token file."""
        return {"until": self.until_s, "wait_s": self.wait_s}

    def left_s(self, now_s: float) -> float:
        """0 once it is over. A wall clock that was set back makes it no longer than it was meant to be."""
        return min(max(self.until_s - now_s, 0.0), self.wait_s)

    @classmethod
    def after(cls, earlier: "Quarantine | None", now_s: float) -> "Quarantine":
        """The next one: the first, or twice as long as the one that did not help."""
        wait_s = FIRST_S if earlier is None else min(earlier.wait_s * 2, LONGEST_S)
        return cls(now_s + wait_s, wait_s)
