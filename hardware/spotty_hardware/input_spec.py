"""The words of this package: what an input is, and what it tells. Pure data."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal, NamedTuple, Self

Pull = Literal["up", "down", "none"]


class InputKind(StrEnum):
    """What is wired to a pin; decides what *active* means."""

    PIR = "pir"
    """Active while it sees motion. Also a radar's OUT pin."""
    CONTACT = "contact"
    """Active while the door is open."""
    BUTTON = "button"
    """Active while pressed."""


class _Wiring(NamedTuple):
    active_high: bool
    pull: Pull


_USUAL_WIRING: Final = {
    # A PIR drives its output both ways, so it needs no pull. A broken or loose wire does: left floating it picks up the
    # mains and reads as motion, at night too. Pulled down it reads as no motion, and the self-test says "never fires".
    InputKind.PIR: _Wiring(active_high=True, pull="down"),
    # A reed contact between pin and ground, closed by its magnet while the door is shut: shut is low.
    InputKind.CONTACT: _Wiring(active_high=True, pull="up"),
    # A push button between pin and ground: pressed is low.
    InputKind.BUTTON: _Wiring(active_high=False, pull="up"),
}


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input as a person configures it.

    Attributes:
        input_id: its name, unique among the watched.
        kind: what is wired there.
        pin: BCM number (17 is GPIO17, at position 11 of the header).
        active_high: whether a high level is *active*; None is the kind's own.
        pull: the chip's resistor on the pin; None is the kind's own.
    """

    input_id: str
    kind: InputKind
    pin: int
    active_high: bool | None = None
    pull: Pull | None = None

    def resolved(self) -> Self:
        """The same input with nothing left to default, so that two ways to write one wiring compare equal."""
        usual = _USUAL_WIRING[self.kind]
        return replace(
            self,
            active_high=usual.active_high if self.active_high is None else self.active_high,
            pull=usual.pull if self.pull is None else self.pull,
        )


class Edge(NamedTuple):
    """An input became active or inactive; or, `initial`, was found so when it began to be watched."""

    input_id: str
    active: bool
    mono_us: int
    """Microseconds of CLOCK_MONOTONIC; the kernel's own timestamp where there is one."""
    initial: bool
