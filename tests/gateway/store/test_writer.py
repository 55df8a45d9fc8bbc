import sqlite3
import threading
from pathlib import Path

import pytest
from tests.gateway.store.workbench import (
    PATIENCE_S,
    Disk,
    ManualTiming,
    decision,
    edge,
    house,
    number_of,
    running_store,
    saved_in,
)

from spotty_gateway.store import Limits, Store, last_decisions, read_edges


def test_a_snapshot_is_there_after_a_restart(tmp_path: Path) -> None:
    """What was saved is found by the next run, with the boot it was saved in."""
    with running_store(tmp_path) as store:
        store.save(house(7), "boot-a")
    again = Store(tmp_path)
    saved = again.load()
    again.close()
    assert saved is not None
    assert (saved.boot_id, number_of(saved)) == ("boot-a", 7)


def test_a_new_gateway_finds_nothing(tmp_path: Path) -> None:
    """In a folder that does not exist yet there is no snapshot, and that is no trouble."""
    assert saved_in(tmp_path / "data" / "spotty") is None


def test_the_snapshot_goes_on_over_the_one_loaded(tmp_path: Path) -> None:
    """A run that loaded the last snapshot writes its own in its place."""
    for number in (1, 2):
        store = Store(tmp_path)
        store.load()
        store.start()
        store.save(house(number), "boot-a")
        store.close()
        assert saved_in(tmp_path) == number


def test_the_files_belong_to_the_writer(tmp_path: Path) -> None:
    """Loading once the writer runs is a mistake of the program, and said as one."""
    with running_store(tmp_path) as store, pytest.raises(RuntimeError, match="before start"):
        store.load()


def test_only_the_newest_snapshot_is_written(tmp_path: Path) -> None:
    """Snapshots that were overtaken while they waited never reach the disk."""
    disk = Disk()
    store = Store(tmp_path, connect=disk.connect)
    for number in range(50):
        store.save(house(number), "boot-a")
    store.start()
    assert store.flush(PATIENCE_S)
    store.close()
    assert sum("INSERT INTO snapshot" in statement for statement in disk.statements) == 1
    assert saved_in(tmp_path) == 49


def test_nothing_new_costs_nothing(tmp_path: Path) -> None:
    """A snapshot that is in the file already is not written again, so the disk sees no byte of it."""
    log = tmp_path / "state.db-wal"
    with running_store(tmp_path) as store:
        store.save(house(1), "boot-a")
        assert store.flush(PATIENCE_S)
        before = log.stat()
        store.save(house(1), "boot-a")
        assert store.flush(PATIENCE_S)
        same = log.stat()
        store.save(house(2), "boot-a")
        assert store.flush(PATIENCE_S)
        assert (same.st_size, same.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        assert log.stat().st_size > before.st_size


def test_an_idle_writer_sleeps(tmp_path: Path) -> None:
    """With nothing to write it sleeps without a timeout; an edge makes for one sleep of ten seconds and no more."""
    timing = ManualTiming()
    with running_store(tmp_path, timing=timing) as store:
        assert timing.next_sleep() is None
        store.note_edge(edge(1))
        assert timing.next_sleep() == 10.0
        timing.pass_s(4)
        assert timing.next_sleep() == 6.0
        store.note_edge(edge(2))
        store.note_decision(decision(3))
        assert timing.is_undisturbed()
        assert not (tmp_path / "history.db").exists()
        timing.pass_s(6)
        assert timing.next_sleep() is None
        assert [row.mono_us for row in read_edges(tmp_path / "history.db")] == [1, 2]
        assert last_decisions(tmp_path / "history.db") == [decision(3)]
        assert timing.is_undisturbed()


def test_a_big_batch_does_not_wait(tmp_path: Path) -> None:
    """Rows enough for a batch are written at once."""
    timing = ManualTiming()
    with running_store(tmp_path, timing=timing, limits=Limits(big_batch=20)) as store:
        assert timing.next_sleep() is None
        store.note_edge(edge(0))
        assert timing.next_sleep() == 10.0
        for number in range(1, 20):
            store.note_edge(edge(number))
        assert timing.next_sleep() is None
        assert len(list(read_edges(tmp_path / "history.db"))) == 20


def test_a_snapshot_does_not_wait_for_the_batch(tmp_path: Path) -> None:
    """A snapshot is written at once while rows go on waiting for their ten seconds."""
    timing = ManualTiming()
    with running_store(tmp_path, timing=timing) as store:
        assert timing.next_sleep() is None
        store.note_edge(edge(1))
        assert timing.next_sleep() == 10.0
        store.save(house(5), "boot-a")
        assert timing.next_sleep() == 10.0
        assert (tmp_path / "state.db").exists()
        assert not (tmp_path / "history.db").exists()


def test_flush_means_written(tmp_path: Path) -> None:
    """When flush says True, everything noted before it can be read by others."""
    with running_store(tmp_path, timing=ManualTiming()) as store:
        for number in range(100):
            store.note_edge(edge(number))
            store.note_decision(decision(number))
            store.save(house(number), "boot-a")
            if number % 10 == 9:
                assert store.flush(PATIENCE_S)
                assert [row.mono_us for row in read_edges(tmp_path / "history.db")] == list(range(number + 1))
                assert len(last_decisions(tmp_path / "history.db", limit=1000)) == number + 1


def test_close_writes_what_waits_and_lets_go(tmp_path: Path) -> None:
    """Closing writes everything, ends the thread and leaves no log files; closing again changes nothing."""
    timing = ManualTiming()
    with running_store(tmp_path, timing=timing) as store:
        assert timing.next_sleep() is None
        store.note_edge(edge(1))
        store.save(house(1), "boot-a")
        assert store.close()
        assert store.close()
        assert "store" not in {thread.name for thread in threading.enumerate()}
    assert {path.name for path in tmp_path.iterdir()} == {"state.db", "history.db"}
    assert saved_in(tmp_path) == 1
    assert list(read_edges(tmp_path / "history.db")) == [edge(1)]


def test_notes_from_many_threads_are_all_kept(tmp_path: Path) -> None:
    """Threads that note at the same time lose no row and keep each its order."""
    names = [f"room-{number}" for number in range(4)]

    def note(store: Store, name: str) -> None:
        for number in range(2_000):
            store.note_edge(edge(number, name))

    with running_store(tmp_path) as store:
        threads = [threading.Thread(target=note, args=(store, name)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for name in names:
        assert [row.mono_us for row in read_edges(tmp_path / "history.db", name)] == list(range(2_000))


def test_what_came_before_the_start_is_kept(tmp_path: Path) -> None:
    """Rows and snapshots noted before the writer runs are written once it does."""
    store = Store(tmp_path)
    store.note_edge(edge(1))
    store.save(house(3), "boot-a")
    store.start()
    store.close()
    assert list(read_edges(tmp_path / "history.db")) == [edge(1)]
    assert saved_in(tmp_path) == 3


def test_each_file_is_written_as_carefully_as_it_must_be(tmp_path: Path) -> None:
    """A snapshot is synced to the disk when it is written; the history is not, and both can be read meanwhile."""
    opened: dict[str, sqlite3.Connection] = {}

    def connect(path: Path) -> sqlite3.Connection:
        opened[path.name] = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        return opened[path.name]

    store = Store(tmp_path, connect=connect)
    store.start()
    store.note_edge(edge(1))
    store.save(house(1), "boot-a")
    assert store.flush(PATIENCE_S)
    modes = {
        name: [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        for name, connection in opened.items()
    }
    store.close()
    assert modes == {"state.db": ["wal", 2], "history.db": ["wal", 1]}
