"""Time moved by hand, for the parts that take a Clock."""

from spotty_gateway.engine.rules import SECOND

WALL = 1_790_000_000 * SECOND


class HandClock:
    """A Clock that stands still until it is moved. Waits are not shortened: whoever waits for it waits in vain."""

    def __init__(self, *, trusted: bool = True) -> None:
        self.now = 0
        self.wall_offset = WALL
        self.is_trusted = trusted
        self.patience: list[int] = []
        """The waits that were asked for, in microseconds."""

    def mono(self) -> int:
        """As far as it has been moved."""
        return self.now

    def offset(self) -> int:
        """Wall minus mono."""
        return self.wall_offset

    def trusted(self) -> bool:
        """As the test says."""
        return self.is_trusted

    def real_s(self, us: int) -> float:
        """Note the wait, and make it long: time does not pass by itself here."""
        self.patience.append(us)
        return 0.0 if us <= 0 else 3600.0
