"""`make bench`: figures beside floors measured in the same run. Medians of several runs; no figure is a test."""

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Callable

from tests.bench import (
    cloud_api,
    cloud_counts,
    cloud_ingest,
    cloud_start,
    engine,
    latency,
    music,
    nucleus,
    outbox,
    process,
)
from tests.bench.figures import Figure, table

PARTS: dict[str, tuple[Callable[[], list[Figure]], bool]] = {
    "engine": (engine.steps, True),
    "replay": (engine.lines, True),
    "start": (process.start, True),
    "latency": (latency.measure, True),
    "music": (music.start, True),
    "day": (music.day, False),
    "append": (outbox.append, True),
    "full outbox": (outbox.full, False),
    "drain": (outbox.drain, True),
    "idle": (process.idle, False),
    "ipc": (nucleus.requests, True),
    "component": (nucleus.component, False),
    "cold start": (cloud_start.start, True),
    "counts": (cloud_counts.counts, False),
    "ingest": (cloud_ingest.ingest, False),
    "routes": (cloud_api.routes, False),
}
"""What can be measured, and whether it is worth measuring more than once."""


def main() -> int:
    """Measure, print a table. 0: every goal reached, 1: at least one missed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--runs", type=int, default=5, help="of which the median is taken (default 5)")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, median of {options.runs} runs\n")
    figures: list[Figure] = []
    for name in options.parts or PARTS:
        measure, often = PARTS[name]
        runs = []
        for number in range(options.runs if often else 1):
            print(f"\r{name} {number + 1} ... ", end="", file=sys.stderr, flush=True)
            runs.append(measure())
        figures += [_median(list(same)) for same in zip(*runs, strict=True)]
    print("\r", end="", file=sys.stderr)
    print(table(figures))
    return 0 if all(one.is_good for one in figures) else 1


def _median(same: list[Figure]) -> Figure:
    """The run whose ratio is in the middle."""
    middle = statistics.median_low(one.ratio for one in same)
    return next(one for one in same if one.ratio == middle)


if __name__ == "__main__":
    sys.exit(main())
