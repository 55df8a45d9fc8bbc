"""`spotty` with one thing that is not real: its mock pins are driven by lines such as "17 high" from a named pipe.

    python -P -m spotty_sandbox.wired PIPE greengrass

The gateway's own process: nothing of the sandbox but this file is in it. It is told to stop when the one that started
it is gone, be it killed: a gateway left alone would keep its data folder to itself. Linux.
"""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spotty_gateway.__main__ import main
from spotty_hardware import inputs
from spotty_hardware.pin_factories import FactoryKind

PinFactory = Any  # gpiozero ships no types
_PR_SET_PDEATHSIG = 1


def wired(make: Callable[[FactoryKind], PinFactory], pipe: Path) -> Callable[[FactoryKind], PinFactory]:
    """The same pin factories, with somebody at the wires."""

    def made(kind: FactoryKind) -> PinFactory:
        factory = make(kind)
        threading.Thread(target=_drive, args=(factory, pipe), daemon=True).start()
        return factory

    return made


def _drive(factory: PinFactory, pipe: Path) -> None:
    # For writing too, though nothing is written here: so the pipe has no end, whoever lets go of it.
    with os.fdopen(os.open(pipe, os.O_RDWR), "r") as lines:
        while line := lines.readline():
            number, level = line.split()
            pin = factory.pin(int(number))
            (pin.drive_high if level == "high" else pin.drive_low)()


def stop_with_parent() -> None:
    """Get SIGTERM from the kernel when the parent ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    stop_with_parent()
    inputs.pin_factory = wired(inputs.pin_factory, Path(sys.argv[1]))  # type: ignore[assignment]  # names differ
    sys.exit(main(sys.argv[2:]))
