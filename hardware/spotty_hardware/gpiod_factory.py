"""gpiozero's pins over the kernel's own edge events (libgpiod 2): no polling, kernel time, kernel debounce.

Input only. A pin asks the kernel for its line when it is first read or armed, and gives it back when closed.
"""

import errno
import logging
import os
import threading
import time
from datetime import timedelta
from typing import Literal

import gpiod
from gpiod.line import Bias, Clock, Direction, Edge
from gpiozero.exc import (
    GPIOPinInUse,
    PinFixedPull,
    PinInvalidBounce,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPin,
    PinInvalidPull,
    PinUnknownPi,
    PinUnsupported,
)
from gpiozero.pins import Factory, PinInfo
from gpiozero.pins.local import get_pi_revision
from gpiozero.pins.pi import PiFactory, PiPin

from spotty_hardware.edge_reader import EdgeReader
from spotty_hardware.gpio_chip import Chip, LineRequest

log = logging.getLogger(__name__)

# A 3B's revision code. Where the board does not tell its own, only the header's map is taken from it, and that has been
# the same on every Pi since 2014.
_ANY_40_PIN_BOARD = 0xA02082
_NS = 1_000_000_000

_BIAS = {"floating": Bias.DISABLED, "up": Bias.PULL_UP, "down": Bias.PULL_DOWN}
_EDGES = {"none": Edge.NONE, "rising": Edge.RISING, "falling": Edge.FALLING, "both": Edge.BOTH}


class GpiodFactory(PiFactory):  # type: ignore[misc]  # gpiozero ships no types
    """A gpiozero pin factory over one GPIO chip: the one behind the header.

    `close()` gives every line back and ends the reader's thread. Ticks are seconds of CLOCK_MONOTONIC, and the ticks of
    an edge are the kernel's. A debounced edge is stamped when its level has been steady for the debounce time.

    Args:
        chip: the header's chip (`gpio_chip.header_chip()` finds it); the factory closes it.
        reader: the thread that waits for edges.
        revision: the board's revision code; asked of the board by default.
    """

    def __init__(self, chip: Chip, *, reader: EdgeReader | None = None, revision: int | None = None) -> None:
        super().__init__()
        self.pin_class = GpiodPin
        self.chip = chip
        self.reader = reader or EdgeReader()
        self._revision = revision

    def close(self) -> None:
        """Give every line back, end the reader's thread, close the chip. Idempotent."""
        super().close()
        self.reader.close()
        self.chip.close()

    @staticmethod
    def ticks() -> float:
        """Seconds of CLOCK_MONOTONIC, the clock that stamps the edges."""
        return time.monotonic()

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        """Seconds from `earlier` to `later`."""
        return later - earlier

    def _get_revision(self) -> int:
        if self._revision is None:
            try:
                self._revision = int(get_pi_revision())
            except PinUnknownPi:
                self._revision = _ANY_40_PIN_BOARD
        return self._revision

    # SPI would need outputs: the base's refusal, not PiFactory's fallback to bit-banging.
    spi = Factory.spi


