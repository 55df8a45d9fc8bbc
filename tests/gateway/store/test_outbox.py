import json
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.gateway.store.mail import (
    BOOT,
    NOON_MS,
    decision,
    error,
    fetch,
    names,
    running_outbox,
    session,
    status,
    waiting_in,
)
from tests.gateway.store.test_process import run_alone
from tests.gateway.store.workbench import PATIENCE_S, Disk, ManualTiming, house, running_store, saved_in, unheard

from spotty_contract.results import CommandResult
from spotty_contract.topics import Kind
from spotty_gateway.ports import Fate, Stamp
from spotty_gateway.store import OutboxLimits, Store
from spotty_gateway.store.database import Database, connect
from spotty_gateway.store.outbox import SETTLE_EVERY_S
from spotty_gateway.store.outbox_rows import COUNT, HOLD_S, KEEP_SENT_US
from spotty_gateway.store.state import STATE

HOUR_MS = 3_600_000
HOUR_US = HOUR_MS * 1000
BEFORE = replace(STATE, migrations=STATE.migrations[:-1], needs=STATE.needs[:2])
"""state.db as the version without an outbox knew it."""


def put_sessions(store: Store, *sessions: str) -> None:
    """Put one record of each."""
    for name in sessions:
        store.outbox.put(Kind.SESSION, session(name), BOOT)


def test_a_record_is_there_after_a_restart(tmp_path: Path) -> None:
    """What was put and written is handed over by the next run, in the order in which it came."""
    with running_store(tmp_path) as store:
        put_sessions(store, "a", "b", "c")
    assert waiting_in(tmp_path) == ["a/1", "b/1", "c/1"]


def test_what_was_never_put_on_disk_is_handed_to_nobody(tmp_path: Path) -> None:
    """Records leave only once they are durable: on a full disk nothing is handed over, afterwards all is."""
    timing, disk, said = ManualTiming(), Disk(), list[str]()
    disk.full = True
    with running_store(tmp_path, said.append, timing=timing, disk=disk) as store:
        assert timing.next_sleep() is None
        put_sessions(store, "a", "b")
        assert timing.next_sleep() == 1.0
        assert store.outbox.view.records == 2
        disk.full = False
        timing.pass_s(1)
        assert timing.next_sleep() is None
        assert names(fetch(store)) == ["a/1", "b/1"]
    assert said[1:] == ["state.db can be written again; 0 rows were lost meanwhile"]


def test_a_record_and_a_snapshot_share_a_transaction(tmp_path: Path) -> None:
    """Where both wait, one sync is enough."""
    disk = Disk()
    store = Store(tmp_path, unheard, connect=disk.connect)
    store.begin_outbox("boot-a")
    disk.statements.clear()
    put_sessions(store, "a")
    store.save(house(3), "boot-a")
    store.start()
    assert store.flush(PATIENCE_S)
    assert disk.statements.count("COMMIT") == 1
    store.close()
    assert (saved_in(tmp_path), waiting_in(tmp_path)) == (3, ["a/1"])


def test_a_session_has_one_row(tmp_path: Path) -> None:
    """The newest word on a session replaces what has not been sent, in memory and in the file; an older one nothing."""
    with running_store(tmp_path) as store:
        for seq in (1, 2):
            store.outbox.put(Kind.SESSION, session("a", seq), BOOT)
        assert store.flush(PATIENCE_S)
        for seq in (5, 4):
            store.outbox.put(Kind.SESSION, session("a", seq), BOOT)
        assert store.flush(PATIENCE_S)
        store.outbox.put(Kind.SESSION, session("a", 3), BOOT)
        assert store.flush(PATIENCE_S)
        assert store.outbox.view.records == 1
    assert waiting_in(tmp_path) == ["a/5"]


def test_what_is_under_way_is_not_settled_for_its_successor(tmp_path: Path) -> None:
    """The acknowledgement of an older word does not take the newer one away."""
    with running_store(tmp_path) as store:
        store.outbox.put(Kind.SESSION, session("a", 1), BOOT)
        (out,) = fetch(store)
        store.outbox.put(Kind.SESSION, session("a", 2), BOOT)
        store.outbox.settle(out.ids, Fate.DONE)
        assert names(fetch(store)) == ["a/2"]


