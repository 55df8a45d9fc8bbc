"""Logs of the CASAS smart homes (Washington State University) as logs that `spotty replay` reads."""

import csv
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TextIO
from zoneinfo import ZoneInfo

FIELDS = 4
"""date, time, sensor, ON or OFF; what follows is an annotation."""

STATES = {"ON": "on", "OFF": "off"}


MOST_NAMES = 12
"""So many sensors are named to whoever has asked for one that is not there."""


class NotCasasError(Exception):
    """A line is not of that form; the message says which."""


def read_casas(
    lines: Iterable[str], zone: ZoneInfo, sensors: list[str], seen: set[str] | None = None
) -> Iterator[tuple[str, str, str]]:
    """Rows of timestamp (with offset), sensor and on/off, for the sensors that match one of the patterns.

    Fields are separated by tabs or spaces: both are in use. States other than ON and OFF (temperatures, batteries) are
    left out. The names of all sensors that are ever ON or OFF, chosen or not, are put into `seen`. Raises
    NotCasasError.
    """
    seen = set() if seen is None else seen
    latest = datetime.min.replace(tzinfo=UTC)
    for number, line in enumerate(lines, start=1):
        fields = line.split(maxsplit=FIELDS)
        if not fields:
            continue
        if len(fields) < FIELDS:
            raise NotCasasError(f"line {number}: not 'date time<TAB>sensor<TAB>ON|OFF': {line.strip()[:60]!r}")
        day, time, sensor, state = fields[:FIELDS]
        if state not in STATES:
            continue
        seen.add(sensor)
        if not any(fnmatchcase(sensor, pattern) for pattern in sensors):
            continue
        try:
            local = datetime.fromisoformat(f"{day} {time}")
        except ValueError as error:
            raise NotCasasError(f"line {number}: {f'{day} {time}'!r} is no date and time") from error
        instant = _placed(local, zone, latest)
        latest = max(latest, instant.astimezone(UTC))
        yield instant.isoformat(), sensor, STATES[state]


def check_patterns(sensors: list[str], seen: Collection[str]) -> None:
    """Raises NotCasasError if one of the patterns matches none of the sensors in the log: it says which there are."""
    if not seen:
        raise NotCasasError("no sensor in it is ever ON or OFF")
    for pattern in sensors:
        if not any(fnmatchcase(name, pattern) for name in seen):
            names = ", ".join(sorted(seen)[:MOST_NAMES])
            more = f" and {len(seen) - MOST_NAMES} more" if len(seen) > MOST_NAMES else ""
            raise NotCasasError(f"no sensor matches {pattern!r}; there are {names}{more}")


def _placed(local: datetime, zone: ZoneInfo, latest: datetime) -> datetime:
    """The local time with its offset, which the log lacks.

    In the hour that the clocks show twice it is the first time round, until that would mean going back in time.
    """
    first = local.replace(tzinfo=zone)
    again = first.replace(fold=1)
    return again if first.astimezone(UTC) < latest <= again.astimezone(UTC) else first


def write_log(rows: Iterable[tuple[str, str, str]], to: TextIO) -> int:
    """Write rows as a log of ours; the number of rows."""
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(("timestamp", "input", "state"))
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count
