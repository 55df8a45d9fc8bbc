"""`spotty run`: the gateway, in the foreground, until it is told to stop."""

import argparse
import signal
import sys
from pathlib import Path

from spotty_gateway.cli.foreground import (
    BAD_INPUT,
    STOP_SIGNALS,
    STOPPED_IN_HASTE,
    GivingUp,
    gateway_of,
    lines_to_stdout,
    log,
    system_goes_down,
)
from spotty_gateway.cli.spared import spare_memory


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Teach the command line this command."""
    parser = commands.add_parser(
        "run",
        help="run the gateway",
        description="Watch the inputs, decide, and play. Stops at Ctrl-C or SIGTERM; the music plays on unless the "
        "settings say onStop: pause, or the whole computer goes down.",
    )
    parser.add_argument("--settings", metavar="FILE.json", type=Path, required=True, help="the gateway's settings")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it. 0: stopped in order, 1: stopped with something left undone, 2: it cannot be started."""
    spare_memory()
    from spotty_gateway.local import LocalError  # noqa: PLC0415 - as in `gateway_of`
    from spotty_gateway.settings import BadSettingsError, read_settings  # noqa: PLC0415 - see above
    from spotty_hardware.inputs import PinError, PinInputs, pin_factory  # noqa: PLC0415 - see above

    # Held back, and so also in every thread begun from here on: a signal that comes at any time, while starting too,
    # waits until it is asked for.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    giving_up = GivingUp()
    try:
        settings, faults = read_settings(arguments.settings)
        for fault in faults:
            print(f"spotty run: {fault}", file=sys.stderr)
        factory = pin_factory(settings.pin_factory)
    except (BadSettingsError, PinError) as error:
        print(f"spotty run: {error}", file=sys.stderr)
        return BAD_INPUT
    with lines_to_stdout(settings.log_level), factory:
        try:
            gateway = gateway_of(settings, lambda on_edge: PinInputs(factory, on_edge), giving_up)
        except LocalError as error:
            print(f"spotty run: {error}", file=sys.stderr)
            return BAD_INPUT
        gateway.start()
        signal.sigwait(STOP_SIGNALS)
        log.info("stopping")
        written = gateway.stop(system_goes_down=system_goes_down())
        return STOPPED_IN_HASTE if not written or giving_up.asked else 0
