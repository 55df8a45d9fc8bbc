import shutil
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.gateway.store.workbench import PATIENCE_S, edge, house, running_store, saved_in, unheard

from spotty_gateway.store import Store, read_edges
from spotty_gateway.store.database import KEEP_ASIDE, Database, Layout, connect
from spotty_gateway.store.state import STATE

NOTES = Layout("notes.db", 77, "FULL", (("CREATE TABLE note (text TEXT NOT NULL)",),), ("SELECT text FROM note",))
NEXT = ("ALTER TABLE note ADD COLUMN loud INTEGER NOT NULL DEFAULT 0", "CREATE TABLE more (text TEXT)")
NEWER = replace(NOTES, migrations=(*NOTES.migrations, NEXT), needs=("SELECT text, loud FROM note",))


def add(folder: Path, layout: Layout, text: str) -> list[str]:
    """Open the file, add a note, close it; returns what had to be said."""
    said: list[str] = []
    database = Database(folder, layout, connect, said.append)
    database.run(lambda connection: connection.execute("INSERT INTO note (text) VALUES (?)", (text,)).close())
    database.close()
    return said


def notes(path: Path) -> list[str]:
    """What is in the file."""
    with closing(sqlite3.connect(path)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM note")]


def asides(folder: Path) -> list[Path]:
    """The files that were moved aside, without their logs."""
    return sorted(folder.glob("*Z"))


def modes(folder: Path) -> set[int]:
    """Who may do what with the files there."""
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """Folder and file, and the log beside it; a file that others could read is closed to them."""
    folder = tmp_path / "data"
    database = Database(folder, NOTES, connect, print)
    for _ in range(2):
        database.run(lambda connection: connection.execute("INSERT INTO note (text) VALUES ('x')").close())
        assert (stat.S_IMODE(folder.stat().st_mode), modes(folder)) == (0o700, {0o600})
        assert len(list(folder.iterdir())) == 3
        database.close()
        (folder / "notes.db").chmod(0o644)


def test_an_older_file_is_brought_up_to_date(tmp_path: Path) -> None:
    """A newer program goes on with the file of an older one, and keeps what is in it."""
    assert add(tmp_path, NOTES, "before") == []
    assert add(tmp_path, NEWER, "after") == []
    assert notes(tmp_path / "notes.db") == ["before", "after"]


def test_a_migration_is_all_or_nothing(tmp_path: Path) -> None:
    """A migration that fails half-way leaves the file as the older program made it."""
    add(tmp_path, NOTES, "before")
    broken = replace(NEWER, migrations=(NOTES.migrations[0], (*NEXT, "CREATE TABLE note (oops)")))
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        add(tmp_path, broken, "never")
    assert add(tmp_path, NOTES, "after") == []
    assert notes(tmp_path / "notes.db") == ["before", "after"]
    with closing(sqlite3.connect(tmp_path / "notes.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("note",)]


def test_a_downgrade_goes_on_with_the_file(tmp_path: Path) -> None:
    """An older program works on a newer file where that only added things."""
    add(tmp_path, NEWER, "before")
    assert add(tmp_path, NOTES, "after") == []
    assert notes(tmp_path / "notes.db") == ["before", "after"]


def test_a_newer_file_of_no_use_is_kept_aside(tmp_path: Path) -> None:
    """A newer file that lacks what this version needs is moved aside, said plainly, and a new one begun."""
    changed = replace(NEWER, migrations=(*NEWER.migrations, ("ALTER TABLE note RENAME TO remark",)), needs=())
    database = Database(tmp_path, changed, connect, unheard)
    database.run(lambda _: None)
    database.close()
    (line,) = add(tmp_path, NOTES, "after")
    (aside,) = asides(tmp_path)
    assert aside.name.startswith("notes.db.newer-")
    assert line == (
        "notes.db cannot be used (version 3, this program knows 1: no such table: note): "
        f"it was kept as {aside.name} and a new one begun"
    )
    assert notes(tmp_path / "notes.db") == ["after"]


def test_another_programs_file_is_kept_aside(tmp_path: Path) -> None:
    """A database of somebody else under our name is neither written into nor lost, nor what it has in its log."""
    with closing(sqlite3.connect(tmp_path / "notes.db", isolation_level=None)) as theirs:
        theirs.execute("PRAGMA journal_mode = WAL")
        theirs.execute("CREATE TABLE note (text)")
        theirs.execute("INSERT INTO note VALUES ('theirs')")
        (line,) = add(tmp_path, NOTES, "ours")
        (aside,) = asides(tmp_path)
        assert aside.name.startswith("notes.db.foreign-")
        assert "another program's database" in line
        assert (notes(aside), notes(tmp_path / "notes.db")) == (["theirs"], ["ours"])


@pytest.mark.parametrize("garbage", [b"no database at all", b"SQLite format 3\0" + bytes(range(256)) * 64])
def test_a_garbled_file_at_start(tmp_path: Path, garbage: bytes) -> None:
    """A gateway whose state is garbled starts without it, keeps it aside byte for byte, and saves from then on."""
    said: list[str] = []
    (tmp_path / "state.db").write_bytes(garbage)
    store = Store(tmp_path, said.append)
    assert store.load() is None
    store.start()
    store.save(house(1), "boot-a")
    store.close()
    (aside,) = asides(tmp_path)
    assert aside.name.startswith("state.db.corrupt-")
    assert aside.read_bytes() == garbage
    assert len(said) == 1
    assert saved_in(tmp_path) == 1


def test_damage_met_while_writing_loses_no_row(tmp_path: Path) -> None:
    """Where the history turns out damaged under a batch, the batch goes whole into the new file."""
    with running_store(tmp_path) as store:
        for number in range(500):
            store.note_edge(edge(number))
    content = bytearray((tmp_path / "history.db").read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    (tmp_path / "history.db").write_bytes(content)
    said: list[str] = []
    with running_store(tmp_path, said.append) as store:
        store.note_edge(edge(1))
        store.note_edge(edge(2))
        assert store.flush(PATIENCE_S)
    assert list(read_edges(tmp_path / "history.db")) == [edge(1), edge(2)]
    assert len(said) == 1
    assert "malformed" in said[0]


def test_a_log_is_not_taken_for_the_new_files(tmp_path: Path) -> None:
    """Where a killed gateway leaves a damaged file and its sound log, nothing of either gets into the new file."""
    lively, killed = tmp_path / "lively", tmp_path / "killed"
    with running_store(lively) as store:
        store.save(house(1), "boot-a")
        assert store.flush(PATIENCE_S)
        shutil.copytree(lively, killed, ignore=shutil.ignore_patterns("*-shm"))
    content = (killed / "state.db").read_bytes()
    (killed / "state.db").write_bytes(b"x" * len(content))
    store = Store(killed, unheard)
    assert store.load() is None
    assert {path.name for path in killed.iterdir()} - {path.name for path in killed.glob("*Z*")} == {
        "state.db",
        "state.db-wal",
        "state.db-shm",
    }
    store.start()
    store.save(house(2), "boot-a")
    store.close()
    assert saved_in(killed) == 2
    with closing(sqlite3.connect(killed / "state.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_ruins_do_not_pile_up(tmp_path: Path) -> None:
    """Only the last few files moved aside are kept."""
    for number in range(KEEP_ASIDE + 3):
        (tmp_path / "state.db").write_bytes(b"garbage %d" % number)
        store = Store(tmp_path, unheard)
        store.load()
        store.close()
    assert [path.read_bytes() for path in asides(tmp_path)] == [b"garbage %d" % number for number in (3, 4, 5)]


def test_a_file_cut_short_by_a_kill_is_new(tmp_path: Path) -> None:
    """An empty file, as a kill at the very first start leaves it, is no trouble."""
    (tmp_path / STATE.name).touch()
    assert saved_in(tmp_path) is None
