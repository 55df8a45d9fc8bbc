"""True time, and the two clocks of the computer that lives in it."""

from spotty_gateway.engine.rules import SECOND

UP_BEFORE_US = 40 * SECOND
"""A computer has been on for so long when the component comes up."""


class YearClock:
    """The gateway's Clock and the simulated Spotify's in one. Stands still until `at` is set, in microseconds UTC."""

    speed = 0.0

    def __init__(self, at: int) -> None:
        """The computer has just been switched on and knows the time."""
        self.at = at
        self._booted_at = at - UP_BEFORE_US
        self._behind_us = 0
        self._trusted = True

    def now_ms(self) -> int:
        """True time in milliseconds."""
        return self.at // 1000

    def monotonic_s(self) -> float:
        """Seconds since some instant."""
        return self.at / SECOND

    def mono(self) -> int:
        """Since the computer was switched on."""
        return self.at - self._booted_at

    def offset(self) -> int:
        """What the computer takes for the time, less `mono`."""
        return self._booted_at - self._behind_us

    def wall_s(self) -> float:
        """What the computer takes for the time, in seconds since 1970."""
        return (self.at - self._behind_us) / SECOND

    def trusted(self) -> bool:
        """Whether the computer has been told the time since it was switched on."""
        return self._trusted

    def real_s(self, us: int) -> float:
        """This clock's seconds are as long as any."""
        return us / SECOND

    def boot(self, behind_us: int) -> None:
        """The computer is switched on again, without a clock of its own: it is so much behind, and knows it."""
        self._booted_at = self.at - UP_BEFORE_US
        self._behind_us = behind_us
        self._trusted = False

    def be_told(self) -> None:
        """The computer is told the time."""
        self._behind_us = 0
        self._trusted = True
