import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from tests.gateway.store.workbench import (
    PATIENCE_S,
    Disk,
    ManualTiming,
    decision,
    edge,
    house,
    running_store,
    saved_in,
    unheard,
)

from spotty_gateway.store import Limits, Store, last_decisions, read_edges

WAITS = ". Music goes on; what should be written waits in memory and is tried again"


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """While SQLite says the disk is full, rows wait; it is said once, tried ever more rarely, and all is written."""
    said: list[str] = []
    timing, disk = ManualTiming(), Disk()
    disk.full = True
    with running_store(tmp_path, said.append, timing=timing, disk=disk) as store:
        assert timing.next_sleep() is None
        for number in range(10):
            store.note_edge(edge(number))
        assert timing.next_sleep() == 10.0
        timing.pass_s(10)
        pauses = []
        for _ in range(9):
            pause = timing.next_sleep()
            assert pause is not None
            pauses.append(pause)
            timing.pass_s(pause)
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
        trouble = "history.db cannot be written (database or disk is full): free some space on the disk"
        assert said == [trouble + WAITS]
        assert store.troubles == [trouble]
        assert timing.next_sleep() == 60
        disk.full = False
        timing.pass_s(60)
        assert timing.next_sleep() is None
        assert [row.mono_us for row in read_edges(tmp_path / "history.db")] == list(range(10))
        assert said[1:] == ["history.db can be written again; 0 rows were lost meanwhile"]
        assert store.troubles == []


def test_one_files_trouble_is_not_the_others(tmp_path: Path) -> None:
    """While the history cannot be written, snapshots are."""
    said: list[str] = []
    (tmp_path / "history.db").mkdir()
    with running_store(tmp_path, said.append) as store:
        store.note_edge(edge(1))
        assert not store.flush(0.2)
        store.save(house(4), "boot-a")
        assert not store.flush(0.2)
        assert len(said) == 1
    assert saved_in(tmp_path) == 4


def test_a_flush_hurries_and_then_waits_for_the_cure(tmp_path: Path) -> None:
    """Flush makes an attempt at once, however long the pause; where it fails, the next success still answers it."""
    said: list[str] = []
    timing, disk = ManualTiming(), Disk()
    disk.full = True
    with running_store(tmp_path, said.append, timing=timing, disk=disk) as store:
        assert timing.next_sleep() is None
        store.save(house(1), "boot-a")
        assert timing.next_sleep() == 1
        assert not store.flush(0.01)
        assert timing.next_sleep() == 2
        disk.full = False
        assert store.flush(PATIENCE_S)
        assert timing.next_sleep() is None
    assert saved_in(tmp_path) == 1


def test_close_says_when_something_was_left_behind(tmp_path: Path) -> None:
    """Closing on a full disk ends all the same, and answers that not everything is in the files."""
    disk = Disk()
    disk.full = True
    with running_store(tmp_path, unheard, disk=disk) as store:
        store.note_edge(edge(1))
        assert not store.close()


def test_a_patient_flush_is_answered_by_the_cure(tmp_path: Path) -> None:
    """Whoever waits in flush through failed attempts is told once everything is written after all."""
    timing, disk = ManualTiming(), Disk()
    disk.full = True
    answers: list[bool] = []
    with running_store(tmp_path, unheard, timing=timing, disk=disk) as store:
        assert timing.next_sleep() is None
        store.save(house(1), "boot-a")
        assert timing.next_sleep() == 1
        patient = threading.Thread(target=lambda: answers.append(store.flush(PATIENCE_S)))
        patient.start()
        assert timing.next_sleep() == 2
        disk.full = False
        timing.pass_s(2)
        patient.join()
    assert answers == [True]


def test_what_comes_during_a_failing_attempt_is_kept(tmp_path: Path) -> None:
    """The newer snapshot wins over the one that just failed, and newer rows queue up behind the older ones."""
    disk = Disk()
    disk.full = True
    with running_store(tmp_path, unheard, disk=disk) as store:

        def note_more() -> None:
            store.note_edge(edge(2))
            store.note_decision(decision(2))

        store.note_edge(edge(1))
        store.note_decision(decision(1))
        disk.meanwhile["state.db"] = lambda: store.save(house(2), "boot-a")
        disk.meanwhile["history.db"] = note_more
        store.save(house(1), "boot-a")
        assert not store.flush(0.01)
        disk.full = False
        assert store.flush(PATIENCE_S)
        assert list(read_edges(tmp_path / "history.db")) == [edge(1), edge(2)]
        assert last_decisions(tmp_path / "history.db") == [decision(2), decision(1)]
    assert saved_in(tmp_path) == 2


