"""The command `spotty-sandbox`: the world around a gateway, on a laptop."""

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spotty_sandbox import aws, demo, nucleus, spotify, year
from spotty_sandbox.casas import NotCasasError, check_patterns, read_casas, write_log

BAD_INPUT = 2


def import_log(argv: Sequence[str]) -> int:
    """Convert a CASAS log. 0: done, 2: it cannot be read, and nothing was written; or cannot be written."""
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
        zone = ZoneInfo(options.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        print(f"spotty-sandbox import: {options.timezone} is no IANA time zone", file=sys.stderr)
        return BAD_INPUT
    with tempfile.TemporaryFile(prefix="spotty-import-") as kept:
        text = io.TextIOWrapper(kept, encoding="utf-8", newline="")
        try:
            with options.log.open(encoding="utf-8", errors="replace") as lines:
                seen: set[str] = set()
                patterns = options.sensor or ["*"]
                write_log(read_casas(lines, zone, patterns, seen), text)
                check_patterns(patterns, seen)
        except (NotCasasError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            print(f"spotty-sandbox import: {options.log}: {reason}", file=sys.stderr)
            return BAD_INPUT
        text.seek(0)
        return _print(text.detach())


def _print(text: BinaryIO) -> int:
    """Copy to standard output. Whoever reads it (`| head`) may have had enough before the end."""
    try:
        copyfileobj(text, sys.stdout.buffer)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the last flush has somewhere to go
        if not isinstance(error, BrokenPipeError):
            print(f"spotty-sandbox import: the log cannot be written: {error.strerror}", file=sys.stderr)
            return BAD_INPUT
    return 0


COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "demo": ("a house, its people and speakers, with the real gateway in it", demo.run),
    "spotify": ("a Spotify to test against: Web API player and accounts service", spotify.run),
    "nucleus": ("a Greengrass nucleus that runs a component by its recipe", nucleus.run),
    "aws": ("an AWS on this computer, to deploy our template to", aws.run),
    "year": ("a household's year in simulated time, again and again: do the promises hold?", year.run),
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
