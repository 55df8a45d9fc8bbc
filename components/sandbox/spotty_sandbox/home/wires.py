"""The wires of a gateway that runs as a process of its own: a named pipe to its mock pins."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import HomeError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Wires:
    """All of them. `spotty_sandbox.wired` is at the other end."""

    pipe: Path

    def lay(self) -> None:
        """Make the pipe, where there is none."""
        if not self.pipe.is_fifo():
            self.pipe.unlink(missing_ok=True)
            os.mkfifo(self.pipe, 0o600)

    def pin(self, number: int) -> Wire:
        """The one at this GPIO."""
        return Wire(self, number)

    def drive(self, number: int, level: str) -> None:
        """Raises HomeError where no gateway is at the other end."""
        try:
            end = os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            raise HomeError(f"no gateway is at its pins: {error.strerror} ({self.pipe})") from None
        with os.fdopen(end, "w") as line:
            line.write(f"{number} {level}\n")


@dataclass(frozen=True, slots=True)
class Wire:
    """One wire: a MockPin, seen from outside."""

    wires: Wires
    number: int

    def drive_high(self) -> None:
        """The wire goes to 3.3 V."""
        self.wires.drive(self.number, "high")

    def drive_low(self) -> None:
        """The wire goes to ground."""
        self.wires.drive(self.number, "low")
