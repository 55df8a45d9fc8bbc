from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.oracle import World
from tests.engine.patience import patient

from spotty_gateway.engine.quiet_hours import is_quiet, span_at
from spotty_gateway.engine.rules import SECOND, Rules, Window

MINUTE = 60 * SECOND
EVERY_DAY = frozenset(range(7))


def utc(text: str) -> int:
    """A UTC instant in microseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def window(start: str, end: str, *days: int) -> Window:
    """A window as a person writes it."""
    (start_h, start_m), (end_h, end_m) = ((int(part) for part in one.split(":")) for one in (start, end))
    return Window(frozenset(days) or EVERY_DAY, start_h * 60 + start_m, end_h * 60 + end_m)


@pytest.mark.parametrize(
    "zone,one,inside,outside",
    [
        (
            "UTC",
            window("22:00", "07:00"),
            ["2026-11-20T22:00", "2026-11-21T06:59"],
            ["2026-11-20T21:59", "2026-11-21T07:00"],
        ),
        # a window over midnight belongs to the day it starts on: 2026-11-20 is a Friday
        (
            "UTC",
            window("22:00", "07:00", 4),
            ["2026-11-20T23:00", "2026-11-21T06:00"],
            ["2026-11-20T06:00", "2026-11-21T23:00"],
        ),
        ("UTC", window("18:00", "24:00", 4), ["2026-11-20T23:59"], ["2026-11-21T00:00"]),
        # Berlin, autumn: 02:30 comes twice and is quiet twice
        (
            "Europe/Berlin",
            window("02:00", "03:00"),
            ["2026-10-25T00:30", "2026-10-25T01:30"],
            ["2026-10-24T23:59", "2026-10-25T02:00"],
        ),
        # Berlin, spring: 02:30 does not come
        ("Europe/Berlin", window("02:00", "03:00"), [], ["2026-03-29T00:59", "2026-03-29T01:00", "2026-03-29T01:30"]),
        # Lord Howe moves by half an hour: 01:30 to 02:00 comes twice
        (
            "Australia/Lord_Howe",
            window("01:45", "02:00"),
            ["2026-04-04T14:50", "2026-04-04T15:20"],
            ["2026-04-04T15:00", "2026-04-04T15:30"],
        ),
        # Beirut skips the hour after midnight: the day begins at 01:00
        ("Asia/Beirut", window("00:30", "01:30"), ["2026-03-28T22:00"], ["2026-03-28T21:59", "2026-03-28T22:30"]),
        # Sao Paulo did the same: the window of Saturday goes on past the gap
        (
            "America/Sao_Paulo",
            window("23:00", "02:00", 5),
            ["2018-11-04T02:59", "2018-11-04T03:00"],
            ["2018-11-04T04:00"],
        ),
        # Apia had no Friday 2011-12-30: what Friday begins is over midnight into Saturday all the same
        (
            "Pacific/Apia",
            window("22:00", "03:00", 4),
            ["2011-12-30T10:00", "2011-12-30T12:59"],
            ["2011-12-30T09:59", "2011-12-30T13:00"],
        ),
        ("Pacific/Apia", window("22:00", "03:00", 3), ["2011-12-30T08:00", "2011-12-30T09:59"], ["2011-12-30T10:00"]),
    ],
)
def test_quiet_is_what_the_clock_on_the_wall_shows(
    zone: str, one: Window, inside: list[str], outside: list[str]
) -> None:
    """A window contains the instants at which the local clock and calendar show a time in it, and no others."""
    found = {text: is_quiet((one,), ZoneInfo(zone), utc(text)) for text in inside + outside}
    assert found == dict.fromkeys(inside, True) | dict.fromkeys(outside, False)


@pytest.mark.parametrize(
    "at,until",
    [
        ("2026-10-24T22:10", "2026-10-25T00:00"),
        ("2026-10-25T00:10", "2026-10-25T00:30"),
        ("2026-10-25T00:40", "2026-10-25T01:00"),
        ("2026-10-25T01:10", "2026-10-25T01:30"),
    ],
)
def test_an_hour_that_comes_twice_has_its_edges_twice(at: str, until: str) -> None:
    """Two to half past two in Berlin begins and ends twice in the night the clocks go back."""
    assert span_at((window("02:00", "02:30"),), ZoneInfo("Europe/Berlin"), utc(at)).end_at == utc(until)


CHANGES = {
    "Europe/Berlin": ["2026-03-29T01:00", "2026-10-25T01:00"],
    "America/Sao_Paulo": ["2018-02-18T02:00", "2018-11-04T03:00"],
    "Africa/Cairo": ["2026-04-23T22:00", "2026-10-29T21:00"],
    "Asia/Beirut": ["2026-03-28T22:00", "2026-10-24T21:00"],
    "Australia/Lord_Howe": ["2026-04-04T15:00", "2026-10-03T15:30"],
    "Pacific/Apia": ["2011-12-30T10:00"],
    "America/New_York": ["2026-03-08T07:00", "2026-11-01T06:00"],
}
MOMENTS = st.sampled_from([(zone, utc(text)) for zone, texts in CHANGES.items() for text in texts])
WINDOWS = st.builds(Window, st.frozensets(st.integers(0, 6)), st.integers(0, 1439), st.integers(0, 1440))


@patient
@given(
    moment=MOMENTS,
    before=st.integers(-24 * 3600 * SECOND, 36 * 3600 * SECOND),
    windows=st.lists(WINDOWS.filter(lambda one: one.start_min != one.end_min), min_size=1, max_size=3),
)
def test_a_span_ends_exactly_where_membership_changes(
    moment: tuple[str, int], before: int, windows: list[Window]
) -> None:
    """Minute by minute, membership is constant to the end of the span and different at it, across any clock change."""
    zone, changes_at = moment
    wall = changes_at - before
    world = World(Rules(zone=ZoneInfo(zone), quiet_windows=tuple(windows)))
    span = span_at(tuple(windows), ZoneInfo(zone), wall)
    minute = wall
    while minute < span.end_at:
        assert world.is_quiet(minute) == span.member
        minute += MINUTE - minute % MINUTE
    assert span.start_at == wall
    if span.end_at - wall < 48 * 3600 * SECOND:
        assert world.is_quiet(span.end_at) != span.member