def test_the_last_status_of_a_day_stays(tmp_path: Path) -> None:
    """A status replaces those of the same day only: yesterday's counts are not lost for today's."""
    with running_store(tmp_path) as store:
        for day, seq in (("2026-11-20", 1), ("2026-11-20", 2), ("2026-11-21", 3), ("2026-11-21", 4)):
            store.outbox.put(Kind.STATUS, status(day, seq), BOOT)
    assert waiting_in(tmp_path) == ["2026-11-20/2", "2026-11-21/4"]


def test_results_go_first_and_a_busy_sensor_waits(tmp_path: Path) -> None:
    """One kind of each sensor at a time, somebody's answer before anything else."""
    result = CommandResult(
        gateway_id="g",
        sensor_id="bath",
        clock_trusted=True,
        command_id="c-1",
        command="pause",
        timestamp=NOON_MS,
        outcome="done",
    )
    with running_store(tmp_path) as store:
        store.outbox.put(Kind.MOTION, decision(1, "hall"), BOOT)
        put_sessions(store, "a")
        store.outbox.put(Kind.RESULTS, result, BOOT)
        found = fetch(store)
        assert [(out.sensor_id, out.kind) for out in found] == [("bath", Kind.RESULTS), ("hall", Kind.MOTION)]
        assert [out.sensor_id for out in fetch(store, busy={"bath"})] == ["hall"]
        assert [out.sensor_id for out in fetch(store, at_most=1)] == ["bath"]
        store.outbox.settle(found[0].ids, Fate.DONE)
        assert [out.kind for out in fetch(store, busy={"hall"})] == [Kind.SESSION]


def test_an_acknowledgement_waits_for_company(tmp_path: Path) -> None:
    """It costs no sync of its own for ten seconds, and is then written; nothing has been forgotten meanwhile."""
    timing = ManualTiming()
    with running_store(tmp_path, timing=timing) as store:
        assert timing.next_sleep() is None
        put_sessions(store, "a")
        assert timing.next_sleep() is None
        (out,) = fetch(store)
        assert timing.next_sleep() is None
        store.outbox.settle(out.ids, Fate.DONE)
        assert timing.next_sleep() == SETTLE_EVERY_S
        assert store.outbox.view.records == 1
        timing.pass_s(SETTLE_EVERY_S)
        assert timing.next_sleep() is None
        assert store.outbox.view.records == 0


def test_on_a_full_disk_what_was_settled_is_not_handed_over_again(tmp_path: Path) -> None:
    """Rows that cannot be deleted are known in memory: the way out goes on where the disk does not."""
    said: list[str] = []
    disk = Disk()
    with running_outbox(tmp_path, on_trouble=said.append, connect=disk.connect) as store:
        for number in range(3):
            store.outbox.put(Kind.SESSION, session(f"s{number}", sensor_id=f"room-{number}"), BOOT)
        first, second, third = fetch(store)
        store.outbox.settle(first.ids, Fate.DONE)
        disk.full = True
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert not store.flush(0.1)  # one failed attempt, so that the next opens the file on the full disk
        for number in range(200):
            store.outbox.put(Kind.MOTION, decision(number), BOOT)
        assert not store.flush(0.1)
        assert "full" in store.troubles[0]
        assert [out.ids for out in fetch(store, hurried=True)] == [second.ids, third.ids]
        disk.full = False
        assert store.flush(PATIENCE_S)
        assert store.outbox.view.records == 202


def test_what_may_be_lost_yet_is_kept_and_sent_again(tmp_path: Path) -> None:
    """Kept rows are not handed over in the same run, all are after an IPC loss and in the next run, in their order."""
    with running_store(tmp_path) as store:
        put_sessions(store, "a", "b")
        (out,) = fetch(store)
        store.outbox.settle(out.ids, Fate.KEPT)
        assert fetch(store) == []
        put_sessions(store, "c")
        assert names(fetch(store)) == ["c/1"]
        store.outbox.send_again()
        assert names(fetch(store)) == ["a/1", "b/1", "c/1"]
        (out,) = fetch(store)
        store.outbox.settle(out.ids, Fate.KEPT)
    assert waiting_in(tmp_path) == ["a/1", "b/1", "c/1"]


