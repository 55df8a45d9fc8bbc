"""Where a self-test's edges and its time come from: the real wire and clock, or a sensor played on a mock pin."""

import queue
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

from spotty_hardware.input_spec import Edge, InputKind
from spotty_hardware.pin_factories import WiredMockPin

_US: Final = 1_000_000


class Bench(Protocol):
    """A clock and a wire."""

    def on_edge(self, edge: Edge) -> None:
        """Take an edge; `PinInputs` calls it, on any thread."""

    def now_us(self) -> int:
        """The time, in microseconds of the clock that the edges given by `wait` carry."""

    def wait(self, until_us: int) -> Edge | None:
        """The next edge, or None once it is `until_us` without one."""


class LiveBench:
    """The real wire, in real time."""

    def __init__(self) -> None:
        self._edges: queue.SimpleQueue[Edge] = queue.SimpleQueue()

    def on_edge(self, edge: Edge) -> None:
        """Queue the edge for `wait`."""
        self._edges.put(edge)

    def now_us(self) -> int:
        """CLOCK_MONOTONIC."""
        return time.monotonic_ns() // 1000

    def wait(self, until_us: int) -> Edge | None:
        """Sleep until the next edge or until `until_us`."""
        try:
            return self._edges.get(timeout=max(0.0, (until_us - self.now_us()) / _US))
        except queue.Empty:
            return None


class Simulation(StrEnum):
    """A sensor's character."""

    GOOD = "good"
    STUCK = "stuck"
    DEAD = "dead"
    CHATTER = "chatter"
    RESTLESS = "restless"


Move = tuple[float, bool]
"""Seconds since the start, and whether the sensor is active from then on."""

_CHATTER_EVERY_S: Final = 0.04


def play(simulation: Simulation, kind: InputKind, *, warm_up_s: float, still_s: float, act_s: float) -> list[Move]:
    """What a sensor of this character does during a self-test of these lengths, in order of time."""
    act_at, end = warm_up_s + still_s, warm_up_s + still_s + act_s
    # A PIR fires by itself once or twice while it warms up.
    waking = [(0.1 * warm_up_s, True), (0.3 * warm_up_s, False)] if kind is InputKind.PIR and warm_up_s else []
    answering = [
        (act_at + share * act_s, active) for share, active in ((0.1, True), (0.3, False), (0.6, True), (0.8, False))
    ]
    match simulation:
        case Simulation.GOOD:
            return waking + answering
        case Simulation.STUCK:
            return [(0.0, True)]
        case Simulation.DEAD:
            return []
        case Simulation.CHATTER:
            edges = int((end - warm_up_s) / _CHATTER_EVERY_S)
            return [(warm_up_s + nth * _CHATTER_EVERY_S, nth % 2 == 0) for nth in range(edges)]
        case Simulation.RESTLESS:
            alone = [(warm_up_s + share * still_s, active) for share, active in ((0.4, True), (0.6, False))]
            return waking + alone + answering


class SimulatedBench:
    """A sensor played on a mock pin: real edges through real callbacks, in a time of its own.

    Args:
        pin: the pin it is wired to.
        active_high: whether a high level is active there.
        moves: what it does, in order of time.
        sleep: lets so many simulated seconds pass; `time.sleep` shows them as they are.
    """

    def __init__(
        self, pin: WiredMockPin, *, active_high: bool, moves: list[Move], sleep: Callable[[float], None]
    ) -> None:
        self._pin = pin
        self._active_high = active_high
        self._sleep = sleep
        self._now_us = 0
        self._moves = deque((round(at_s * _US), active) for at_s, active in moves)
        self._edges: deque[Edge] = deque()
        self._drive(active=False)
        # What the sensor does at the very start is the level that it is found with.
        while self._moves and self._moves[0][0] == 0:
            self._drive(active=self._moves.popleft()[1])

    def on_edge(self, edge: Edge) -> None:
        """Queue the edge, stamped in the simulated time."""
        self._edges.append(edge._replace(mono_us=self._now_us))

    def now_us(self) -> int:
        """Simulated microseconds since the start."""
        return self._now_us

    def wait(self, until_us: int) -> Edge | None:
        """Let the simulated time pass until the sensor's next edge or until `until_us`."""
        while not self._edges and self._moves and self._moves[0][0] < until_us:
            at_us, active = self._moves.popleft()
            self._pass(at_us)
            self._drive(active=active)
        if self._edges:
            return self._edges.popleft()
        self._pass(until_us)
        return None

    def _pass(self, until_us: int) -> None:
        self._sleep(max(0, until_us - self._now_us) / _US)
        self._now_us = max(self._now_us, until_us)

    def _drive(self, *, active: bool) -> None:
        if active == self._active_high:
            self._pin.drive_high()
        else:
            self._pin.drive_low()
