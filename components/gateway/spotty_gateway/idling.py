"""What the player's thread does while there is nothing to do: it gets ready, and sleeps until that pays again."""

import logging
import os
import select
import threading
from collections.abc import Callable

from spotty_gateway.engine.rules import NEVER, SECOND
from spotty_gateway.guard import Guard
from spotty_gateway.ports import Clock, Player, Readiness

log = logging.getLogger(__name__)

SHORTEST_NAP_S = 0.05
"""In real time. Nothing that is waited for here has to be met more exactly, and a simulated clock may stand still."""

LONGEST_NAP_S = 86_400.0
"""The kernel counts milliseconds, for not quite 25 days; who is woken with nothing to do sleeps on."""

SHORTEST_WAIT_US = SECOND
"""Between getting ready and getting ready again for the same cause, doubled each time, up to the longest."""
LONGEST_WAIT_US = 60 * SECOND

LOOK_FOR_TRUST_EVERY_US = 30 * SECOND
"""While a wait from before a boot is still to be measured, the clock is looked at this often."""


class Idling:
    """The sleep of one thread, its owner's. Only `wake` may be called by others."""

    def __init__(
        self,
        player: Player,
        clock: Clock,
        guard: Guard,
        after_getting_ready: Callable[[], object],
        spread_us: Callable[[], int],
    ) -> None:
        self._player = player
        self._clock = clock
        self._guard = guard
        self._after_getting_ready = after_getting_ready
        self._spread_us = spread_us
        self._readiness: Readiness | None = None
        self._again_at = NEVER
        self._watch_from = 0
        self._wait_us = SHORTEST_WAIT_US
        self._opens_at: int | None = None
        self._is_short = False
        self._back_at = NEVER
        """When we come back after the guard was closed: at its opening, or a little later. Until then nothing is done
        here."""
        self._lock = threading.Lock()
        self._wake_fd: int | None = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def wake(self) -> None:
        """There is something to do; from any thread, returns at once. A sleep that has not begun is not slept."""
        with self._lock:  # so that nobody writes to a number that means another file by then
            if self._wake_fd is not None:
                os.eventfd_write(self._wake_fd, 1)

    def close(self) -> None:
        """Sleep no more."""
        with self._lock:
            wake_fd, self._wake_fd = self._wake_fd, None
        if wake_fd is not None:
            os.close(wake_fd)

    def look(self) -> bool:
        """See how the guard stands; whether calls are short."""
        seen = self._guard.look()
        if seen.opens_in_us:
            opens_at = self._clock.mono() + seen.opens_in_us
            if self._opens_at is None or abs(opens_at - self._opens_at) > SECOND:
                self._opens_at, self._back_at = opens_at, opens_at + self._spread_us()
        elif self._opens_at is not None:
            # Opened; if that is news from the calendar, it was to be later, and there is nothing to be waited for.
            self._back_at = min(self._back_at, self._clock.mono() + self._back_at - self._opens_at)
            self._opens_at = None
        self._is_short = seen.is_short_after(was_short=self._is_short)
        return self._is_short

    def has_opened(self) -> bool:
        """Whether the guard has opened since it was closed, and it is time to come back; told once."""
        if self._opens_at is not None or self._back_at > self._clock.mono():
            return False
        self._back_at = NEVER
        self._readiness = None
        return True

    def has_worked(self) -> None:
        """The player has been busy: what it was ready for is used up."""
        self._readiness = None
        self._wait_us = SHORTEST_WAIT_US

    def until_woken(self, is_idle: Callable[[], bool]) -> None:
        """Get ready, where that is due, and sleep until something is to be done; not at all if it is there already."""
        if self._back_at >= NEVER and (self._readiness is None or self._clock.mono() >= self._again_at):
            self._get_ready()
            if not is_idle():
                return
        wake_fd, watch_fd = self._wake_fd, self._watch_fd()
        if wake_fd is None:
            return
        poll = select.poll()
        poll.register(wake_fd, select.POLLIN)
        if watch_fd is not None:
            poll.register(watch_fd, select.POLLIN)
        for fd, _ in poll.poll(self._patience_ms()):
            if fd == wake_fd:
                os.eventfd_read(wake_fd)
            else:
                self._again_at = 0
                self._watch_from = self._clock.mono() + self._wait_us
                self._wait_us = min(2 * self._wait_us, LONGEST_WAIT_US)

    def _get_ready(self) -> None:
        try:
            self._readiness = self._player.get_ready()
            self._after_getting_ready()
        except Exception as error:  # the player's thread is needed: a bug in its leisure must not end it
            log.critical("a fault in the gateway itself, please report it", exc_info=error)
            self._readiness = Readiness()
        again_s = self._readiness.again_in_s
        now = self._clock.mono()
        self._again_at = NEVER if again_s is None else now + max(SHORTEST_WAIT_US, round(again_s * SECOND))

    def _watch_fd(self) -> int | None:
        """The connection, unless it has gone stale only just before: a server may hang up on every one."""
        if self._readiness is None or self._back_at < NEVER or self._clock.mono() < self._watch_from:
            return None
        return self._readiness.watch_fd

    def _patience_ms(self) -> int | None:
        now = self._clock.mono()
        due_at = self._back_at
        if due_at >= NEVER:
            due_at = self._again_at
            if self._readiness is not None and self._readiness.watch_fd is not None and now < self._watch_from:
                due_at = min(due_at, self._watch_from)
        elif self._guard.is_in_doubt:
            due_at = min(due_at, now + LOOK_FOR_TRUST_EVERY_US)
        if due_at >= NEVER:
            return None
        nap_s = min(LONGEST_NAP_S, self._clock.real_s(max(0, due_at - now)))
        return round(1000 * max(SHORTEST_NAP_S, nap_s)) + 1
