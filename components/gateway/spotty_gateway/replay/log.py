"""Reading a log of inputs, one line at a time: CSV with the header `timestamp,input,state`, plain or gzip."""

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, TextIO, cast

from spotty_gateway.engine.quiet_hours import EPOCH
from spotty_gateway.engine.rules import SECOND, InputKind
from spotty_gateway.engine.values import record
from spotty_gateway.replay.line import EARLIEST, HEADER, LATEST, LONGEST_LINE, STATES, BadLineError, quoted, read, split

GZIP_MAGIC = b"\x1f\x8b"

_DAY_S = 86_400
_BLOCK = 65_536


class BadLogError(Exception):
    """The log cannot be read; the message says where and what to do."""


@record(frozen=True, slots=True)
class Edge:
    """One line of a log: an input's level at a UTC instant in microseconds. `initial`: found at start-up."""

    at: int
    input_id: str
    active: bool
    kind: InputKind = InputKind.PIR
    initial: bool = False


@dataclass(slots=True)
class Tally:
    """What the reading came across: a generator has no other way to tell."""

    skipped: int = 0
    first_skipped: str = ""


def open_text(raw: BinaryIO) -> io.TextIOWrapper:
    """The log as text, unpacked if it is gzip. Bytes that are not UTF-8 survive and fail where they matter."""
    start = raw.read(len(GZIP_MAGIC))
    raw.seek(0)
    unpacked = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if start == GZIP_MAGIC else raw
    return io.TextIOWrapper(unpacked, encoding="utf-8-sig", errors="surrogateescape")


def read_csv(text: TextIO, tally: Tally, *, skip_bad_lines: bool) -> Iterator[Edge]:
    """The edges of a CSV log in the order of its lines.

    Raises BadLogError at the first line that cannot be read, unless such lines are to be skipped; they are then
    counted in `tally`. A log has millions of lines, and nearly all of them are like the one before: such a line is
    read inline, with its name and state as they were spelled before. Everything else is looked at closely.
    """
    names: dict[str, str] = {}
    states = dict(STATES)
    parse = datetime.fromisoformat
    number = 0
    header_seen = False
    for lines in _blocks(text):
        for line in lines:
            number += 1
            if not header_seen:
                header_seen = _is_header(line, number)
                continue
            try:
                timestamp, name, state = line.split(",")
                since_epoch = parse(timestamp) - EPOCH
                at = (since_epoch.days * _DAY_S + since_epoch.seconds) * SECOND + since_epoch.microseconds
                edge = Edge(at, names[name], states[state])
                if EARLIEST <= at < LATEST:
                    yield edge
                    continue
            except (ValueError, KeyError, TypeError, OverflowError):
                pass
            try:
                fields = read(line)
            except BadLineError as error:
                _note(f"line {number}, {error}", tally, skip=skip_bad_lines)
                continue
            if fields is not None:
                edge = Edge(*fields)
                _, *spelled = line.split(",")
                if len(spelled) == len(HEADER) - 1:  # else a quoted field holds a comma
                    names[spelled[0]], states[spelled[1]] = edge.input_id, edge.active
                yield edge
    if not header_seen:
        raise BadLogError(f"line 1, column 1: the log is empty; its first line should be {','.join(HEADER)}")


def _blocks(text: TextIO) -> Iterator[list[str]]:
    """The lines, some thousand at a time. What is left of a line far too long to be one is still too long."""
    rest = ""
    number = 0
    try:
        while block := text.read(_BLOCK):
            lines = (rest + block).split("\n")
            rest = lines.pop()[: LONGEST_LINE + 1]
            number += len(lines)
            yield lines
    except (EOFError, OSError, zlib.error) as error:
        cure = "if it is gzip, `gzip -dc LOG | spotty replay - --skip-bad-lines` takes what is left of it"
        raise BadLogError(f"the log is damaged after line {number}: {error}; {cure}") from error
    if rest:
        yield [rest]


def _is_header(line: str, number: int) -> bool:
    """Whether this is the header; False for a blank line before it. Raises BadLogError for anything else."""
    if not line.strip():
        return False
    try:
        names = [name.lower() for name in split(line)]
    except BadLineError:
        names = [line]
    wrong = [column for column, (is_, should) in enumerate(zip(names, HEADER, strict=False)) if is_ != should]
    if wrong or len(names) != len(HEADER):
        column = wrong[0] + 1 if wrong else min(len(names), len(HEADER)) + 1
        raise BadLogError(
            f"line {number}, column {column}: the header should be {','.join(HEADER)}, not {quoted(line.strip())}"
        )
    return True


def _note(fault: str, tally: Tally, *, skip: bool) -> None:
    if not skip:
        raise BadLogError(f"{fault}; correct it or leave such lines out with --skip-bad-lines")
    tally.skipped += 1
    tally.first_skipped = tally.first_skipped or fault
