"""The command `spotty`."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

HOMES = {
    "run": "run",
    "greengrass": "greengrass",
    "register": "register",
    "login": "login",
    "logout": "login",
    "devices": "devices",
    "status": "hand",
    "snooze": "hand",
    "pause": "hand",
    "resume": "hand",
    "doctor": "doctor",
    "replay": "replay",
}
"""The module of each command. Only what is asked for is loaded: a gateway that runs for years carries no other."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is its own."""
    words = sys.argv[1:] if argv is None else argv
    asked = HOMES.get(words[0]) if words else None
    parser = argparse.ArgumentParser(prog="spotty", description="Motion in, music out: the gateway and its tools.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for home in [asked] if asked else dict.fromkeys(HOMES.values()):
        import_module(f"spotty_gateway.cli.{home}").add_to(commands)
    arguments = parser.parse_args(argv)
    code: int = arguments.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
