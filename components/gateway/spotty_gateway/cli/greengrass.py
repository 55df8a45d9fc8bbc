"""`spotty greengrass`: the gateway as a Greengrass component; the recipe's run script calls it."""

import argparse
import os
import signal
import sys
import time

from spotty_gateway.cli.foreground import BAD_INPUT, STOP_SIGNALS, WAKE, lines_to_stdout
from spotty_gateway.cli.spared import spare_memory

SOCKET, TOKEN = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT", "SVCUID"
"""What a nucleus puts into the environment of every component."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Teach the command line this command."""
    parser = commands.add_parser(
        "greengrass",
        help="run the gateway as a Greengrass component",
        description="What the recipe runs: as `spotty run`, with settings from the component configuration. A nucleus "
        "starts it; it does nothing by hand.",
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Do it. 0: stopped in order, 1: with something left undone, 2: it cannot run so, 3: start it anew."""
    missing = [name for name in (SOCKET, TOKEN) if not os.environ.get(name)]
    if missing:
        print(
            f"spotty greengrass: {' and '.join(missing)} not set: only a Greengrass nucleus can start this; by hand it "
            "is spotty run --settings FILE",
            file=sys.stderr,
        )
        return BAD_INPUT
    signal.pthread_sigmask(signal.SIG_BLOCK, (*STOP_SIGNALS, WAKE))  # see `spotty run`
    spare_memory()
    from spotty_gateway.cli.component import Component  # noqa: PLC0415 - as in `gateway_of`

    with lines_to_stdout("info"):
        return Component(os.environ[SOCKET], os.environ[TOKEN], time.monotonic()).live()
