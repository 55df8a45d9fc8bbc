"""Logs of the CASAS smart homes (Washington State University) as logs that `spotty replay` reads."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TextIO
from zoneinfo import ZoneInfo

FIELDS = 3
"""date and time, sensor, ON or OFF; what follows is an annotation."""


class NotCasasError(Exception):
    """A line is not of that form; the message says which."""


def read_casas(lines: Iterable[str], zone: ZoneInfo, sensors: list[str]) -> Iterator[tuple[str, str, str]]:
    """Rows of timestamp (with offset), sensor and on/off, for the sensors that match one of the patterns.

    The log has local times without offset: in the hour that occurs twice the first is taken. States other than ON and
    OFF (temperatures, batteries) are left out. Raises NotCasasError.
    """
    for number, line in enumerate(lines, start=1):
        fields = line.rstrip("\r\n").split("\t")
        if not line.strip():
            continue
        if len(fields) < FIELDS:
            raise NotCasasError(f"line {number}: not 'date time<TAB>sensor<TAB>ON|OFF': {line.strip()[:60]!r}")
        stamp, sensor, state = fields[:FIELDS]
        if state not in ("ON", "OFF") or not any(fnmatchcase(sensor, pattern) for pattern in sensors):
            continue
        try:
            local = datetime.fromisoformat(stamp)
        except ValueError as error:
            raise NotCasasError(f"line {number}: {stamp!r} is no date and time") from error
        yield local.replace(tzinfo=zone).isoformat(), sensor, state.lower()


def write_log(rows: Iterable[tuple[str, str, str]], to: TextIO) -> int:
    """Write rows as a log of ours; the number of rows."""
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(("timestamp", "input", "state"))
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count
