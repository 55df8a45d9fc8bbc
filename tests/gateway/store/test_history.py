from pathlib import Path

from tests.gateway.store.workbench import PATIENCE_S, WALL, Disk, decision, edge, running_store

from spotty_gateway.engine.rules import InputKind
from spotty_gateway.ports import DecisionRow, EdgeRow
from spotty_gateway.store import Limits, last_decisions, read_edges, sensors_of
from spotty_gateway.store.history import DAY_US, HOUR_US


def ring(folder: Path) -> list[int]:
    """The edges in the file, by number."""
    return [row.mono_us for row in read_edges(folder / "history.db")]


def test_edges_come_back_as_they_were(tmp_path: Path) -> None:
    """All that a replay needs is kept: kind, start-up level, run, both clocks and their trust."""
    rows = [
        EdgeRow(1, -5, False, "r1", "bath", "door", InputKind.CONTACT, active=True, initial=True),
        EdgeRow(2**62, WALL, True, "r1", "Küche 🚿", "pir", InputKind.PIR, active=False, initial=False),
        EdgeRow(0, 0, True, "r2", "bath", "button", InputKind.BUTTON, active=True, initial=False),
    ]
    with running_store(tmp_path) as store:
        for row in rows:
            store.note_edge(row)
    found = list(read_edges(tmp_path / "history.db"))
    assert found == rows
    assert [type(value) for value in found[0]] == [type(value) for value in rows[0]]
    assert list(read_edges(tmp_path / "history.db", "bath")) == [rows[0], rows[2]]
    assert sensors_of(tmp_path / "history.db") == ["Küche 🚿", "bath"]


def test_decisions_come_back_newest_first(tmp_path: Path) -> None:
    """The ledger answers "why": the last decisions, of one sensor or of all, as many as asked for."""
    started = DecisionRow(WALL, False, "hall", "r1-1", "playback_started", "motion", "on the kitchen speaker")
    with running_store(tmp_path) as store:
        for row in (decision(1), started, decision(2), decision(3)):
            store.note_decision(row)
    path = tmp_path / "history.db"
    assert last_decisions(path) == [decision(3), decision(2), started, decision(1)]
    assert last_decisions(path, "hall") == [started]
    assert last_decisions(path, limit=2) == [decision(3), decision(2)]


def test_the_ring_is_bounded(tmp_path: Path) -> None:
    """There are never more edges than the bound, the newest are all there, and little more than needed is forgotten."""
    with running_store(tmp_path, limits=Limits(edges=200)) as store:
        for number in range(500):
            store.note_edge(edge(number))
            assert store.flush(PATIENCE_S)
            kept = ring(tmp_path)
            assert kept == list(range(kept[0], number + 1))
            assert min(number + 1, 198) <= len(kept) <= 200
        for number in range(500, 800):
            store.note_edge(edge(number))
        assert store.flush(PATIENCE_S)
        assert ring(tmp_path) == list(range(602, 800))


def test_the_ledger_is_bounded(tmp_path: Path) -> None:
    """There are never more decisions than the bound, and the newest are all there."""
    with running_store(tmp_path, limits=Limits(decisions=200)) as store:
        for first in range(0, 1_000, 50):
            for number in range(first, first + 50):
                store.note_decision(decision(number))
            assert store.flush(PATIENCE_S)
            kept = last_decisions(tmp_path / "history.db", limit=1_000)
            assert kept == [decision(first + 49 - back) for back in range(len(kept))]
            assert min(first + 50, 198) <= len(kept) <= 200


def test_edges_are_forgotten_after_thirty_days(tmp_path: Path) -> None:
    """An edge older than thirty days goes, together with what came before it; younger ones stay."""
    days_ago = [40, 31, 29, 1, 0]
    with running_store(tmp_path) as store:
        store.note_edge(edge(9, wall_us=2 * WALL, trusted=False))
        for number, days in enumerate(days_ago):
            store.note_edge(edge(number, wall_us=WALL - days * DAY_US))
        assert store.flush(PATIENCE_S)
        assert ring(tmp_path) == [2, 3, 4]
        store.note_edge(edge(5, wall_us=WALL + DAY_US + HOUR_US))
        assert store.flush(PATIENCE_S)
        assert ring(tmp_path) == [3, 4, 5]


def test_age_is_looked_at_once_an_hour(tmp_path: Path) -> None:
    """Not every batch pays for the search for old edges."""
    disk = Disk()
    with running_store(tmp_path, disk=disk) as store:
        for minute in range(150):
            store.note_edge(edge(minute, wall_us=WALL + minute * HOUR_US // 60))
            assert store.flush(PATIENCE_S)
    assert sum("max(id) FROM edge WHERE trusted" in statement for statement in disk.statements) == 3


def test_an_unset_clock_forgets_nothing(tmp_path: Path) -> None:
    """Edges stamped 1970 or 2099 by a clock nobody trusts neither go early nor make others go."""
    rows = [
        edge(9, wall_us=0, trusted=False),
        edge(0, wall_us=WALL - DAY_US),
        edge(1, wall_us=0, trusted=False),
        edge(2, wall_us=2 * WALL, trusted=False),
        edge(3, wall_us=WALL),
    ]
    with running_store(tmp_path) as store:
        for row in rows:
            store.note_edge(row)
            assert store.flush(PATIENCE_S)
    assert list(read_edges(tmp_path / "history.db")) == rows


def test_a_long_forgotten_past_goes_bit_by_bit(tmp_path: Path) -> None:
    """After a long absence no single batch pays for all that is too old, yet all of it goes."""
    with running_store(tmp_path, limits=Limits(edges=1_000)) as store:
        for number in range(30):
            store.note_edge(edge(number, wall_us=WALL - 50 * DAY_US + number))
        assert store.flush(PATIENCE_S)
        left = []
        for number in range(30, 34):
            store.note_edge(edge(number, wall_us=WALL))
            assert store.flush(PATIENCE_S)
            left.append(ring(tmp_path)[0])
    assert left == [10, 20, 30, 30]


def test_a_row_no_file_can_hold_costs_no_other(tmp_path: Path) -> None:
    """Half a character pair, or a number beyond 64 bits, loses its own row only, and that is said."""
    said: list[str] = []
    with running_store(tmp_path, said.append) as store:
        store.note_edge(edge(1))
        store.note_edge(edge(2, sensor_id="\ud800"))
        store.note_edge(edge(3)._replace(mono_us=2**63))
        store.note_edge(edge(4))
        store.note_decision(decision(1)._replace(detail="\udfff"))
        store.note_decision(decision(2))
    assert ring(tmp_path) == [1, 4]
    assert last_decisions(tmp_path / "history.db") == [decision(2)]
    assert said == ["history.db: 3 rows could not be written down and were left out"]
