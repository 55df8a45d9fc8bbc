"""One SQLite file: brought to this version's layout, written in whole transactions, moved aside when it is no use."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from spotty_gateway.private import make_private_file, make_private_folder

Connect = Callable[[Path], sqlite3.Connection]
"""Opens a database file for writing."""

T = TypeVar("T")

BUSY_S = 2.0
"""How long another program may hold the file before that is trouble."""

KEEP_ASIDE = 3
"""So many files moved aside are kept: a dying card must not fill itself with its own ruins."""

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY = 0xFF
_COMPANIONS = ("", "-wal", "-shm", "-journal")
_CACHE_KIB = 512


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file holds and how carefully it is written.

    `migrations[n]` leads from version n to n + 1. Each only adds tables, or columns with a default, so that the version
    before can go on with the file after a downgrade; `needs` are the queries that must be answerable for that.
    """

    name: str
    application_id: int
    synchronous: Literal["FULL", "NORMAL"]
    migrations: tuple[tuple[str, ...], ...]
    needs: tuple[str, ...]


class _NoUseError(Exception):
    """The file is sound, but not what this version can work with. `kind` goes into the name it is moved to."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def connect(path: Path) -> sqlite3.Connection:
    """Open `path` for one thread at a time, with transactions begun and ended by hand."""
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def error_code(error: BaseException) -> int:
    """SQLite's primary result code behind `error`; 0 where there is none."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY if isinstance(code, int) else 0


class Database:
    """The writing end of one file, for one thread at a time. `say` is told what a person should know."""

    def __init__(self, folder: Path, layout: Layout, connect: Connect, say: Callable[[str], None]) -> None:
        self.path = folder / layout.name
        self._layout = layout
        self._connect = connect
        self._say = say
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in one transaction: afterwards all of it is in the file, or nothing.

        A file that is damaged, foreign or of an unusable newer version is moved aside, and the work is done in a new
        one. Other errors are sqlite3.Error, OSError or what `work` raised; the next run opens the file anew.
        """
        try:
            return self._run(work)
        except (sqlite3.DatabaseError, _NoUseError) as error:
            if not (isinstance(error, _NoUseError) or error_code(error) in _DAMAGE):
                raise
            self._move_aside(error)
        return self._run(work)

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work`, which writes nothing: it may be possible where `run` is not, on a card that has gone read-only.

        Raises what `run` does, and moves nothing aside.
        """
        return self._run(work, "BEGIN")

    def close(self) -> None:
        """Let go of the file, undoing a transaction that is under way."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _run(self, work: Callable[[sqlite3.Connection], T], begin: str = "BEGIN IMMEDIATE") -> T:
        try:
            connection = self._opened()
            connection.execute(begin)
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            self.close()
            raise
        return result

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and not self._is_still_there():
            self.close()
        if self._connection is None:
            make_private_folder(self.path.parent)
            make_private_file(self.path)  # before SQLite does; its logs get the same mode
            self._connection = self._connect(self.path)
            _prepare(self._connection, self._layout)
            self._inode = self.path.stat().st_ino
        return self._connection

    def _is_still_there(self) -> bool:
        """Whether our file is still the one of that name: SQLite would go on writing to one that was deleted."""
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _move_aside(self, error: Exception) -> None:
        """Keep what is there under another name, its log with it: a stray log would be taken for the new file's."""
        self.close()
        kind = error.kind if isinstance(error, _NoUseError) else "corrupt"
        aside = self.path.with_name(f"{self.path.name}.{kind}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        for companion in _COMPANIONS:
            with suppress(FileNotFoundError):
                Path(f"{self.path}{companion}").replace(f"{aside}{companion}")
        kept = sorted(self.path.parent.glob(f"{self.path.name}.{kind}-*Z"), key=lambda path: path.name)
        for old in kept[:-KEEP_ASIDE]:
            for companion in _COMPANIONS:
                Path(f"{old}{companion}").unlink(missing_ok=True)
        self._say(f"{self.path.name} cannot be used ({error}): it was kept as {aside.name} and a new one begun")


def _prepare(connection: sqlite3.Connection, layout: Layout) -> None:
    """Make a new file ours, an old one new, and set how carefully it is written."""
    connection.text_factory = _as_legible
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    version = _version_of(connection, layout)
    # Made with a rollback journal: header and first tables are in the file itself, or the file is still empty.
    for number, statements in enumerate(layout.migrations[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {layout.application_id}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    newer = version > len(layout.migrations)
    for query in layout.needs:
        try:
            connection.execute(query).close()
        except sqlite3.OperationalError as error:
            if error_code(error) != sqlite3.SQLITE_ERROR:
                raise
            kind = "newer" if newer else "corrupt"
            raise _NoUseError(
                kind, f"version {version}, this program knows {len(layout.migrations)}: {error}"
            ) from error
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {layout.synchronous}")


def _as_legible(text: bytes) -> str:
    """What a failing disk has done to one word is no reason to read nothing at all, and so to write nothing."""
    return text.decode(errors="replace")


def _version_of(connection: sqlite3.Connection, layout: Layout) -> int:
    """The layout's version that the file has; 0 for a new one."""
    application_id = _number(connection, "PRAGMA application_id")
    if application_id == 0 and _number(connection, "SELECT count(*) FROM sqlite_master") == 0:
        return 0
    if application_id != layout.application_id:
        raise _NoUseError("foreign", "another program's database")
    return _number(connection, "PRAGMA user_version")


def _number(connection: sqlite3.Connection, query: str) -> int:
    with closing(connection.execute(query)) as rows:
        return int(rows.fetchone()[0])
