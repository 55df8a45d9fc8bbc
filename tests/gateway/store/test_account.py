import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tests.gateway.store.test_process import run_alone
from tests.gateway.store.workbench import (
    PATIENCE_S,
    Disk,
    ManualTiming,
    house,
    number_of,
    running_store,
    saved_in,
    unheard,
)

from spotty_gateway.account_memory import AccountMemory, Calls, GuardState, decode
from spotty_gateway.guard import LEAST_LIMIT
from spotty_gateway.ports import RememberedDevice
from spotty_gateway.store import Store
from spotty_gateway.store.database import Database, Layout, connect
from spotty_gateway.store.state import ACCOUNT_EVERY_S, STATE

FIRST = replace(STATE, migrations=STATE.migrations[:1], needs=STATE.needs[:1])
"""state.db as the version before knew it."""
NEXT = replace(STATE, migrations=(*STATE.migrations, ("CREATE TABLE later (row BLOB)",)))
"""state.db as the version after may know it."""


def memory(number: int) -> AccountMemory:
    """A memory that can be told from others."""
    speaker = RememberedDevice("Bathroom", "Speaker", f"id-{number}", False)
    return AccountMemory(GuardState("boot-a", number, calls=(Calls(0, number),)), (speaker,))


def account_in(folder: Path) -> AccountMemory | None:
    """What a gateway that starts now would find."""
    store = Store(folder, unheard)
    data = store.load_account()
    store.close()
    return None if data is None else decode(data)


def touch(folder: Path, layout: Layout, said: list[str]) -> None:
    """Open state.db as the version of this layout does, and let it go."""
    database = Database(folder, layout, connect, said.append)
    database.run(lambda connection: connection.execute("SELECT * FROM snapshot").close())
    database.close()


def test_the_memory_is_there_after_a_restart(tmp_path: Path) -> None:
    """What was saved is found by the next run, and a new gateway finds nothing."""
    assert account_in(tmp_path) is None
    with running_store(tmp_path) as store:
        store.save_account(memory(7), urgent=False)
    assert account_in(tmp_path) == memory(7)


def test_a_count_of_calls_waits_for_company(tmp_path: Path) -> None:
    """The first of several notes makes for one sleep of half a minute, and only the newest is written."""
    timing, disk = ManualTiming(), Disk()
    with running_store(tmp_path, timing=timing, disk=disk) as store:
        assert timing.next_sleep() is None
        store.save_account(memory(1), urgent=False)
        assert timing.next_sleep() == ACCOUNT_EVERY_S
        for number in range(2, 50):
            store.save_account(memory(number), urgent=False)
        assert timing.is_undisturbed()
        timing.pass_s(ACCOUNT_EVERY_S)
        assert timing.next_sleep() is None
        assert account_in(tmp_path) == memory(49)
    assert sum("INSERT INTO account" in statement for statement in disk.statements) == 1


def test_a_closure_does_not_wait(tmp_path: Path) -> None:
    """What a kill must not lose is written at once, also where a mere count has begun to wait."""
    timing = ManualTiming()
    with running_store(tmp_path, timing=timing) as store:
        assert timing.next_sleep() is None
        store.save_account(memory(1), urgent=False)
        assert timing.next_sleep() == ACCOUNT_EVERY_S
        store.save_account(memory(2), urgent=True)
        assert timing.next_sleep() is None
        assert account_in(tmp_path) == memory(2)


def test_a_snapshot_takes_the_count_along(tmp_path: Path) -> None:
    """One transaction, and so one sync, for both."""
    timing, disk = ManualTiming(), Disk()
    with running_store(tmp_path, timing=timing, disk=disk) as store:
        assert timing.next_sleep() is None
        store.save_account(memory(1), urgent=False)
        assert timing.next_sleep() == ACCOUNT_EVERY_S
        disk.statements.clear()
        store.save(house(3), "boot-a")
        assert timing.next_sleep() is None
        assert (account_in(tmp_path), saved_in(tmp_path)) == (memory(1), 3)
    assert disk.statements.count("COMMIT") == 4  # the tables of each version, then both rows


def test_what_the_disk_refuses_is_tried_again(tmp_path: Path) -> None:
    """The newest of each kind waits in memory until it can be written."""
    timing, disk, said = ManualTiming(), Disk(), list[str]()
    disk.full = True
    with running_store(tmp_path, said.append, timing=timing, disk=disk) as store:
        assert timing.next_sleep() is None
        store.save_account(memory(1), urgent=True)
        assert timing.next_sleep() == 1.0
        store.save(house(3), "boot-a")
        assert timing.next_sleep() == 1.0
        disk.full = False
        timing.pass_s(1)
        assert timing.next_sleep() is None
        assert (account_in(tmp_path), saved_in(tmp_path)) == (memory(1), 3)
    assert len(said) == 2


def test_a_kill_loses_no_closure(tmp_path: Path) -> None:
    """Killed a moment after Spotify asked for an hour, the next run waits, and knows the limit it has learnt."""
    assert run_alone("killed_closing", str(tmp_path)) == [f"3600 {LEAST_LIMIT + 5} {LEAST_LIMIT + 5}"]


def test_the_file_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its snapshot stays, and the account's memory finds room in it."""
    said: list[str] = []
    old = Database(tmp_path, FIRST, connect, said.append)
    with running_store(tmp_path / "elsewhere") as store:
        store.save(house(5), "boot-a")
    there = Store(tmp_path / "elsewhere", unheard)
    saved = there.load()
    there.close()
    assert saved is not None
    row = (saved.boot_id, saved.data)
    old.run(lambda connection: connection.execute("INSERT INTO snapshot VALUES (1, ?, ?)", row).close())
    old.close()
    with running_store(tmp_path) as store:
        store.save_account(memory(1), urgent=True)
        assert store.flush(PATIENCE_S)
    assert (saved_in(tmp_path), account_in(tmp_path)) == (5, memory(1))
    assert said == []


def test_one_version_down_and_up_again(tmp_path: Path) -> None:
    """The version before goes on with our file, and we with that of the version after; nothing is lost or said."""
    said: list[str] = []
    touch(tmp_path, NEXT, said)
    with running_store(tmp_path) as store:
        store.save_account(memory(1), urgent=True)
        store.save(house(2), "boot-a")
    touch(tmp_path, FIRST, said)
    touch(tmp_path, NEXT, said)
    assert said == []
    assert account_in(tmp_path) == memory(1)
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)
    again = Store(tmp_path, unheard)
    assert number_of(again.load()) == 2
    again.close()
