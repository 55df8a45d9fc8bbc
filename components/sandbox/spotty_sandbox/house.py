"""People walking through a house: a scripted day or a recorded log, felt by gpiozero's mock pins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from spotty_gateway.engine.rules import SECOND
from spotty_sandbox.house_clock import HouseClock

PIR_PULSE_US = 3 * SECOND
"""How long a PIR with its time potentiometer at the minimum reports one motion (hardware/README.md)."""

STEP_US = 20 * SECOND
"""How often somebody who stays in a room is seen to move."""


class MockPin(Protocol):
    """A gpiozero mock pin."""

    def drive_high(self) -> None:
        """The wire goes to 3.3 V."""

    def drive_low(self) -> None:
        """The wire goes to ground."""


@dataclass(frozen=True, slots=True)
class PinEdge:
    """At this UTC instant (microseconds) the input's wire goes high or low."""

    at: int
    input_id: str
    high: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody is in front of this input's sensor from one instant to another."""

    input_id: str
    from_at: int
    to_at: int


def edges_of(visits: Iterable[Visit]) -> list[PinEdge]:
    """What the sensors would report: a pulse when somebody comes, and one for every move while they are there."""
    edges = [
        edge
        for visit in visits
        for moved_at in range(visit.from_at, visit.to_at, STEP_US)
        for edge in (
            PinEdge(moved_at, visit.input_id, True),
            PinEdge(moved_at + PIR_PULSE_US, visit.input_id, False),
        )
    ]
    return sorted(edges, key=lambda edge: edge.at)


def walk(edges: Iterable[PinEdge], pins: Mapping[str, MockPin], clock: HouseClock) -> bool:
    """Drive the pins, each edge at its instant; they must not go back in time. False if the house was stopped.

    An edge that repeats the pin's level is a report all the same in a log, but not on a wire: it is driven as a short
    pulse to the other level within the same instant.
    """
    levels: dict[str, bool] = {}
    for edge in edges:
        if not clock.run_to(edge.at):
            return False
        pin = pins[edge.input_id]
        if edge.high and levels.get(edge.input_id):
            pin.drive_low()
        if edge.high:
            pin.drive_high()
        else:
            pin.drive_low()
        levels[edge.input_id] = edge.high
    return True
