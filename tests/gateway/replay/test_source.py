import gzip
import io
import os
import sqlite3
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.replay.logs import HEADER, NOON, iso, line, log

from spotty_gateway.engine.rules import SECOND, InputKind, Rules
from spotty_gateway.ports import DecisionRow, EdgeRow
from spotty_gateway.replay.log import BadLogError
from spotty_gateway.replay.source import Outcome, replay
from spotty_gateway.store import Store


def ignore(_share: float) -> None:
    """Nobody watches the progress."""


def walk(source: Path | str, *, skip: bool = False, sensor: str | None = None) -> Outcome:
    """The log under the default rules."""
    return replay(str(source), [Rules()], skip_bad_lines=skip, progress=ignore, sensor=sensor)


def saved(folder: Path, data: bytes) -> Path:
    """A file with these bytes."""
    path = folder / "log.csv"
    path.write_bytes(data)
    return path


class Pipe(io.BytesIO):
    """Standard input that can be read once."""

    def seekable(self) -> bool:
        """A pipe is not."""
        return False


MORNING = [line(0), line(5, "off"), line(400), line(405, "off"), line(406)]


def test_lines_out_of_order_are_sorted_and_counted(tmp_path: Path) -> None:
    """The verdict is that of the sorted log, and a warning says how many lines were late."""
    in_order = walk(saved(tmp_path, log(*MORNING)))
    mixed = walk(saved(tmp_path, log(*(MORNING[index] for index in (0, 3, 1, 2, 4)))))
    assert in_order.warnings == []
    assert mixed.verdicts == in_order.verdicts
    assert mixed.warnings == ["2 lines were out of order; the log has been sorted by time"]


def test_ties_keep_the_order_of_the_log(tmp_path: Path) -> None:
    """At one instant off then on leaves the room occupied, on then off does not; sorting changes neither."""
    for first, second, faults in (("off", "on", 1), ("on", "off", 0)):
        tied = [line(0, first), line(0, second)]
        assert walk(saved(tmp_path, log(*tied))).verdicts[0].faults.total() == faults
        late = walk(saved(tmp_path, log(line(9, "off", "other"), *tied)))
        assert late.warnings == ["2 lines were out of order; the log has been sorted by time"]
        assert late.verdicts[0].faults.total() == faults


def test_a_tie_is_in_order(tmp_path: Path) -> None:
    """Lines of one instant are neither sorted nor counted as late."""
    assert walk(saved(tmp_path, log(line(0), line(0, "off"), line(0)))).warnings == []
    late = walk(saved(tmp_path, log(line(5), line(0), line(5, "off"))))
    assert late.warnings == ["1 line was out of order; the log has been sorted by time"]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3600), st.booleans(), st.sampled_from("ab")), unique_by=lambda one: one[0]))
