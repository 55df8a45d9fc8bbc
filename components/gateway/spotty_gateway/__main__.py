"""The command `spotty`."""

import argparse
import sys
from collections.abc import Sequence

from spotty_gateway.cli import devices, doctor, greengrass, hand, login, replay, run


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is its own."""
    parser = argparse.ArgumentParser(prog="spotty", description="Motion in, music out: the gateway and its tools.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (run, greengrass, login, devices, hand, doctor, replay):
        module.add_to(commands)
    arguments = parser.parse_args(argv)
    code: int = arguments.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
