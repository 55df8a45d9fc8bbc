"""Where a log comes from (a file, standard input, the gateway's own ring), and in what order it is walked through."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from spotty_gateway.engine.rules import Rules
from spotty_gateway.ports import EdgeRow
from spotty_gateway.replay.judge import Judge, Verdict
from spotty_gateway.replay.log import BadLogError, Edge, Tally, open_text, read_csv
from spotty_gateway.replay.rewindable import STDIN, rewindable

PROGRESS_EVERY_LINES = 50_000

Progress = Callable[[float], None]
"""Told now and then how much of the log has been read, 0 to 1."""

_DATABASE = b"SQLite format 3\0"
_Read = Callable[[Tally], Generator[Edge]]
"""Reads a log from its beginning, each time it is called. To be closed while the log is still open."""


class _OutOfOrderError(Exception):
    """A line is earlier than the one before it: the log has to be sorted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdicts, in the order of the rules, and what a person should be warned of."""

    verdicts: list[Verdict]
    warnings: list[str]


def replay(
    source: str,
    every_rules: list[Rules],
    *,
    skip_bad_lines: bool,
    progress: Progress,
    sensor: str | None = None,
    since: int = 0,
) -> Outcome:
    """Walk the log at `source` (a path, or "-" for standard input) through each of the rules.

    `sensor` chooses one of a gateway's ring, and may be left out where there is only one. What was before the UTC
    instant `since`, in microseconds, is left out. Raises BadLogError if the log cannot be read. A log in order is never
    held in memory; one that is not is read a second time and sorted stably.
    """
    with _opened(source, sensor, progress, skip_bad_lines=skip_bad_lines) as read:
        tally = Tally()
        try:
            with closing(read(tally)) as edges:
                verdicts = _judge(_in_order(_from(since, edges)), every_rules)
        except _OutOfOrderError:
            tally = Tally()
            with closing(read(tally)) as edges:
                unsorted = list(_from(since, edges))
            verdicts = _judge(sorted(unsorted, key=lambda edge: edge.at), every_rules)
            return Outcome(verdicts, [_disorder(unsorted), *_skipped(tally)])
    return Outcome(verdicts, _skipped(tally))


def _judge(edges: Iterable[Edge], every_rules: list[Rules]) -> list[Verdict]:
    judges = [Judge(rules) for rules in every_rules]
    if len(judges) == 1:
        see = judges[0].see
        for edge in edges:
            see(edge)
    else:
        for edge in edges:
            for judge in judges:
                judge.see(edge)
    return [judge.finish() for judge in judges]


def _from(since: int, edges: Iterable[Edge]) -> Iterable[Edge]:
    return (edge for edge in edges if edge.at >= since) if since else edges


def _in_order(edges: Iterable[Edge]) -> Iterator[Edge]:
    latest = 0
    for edge in edges:
        if edge.at < latest:
            raise _OutOfOrderError
        latest = edge.at
        yield edge


@contextmanager
def _opened(source: str, sensor: str | None, progress: Progress, *, skip_bad_lines: bool) -> Iterator[_Read]:
    ring = None if source == STDIN else _ring(Path(source), sensor)
    if ring is not None:
        yield ring
        return
    if sensor is not None:
        raise BadLogError("--sensor chooses from a gateway's history.db; all inputs of a CSV log are one room's")
    with rewindable(source) as raw:
        yield lambda tally: _csv_edges(raw, tally, progress, skip_bad_lines=skip_bad_lines)


def _csv_edges(raw: BinaryIO, tally: Tally, progress: Progress, *, skip_bad_lines: bool) -> Generator[Edge]:
    size = max(raw.seek(0, 2), 1)
    raw.seek(0)
    text = open_text(raw)
    try:
        for number, edge in enumerate(read_csv(text, tally, skip_bad_lines=skip_bad_lines)):
            if number % PROGRESS_EVERY_LINES == 0:
                progress(raw.tell() / size)
            yield edge
    finally:
        text.detach()  # letting go of the text would close the file, which may be read again


def _ring(path: Path, sensor: str | None) -> _Read | None:
    """The edges of one sensor of a gateway's history; None where `path` is no database."""
    if not _is_database(path):
        return None
    from spotty_gateway import store  # noqa: PLC0415 - a CSV log, the common case, needs no database

    if not store.is_history(path):
        raise BadLogError("it is a database, but not a gateway's history.db")
    try:
        sensors = store.sensors_of(path)
    except store.HistoryError as error:
        raise _bad_ring(error, path) from error
    if sensor is not None and sensor not in sensors:
        raise BadLogError(f"it has no sensor {sensor!r}; it has {', '.join(sensors) or 'none'}")
    if sensor is None and len(sensors) > 1:
        raise BadLogError(f"it has {len(sensors)} sensors, {', '.join(sensors)}; choose one with --sensor")

    def read(_tally: Tally) -> Generator[Edge]:
        try:
            yield from _ring_edges(lambda: store.read_edges(path, sensor))
        except store.HistoryError as error:
            raise _bad_ring(error, path) from error

    return read


def _ring_edges(rows: Callable[[], Iterable[EdgeRow]]) -> Iterator[Edge]:
    """The edges in the order noted. Those of a clock not yet trusted are put where, once trusted, it shows they belong.

    A Raspberry Pi has no clock of its own: after a power cut it believes for a while that no time has passed.
    """
    offsets: dict[str, int] = {}
    for row in rows():
        if row.trusted:
            offsets.setdefault(row.run, row.wall_us - row.mono_us)
    for row in rows():
        is_known = row.trusted or row.run not in offsets
        at = row.wall_us if is_known else row.mono_us + offsets[row.run]
        yield Edge(at, row.input_id, row.active, row.kind, row.initial)


def _bad_ring(error: Exception, path: Path) -> BadLogError:
    return BadLogError(str(error).removeprefix(f"{path}: "))


def _is_database(path: Path) -> bool:
    if not path.is_file():
        return False  # what flows by is read once, not here
    try:
        with path.open("rb") as file:
            return file.read(len(_DATABASE)) == _DATABASE
    except OSError:
        return False


def _disorder(edges: list[Edge]) -> str:
    latest, late = 0, 0
    for edge in edges:
        late += edge.at < latest
        latest = max(latest, edge.at)
    return f"{late} {'line was' if late == 1 else 'lines were'} out of order; the log has been sorted by time"


def _skipped(tally: Tally) -> list[str]:
    if not tally.skipped:
        return []
    lines = "line was" if tally.skipped == 1 else "lines were"
    return [f"{tally.skipped} bad {lines} left out; the first: {tally.first_skipped}"]
