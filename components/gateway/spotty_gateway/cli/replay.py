"""`spotty replay`: the command."""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from spotty_contract.policy import Policy
from spotty_contract.wire import faults_of
from spotty_gateway.engine.rules import Rules
from spotty_gateway.replay.json_report import as_json
from spotty_gateway.replay.log import BadLogError
from spotty_gateway.replay.page import Page
from spotty_gateway.replay.rewindable import STDIN
from spotty_gateway.replay.source import Outcome, Progress, replay
from spotty_gateway.replay.text_report import as_text
from spotty_gateway.rules_of import rules_of

CANNOT_WRITE, BAD_INPUT, INTERRUPTED = 1, 2, 130
_PROGRESS_EVERY_S = 0.2

EPILOG = """\
LOG is CSV, plain or gzip, with the header timestamp,input,state:
  2026-01-05T07:31:02.250+01:00,hallway,on
States are on/off, true/false, 1/0, active/inactive or detected/clear. All inputs are taken for motion sensors of one
room. POLICY.json may leave out every field: {"vacancyDelayS": 600, "quietHours": [{"start": "22:30", "end": "07:00"}]}

  spotty replay week.csv --policy now.json --compare longer.json
  zcat week.csv.gz | spotty replay - --format json
  spotty replay history.db --sensor bathroom

Exit code 0: done, 1: the answer could not be written, 2: the log or a policy cannot be used, 130: stopped by Ctrl-C.
"""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Teach the command line this command."""
    parser = commands.add_parser(
        "replay",
        help="what would have happened: a log of motion under other settings",
        description="Walk a log of motion through the same engine that runs on the Pi, under settings of your choice.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("log", metavar="LOG", help="a CSV log, a gateway's history.db, or - for standard input")
    parser.add_argument("--policy", metavar="POLICY.json", help="the settings (default: every default)")
    parser.add_argument("--compare", metavar="OTHER.json", help="other settings to hold against them")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="for people, or for programs")
    parser.add_argument("--skip-bad-lines", action="store_true", help="leave out lines that cannot be read")
    parser.add_argument("--sensor", metavar="ID", help="which sensor, where a history.db has several")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code. What cannot be used is told in one line on standard error, and nothing is on the other."""
    try:
        return _run(arguments)
    except BadLogError as error:
        return _complain(f"{_name(arguments.log)}: {error}", BAD_INPUT)
    except _BadPolicyError as error:
        return _complain(str(error), BAD_INPUT)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: argparse.Namespace) -> int:
    paths = [arguments.policy] if arguments.compare is None else [arguments.policy, arguments.compare]
    every_rules = [_rules(path) for path in paths]
    with _progress() as progress:
        outcome = replay(
            arguments.log,
            every_rules,
            skip_bad_lines=arguments.skip_bad_lines,
            progress=progress,
            sensor=arguments.sensor,
        )
    for warning in outcome.warnings:
        _complain(f"warning: {_name(arguments.log)}: {warning}", 0)
    if sys.stdout is None:
        return _complain("the answer cannot be written: standard output is closed", CANNOT_WRITE)
    return _write(as_json(outcome.verdicts) if arguments.format == "json" else [_text(outcome, arguments.log, paths)])


class _BadPolicyError(Exception):
    """A policy file cannot be used."""


def _rules(path: str | None) -> Rules:
    if path is None:
        return rules_of(Policy())
    try:
        return rules_of(Policy.from_json(Path(path).read_bytes()))
    except OSError as error:
        raise _BadPolicyError(f"{path}: {error.strerror}; name a JSON file with a policy") from error
    except ValidationError as error:
        raise _BadPolicyError(f"{path}: {'; '.join(faults_of(error, 'policy'))}") from error


def _name(log: str) -> str:
    return "standard input" if log == STDIN else log


def _text(outcome: Outcome, log: str, paths: list[str | None]) -> str:
    names = ["the default policy" if path is None else Path(path).name for path in paths]
    if len(set(names)) < len(names):
        names = [path or name for path, name in zip(paths, names, strict=True)]
    return as_text(outcome.verdicts, names, "standard input" if log == STDIN else Path(log).name, _page())


def _page() -> Page:
    """As the terminal is; where there is none, plain text for a file or a pager."""
    try:
        "·▁█░".encode(sys.stdout.encoding)
        is_ascii = False
    except UnicodeEncodeError:
        is_ascii = True
    if not sys.stdout.isatty():
        return Page(is_ascii=is_ascii)
    has_colours = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return Page(shutil.get_terminal_size().columns, has_colours, is_ascii)


def _write(lines: Iterable[str]) -> int:
    """Write the answer. A reader who has seen enough (`| head`) is no fault; a full disk is one."""
    try:
        for line in lines:
            print(line.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would be tried again, and complained about, when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 0
        return _complain(f"the answer cannot be written: {error.strerror}", CANNOT_WRITE)
    return 0


def _complain(text: str, code: int) -> int:
    if sys.stderr is not None:  # else Python would print it on standard output
        print(f"spotty replay: {text}", file=sys.stderr)
    return code


@contextmanager
def _progress() -> Iterator[Progress]:
    """A line that is rewritten while a long log is read, and wiped out at the end; on a terminal only."""
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    began = shown_at = time.monotonic()
    shown = False

    def show(share: float) -> None:
        nonlocal shown_at, shown
        now = time.monotonic()
        if on_terminal and now - shown_at >= _PROGRESS_EVERY_S:
            shown_at, shown = now, True
            left = f", about {(now - began) * (1 / share - 1):.0f} s left" if share > 0 else ""
            print(f"\r\033[K{share:.0%} read{left}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
