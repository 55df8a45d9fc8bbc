import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from tests.gateway.store.workbench import PATIENCE_S, edge, house, running_store

from spotty_gateway.store import HistoryError, is_history, last_decisions, read_edges, sensors_of

READERS: list[Callable[[Path], object]] = [
    lambda path: list(read_edges(path)),
    sensors_of,
    last_decisions,
]


def other_files(folder: Path) -> dict[str, Path]:
    """Files and other things that are no history of ours."""
    with running_store(folder) as store:
        store.save(house(1), "boot-a")
    foreign, csv, short = folder / "foreign.db", folder / "log.csv", folder / "short"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE edge (id INTEGER)")
    csv.write_text("timestamp,input,state\\n")
    short.write_bytes(b"SQLite")
    return {"state.db": folder / "state.db", "foreign": foreign, "csv": csv, "short": short, "folder": folder}


def test_a_history_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    """Our history is told from other databases, logs, folders and nothing at all, also while it is being written."""
    path = tmp_path / "history.db"
    assert not is_history(path)
    with running_store(tmp_path) as store:
        store.note_edge(edge(1))
        assert store.flush(PATIENCE_S)
        assert is_history(path)
    assert is_history(path)
    assert [name for name, other in other_files(tmp_path).items() if is_history(other)] == []


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_history_is_refused_in_one_line(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """Each reader names the file and what is wrong with it."""
    with pytest.raises(HistoryError, match=r"^\S*nothing\.db: cannot be read: No such file or directory$"):
        read(tmp_path / "nothing.db")
    for name, path in other_files(tmp_path).items():
        with pytest.raises(HistoryError) as refused:
            read(path)
        reason = "cannot be read: Is a directory" if name == "folder" else "not a history file"
        assert str(refused.value).startswith(f"{path}: {reason}")
        assert "\n" not in str(refused.value)


def test_a_damaged_history_is_refused_in_one_line(tmp_path: Path) -> None:
    """Damage found on the way is a HistoryError too, after the rows that could be read."""
    with running_store(tmp_path) as store:
        for number in range(1_000):
            store.note_edge(edge(number))
    path = tmp_path / "history.db"
    content = bytearray(path.read_bytes())
    content[-4096 * 3 :] = b"\xff" * 4096 * 3
    path.write_bytes(content)
    with pytest.raises(HistoryError, match=r"cannot be read as a history: database disk image is malformed$"):
        list(read_edges(path))


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    """A kind of input that only a newer version knows is not passed off as something else."""
    with running_store(tmp_path) as store:
        store.note_edge(edge(1))
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection, connection:
        connection.execute("UPDATE edge SET kind = 'radar'")
    with pytest.raises(HistoryError, match="newer version: it knows an input of kind 'radar'"):
        list(read_edges(tmp_path / "history.db"))


def test_reading_and_writing_do_not_disturb_each_other(tmp_path: Path) -> None:
    """A reader sees the ring as it was when it began, however much is written and forgotten before it ends."""
    with running_store(tmp_path) as store:
        for number in range(3_000):
            store.note_edge(edge(number))
        assert store.flush(PATIENCE_S)
        rows = read_edges(tmp_path / "history.db")
        seen = [row.mono_us for row in islice(rows, 10)]
        for number in range(3_000, 6_000):
            store.note_edge(edge(number))
        assert store.flush(PATIENCE_S)
        seen += [row.mono_us for row in rows]
        assert seen == list(range(3_000))


def test_a_reader_that_stops_early_lets_go(tmp_path: Path) -> None:
    """An iterator given up half-way holds nothing: the gateway can close its file completely."""
    with running_store(tmp_path) as store:
        for number in range(1_000):
            store.note_edge(edge(number))
        assert store.flush(PATIENCE_S)
        rows = read_edges(tmp_path / "history.db")
        next(rows)
        del rows
    assert not (tmp_path / "history.db-wal").exists()
