"""The command `spotty-sandbox`: the world around a gateway, on a laptop."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spotty_sandbox import demo, spotify
from spotty_sandbox.casas import NotCasasError, read_casas, write_log

BAD_INPUT = 2


def import_log(argv: Sequence[str]) -> int:
    """Convert a CASAS log. 0: done, 2: it cannot be read."""
    parser = argparse.ArgumentParser(
        prog="spotty-sandbox import",
        description="Convert a CASAS log (date time, sensor, ON/OFF, separated by tabs) to CSV on standard output.",
        epilog="  spotty-sandbox import flat.txt --timezone America/Los_Angeles --sensor 'Bathroom*' > bathroom.csv",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("log", metavar="LOG", type=Path)
    parser.add_argument("--timezone", required=True, help="where the flat is: the log has no offsets")
    parser.add_argument("--sensor", action="append", metavar="PATTERN", help="only these (may be repeated)")
    options = parser.parse_args(argv)
    try:
        with options.log.open(encoding="utf-8", errors="replace") as lines:
            write_log(read_casas(lines, ZoneInfo(options.timezone), options.sensor or ["*"]), sys.stdout)
    except (NotCasasError, OSError) as error:
        print(f"spotty-sandbox import: {options.log}: {error}", file=sys.stderr)
        return BAD_INPUT
    except (ZoneInfoNotFoundError, ValueError):
        print(f"spotty-sandbox import: {options.timezone} is no IANA time zone", file=sys.stderr)
        return BAD_INPUT
    return 0


COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "demo": ("a house, its people and speakers, with the real gateway in it", demo.run),
    "spotify": ("a Spotify to test against: Web API player and accounts service", spotify.run),
    "import": ("a CASAS smart-home log as a log for spotty replay", import_log),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is its own."""
    parser = argparse.ArgumentParser(
        prog="spotty-sandbox",
        description="The world around a SpottyPottySense gateway, on one computer.",
        epilog="\n".join(f"  {name:9} {purpose}" for name, (purpose, _) in COMMANDS.items())
        + "\n\nEach has its own --help.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    return COMMANDS[options.command][1](options.arguments)


if __name__ == "__main__":
    sys.exit(main())
