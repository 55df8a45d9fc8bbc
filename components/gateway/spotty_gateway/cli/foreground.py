"""What a gateway in the foreground needs, whoever started it: signals, lines on standard output, an orderly end."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from spotty_gateway.app import Gateway, Inputs
    from spotty_gateway.cloud_side import CloudAccess
    from spotty_gateway.settings import Settings
    from spotty_hardware.inputs import Edge

log = logging.getLogger("spotty")

STOPPED_IN_HASTE, BAD_INPUT = 1, 2
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
WAKE = signal.SIGUSR1
"""What one of our own threads sends to have the main thread look up."""
SHUTDOWN_SEEN_WITHIN_S = 0.4
LAST_LINES_WITHIN_S = 0.3


def gateway_of(
    settings: "Settings",
    make_inputs: "Callable[[Callable[[Edge], None]], Inputs]",
    give_up: Callable[[], None],
    cloud: "CloudAccess | None" = None,
) -> "Gateway":
    """The gateway, not yet started. Raises LocalError where the data folder cannot be used."""
    # The gateway and its libraries take a third of a second to load: other commands need not wait for that.
    from spotty_gateway.app import Gateway  # noqa: PLC0415 - see above
    from spotty_gateway.clock import SystemClock  # noqa: PLC0415 - see above

    return Gateway(
        settings,
        SystemClock(assume_trusted=settings.clock == "assume_trusted"),
        make_inputs,
        log.info,
        give_up=give_up,
        cloud=cloud,
    )


class GivingUp:
    """Called from any thread when the gateway cannot go on: it is told to stop, and did not stop in order."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> None:
        """Stop, as if somebody had said so."""
        self.asked = True
        os.kill(os.getpid(), signal.SIGTERM)


def system_goes_down() -> bool:
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
def lines_to_stdout(level: str) -> Iterator[None]:
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