def test_what_is_told_at_once_holds_in_its_order(tmp_path: Path) -> None:
    """Acknowledged, then known to be lost, before either was written: it goes out again, in its old place."""
    with running_store(tmp_path) as store:
        put_sessions(store, "a")
        (out,) = fetch(store)
        store.outbox.settle(out.ids, Fate.KEPT)
        store.outbox.send_again()
        put_sessions(store, "b")
        assert names(fetch(store)) == ["a/1", "b/1"]


def test_what_was_kept_is_forgotten_after_a_day(tmp_path: Path) -> None:
    """After 24 h nobody is taken to have it in memory any more; a newer word makes an older one needless before."""
    timing = ManualTiming()
    with running_store(tmp_path, timing=timing) as store:
        assert timing.next_sleep() is None
        for name, seq in (("a", 1), ("a", 2), ("b", 1)):
            store.outbox.put(Kind.SESSION, session(name, seq), BOOT)
            (out,) = fetch(store)
            store.outbox.settle(out.ids, Fate.KEPT)
        assert fetch(store) == []
        assert _rows(tmp_path) == [("a", 2), ("b", 1)]
        timing.pass_s(KEEP_SENT_US / 1_000_000)
        put_sessions(store, "c")
        (out,) = fetch(store)
        store.outbox.settle(out.ids, Fate.KEPT)
        assert store.flush(PATIENCE_S)
        assert _rows(tmp_path) == [("c", 1)]


