"""A house's inputs as one stream of edges: motion sensors, door contacts, buttons.

    with pin_factory("gpiod") as factory, PinInputs(factory, inbox.put) as inputs:
        refused = inputs.watch([InputSpec("pir", InputKind.PIR, pin=17)])

Edge-driven: no thread of ours runs while nothing happens. gpiozero's `MotionSensor` and `Button` are not used, because
each keeps a thread that looks ten times a second.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Final, Self

from gpiozero import InputDevice
from gpiozero.pins import Factory

from spotty_hardware.input_spec import Edge, InputKind, InputSpec, Pull
from spotty_hardware.pin_errors import PinError, explain
from spotty_hardware.pin_factories import FactoryKind, pin_factory

__all__ = [
    "DEBOUNCE_S",
    "Edge",
    "FactoryKind",
    "InputKind",
    "InputSpec",
    "PinError",
    "PinInputs",
    "Pull",
    "pin_factory",
]

log = logging.getLogger(__name__)

# A level must be steady for so long to count. Most switches settle within 10 ms (J. Ganssle, "A Guide to Debouncing",
# measured 18 kinds); a PIR's shortest pulse is 300 ms; and of the second that a person waits for music it takes 2 %.
DEBOUNCE_S: Final = 0.020

_GPIOZERO_PULL: Final = {"up": True, "down": False, "none": None}

OnEdge = Callable[[Edge], None]


class PinInputs:
    """Watches inputs and calls `on_edge` for each change of each.

    For every input the first Edge is the level it was found with (`initial`), exactly once; then its edges follow, in
    order, alternating. No change between looking and listening is lost.

    `on_edge` runs on the pin factory's thread (initial edges: on the caller's) and must be quick: hand over and return.
    What it raises is logged and stops nothing. Methods may be called from any thread, but not while holding a lock that
    `on_edge` waits for.

    Args:
        factory: makes the pins; not closed here.
        on_edge: receives the edges.
    """

    def __init__(self, factory: Factory, on_edge: OnEdge) -> None:
        self._factory = factory
        self._on_edge = on_edge
        self._changing = threading.RLock()
        self._wires: dict[str, _Wire] = {}

    def watch(self, specs: Iterable[InputSpec]) -> Mapping[str, PinError]:
        """Watch exactly `specs` from now on.

        An input that is watched already and wired the same is left alone: no new initial Edge. After the return no Edge
        of an input no longer watched arrives. One bad input does not stop the others.

        Returns:
            The inputs that could not be armed, by id, and why. The next call tries them again.
        """
        with self._changing:
            specs = [spec.resolved() for spec in specs]
            counts = Counter(spec.input_id for spec in specs)
            wanted = {spec.input_id: spec for spec in specs if counts[spec.input_id] == 1}
            # All that goes, goes first, so that two inputs can swap their pins.
            for input_id, wire in list(self._wires.items()):
                if wanted.get(input_id) != wire.spec:
                    del self._wires[input_id]
                    wire.close()
            refused = {input_id: _same_name(input_id) for input_id, count in counts.items() if count > 1}
            for input_id, spec in wanted.items():
                if input_id not in self._wires:
                    error = self._arm(spec)
                    if error is not None:
                        refused[input_id] = error
            return refused

    def close(self) -> None:
        """Watch nothing any more. Idempotent."""
        self.watch(())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _arm(self, spec: InputSpec) -> PinError | None:
        where = f"input {spec.input_id!r} on GPIO{spec.pin}"
        for wire in self._wires.values():
            if wire.spec.pin == spec.pin:
                return PinError(f"{where}: input {wire.spec.input_id!r} is on that pin", "give each input its own pin")
        try:
            self._wires[spec.input_id] = _Wire(spec, self._factory, self._on_edge)
        except Exception as error:
            # Whatever a pin library raises, the other inputs must go on.
            log.debug("%s could not be armed", where, exc_info=True)
            return explain(error, where)
        return None


class _Wire:
    """One input being watched: a gpiozero device, its last level, and the order of what is told about it."""

    def __init__(self, spec: InputSpec, factory: Factory, on_edge: OnEdge) -> None:
        self.spec = spec
        self._on_edge = on_edge
        # Held while arming, so that an edge that comes meanwhile is told after the initial level; and while telling, so
        # that close() returns only when nothing more will be told.
        self._lock = threading.RLock()
        self._active: bool | None = None
        self._closed = False
        with self._lock:
            # Stamped before listening begins: no edge is older than the level it changes.
            found_us = _now_us()
            self._device = InputDevice(
                spec.pin,
                pull_up=_GPIOZERO_PULL[spec.pull or "none"],
                # gpiozero wants to be told only where no pull implies it; what is active is decided here in any case.
                active_state=spec.active_high if spec.pull == "none" else None,
                pin_factory=factory,
            )
            try:
                pin = self._device.pin
                pin.bounce = DEBOUNCE_S
                pin.edges = "both"
                # The pin keeps a weak reference to the method; this object keeps itself alive in PinInputs.
                pin.when_changed = self._changed
                # Read after arming. An edge in between is told too, unless it only repeats the level found.
                self._tell(pin.state, found_us, initial=True)
            except BaseException:
                self._closed = True
                self._device.close()
                raise

    def close(self) -> None:
        with self._lock:
            self._closed = True
        # Outside the lock: a pin library may wait here for its callback, and the callback for the lock.
        self._device.close()

    def _changed(self, ticks: float, state: float) -> None:
        """The pin library's callback, on its thread: `ticks` in seconds, `state` the level."""
        with self._lock:
            if not self._closed:
                now_us = _now_us()
                at_us = round(ticks * 1_000_000)
                # Ticks in the future are another clock's: kernels before 5.7 stamped lgpio's with wall time.
                self._tell(state, min(at_us, now_us), initial=False)

    def _tell(self, state: float, at_us: int, *, initial: bool) -> None:
        active = bool(state) == self.spec.active_high
        if active == self._active:
            return
        self._active = active
        try:
            self._on_edge(Edge(self.spec.input_id, active, at_us, initial))
        except Exception:
            log.exception("an edge of input %r was lost: its receiver failed", self.spec.input_id)


def _same_name(input_id: str) -> PinError:
    return PinError(f"input {input_id!r}: more than one input has this name", "give each input a name of its own")


def _now_us() -> int:
    return time.monotonic_ns() // 1000
