"""Days as strips: for each part of a day, how much of it had music."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import accumulate, groupby, pairwise

from spotty_gateway.engine.quiet_hours import DAY, EPOCH, MICROSECOND, is_quiet, to_local
from spotty_gateway.replay.judge import Past, Verdict

FULL = 8
"""The height of a cell that has music from its beginning to its end."""

_MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Strip:
    """One day under one policy. `heights` are 0 to 8; `quiet` tells the cells that begin in quiet hours."""

    heights: tuple[int, ...]
    quiet: tuple[bool, ...]
    began: int
    """How many sessions began on that day."""
    music_us: int


@dataclass(frozen=True, slots=True)
class Days:
    """Days in a row that all have music under some policy, or none of which has any."""

    dates: list[date]
    has_music: bool


class Calendar:
    """The days of a log by the clocks of one zone, under one policy or several."""

    def __init__(self, verdicts: list[Verdict], zone: tzinfo, cells: int) -> None:
        """`cells` is how many parts a day is drawn in; it divides the minutes of a day."""
        self._verdicts = verdicts
        self._zone = zone
        self._cells = cells
        self._sessions = [_by_date(verdict.sessions, zone) for verdict in verdicts]

    def days(self, first_at: int, last_at: int) -> list[Days]:
        """All days from one instant to another, and to the end of the last session."""
        day, last = to_local(first_at, self._zone).date(), to_local(last_at, self._zone).date()
        last = max([last, *(max(booked) for booked in self._sessions if booked)])
        dates = [day + number * DAY for number in range((last - day).days + 1)]
        runs = groupby(dates, key=lambda one: any(one in booked for booked in self._sessions))
        return [Days(list(run), has_music) for has_music, run in runs]

    def strips(self, day: date) -> list[Strip]:
        """The day under each policy."""
        edges = self._edges(day)
        return [
            _strip(verdict, booked.get(day, []), edges)
            for verdict, booked in zip(self._verdicts, self._sessions, strict=True)
        ]

    def _edges(self, day: date) -> list[int]:
        """The instants at which the clocks show the cells' beginnings, and the day's end.

        Times that the clocks skip make cells without length, an hour that they show twice makes a long one.
        """
        midnight = datetime.combine(day, time(), tzinfo=self._zone)
        step = timedelta(minutes=_MINUTES_A_DAY // self._cells)
        shown = [(midnight + number * step - EPOCH) // MICROSECOND for number in range(self._cells + 1)]
        return list(accumulate(reversed(shown), min))[::-1]


def _by_date(sessions: list[Past], zone: tzinfo) -> dict[date, list[Past]]:
    booked: defaultdict[date, list[Past]] = defaultdict(list)
    for one in sessions:
        day, last = to_local(one.start_at, zone).date(), to_local(one.end_at - 1, zone).date()
        for number in range((last - day).days + 1):
            booked[day + number * DAY].append(one)
    return dict(booked)


def _strip(verdict: Verdict, sessions: list[Past], edges: list[int]) -> Strip:
    rules = verdict.rules
    heights = [_height(sessions, left, right) for left, right in pairwise(edges)]
    quiet = [
        bool(rules.quiet_windows) and left < right and is_quiet(rules.quiet_windows, rules.zone, left)
        for left, right in pairwise(edges)
    ]
    began = sum(edges[0] <= one.start_at < edges[-1] for one in sessions)
    return Strip(tuple(heights), tuple(quiet), began, _music(sessions, edges[0], edges[-1]))


def _height(sessions: list[Past], left: int, right: int) -> int:
    """Any music at all can be seen; only a cell full of it is drawn full."""
    music = _music(sessions, left, right)
    return max(1, music * FULL // (right - left)) if music else 0


def _music(sessions: list[Past], left: int, right: int) -> int:
    return sum(max(0, min(one.end_at, right) - max(one.start_at, left)) for one in sessions)