def _rows(folder: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        return connection.execute("SELECT key, seq FROM outbox ORDER BY id").fetchall()


def test_what_was_set_aside_has_one_more_try(tmp_path: Path) -> None:
    """It holds up nobody in this run, is counted, and goes out again in the next."""
    with running_store(tmp_path) as store:
        put_sessions(store, "a", "b")
        (out,) = fetch(store)
        store.outbox.settle(out.ids[:1], Fate.ASIDE)
        assert names(fetch(store)) == ["b/1"]
        view = store.outbox.view
        assert (view.records, view.aside, view.dropped) == (1, 1, 0)
    assert waiting_in(tmp_path) == ["a/1", "b/1"]


def test_decisions_go_first_and_sessions_last(tmp_path: Path) -> None:
    """Full, it gives up the oldest of what matters least, and the count of that outlives the run."""
    limits = OutboxLimits(records=100)
    with running_outbox(tmp_path, outbox_limits=limits) as store:
        for number in range(60):
            store.outbox.put(Kind.SESSION, session(f"s{number}"), BOOT)
            store.outbox.put(Kind.MOTION, decision(number), BOOT)
            assert store.flush(PATIENCE_S)
        left = store.outbox.view
        assert left.records <= 100
        assert left.records + left.dropped == 120
        for number in range(60, 150):
            store.outbox.put(Kind.SESSION, session(f"s{number}"), BOOT)
        assert store.flush(PATIENCE_S)
    names_left = waiting_in(tmp_path)
    assert names_left == [f"s{number}/1" for number in range(150 - len(names_left), 150)]
    assert 90 <= len(names_left) <= 100
    again = Store(tmp_path, unheard)
    again.begin_outbox("boot-a")
    assert again.outbox.view.dropped == 210 - len(names_left)
    again.close()


def test_size_is_bounded_as_well(tmp_path: Path) -> None:
    """Long records fill it sooner."""
    size = len(session("s1").to_json())
    with running_outbox(tmp_path, outbox_limits=OutboxLimits(size_bytes=size * 20)) as store:
        for number in range(10, 60):
            store.outbox.put(Kind.SESSION, session(f"s{number}"), BOOT)
            assert store.flush(PATIENCE_S)
            assert store.outbox.view.size_bytes <= size * 20
        assert store.outbox.view.records + store.outbox.view.dropped == 50


def test_memory_is_bounded_while_the_disk_refuses(tmp_path: Path) -> None:
    """What cannot be written is given up in the same order, counted, and the rest written when that works again."""
    disk = Disk()
    disk.full = True
    with running_outbox(tmp_path, connect=disk.connect, outbox_limits=OutboxLimits(waiting_records=10)) as store:
        for number in range(8):
            store.outbox.put(Kind.SESSION, session(f"s{number}"), BOOT)
            store.outbox.put(Kind.MOTION, decision(number), BOOT)
        assert not store.flush(0.01)
        for number in range(8, 12):
            store.outbox.put(Kind.SESSION, session(f"s{number}"), BOOT)
        assert store.outbox.view.records == 10
        assert store.outbox.view.dropped == 10
        disk.full = False
        assert store.flush(PATIENCE_S)
        assert (store.outbox.view.records, store.outbox.view.dropped) == (10, 10)
    assert waiting_in(tmp_path) == [f"s{number}/1" for number in range(2, 12)]


WRONG = Stamp("boot-a", BOOT.offset_us - HOUR_US)


def test_the_clock_is_waited_for_and_corrects(tmp_path: Path) -> None:
    """What was stamped by a clock nobody had set waits for it, and goes out with its instants moved, all in order."""
    with running_outbox(tmp_path) as store:
        grown = threading.Event()
        store.outbox.put(Kind.SESSION, session("a", trusted=False), WRONG)
        store.outbox.put(Kind.ERRORS, error(1, trusted=False), WRONG)
        store.outbox.put(Kind.SESSION, session("b"), BOOT)
        store.outbox.put(Kind.STATUS, status("2026-11-21", 1, trusted=False), WRONG)
        assert names(fetch(store)) == ["2026-11-21/1"]  # that the clock is wrong is news itself
        store.outbox.on_growth = grown.set
        store.outbox.trust(BOOT)
        assert grown.wait(PATIENCE_S)
        first, second = fetch(store)
        assert names([first, second]) == ["e1", "a/1", "b/1"]
        seen = [json.loads(line) for line in (*first.lines, *second.lines)]
        assert [(one.get("startTime") or one["timestamp"]) - NOON_MS for one in seen] == [HOUR_MS + 1, HOUR_MS, 0]
        assert {one["clockTrusted"] for one in seen} == {True}


def test_a_clock_that_is_never_set_is_waited_for_an_hour(tmp_path: Path) -> None:
    """Then a record goes out in doubt, as it was stamped; a younger one is still held, and corrected if the time comes.

    What has gone out is not corrected: a newer word on the same session is what mends it.
    """
    timing = ManualTiming()
    with running_outbox(tmp_path, timing=timing) as store:
        for minute in range(0, 120, 5):
            if minute in {0, 60}:
                store.outbox.put(Kind.SESSION, session(f"at-{minute}", trusted=False), WRONG)
            found = fetch(store, busy=() if minute in {0, 55, 65, 115} else {"bath"})
            if minute == 65:
                assert names(found) == ["at-0/1"]
                assert [json.loads(line)["clockTrusted"] for line in found[0].lines] == [False]
                assert json.loads(found[0].lines[0])["startTime"] == NOON_MS
                store.outbox.settle(found[0].ids, Fate.DONE)
            else:
                assert found == []
            timing.pass_s(300)
        store.outbox.trust(BOOT)
        store.outbox.put(Kind.SESSION, session("at-0", 2), BOOT)
        (out,) = fetch(store)
        assert names([out]) == ["at-60/1", "at-0/2"]
        assert {json.loads(line)["clockTrusted"] for line in out.lines} == {True}


def test_a_restart_begins_the_hour_anew(tmp_path: Path) -> None:
    """How long it had waited before is not known: it is held once more, and no longer than that."""
    with running_outbox(tmp_path) as store:
        store.outbox.put(Kind.SESSION, session("a", trusted=False), WRONG)
    timing = ManualTiming()
    with running_outbox(tmp_path, timing=timing) as store:
        assert fetch(store) == []
        timing.pass_s(HOLD_S - 1)
        assert fetch(store) == []
        timing.pass_s(1)
        assert names(fetch(store)) == ["a/1"]


def test_a_disk_that_cannot_be_read_at_the_start_is_no_end(tmp_path: Path) -> None:
    """The outbox begins when the disk does, and knows the boot all the same."""
    (tmp_path / "state.db").mkdir()
    store = Store(tmp_path, unheard)
    assert store.begin_outbox("boot-a") == 0
    (tmp_path / "state.db").rmdir()
    store.start()
    store.outbox.put(Kind.ERRORS, error(1, trusted=False), WRONG)
    assert store.flush(PATIENCE_S)
    assert fetch(store) == []
    store.close()
    with running_outbox(tmp_path) as store:
        assert store.outbox.view.records == 1


def test_another_boot_leaves_it_in_doubt(tmp_path: Path) -> None:
    """Where nobody learnt how wrong the clock was before the boot was over, the record goes out as it was stamped."""
    with running_outbox(tmp_path) as store:
        store.outbox.put(Kind.SESSION, session("a", trusted=False), WRONG)
    with running_outbox(tmp_path, "boot-b") as store:
        (out,) = fetch(store)
        seen = json.loads(out.lines[0])
        assert (seen["startTime"], seen["clockTrusted"]) == (NOON_MS, False)


def test_what_was_learnt_of_a_clock_outlives_its_boot(tmp_path: Path) -> None:
    """A record that could have been corrected is, also when it leaves in another boot only."""
    with running_outbox(tmp_path) as store:
        store.outbox.put(Kind.SESSION, session("a", trusted=False), WRONG)
        store.outbox.trust(BOOT)
    with running_outbox(tmp_path, "boot-b") as store:
        (out,) = fetch(store)
        assert json.loads(out.lines[0])["startTime"] == NOON_MS + HOUR_MS


def test_seq_never_falls_back(tmp_path: Path) -> None:
    """The highest ever put is known at the next start, although its record has long been sent."""
    with running_outbox(tmp_path) as store:
        store.outbox.put(Kind.SESSION, session("a", 41), BOOT)
        store.outbox.put(Kind.SESSION, session("b", 7), BOOT)
        (out,) = fetch(store)
        store.outbox.settle(out.ids, Fate.DONE)
    again = Store(tmp_path, unheard)
    assert again.begin_outbox("boot-a") == 41
    again.close()


def test_a_full_outbox_is_counted_from_its_index_once(tmp_path: Path) -> None:
    """Opening reads no record, and a put counts nothing anew."""
    disk = Disk()
    with running_outbox(tmp_path) as store:
        for number in range(1_000):
            store.outbox.put(Kind.MOTION, decision(number), BOOT)
            if number % 300 == 0:
                assert store.flush(PATIENCE_S)
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        (plan,) = connection.execute(f"EXPLAIN QUERY PLAN {COUNT}")
    assert "COVERING INDEX" in plan[3]
    with running_outbox(tmp_path, connect=disk.connect) as store:
        assert store.outbox.view.records == 1_000
        for number in range(10):
            store.outbox.put(Kind.MOTION, decision(number), BOOT)
            assert store.flush(PATIENCE_S)
        assert store.outbox.view.records == 1_010
    assert [one for one in disk.statements if "count(" in one and "outbox" in one] == [COUNT]


def test_the_version_before_goes_on_with_our_file(tmp_path: Path) -> None:
    """A downgrade by one version opens the file, and our records are there after the way back."""
    with running_outbox(tmp_path) as store:
        put_sessions(store, "a")
        store.save(house(1), "boot-a")
    database = Database(tmp_path, BEFORE, connect, unheard)
    database.run(lambda connection: connection.execute("DELETE FROM snapshot").close())
    database.close()
    assert saved_in(tmp_path) is None
    assert waiting_in(tmp_path) == ["a/1"]
    assert {path.name for path in tmp_path.iterdir()} == {"state.db"}


def test_what_only_a_newer_version_sends_is_left_for_it(tmp_path: Path) -> None:
    """After a downgrade a kind that nobody here knows waits untouched; the snapshot and all else go on."""
    with running_outbox(tmp_path) as store:
        put_sessions(store, "a", "b")
    with closing(sqlite3.connect(tmp_path / "state.db")) as newer:
        newer.execute("UPDATE outbox SET kind = 'weather' WHERE id = 1")
        newer.commit()
    with running_outbox(tmp_path) as store:
        store.save(house(1), "boot-a")
        put_sessions(store, "c")
        assert store.flush(PATIENCE_S)
        assert names(fetch(store)) == ["b/1", "c/1"]
    with closing(sqlite3.connect(tmp_path / "state.db")) as newer:
        assert newer.execute("SELECT count(*) FROM outbox WHERE kind = 'weather'").fetchone() == (1,)


@pytest.mark.parametrize("damaged", [b"b\x01th", b"b\xffth", b"", b"B" * 33])
def test_a_name_that_the_disk_has_damaged_stops_nothing(tmp_path: Path, damaged: bytes) -> None:
    """Whatever bytes it has become, the snapshot and all others are written and read, and it is told as a name."""
    with running_outbox(tmp_path) as store:
        put_sessions(store, "a", "b")
        store.outbox.put(Kind.ERRORS, error(1, "hall", trusted=False), WRONG)
        store.outbox.trust(BOOT)
    with closing(sqlite3.connect(tmp_path / "state.db")) as disk:
        disk.execute("UPDATE outbox SET sensor_id = CAST(? AS TEXT) WHERE sensor_id = 'hall'", (damaged,))
        disk.execute("UPDATE outbox SET state = 9, kind = CAST(x'ff' AS TEXT) WHERE key = 'b'")
        disk.execute("UPDATE outbox SET key = CAST(x'ff' AS TEXT) WHERE key = 'a'")
        disk.commit()
    with running_outbox(tmp_path) as store:
        store.save(house(1), "boot-a")
        put_sessions(store, "c")
        assert store.flush(PATIENCE_S)
        (bad,) = fetch(store, busy={"bath"})
        assert (bad.sensor_id, names([bad])) == (damaged.decode(errors="replace"), ["e1"])
        store.outbox.settle(bad.ids, Fate.ASIDE)
        (good,) = fetch(store)
        assert names([good]) == ["a/1", "c/1"]
        store.outbox.settle(good.ids, Fate.DONE)
        assert fetch(store) == []
        assert store.outbox.view.aside == 1
    assert saved_in(tmp_path) == 1


def test_what_is_on_the_disk_is_not_put_again_where_handing_over_fails(tmp_path: Path) -> None:
    """The record was written before that, and nothing has multiplied when somebody asks again."""
    failed = threading.Event()

    def fail(*_: object) -> None:
        failed.set()
        raise ValueError("a planted fault")

    with running_outbox(tmp_path) as store:
        store.outbox.put(Kind.MOTION, decision(1), BOOT)
        store.outbox.fetch((), 5, fail)
        assert failed.wait(PATIENCE_S)
        assert store.flush(PATIENCE_S)
        assert names(fetch(store)) == ["e1"]


def test_a_damaged_file_is_counted_anew(tmp_path: Path) -> None:
    """Where state.db has to be begun anew, the counts are those of the new one."""
    with running_outbox(tmp_path) as store:
        put_sessions(store, "a", "b")
        assert store.flush(PATIENCE_S)
        (tmp_path / "state.db").unlink()
        put_sessions(store, "c")
        assert store.flush(PATIENCE_S)
        assert store.outbox.view.records == 1
        assert names(fetch(store)) == ["c/1"]


def test_a_kill_loses_nothing_that_was_promised(tmp_path: Path) -> None:
    """Killed at a hundred random instants while it puts and settles: every durable record is there or was settled."""
    rounds = run_alone("killed_putting", str(tmp_path), "100")
    assert len(rounds) == 100
    assert {line.split()[0] for line in rounds} == {"whole"}
    assert int(rounds[-1].split()[1]) > 100  # it did get to write between the kills
