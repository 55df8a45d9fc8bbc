"""Somebody at the mock pins of an installed gateway: Python loads this first where PYTHONPATH names this folder.

Lines such as "17 high" come from the FIFO that WIRES names. Nothing of the gateway but its pin factory is touched.
"""

import os
import sys
import threading
from pathlib import Path

if "greengrass" in sys.orig_argv:
    from gpiozero.pins import Factory

    from spotty_hardware import inputs, pin_factories
    from spotty_hardware.pin_factories import FactoryKind

    def wired(kind: FactoryKind) -> Factory:
        """The pin factory of that kind, with somebody at its wires."""
        factory = pin_factories.pin_factory(kind)

        def drive() -> None:
            while True:
                with Path(os.environ["WIRES"]).open() as lines:
                    for line in lines:  # until the last who writes lets go
                        number, level = line.split()
                        pin = factory.pin(int(number))
                        (pin.drive_high if level == "high" else pin.drive_low)()

        threading.Thread(target=drive, daemon=True).start()
        return factory

    inputs.pin_factory = wired
