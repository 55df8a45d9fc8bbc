"""`spotty run`: the gateway, in the foreground, until it is told to stop."""

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from spotty_gateway.app import Gateway

log = logging.getLogger("spotty")

STOPPED_IN_HASTE, BAD_INPUT = 1, 2
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SHUTDOWN_SEEN_WITHIN_S = 0.4
LAST_LINES_WITHIN_S = 0.3


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
    # The gateway and its libraries take a third of a second to load: the other commands need not wait for that.
    from spotty_gateway.app import Gateway  # noqa: PLC0415 - see above
    from spotty_gateway.clock import SystemClock  # noqa: PLC0415 - see above
    from spotty_gateway.local import LocalError  # noqa: PLC0415 - see above
    from spotty_gateway.settings import BadSettingsError, read_settings  # noqa: PLC0415 - see above
    from spotty_hardware.inputs import PinError, PinInputs, pin_factory  # noqa: PLC0415 - see above

    # Held back, and so also in every thread begun from here on: a signal that comes at any time, while starting too,
    # waits until it is asked for.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    gave_up = threading.Event()

    def give_up() -> None:
        gave_up.set()
        os.kill(os.getpid(), signal.SIGTERM)

    try:
        settings, faults = read_settings(arguments.settings)
        for fault in faults:
            print(f"spotty run: {fault}", file=sys.stderr)
        factory = pin_factory(settings.pin_factory)
    except (BadSettingsError, PinError) as error:
        print(f"spotty run: {error}", file=sys.stderr)
        return BAD_INPUT
    with _logging(settings.log_level), factory:
        try:
            gateway = Gateway(
                settings,
                SystemClock(assume_trusted=settings.clock == "assume_trusted"),
                lambda on_edge: PinInputs(factory, on_edge),
                log.info,
                give_up=give_up,
            )
        except LocalError as error:
            print(f"spotty run: {error}", file=sys.stderr)
            return BAD_INPUT
        return STOPPED_IN_HASTE if not _until_told(gateway) or gave_up.is_set() else 0


def _until_told(gateway: "Gateway") -> bool:
    gateway.start()
    signal.sigwait(STOP_SIGNALS)
    log.info("stopping")
    return gateway.stop(system_goes_down=_system_goes_down())


def _system_goes_down() -> bool:
    """Whether the whole computer is being switched off or restarted, as systemd says; without it nobody knows."""
    try:
        told = subprocess.run(
            ["systemctl", "is-system-running"],  # noqa: S607 - whichever the system has
            capture_output=True,
            timeout=SHUTDOWN_SEEN_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.stdout.strip() == b"stopping"


class _QuietHandler(logging.StreamHandler[TextIO]):
    """Where nobody reads any more there is nobody to tell: a line that cannot be written is let go."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Nothing."""


@contextmanager
def _logging(level: str) -> Iterator[None]:
    """Lines go to standard output from a thread of their own: who reads them may be slow, deciding must not be."""
    lines: SimpleQueue[logging.LogRecord] = SimpleQueue()
    writer = QueueListener(lines, _QuietHandler(sys.stdout))
    logging.basicConfig(level=level.upper(), format="%(message)s", handlers=[QueueHandler(lines)])
    writer.start()
    try:
        yield
    finally:
        last = threading.Thread(target=writer.stop, daemon=True)  # by itself it would wait for a stuck reader
        last.start()
        last.join(LAST_LINES_WITHIN_S)
