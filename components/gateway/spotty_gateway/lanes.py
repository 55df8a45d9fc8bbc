"""Which of the uplink's lanes do not get through, and which of those are to blame for it themselves.

A broker that will have nothing on one topic answers as if it were away. So a failure alone says nothing; that another
lane gets through after it does. From then on this one rests, ever longer, and stands in nobody's way. While nothing
gets through, whatever has failed least goes first: so each lane has its turn, and one that works is soon found.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from spotty_gateway.engine.rules import SECOND
from spotty_gateway.ports import Lane

FIRST_REST_US = SECOND
LONGEST_IN_DOUBT_US = 60 * SECOND
"""A rest grows no longer than this while nothing else gets through either: it may be the way after all."""
LONGEST_REST_US = 3_600 * SECOND
TOLD_AFTER = 5
"""So often others got through and this one did not, never in between: a link that comes and goes is not told."""


@dataclass(slots=True)
class _Stuck:
    why: str
    rest_us: int = 0
    until: int = 0
    proofs: int = 0
    """How often another lane got through after this one had failed, since this one did last."""


class Lanes:
    """`failed` and `got_through` tell it what has become of a message; for one thread."""

    def __init__(self) -> None:
        self._failed: Counter[Lane] = Counter()
        self._why: dict[Lane, str] = {}
        self._stuck: dict[Lane, _Stuck] = {}

    @property
    def failed_since(self) -> Mapping[Lane, int]:
        """How often each has failed since anything got through."""
        return dict(self._failed)

    def rests(self, now: int) -> dict[Lane, int]:
        """Which are to be left alone now, and until when."""
        return {lane: one.until for lane, one in self._stuck.items() if one.until > now}

    def failed(self, lane: Lane, why: str, now: int) -> bool:
        """A message did not get through; whether it was to be expected of this lane."""
        again = lane in self._failed
        self._failed[lane] += 1
        self._why[lane] = why
        stuck = self._stuck.get(lane)
        if stuck is None or not stuck.rest_us:
            return False
        if again:
            stuck.rest_us = max(stuck.rest_us, min(2 * stuck.rest_us, LONGEST_IN_DOUBT_US))
        stuck.until, stuck.why = now + stuck.rest_us, why
        return True

    def got_through(self, lane: Lane, now: int) -> list[tuple[Lane, str]]:
        """A message did. Returns the lanes that are known from now on not to, each once, and why not."""
        self._stuck.pop(lane, None)
        known: list[tuple[Lane, str]] = []
        for other in self._failed:
            if other == lane:
                continue
            stuck = self._stuck.setdefault(other, _Stuck(self._why[other]))
            stuck.proofs += 1
            if stuck.proofs > 1:  # at the first one the way may just have been open again
                stuck.rest_us = min(max(2 * stuck.rest_us, FIRST_REST_US), LONGEST_REST_US)
                stuck.until = now + stuck.rest_us
            if stuck.proofs == TOLD_AFTER:
                known.append((other, stuck.why))
        self._failed.clear()
        self._why.clear()
        return known

    def hope(self, by: int) -> None:
        """Something has changed: let none of them rest longer than this."""
        for stuck in self._stuck.values():
            stuck.rest_us, stuck.until = min(stuck.rest_us, FIRST_REST_US), min(stuck.until, by)
