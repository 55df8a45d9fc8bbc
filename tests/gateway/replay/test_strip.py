from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotty_gateway.engine.quiet_hours import DAY, EPOCH, MICROSECOND
from spotty_gateway.engine.reasons import EndedBy
from spotty_gateway.engine.rules import SECOND, Rules, Window
from spotty_gateway.replay.judge import Past, Verdict
from spotty_gateway.replay.strip import FULL, Calendar, Strip

MINUTE = 60 * SECOND
BERLIN = ZoneInfo("Europe/Berlin")


def instant(text: str, zone: ZoneInfo = BERLIN) -> int:
    """The instant at which the zone's clocks show this."""
    return (datetime.fromisoformat(text).replace(tzinfo=zone) - EPOCH) // MICROSECOND


def session(start: str, minutes: float, zone: ZoneInfo = BERLIN) -> Past:
    """A session from a local time on."""
    start_at = instant(start, zone)
    return Past(start_at, start_at + round(minutes * MINUTE), EndedBy.TIMEOUT, 1)


def strip(day: str, *sessions: Past, rules: Rules | None = None, cells: int = 48, zone: ZoneInfo = BERLIN) -> Strip:
    """The strip of one day."""
    verdict = Verdict(rules or Rules(zone=zone), sessions=list(sessions))
    return Calendar([verdict], zone, cells).strips(date.fromisoformat(day))[0]


@pytest.mark.parametrize("minutes,height", [(0.1, 1), (3.74, 1), (7.5, 2), (15, 4), (29.9, 7), (30, FULL)])
def test_a_cell_is_as_high_as_it_has_music(minutes: float, height: int) -> None:
    """A second of music can be seen, and only music from end to end fills the cell."""
    drawn = strip("2026-01-05", session("2026-01-05T12:00", minutes))
    assert drawn.heights == (0,) * 24 + (height,) + (0,) * 23
    assert (drawn.began, drawn.music_us) == (1, round(minutes * MINUTE))


def test_short_sessions_in_one_cell_add_up() -> None:
    """Two of ten minutes are two thirds of half an hour."""
    drawn = strip("2026-01-05", session("2026-01-05T12:00", 10), session("2026-01-05T12:15", 10))
    assert drawn.heights[24] == FULL * 2 // 3
    assert drawn.began == 2


def test_a_session_over_midnight_is_on_both_days_and_begins_on_one() -> None:
    """Its music is divided between them."""
    late = session("2026-01-05T23:45", 30)
    first, second = strip("2026-01-05", late), strip("2026-01-06", late)
    assert (first.heights[-1], first.began, first.music_us) == (4, 1, 15 * MINUTE)
    assert (second.heights[0], second.began, second.music_us) == (4, 0, 15 * MINUTE)


def test_a_session_that_ends_at_midnight_is_not_on_the_next_day() -> None:
    """The end is exclusive here too."""
    verdict = Verdict(Rules(), sessions=[session("2026-01-05T23:30", 30)])
    runs = Calendar([verdict], BERLIN, 48).days(instant("2026-01-05T09:00"), instant("2026-01-06T09:00"))
    assert [(run.has_music, len(run.dates)) for run in runs] == [(True, 1), (False, 1)]


def test_quiet_hours_are_marked_by_the_policys_own_clocks() -> None:
    """A policy that lives elsewhere has them when they are there."""
    rules = Rules(zone=ZoneInfo("Asia/Tokyo"), quiet_windows=(Window(frozenset(), 0, 60),))
    drawn = strip("2026-01-05", rules=rules)
    assert [cell for cell, quiet in enumerate(drawn.quiet) if quiet] == [32, 33]  # midnight in Tokyo, 16:00 in Berlin


@pytest.mark.parametrize(
    "day,hours,cell,height",
    [("2026-03-29", 23, 6, 4), ("2026-10-25", 25, 6, 4), ("2026-06-01", 24, 6, 4)],
    ids=["spring", "autumn", "summer"],
)
def test_three_oclock_is_the_seventh_half_hour_on_any_day(day: str, hours: int, cell: int, height: int) -> None:
    """Also where an hour was skipped or shown twice before; and the whole day is covered."""
    assert strip(day, session(f"{day}T03:00", 15)).heights[cell] == height
    whole = strip(day, session(f"{day}T00:00", hours * 60))
    assert whole.music_us == hours * 60 * MINUTE
    assert sum(1 for one in whole.heights if one == FULL) == 48 - 2 * (hours == 23)


@given(
    st.dates(date(1971, 1, 1), date(2199, 12, 1)),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"]),
    st.sampled_from([96, 48, 24, 12]),
)
def test_days_join_without_gap_or_overlap(day: date, name: str, cells: int) -> None:
    """A day's cells are in order, and it ends where the next begins, whatever the clocks do."""
    calendar = Calendar([], ZoneInfo(name), cells)
    edges, after = calendar._edges(day), calendar._edges(day + DAY)  # no user can see where a cell begins
    assert all(left <= right for left, right in pairwise(edges))
    assert len(edges) == cells + 1
    assert edges[-1] == after[0] or day == date(2011, 12, 29)  # the day after which Apia skipped one


def test_days_run_from_the_first_line_to_the_last_and_the_end_of_the_music() -> None:
    """Days before and after the music are days of the log too."""
    verdict = Verdict(Rules(), sessions=[session("2026-01-07T23:59", 30), session("2026-01-10T12:00", 30)])
    runs = Calendar([verdict], BERLIN, 48).days(instant("2026-01-05T09:00"), instant("2026-01-12T00:00"))
    assert [(run.has_music, [day.day for day in run.dates]) for run in runs] == [
        (False, [5, 6]),
        (True, [7, 8]),
        (False, [9]),
        (True, [10]),
        (False, [11, 12]),
    ]
    beyond = Calendar([verdict], BERLIN, 48).days(instant("2026-01-07T09:00"), instant("2026-01-07T10:00"))
    assert beyond[-1].dates[-1] == date(2026, 1, 10)