class GpiodPin(PiPin):  # type: ignore[misc]  # gpiozero ships no types
    """One input line. Its settings are gpiozero's: `pull`, `bounce` (seconds or None), `edges`, `when_changed`."""

    def __init__(self, factory: GpiodFactory, info: PinInfo) -> None:
        super().__init__(factory, info)
        if self._number >= factory.chip.get_info().num_lines:
            raise PinInvalidPin(f"{info.name} is not on chip {factory.chip.get_info().label}")
        # Guards the request, which libgpiod wants used by one thread at a time. Never held while a handler runs.
        self._lock = threading.Lock()
        self._request: LineRequest | None = None
        self._last_seqno = 0
        self._armed = False
        self._reset()

    def close(self) -> None:
        """Disarm and give the line back. The pin may be used again afterwards, with settings as new."""
        self._set_when_changed(None)
        self._release()
        self._reset()

    def _reset(self) -> None:
        self._pull = self._info.pull or "floating"
        self._bounce: float | None = None
        self._edges = "both"

    def _get_function(self) -> Literal["input"]:
        return "input"

    def _set_function(self, value: str) -> None:
        if value == "output":
            raise PinUnsupported(f"{self!r}: this pin factory reads pins and drives none")
        if value != "input":
            raise PinInvalidFunction(f"invalid function {value!r} for pin {self!r}")

    def _get_state(self) -> int:
        with self._lock:
            return int(bool((self._request or self._open()).get_value(self._number)))

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if value not in _BIAS:
            raise PinInvalidPull(f"invalid pull {value!r} for pin {self!r}")
        if self._info.pull not in (value, ""):
            raise PinFixedPull(f"{self!r} has a physical pull-{self._info.pull} resistor")
        self._pull = value
        self._reconfigure()

    def _get_bounce(self) -> float | None:
        return self._bounce

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise PinInvalidBounce(f"bounce of pin {self!r} must be 0 or greater, not {value}")
        self._bounce = value
        self._reconfigure()

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in _EDGES:
            raise PinInvalidEdges(f"invalid edges {value!r} for pin {self!r}")
        self._edges = value
        self._reconfigure()

    def _enable_event_detect(self) -> None:
        self._armed = True
        self._reconfigure()
        with self._lock:
            fd = (self._request or self._open()).fd
        # A line given back and taken anew may get the number of a descriptor whose wake-up is still on its way; a
        # blocking read would then hang the thread that serves them all.
        os.set_blocking(fd, False)
        self._factory.reader.add(fd, self._drain)

    def _disable_event_detect(self) -> None:
        self._armed = False
        self._release()

    def _open(self) -> LineRequest:
        chip: Chip = self._factory.chip
        try:
            request = chip.request_lines({self._number: self._settings()}, consumer="spotty")
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            raise GPIOPinInUse(f"{self!r} is held by {chip.get_line_info(self._number).consumer!r}") from error
        self._request, self._last_seqno = request, 0
        return request

    def _reconfigure(self) -> None:
        with self._lock:
            if self._request is not None:
                self._request.reconfigure_lines({self._number: self._settings()})

    def _release(self) -> None:
        with self._lock:
            request, self._request = self._request, None
            if request is not None:
                self._factory.reader.remove(request.fd)
                request.release()

    def _settings(self) -> gpiod.LineSettings:
        return gpiod.LineSettings(
            direction=Direction.INPUT,
            bias=_BIAS[self._pull],
            edge_detection=_EDGES[self._edges] if self._armed else Edge.NONE,
            debounce_period=timedelta(seconds=self._bounce or 0),
            event_clock=Clock.MONOTONIC,
        )

    def _drain(self) -> None:
        """Hand on every edge that waits. Runs on the reader's thread."""
        for timestamp_ns, level in self._changes():
            changed = self._get_when_changed()
            if changed is None:
                return
            try:
                changed(timestamp_ns / _NS, level)
            except Exception:
                # The edges behind this one, and all other lines, are still to be told.
                log.exception("an edge of %r was lost: its handler failed", self)

    def _changes(self) -> list[tuple[int, int]]:
        """The edges that wait as (nanoseconds, level); after a gap also the level that the wire has now."""
        with self._lock:
            if self._request is None:
                return []
            try:
                events = self._request.read_edge_events()
            except BlockingIOError:  # the wake-up was for an earlier owner of the descriptor
                return []
            changes, gap = [], False
            for event in events:
                gap |= event.line_seqno != self._last_seqno + 1
                self._last_seqno = event.line_seqno
                changes.append((event.timestamp_ns, int(event.event_type is gpiod.EdgeEvent.Type.RISING_EDGE)))
            if gap:
                # The kernel's buffer overflowed and it dropped the oldest. What the wire says now is the truth.
                changes.append((time.monotonic_ns(), int(bool(self._request.get_value(self._number)))))
            return changes
