"""`spotty-sandbox year`: live years by seed, and tell what was promised and did not hold."""

import argparse
import json
import logging
import sys
import tempfile
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TextIO

from .life import BEGINS_AT, Life, Outcome
from .trouble import DAY

BAD_INPUT = 2
DEFAULT_VISITS = 6.0

_EPILOG = """\
  spotty-sandbox year --seed 7                    # a year, by chance and yet the same each time
  spotty-sandbox year --seed 7 --seeds 20         # twenty years, of the seeds 7 to 26
  spotty-sandbox year --seed 7 --days 12 --verbose --from 2026-01-11T18:00

Exit code 0: every promise held; 1: one did not, and the line that replays it is printed; 2: bad input."""


def run(argv: list[str]) -> int:
    """Live as many years as asked for, each to its end or to the first broken promise."""
    options = _parser().parse_args(argv)
    logging.disable(logging.ERROR)  # the outside world's failures are what this is about; they stand in the story
    if options.days < 1 or options.seeds < 1 or options.visits <= 0:
        _tell("spotty-sandbox year: --days, --seeds and --visits have to be more than 0", sys.stderr)
        return BAD_INPUT
    try:
        tells_from = datetime.fromisoformat(options.tells_from).isoformat(" ") if options.tells_from else ""
    except ValueError:
        _tell(f"spotty-sandbox year: --from: {options.tells_from!r} is no time YYYY-MM-DDTHH:MM", sys.stderr)
        return BAD_INPUT
    outcomes = [_live(seed, options, tells_from) for seed in range(options.seed, options.seed + options.seeds)]
    if options.json:
        _tell(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
    return 1 if any(outcome.broken for outcome in outcomes) else 0


def _live(seed: int, options: argparse.Namespace, tells_from: str) -> Outcome:
    def tell(line: str) -> None:
        if line >= tells_from:  # lines begin with their date
            _tell(line)

    def each_month(days: int) -> None:
        if sys.stderr.isatty():
            _tell(f"seed {seed}: {days} of {options.days} days", sys.stderr)

    is_told = options.verbose and not options.json
    with tempfile.TemporaryDirectory(prefix="spotty-year-", dir=in_memory()) as folder:
        life = Life(seed, options.days, Path(folder), visits_a_day=options.visits, tell=tell if is_told else None)
        outcome = life.live(each_month)
    if not options.json:
        _tell(told(outcome, options.visits))
    return outcome


def _tell(text: str, to: TextIO | None = None) -> None:
    (to or sys.stdout).write(text + "\n")


def in_memory() -> str | None:
    """Where files cost the least: a year renews some thousand tokens, each durably."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    return str(memory) if memory.is_dir() else None


def told(outcome: Outcome, visits_a_day: float = 6.0) -> str:
    """A life in a few lines; where a promise was broken, with what had happened before and how to see it again."""
    counts = outcome.counts
    lines = [
        f"seed {outcome.seed}: {outcome.days:.1f} days in {outcome.took_s:.1f} s",
        _counted("  people     ", counts, "visits", "meddlings", "consents withdrawn"),
        _counted("  gateway    ", counts, "sessions", "music started", "deaths", "steps"),
        _counted("  Spotify    ", counts, "calls", "tokens renewed", "faults"),
        _group("  sessions   ", counts, "session: "),
        _group("  silent for ", counts, "silent: "),
        _group("  calm visits", counts, "calm: "),
    ]
    broken = outcome.broken
    if broken is not None:
        days = (broken.at - BEGINS_AT) // DAY + 1
        replay = f"spotty-sandbox year --seed {outcome.seed} --days {days}"
        replay += f" --visits {visits_a_day:g}" if visits_a_day != DEFAULT_VISITS else ""
        lines += ["", f"BROKEN: {broken.promise}", f"  {broken.what}", f"  on day {days}; before it:", ""]
        lines += [*broken.happenings, "", f"Again: {replay} --verbose"]
    return "\n".join(line for line in lines if line is not None)


def _counted(title: str, counts: dict[str, int], *names: str) -> str | None:
    return f"{title}  " + ", ".join(f"{counts.get(name, 0)} {name}" for name in names)


def _group(title: str, counts: dict[str, int], prefix: str) -> str | None:
    found = sorted(((number, name.removeprefix(prefix)) for name, number in counts.items() if name.startswith(prefix)))
    return f"{title}  " + ", ".join(f"{number} {name}" for number, name in reversed(found)) if found else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "spotty-sandbox year",
        description="A household's year with the gateway's own code in it, in simulated time: visits, meddling, faults "
        "at each call, restarts; and at every step a look whether what is promised holds.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="of all that happens by chance (default 1)")
    parser.add_argument("--seeds", type=int, default=1, help="so many years, from that seed on (default 1)")
    parser.add_argument("--days", type=int, default=365, help="how long (default 365)")
    parser.add_argument("--visits", type=float, default=DEFAULT_VISITS, help="a day, on average (default 6)")
    parser.add_argument("--verbose", action="store_true", help="tell everything that happens")
    parser.add_argument(
        "--from", dest="tells_from", metavar="TIME", help="with --verbose: only from this local time on"
    )
    parser.add_argument("--json", action="store_true", help="print the outcomes as JSON")
    return parser
