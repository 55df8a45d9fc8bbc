"""`spotty` with one thing that is not real: its mock pins are driven by lines on standard input, such as "17 high".

Run as `python -m tests.gateway.wired_to_stdin run --settings FILE.json`; so a test can kill a gateway in mid-music.
"""

import sys
import threading

from gpiozero.pins import Factory

from spotty_gateway.__main__ import main
from spotty_hardware import inputs, pin_factories
from spotty_hardware.pin_factories import FactoryKind


def wired(kind: FactoryKind) -> Factory:
    """The pin factory of that kind, with somebody at its wires."""
    factory = pin_factories.pin_factory(kind)

    def drive() -> None:
        for line in sys.stdin:
            number, level = line.split()
            pin = factory.pin(int(number))
            (pin.drive_high if level == "high" else pin.drive_low)()

    threading.Thread(target=drive, daemon=True).start()
    return factory


if __name__ == "__main__":
    inputs.pin_factory = wired
    sys.exit(main())
