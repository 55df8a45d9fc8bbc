"""The computer's own clocks."""

import ctypes
import time

_REFUSED, _TIME_ERROR = -1, 5
"""adjtimex(2): not answered at all (a sandbox forbids it); "the system clock is not synchronised"."""

_TIMEX_BYTES = 208
"""sizeof(struct timex) on 64-bit Linux; all zero asks for nothing to be changed."""


class SystemClock:
    """Clock of the kernel. Once it has been seen synchronised it stays trusted until the next boot."""

    def __init__(self, *, assume_trusted: bool = False) -> None:
        """`assume_trusted` is for computers that keep time without telling the kernel, such as a virtual machine."""
        self._trusted = assume_trusted
        self._libc = None if assume_trusted else ctypes.CDLL(None, use_errno=True)

    def mono(self) -> int:
        """Monotonic time in microseconds."""
        return time.monotonic_ns() // 1000

    def offset(self) -> int:
        """What to add to `mono` for the UTC instant in microseconds since 1970."""
        return (time.time_ns() - time.monotonic_ns()) // 1000

    def trusted(self) -> bool:
        """Whether the kernel has called its clock synchronised since we started to look."""
        if not self._trusted and self._libc is not None:
            state = self._libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
            self._trusted = state not in (_REFUSED, _TIME_ERROR)
        return self._trusted

    def real_s(self, us: int) -> float:
        """Real time is this clock's time."""
        return us / 1_000_000