def test_something_else_in_the_files_place(tmp_path: Path) -> None:
    """A folder where the file should be is said with its cure, left alone, and no trouble any more once it is gone."""
    said: list[str] = []
    timing = ManualTiming()
    (tmp_path / "state.db").mkdir()
    with running_store(tmp_path, said.append, timing=timing) as store:
        assert timing.next_sleep() is None
        store.save(house(1), "boot-a")
        assert timing.next_sleep() == 1
        store.save(house(2), "boot-a")
        assert timing.next_sleep() == 1
        (tmp_path / "state.db").rmdir()
        timing.pass_s(1)
        assert timing.next_sleep() is None
    assert saved_in(tmp_path) == 2
    cure = "make sure that the data folder exists and belongs to the user the component runs as"
    assert said == [
        f"state.db cannot be written (unable to open database file): {cure}{WAITS}",
        "state.db can be written again; 0 rows were lost meanwhile",
    ]


def test_a_file_somebody_else_holds(tmp_path: Path) -> None:
    """A lock held by another program delays the writing and nothing else."""
    said: list[str] = []
    timing = ManualTiming()
    with running_store(tmp_path, said.append, timing=timing) as store:
        assert timing.next_sleep() is None
        store.save(house(1), "boot-a")
        assert timing.next_sleep() is None
        for number in (2, 3):
            with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                store.save(house(number), "boot-a")
                assert timing.next_sleep() == 1
                assert store.troubles == [
                    "state.db cannot be written (database is locked): close the other program that has it open"
                ]
            timing.pass_s(1)
            assert timing.next_sleep() is None
            assert store.troubles == []
    assert saved_in(tmp_path) == 3
    assert len(said) == 4


def test_a_file_deleted_under_us_is_made_anew(tmp_path: Path) -> None:
    """Writing does not go on into a file that has no name any more."""
    with running_store(tmp_path) as store:
        for number in (1, 2):
            store.save(house(number), "boot-a")
            store.note_edge(edge(number))
            assert store.flush(PATIENCE_S)
            if number == 1:
                shutil.rmtree(tmp_path)
    assert saved_in(tmp_path) == 2
    assert list(read_edges(tmp_path / "history.db")) == [edge(2)]


def test_memory_is_bounded_and_losses_are_counted(tmp_path: Path) -> None:
    """What waits never exceeds its bound: the oldest edges go first, decisions after them, and it is said how many."""
    said: list[str] = []
    timing, disk = ManualTiming(), Disk()
    disk.full = True
    with running_store(tmp_path, said.append, timing=timing, disk=disk, limits=Limits(waiting=30)) as store:
        assert timing.next_sleep() is None
        store.note_decision(decision(0))
        assert timing.next_sleep() == 10.0
        for number in range(40):
            store.note_edge(edge(number))
        assert not store.flush(0.01)  # taken, given back, and still bounded
        assert timing.next_sleep() == 1
        for number in range(40, 45):
            store.note_edge(edge(number))
        disk.full = False
        assert store.flush(PATIENCE_S)
        assert [row.mono_us for row in read_edges(tmp_path / "history.db")] == list(range(16, 45))
        assert last_decisions(tmp_path / "history.db") == [decision(0)]
        assert said[1:] == ["history.db can be written again; 16 rows were lost meanwhile"]


def test_a_listener_that_fails_stops_nothing(tmp_path: Path) -> None:
    """A defect in whoever is told about trouble does not end the writing."""

    def listener(text: str) -> None:
        raise ValueError(text)

    disk = Disk()
    disk.full = True
    with running_store(tmp_path, listener, disk=disk) as store:
        store.save(house(1), "boot-a")
        assert not store.flush(0.01)
        disk.full = False
        assert store.flush(PATIENCE_S)
    assert saved_in(tmp_path) == 1


def test_a_state_that_cannot_be_encoded_stops_nothing(tmp_path: Path) -> None:
    """A house no snapshot can hold is told as trouble, and the next one is written."""
    said: list[str] = []
    with running_store(tmp_path, said.append) as store:
        bad = house(1)
        bad.rooms["\ud800"] = bad.rooms  # type: ignore[assignment] # the defect itself
        store.save(bad, "boot-a")
        assert not store.flush(0.01)
        store.save(house(2), "boot-a")
        assert store.flush(PATIENCE_S)
    assert len(said) == 2
    assert saved_in(tmp_path) == 2


def test_a_disk_that_cannot_be_read_at_start_is_no_end(tmp_path: Path) -> None:
    """Where the last snapshot cannot be read, the gateway starts without it and says so."""
    said: list[str] = []
    (tmp_path / "state.db").mkdir()
    store = Store(tmp_path, said.append)
    assert store.load() is None
    store.close()
    assert len(said) == 1
