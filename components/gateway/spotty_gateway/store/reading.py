"""Reading history.db, from any thread and any process, while the gateway writes it or from a copy.

A reader sees whole batches only and is up to ten seconds behind.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from spotty_gateway.engine.rules import InputKind
from spotty_gateway.ports import DecisionRow, EdgeRow
from spotty_gateway.store.database import BUSY_S, error_code
from spotty_gateway.store.history import HISTORY

_MAGIC = b"SQLite format 3\0"
_ID_AT = slice(68, 72)
"""Where a database file holds its application id, big-endian."""

_NOT_OURS_TO_WRITE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
_KINDS = {kind.value: kind for kind in InputKind}


class HistoryError(Exception):
    """The file cannot be read as a history. One clear line."""


def is_history(path: Path) -> bool:
    """Whether `path` is a history file of ours, judged by its first bytes. Never raises."""
    try:
        return _is_ours(path)
    except OSError:
        return False


def read_edges(path: Path, sensor_id: str | None = None) -> Iterator[EdgeRow]:
    """The input edges of one sensor (or of all) in the order they were noted, streamed.

    Raises HistoryError, at the call or on the way.
    """
    _check(path)
    return _edges(path, sensor_id)


def sensors_of(path: Path) -> list[str]:
    """The ids of the sensors that have edges in the file, sorted. Raises HistoryError."""
    _check(path)
    rows = _rows(path, "SELECT DISTINCT sensor_id FROM edge ORDER BY sensor_id", {})
    return [sensor_id for (sensor_id,) in rows]


def last_decisions(path: Path, sensor_id: str | None = None, limit: int = 20) -> list[DecisionRow]:
    """The newest decisions for one sensor (or for all), newest first. Raises HistoryError."""
    _check(path)
    query = """
    SELECT at_wall_us, trusted, sensor_id, session_id, action, reason, detail FROM decision
    WHERE :sensor IS NULL OR sensor_id = :sensor ORDER BY id DESC LIMIT :limit
    """
    rows = _rows(path, query, {"sensor": sensor_id, "limit": limit})
    return [DecisionRow(at, trusted == 1, *words) for at, trusted, *words in rows]


def _edges(path: Path, sensor_id: str | None) -> Iterator[EdgeRow]:
    query = """
    SELECT mono_us, wall_us, trusted, run, sensor_id, input_id, kind, active, initial FROM edge
    WHERE :sensor IS NULL OR sensor_id = :sensor ORDER BY id
    """
    for mono_us, wall_us, trusted, run, sensor, input_id, word, active, initial in _rows(
        path, query, {"sensor": sensor_id}
    ):
        kind = _KINDS.get(word)
        if kind is None:
            raise HistoryError(f"{path}: written by a newer version: it knows an input of kind {word!r}")
        yield EdgeRow(mono_us, wall_us, trusted == 1, run, sensor, input_id, kind, active == 1, initial == 1)


def _check(path: Path) -> None:
    try:
        ours = _is_ours(path)
    except OSError as error:
        raise HistoryError(f"{path}: cannot be read: {error.strerror}") from error
    if not ours:
        raise HistoryError(f"{path}: not a history file of a SpottyPottySense gateway")


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_ID_AT.stop)
    return head.startswith(_MAGIC) and int.from_bytes(head[_ID_AT]) == HISTORY.application_id


def _rows(path: Path, query: str, parameters: Mapping[str, object]) -> Iterator[tuple[Any, ...]]:
    try:
        with closing(connect_for_reading(path)) as connection:
            yield from connection.execute(query, parameters)
    except sqlite3.Error as error:
        raise HistoryError(f"{path}: cannot be read as a history: {error}") from error


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """Open for reading. Where the folder may not be written, SQLite cannot share the file; it is then read as it is.

    That is right only for a file that nobody writes: a copy, or one whose gateway is stopped, which leaves no log.
    """
    uri = f"{path.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").close()
    except sqlite3.Error as error:
        connection.close()
        if error_code(error) not in _NOT_OURS_TO_WRITE or has_log(path):
            raise
        return sqlite3.connect(f"{uri}&immutable=1", uri=True, check_same_thread=False)
    return connection


def has_log(path: Path) -> bool:
    """Whether part of the database stands in a log beside the file; an earlier reader may leave an empty one."""
    log = Path(f"{path}-wal")
    return log.exists() and log.stat().st_size > 0
