"""A stand-in for libgpiod's chip and request, hand-written, behind a real file descriptor.

The reader under test really sleeps in the kernel: an edge is one byte in a pipe, and the pipe's other end is the
request's `fd`. What the kernel does is kept: one owner per line, a buffer of 16 events whose oldest is dropped when it
overflows, sequence numbers that count the dropped ones too, `EAGAIN` when there is nothing to read, `ENODEV` when the
chip is gone.
"""

import errno
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import gpiod
from gpiod.line import Edge, Value

from spotty_hardware.gpio_chip import LineConfig

_KERNEL_BUFFER = 16


class FakeLine:
    """What is soldered to one line: its level, and who holds it."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.level = False
        self.name = f"GPIO{offset}"
        self.held_by = ""
        self.request: FakeRequest | None = None
        self.requests: list[FakeRequest] = []
        self.before_read: Callable[[], None] = lambda: None
        """Called once the level has been asked for, before it is looked at: where a test slips an edge in between."""

    def drive(self, level: bool, at_ns: int | None = None) -> None:
        """Set the level; if it changes and someone listens, the edge is queued at `at_ns` (now by default)."""
        if level == self.level:
            return
        self.level = level
        if self.request is not None:
            self.request.queue(level, time.monotonic_ns() if at_ns is None else at_ns)


class FakeRequest:
    """One line held: `spotty_hardware.gpio_chip.LineRequest` over a pipe."""

    def __init__(self, line: FakeLine, settings: gpiod.LineSettings) -> None:
        self.line = line
        self.settings = settings
        self.released = False
        self._lock = threading.Lock()
        self._events: deque[gpiod.EdgeEvent] = deque()
        self._seqno = 0
        self._fd, self._wire = os.pipe()
        os.set_blocking(self._wire, False)

    @property
    def fd(self) -> int:
        """The pipe's reading end."""
        return self._fd

    def queue(self, level: bool, at_ns: int) -> None:
        """An edge happens on the wire; nobody hears it once the line was given back."""
        if self.settings.edge_detection is not Edge.BOTH:
            return
        kind = gpiod.EdgeEvent.Type.RISING_EDGE if level else gpiod.EdgeEvent.Type.FALLING_EDGE
        with self._lock:
            if self.released:
                return
            self._seqno += 1
            full = len(self._events) == _KERNEL_BUFFER
            if full:
                self._events.popleft()
            self._events.append(gpiod.EdgeEvent(kind.value, at_ns, self.line.offset, self._seqno, self._seqno))
            if not full:
                os.write(self._wire, b"e")

    def lose(self, count: int) -> None:
        """Pretend that the next `count` events overflowed: numbered, never read."""
        self._seqno += count

    def read_edge_events(self) -> Sequence[gpiod.EdgeEvent]:
        """The events that wait; `BlockingIOError` if none, `ENODEV` once unplugged."""
        with self._lock:
            if not os.read(self._fd, _KERNEL_BUFFER):
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            events = list(self._events)
            self._events.clear()
            return events

    def get_value(self, line: int) -> Value:
        """The line's level."""
        assert line == self.line.offset
        self.line.before_read()
        return Value.ACTIVE if self.line.level else Value.INACTIVE

    def reconfigure_lines(self, config: LineConfig) -> None:
        """Take new settings; what waits stays."""
        settings = config[self.line.offset]
        assert settings is not None
        self.settings = settings

    def unplug(self) -> None:
        """The chip disappears under the request."""
        os.close(self._wire)
        self._wire = -1

    def release(self) -> None:
        """Free the line; once only."""
        with self._lock:
            assert not self.released
            self.released = True
            self.line.request = None
            os.close(self._fd)
            if self._wire >= 0:
                os.close(self._wire)


class FakeChip:
    """A chip of 28 lines named as on a Pi 5: `spotty_hardware.gpio_chip.Chip`."""

    def __init__(self, label: str = "pinctrl-rp1", lines: int = 28) -> None:
        self.label = label
        self.lines = [FakeLine(offset) for offset in range(lines)]
        self.closed = False

    def get_info(self) -> gpiod.ChipInfo:
        """The chip's label and size."""
        return gpiod.ChipInfo(name="gpiochip9", label=self.label, num_lines=len(self.lines))

    def get_line_info(self, line: int) -> gpiod.LineInfo:
        """The line's name and holder; the rest is made up."""
        at = self.lines[line]
        return gpiod.LineInfo(
            offset=line,
            name=at.name,
            used=bool(at.held_by),
            consumer=at.held_by,
            direction=1,
            active_low=False,
            bias=1,
            drive=1,
            edge_detection=1,
            event_clock=1,
            debounced=False,
            debounce_period_us=0,
        )

    def request_lines(self, config: LineConfig, consumer: str) -> FakeRequest:
        """One line for one owner, else `EBUSY`."""
        ((offset, settings),) = config.items()
        assert isinstance(offset, int)
        assert settings is not None
        assert consumer == "spotty"
        line = self.lines[offset]
        if line.held_by or line.request is not None:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        line.request = FakeRequest(line, settings)
        line.requests.append(line.request)
        return line.request

    def close(self) -> None:
        """Close the device."""
        self.closed = True


class CountingPoller:
    """The real epoll, with a count of how often the kernel woke the reader.

    Its `poll` takes no timeout, so a reader that asks for one fails here.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.wakes = 0

    def register(self, fd: int, eventmask: int = select.EPOLLIN) -> None:
        """As epoll's."""
        self._epoll.register(fd, eventmask)

    def unregister(self, fd: int) -> None:
        """As epoll's."""
        self._epoll.unregister(fd)

    def poll(self) -> list[tuple[int, int]]:
        """Sleep in the kernel until something is ready; count it."""
        ready = self._epoll.poll()
        self.wakes += 1
        return ready

    def close(self) -> None:
        """As epoll's."""
        self._epoll.close()
