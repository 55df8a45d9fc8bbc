import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.gateway.store.mail import BOOT, decision, error, fetch, names, running_outbox, session, status, waiting_in
from tests.gateway.store.test_process import run_alone
from tests.gateway.store.workbench import PATIENCE_S, Disk, unheard

from spotty_contract.topics import Kind
from spotty_gateway.ports import Fate, Stamp
from spotty_gateway.store import OutboxLimits, Store

DAY = "2026-11-21"


@contextmanager
def gone_read_only(folder: Path, disk: Disk, limits: OutboxLimits | None = None) -> Iterator[Store]:
    """A running store whose card has protected itself from us; what was put before is on it."""
    with running_outbox(folder, connect=disk.connect, outbox_limits=limits) as store:
        store.outbox.put(Kind.SESSION, session("before"), BOOT)
        assert store.flush(PATIENCE_S)
        turn_read_only(store, folder, disk)
        yield store


def turn_read_only(store: Store, folder: Path, disk: Disk) -> None:
    """One attempt has failed, so that the next opens the file anew."""
    with sqlite3.connect(folder / "state.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        store.outbox.put(Kind.MOTION, decision(0), BOOT)
        assert not store.flush(0.05)
        disk.read_only = True
        other.execute("ROLLBACK")
    other.close()


def test_a_card_that_has_gone_read_only_is_told_of(tmp_path: Path) -> None:
    """What it holds leaves, and so do status and errors that it does not take; all else waits and is promised later."""
    disk = Disk()
    with gone_read_only(tmp_path, disk) as store:
        store.outbox.put(Kind.STATUS, status(DAY, 1), BOOT)
        store.outbox.put(Kind.ERRORS, error(1), BOOT)
        store.outbox.put(Kind.SESSION, session("after", sensor_id="hall"), BOOT)
        assert not store.flush(0.05)
        assert "readonly" in store.troubles[0]
        from_card, from_memory = fetch(store, hurried=True)
        assert names([from_card, from_memory]) == ["before/1", "e1"]
        assert (min(from_card.ids) > 0, max(from_memory.ids) < 0) == (True, True)
        store.outbox.settle((*from_card.ids, *from_memory.ids), Fate.DONE)
        assert names(fetch(store, hurried=True)) == [f"{DAY}/1"]  # of the room whose session went first
        disk.read_only = False
        assert store.flush(PATIENCE_S)
    assert waiting_in(tmp_path) == ["after/1", f"{DAY}/1", "e0"]


def test_the_newest_status_is_told_and_no_older_one_settled_for_it(tmp_path: Path) -> None:
    """Replaced while it was under way: the acknowledgement is the older one's."""
    disk = Disk()
    with gone_read_only(tmp_path, disk) as store:
        store.outbox.put(Kind.STATUS, status(DAY, 1), BOOT)
        assert not store.flush(0.05)
        (before,) = fetch(store, hurried=True)
        store.outbox.settle(before.ids, Fate.DONE)
        (older,) = fetch(store, hurried=True)
        assert names([before, older]) == ["before/1", f"{DAY}/1"]
        store.outbox.put(Kind.STATUS, status(DAY, 2), BOOT)
        assert not store.flush(0.05)
        store.outbox.settle(older.ids, Fate.DONE)
        assert names(fetch(store, hurried=True)) == [f"{DAY}/2"]
        disk.read_only = False
        assert store.flush(PATIENCE_S)
    assert waiting_in(tmp_path) == [f"{DAY}/2", "e0"]


def test_what_may_have_been_lost_goes_out_again(tmp_path: Path) -> None:
    """Acknowledged from memory only: not offered twice, but again after a break, and written when that works."""
    disk = Disk()
    with gone_read_only(tmp_path, disk) as store:
        store.outbox.put(Kind.ERRORS, error(1), BOOT)
        assert not store.flush(0.05)
        out = next(out for out in fetch(store, hurried=True) if out.kind is Kind.ERRORS)
        store.outbox.settle(out.ids, Fate.KEPT)
        assert names(fetch(store, busy={"bath"}, hurried=True)) == []
        store.outbox.send_again()
        assert names(fetch(store, busy={"bath"}, hurried=True)) == ["e1"]
        store.outbox.settle(out.ids, Fate.KEPT)
        disk.read_only = False
        assert store.flush(PATIENCE_S)
    assert "e1" in waiting_in(tmp_path)


def test_a_clock_in_doubt_is_waited_for_in_memory_too(tmp_path: Path) -> None:
    """An error that may be corrected yet stays; a status, which tells that very thing, goes."""
    disk = Disk()
    with gone_read_only(tmp_path, disk) as store:
        wrong = Stamp("boot-a", 0)
        store.outbox.put(Kind.ERRORS, error(1, "hall", trusted=False), wrong)
        store.outbox.put(Kind.STATUS, status(DAY, 1, trusted=False), wrong)
        assert not store.flush(0.05)
        assert names(fetch(store, hurried=True)) == ["before/1"]
        (out,) = fetch(store, hurried=True)
        store.outbox.settle(out.ids, Fate.DONE)
        assert names(fetch(store, hurried=True)) == [f"{DAY}/1"]


def test_whoever_sends_is_told_that_there_is_news(tmp_path: Path) -> None:
    """At the attempt that fails, once for each news, and memory stays bounded."""
    disk, told = Disk(), threading.Semaphore(0)
    with gone_read_only(tmp_path, disk, OutboxLimits(waiting_records=10)) as store:
        store.outbox.on_growth = told.release
        for number in range(1, 30):
            store.outbox.put(Kind.ERRORS, error(number), BOOT)
        assert not store.flush(0.05)
        assert told.acquire(timeout=PATIENCE_S)
        assert not store.flush(0.05)
        assert not told.acquire(blocking=False)
        assert store.outbox.view.records <= 11
        (out,) = fetch(store, busy={"bath"}, hurried=True)
        assert names([out]) == [f"e{number}" for number in range(20, 30)]


def test_a_file_that_cannot_be_opened_at_all_is_told_of(tmp_path: Path) -> None:
    """From the first start on, where nothing can be read either."""
    (tmp_path / "state.db").mkdir()
    with running_outbox(tmp_path, on_trouble=unheard) as store:
        store.outbox.put(Kind.STATUS, status(DAY, 1), BOOT)
        store.outbox.put(Kind.SESSION, session("a"), BOOT)
        assert not store.flush(0.05)
        assert names(fetch(store, hurried=True)) == [f"{DAY}/1"]


def test_a_folder_that_nobody_may_write_to_is_told_of() -> None:
    """The same against the file system itself, as a user whom its modes bind."""
    trouble, left = run_alone("unprivileged_outbox")
    assert "attempt to write a readonly database): if the card has gone read-only, as a failing one" in trouble
    assert left == "['a/1', 'e1']"
