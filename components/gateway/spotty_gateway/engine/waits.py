"""How long to wait before something is tried again."""

from spotty_gateway.engine.rules import SECOND

RETRY_DELAYS_US = (15 * SECOND, 30 * SECOND, 60 * SECOND, 120 * SECOND)
"""Waits between attempts to start; the last one repeats (design §2)."""

PAUSE_BACKOFF_MAX_US = 60 * SECOND
REFUSED_BACKOFF_MAX_US = 900 * SECOND
"""What is down may be back in a minute; who refuses a pause seldom changes its mind, and every attempt costs calls."""
VOLUME_BACKOFF_MAX_US = 3_600 * SECOND
"""A volume is a courtesy, a pause is a promise: the courtesy is asked for less and less often."""

EARLIER_AT_MOST = 5
"""A wait of our own choosing is shortened by up to this part of it: who failed together need not come back together."""

LATER_AT_MOST_US = 5 * SECOND
"""What Spotify asked for is never shortened, but made longer by up to this."""

_CHANCES = 1 << 16


def backoff_us(attempt: int, longest_us: int) -> int:
    """1, 2, 4, ... seconds, up to `longest_us`."""
    return min(longest_us, SECOND << min(attempt, 20))


def spread_us(wait_us: int, at_least_us: int, seed: int, number: int) -> int:
    """The wait, a little different in every house (`seed`; 0: in none) and each time (`number`).

    `at_least_us` is what Spotify asked for, 0 where it asked for nothing.
    """
    if not seed:
        return max(wait_us, at_least_us)
    chance = _mixed(seed ^ (number * 0x9E3779B97F4A7C15)) % _CHANCES
    earlier = wait_us - wait_us * chance // (EARLIER_AT_MOST * _CHANCES)
    later = at_least_us + LATER_AT_MOST_US * chance // _CHANCES if at_least_us else 0
    return max(earlier, later)


def _mixed(number: int) -> int:
    """A number in which every bit depends on every bit of the given one (the end of splitmix64)."""
    number &= 0xFFFFFFFFFFFFFFFF
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return number ^ (number >> 31)
