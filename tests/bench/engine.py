"""Steps a second through the engine's one door, and lines a second through `spotty replay`."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Figure

from spotty_gateway.engine.events import Report, RoomConfigured
from spotty_gateway.engine.quiet_hours import EPOCH, MICROSECOND
from spotty_gateway.engine.rules import SECOND, InputKind, Rules
from spotty_gateway.engine.state import Input, Presence, new_house
from spotty_gateway.engine.step import step

STEPS = 200_000
LINES = 500_000
GAP_US = 3 * SECOND
START_AT = 1_770_000_000 * SECOND


def steps() -> list[Figure]:
    """A step is one prebuilt report under the default policy; the floor makes the least of what a step must make.

    That is: two records and a copied dict. An immutable step cannot do less.
    """
    reports = [
        Report(START_AT + n * GAP_US, START_AT + n * GAP_US, True, "room", "pir", n % 2 == 0) for n in range(STEPS)
    ]
    house, _ = step(
        new_house("bench", 0, START_AT, True),
        RoomConfigured(0, START_AT, True, "room", Rules(warm_up_us=0), (("pir", InputKind.PIR),)),
    )

    def through_the_engine() -> None:
        now = house
        for report in reports:
            now, _ = step(now, report)

    def floor() -> None:
        presence = Presence({"pir": Input(InputKind.PIR)})
        for report in reports:
            inputs = presence.inputs.copy()
            inputs["pir"] = Input(InputKind.PIR, report.active, report.mono, report.mono)
            presence = Presence(inputs, 1, report.mono, report.mono)

    us = _seconds(through_the_engine) / STEPS * 1e6
    floor_us = _seconds(floor) / STEPS * 1e6
    return [Figure(f"engine step ({1e6 / us:,.0f} a second)", us, floor_us, "us", _limit(400_000, floor_us))]


def _limit(least_per_second: int, floor_us: float) -> float:
    """A goal in so many a second, as a ratio to this run's floor."""
    return 1e6 / least_per_second / floor_us


def lines() -> list[Figure]:
    """A whole `spotty replay` of a CSV log in a process of its own; the floor is Python reading the same lines."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.csv"
        _write_log(log, LINES)
        short = Path(folder) / "short.csv"
        _write_log(short, LINES // 10)
        seconds, peak_kb = _replayed(log)
        short_seconds, short_peak_kb = _replayed(short)
        floor_s = _seconds(lambda: _read(log))
    per_second = (LINES - LINES // 10) / (seconds - short_seconds)
    us = 1e6 / per_second
    floor_us = floor_s / LINES * 1e6
    return [
        Figure(f"replay line ({per_second:,.0f} a second)", us, floor_us, "us", _limit(150_000, floor_us)),
        Figure("replay peak memory, 500,000 lines against 50,000", peak_kb / 1024, short_peak_kb / 1024, "MB", 1.1),
    ]


def _write_log(path: Path, count: int) -> None:
    """Somebody passes every quarter of an hour: pulses of two sensors, three seconds on, twenty off."""
    with path.open("w") as log:
        log.write("timestamp,input,state\n")
        at = START_AT
        for n in range(count):
            at += (3 if n % 2 else 20 if n % 40 else 900) * SECOND
            stamp = (EPOCH + at * MICROSECOND).isoformat()
            log.write(f"{stamp},pir{n // 2 % 2},{'off' if n % 2 else 'on'}\n")


def _read(path: Path) -> None:
    with path.open() as log:
        for line in log:
            line.split(",")


def _replayed(log: Path) -> tuple[float, int]:
    """Seconds and peak memory (kB) of the whole process; ru_maxrss would count what forked it."""
    code = (
        "import sys; from spotty_gateway.__main__ import main; main(sys.argv[1:]);"
        "print(*(line for line in open('/proc/self/status') if line.startswith('VmHWM')), file=sys.stderr)"
    )
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, "replay", str(log), "--format", "json"], capture_output=True, check=True
    )
    return time.perf_counter() - began, int(done.stderr.split()[-2])


def _seconds(do: Callable[[], None]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began
