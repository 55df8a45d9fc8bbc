"""How long to wait before something is tried again."""

from spotty_gateway.engine.rules import SECOND

RETRY_DELAYS_US = (15 * SECOND, 30 * SECOND, 60 * SECOND, 120 * SECOND)
"""Waits between attempts to start; the last one repeats (design §2)."""

PAUSE_BACKOFF_MAX_US = 60 * SECOND
VOLUME_BACKOFF_MAX_US = 3_600 * SECOND
"""A volume is a courtesy, a pause is a promise: the courtesy is asked for less and less often."""


def backoff_us(attempt: int, longest_us: int) -> int:
    """1, 2, 4, ... seconds, up to `longest_us`."""
    return min(longest_us, SECOND << min(attempt, 20))
