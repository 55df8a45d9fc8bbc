"""One line of a log, looked at closely: quotes, spaces, any case, and what is wrong with it, by column."""

import re
from datetime import UTC, datetime

from spotty_gateway.engine.quiet_hours import EPOCH, MICROSECOND
from spotty_gateway.engine.rules import SECOND

HEADER = ("timestamp", "input", "state")
STATES = {
    **dict.fromkeys(("on", "true", "1", "active", "detected"), True),
    **dict.fromkeys(("off", "false", "0", "inactive", "clear"), False),
}
LONGEST_LINE = 65_536
"""Characters. What is longer is no line of a log, and is not kept in memory to find out what it is."""

EARLIEST, LATEST = 0, (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
"""From 1970 until before 2200 any time zone can be asked what its clocks show."""

_FIELD = re.compile(r"""\s*+(?: "((?:[^"]|"")*+)"\s*+ | ([^",][^,]*+|) )(?:,|\Z)""", re.VERBOSE)
_LEAP_SECOND = re.compile(r"(.*[T ][0-9]{2}:?[0-9]{2}:?)60(.*)")
_LONGEST_QUOTE = 60
_DAY_S = 86_400


class BadLineError(Exception):
    """Says which column of the line is wrong, and why."""


def read(line: str) -> tuple[int, str, bool] | None:
    """Instant, input and level; None for a blank line. Raises BadLineError."""
    if not line.strip():
        return None
    fields = split(line)
    if len(fields) != len(HEADER):
        column = min(len(fields), len(HEADER)) + 1
        raise BadLineError(f"column {column}: {len(fields)} fields instead of {len(HEADER)} ({','.join(HEADER)})")
    timestamp, name, state = fields
    at = _read_instant(timestamp)
    if not name:
        raise BadLineError("column 2 (input): the input has no name")
    if not name.isprintable():
        raise BadLineError(f"column 2 (input): {quoted(name)} is not plain UTF-8 text")
    active = STATES.get(state.lower())
    if active is None:
        raise BadLineError(f"column 3 (state): {quoted(state)} is none of {', '.join(STATES)}")
    return at, name, active


def split(line: str) -> list[str]:
    """The fields without quotes and without the spaces around them. Raises BadLineError."""
    if len(line) > LONGEST_LINE:
        raise BadLineError(f"column 1: the line is longer than {LONGEST_LINE} characters, {quoted(line)}")
    fields: list[str] = []
    end = 0
    while True:
        field = _FIELD.match(line, end)
        if field is None:
            raise BadLineError(f"column {len(fields) + 1}: a quote is open or out of place in {quoted(line[end:])}")
        inside = field[1]
        fields.append((field[2] if inside is None else inside.replace('""', '"')).strip())
        end = field.end()
        if not field[0].endswith(","):
            return fields


def quoted(text: str) -> str:
    """The text as it can be shown in a message, in one short line."""
    return repr(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}...")


def _read_instant(timestamp: str) -> int:
    try:
        instant, late_us = datetime.fromisoformat(timestamp.upper()), 0
    except ValueError:
        leap = _LEAP_SECOND.fullmatch(timestamp.upper())
        try:
            instant, late_us = datetime.fromisoformat(f"{leap[1]}59{leap[2]}" if leap else ""), SECOND
        except ValueError:
            wanted = "is no ISO 8601 time such as 2026-01-05T07:31:02.250+01:00"
            raise BadLineError(f"column 1 (timestamp): {quoted(timestamp)} {wanted}") from None
    if instant.tzinfo is None:
        raise BadLineError(f"column 1 (timestamp): {quoted(timestamp)} has no offset; end it with Z or +01:00")
    at = (instant - EPOCH) // MICROSECOND + late_us
    if not EARLIEST <= at < LATEST:
        raise BadLineError(f"column 1 (timestamp): {quoted(timestamp)} is not between 1970 and 2200")
    if late_us and at // SECOND % _DAY_S:
        raise BadLineError(f"column 1 (timestamp): {quoted(timestamp)}: no leap second is at that time of day")
    return at