def test_shuffling_lines_of_distinct_times_changes_nothing(edges: list[tuple[int, bool, str]]) -> None:
    """Whatever order such a log is in, the verdict is one."""
    lines = [line(at, "on" if active else "off", name) for at, active, name in edges]
    with tempfile.TemporaryDirectory() as folder:
        shuffled = walk(saved(Path(folder), log(*lines)))
        in_order = walk(saved(Path(folder), log(*sorted(lines))))
    assert shuffled.verdicts == in_order.verdicts


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("lines", [MORNING, MORNING[::-1]], ids=["in order", "backwards"])
def test_standard_input_is_a_log_like_any_other(
    pack: type[bytes], lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read twice if need be, packed or not, although it flows by only once."""
    data = pack(log(*lines))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Pipe(data)))
    assert walk("-") == walk(saved(tmp_path, data))


def test_a_named_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    """So is what a shell puts in place of <(...)."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(log(*MORNING[::-1]),))
    writer.start()
    outcome = walk(pipe)
    writer.join()
    assert outcome == walk(saved(tmp_path, log(*MORNING[::-1])))


def test_a_closed_standard_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a process was started without one."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(BadLogError, match="it is closed"):
        walk("-")


def test_bad_lines_and_disorder_are_both_told(tmp_path: Path) -> None:
    """A second reading counts bad lines once, not twice."""
    outcome = walk(saved(tmp_path, log(MORNING[1], "bad", MORNING[0])), skip=True)
    assert outcome.warnings == [
        "1 line was out of order; the log has been sorted by time",
        "1 bad line was left out; the first: line 3, column 2: 1 fields instead of 3 (timestamp,input,state)",
    ]


def test_a_bad_line_after_the_disorder_is_an_error(tmp_path: Path) -> None:
    """Sorting never hides it."""
    with pytest.raises(BadLogError, match="line 4, column 2"):
        walk(saved(tmp_path, log(MORNING[1], MORNING[0], "bad")))


@pytest.mark.parametrize("name,told", [("none.csv", "No such file or directory"), (".", "Is a directory")])
def test_what_cannot_be_opened_is_told(name: str, told: str, tmp_path: Path) -> None:
    """With what to give instead."""
    with pytest.raises(BadLogError, match=f"^{told}; name a CSV log or a gateway's history.db$"):
        walk(tmp_path / name)


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    """A long log tells now and then how far it has been read."""
    shares: list[float] = []
    path = saved(tmp_path, log(*(line(number) for number in range(150_001))))
    replay(str(path), [Rules()], skip_bad_lines=False, progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) == 4
    assert 0 < shares[-1] <= 1


RUN = EdgeRow(0, NOON, True, "r1", "bath", "pir", InputKind.PIR, True, False)
DOOR = RUN._replace(input_id="door", kind=InputKind.CONTACT)


def row(seconds: float, *, active: bool = True, like: EdgeRow = RUN) -> EdgeRow:
    """A row of the ring, so many seconds after noon."""
    return like._replace(wall_us=NOON + round(seconds * SECOND), active=active)


def ring(folder: Path, *rows: EdgeRow) -> Path:
    """A history with these rows, written by the gateway's own store."""
    store = Store(folder)
    store.start()
    for one in rows:
        store.note_edge(one)
    store.close()
    return folder / "history.db"


def test_the_ring_of_one_sensor_needs_no_name(tmp_path: Path) -> None:
    """Its verdict is that of the same log in CSV."""
    history = ring(tmp_path, row(0), row(5, active=False), row(400))
    assert walk(history).verdicts == walk(saved(tmp_path, log(line(0), line(5, "off"), line(400)))).verdicts
    assert walk(history, sensor="bath") == walk(history)


def test_kinds_and_start_up_levels_of_the_ring_count(tmp_path: Path) -> None:
    """A contact is a contact and a level found is no motion: both start nothing."""
    found = row(0)._replace(initial=True)
    history = ring(tmp_path, found, row(1, active=False, like=DOOR), row(2, like=DOOR))
    assert walk(history).verdicts[0].motions == 0


def test_one_of_several_sensors_is_chosen(tmp_path: Path) -> None:
    """Without a choice the message lists them; with one only that sensor's rows count."""
    hall = RUN._replace(sensor_id="hall")
    history = ring(tmp_path, row(0), row(1, like=hall), row(900, like=hall))
    with pytest.raises(BadLogError, match=r"^it has 2 sensors, bath, hall; choose one with --sensor$"):
        walk(history)
    assert walk(history, sensor="hall").verdicts[0].motions == 2
    with pytest.raises(BadLogError, match=r"^it has no sensor 'attic'; it has bath, hall$"):
        walk(history, sensor="attic")


def test_an_empty_ring_is_an_empty_log(tmp_path: Path) -> None:
    """A gateway that has decided something and seen nothing."""
    store = Store(tmp_path)
    store.start()
    store.note_decision(DecisionRow(NOON, True, "bath", None, "fault", "input_stuck"))
    store.close()
    assert walk(tmp_path / "history.db").verdicts[0].first_at is None


def test_a_sensor_is_chosen_from_a_ring_only(tmp_path: Path) -> None:
    """In CSV all inputs are one room's."""
    with pytest.raises(BadLogError, match=r"^--sensor chooses from a gateway's history\.db"):
        walk(saved(tmp_path, log()), sensor="bath")


def test_a_foreign_database_is_told(tmp_path: Path) -> None:
    """SQLite alone does not make it a history."""
    with closing(sqlite3.connect(tmp_path / "other.db")) as database:
        database.execute("CREATE TABLE edge (id INTEGER)")
    with pytest.raises(BadLogError, match=r"^it is a database, but not a gateway's history\.db$"):
        walk(tmp_path / "other.db")


def test_a_damaged_ring_is_told(tmp_path: Path) -> None:
    """In one line, without the path, which the command names."""
    history = ring(tmp_path, *(row(number) for number in range(200)))
    history.write_bytes(history.read_bytes()[:8000] + b"\xff" * 8000)
    with pytest.raises(BadLogError) as caught:
        walk(history)
    assert str(caught.value).isprintable()
    assert str(tmp_path) not in str(caught.value)


def test_rows_of_an_untrusted_clock_are_put_where_they_belong(tmp_path: Path) -> None:
    """Once the clock is known, it is known what it should have shown before; in another run it says nothing."""
    yesterday = NOON - 86_400 * SECOND
    rows = [
        RUN._replace(mono_us=10 * SECOND, wall_us=yesterday, trusted=False),
        RUN._replace(mono_us=12 * SECOND, wall_us=yesterday, trusted=False, active=False),
        row(30, active=False)._replace(mono_us=40 * SECOND),
    ]
    told = walk(ring(tmp_path, *rows)).verdicts[0]
    assert [(one.start_at, one.end_at) for one in told.sessions] == [(NOON, NOON + 302 * SECOND)]
    assert (told.first_at, told.last_at) == (NOON, NOON + 30 * SECOND)


def test_a_run_whose_clock_was_never_trusted_keeps_its_own_time(tmp_path: Path) -> None:
    """There is nothing to correct it by."""
    told = walk(ring(tmp_path, row(0)._replace(trusted=False, run="r0"), row(9)._replace(mono_us=SECOND))).verdicts[0]
    assert told.first_at == NOON


def test_logs_are_told_apart_by_content(tmp_path: Path) -> None:
    """A CSV log may be called history.db."""
    path = tmp_path / "history.db"
    path.write_text(f"{HEADER}\n{iso(NOON)},pir,on\n")
    assert walk(path).verdicts[0].motions == 1
