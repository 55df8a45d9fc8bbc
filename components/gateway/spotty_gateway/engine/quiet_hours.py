"""Is it quiet now, and until when? Windows of local wall-clock time, right across every change of the clocks.

Membership is containment of the local wall clock, nothing else: an hour that occurs twice is quiet twice, one that is
skipped is never asked about, and "the day before" is the previous calendar date even where a zone skipped it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from spotty_gateway.engine.rules import SECOND, Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
EVERY_DAY = frozenset(range(7))
HORIZON = timedelta(hours=48)
"""How far ahead a change of membership is looked for; beyond it the question is simply asked again."""
_STRIDE = timedelta(hours=1)
_MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Span:
    """Membership that holds from wall instant `start_at` (inclusive) to `end_at` (exclusive), in microseconds."""

    member: bool
    start_at: int
    end_at: int


def to_local(wall: int, zone: tzinfo) -> datetime:
    """The wall clock in `zone` at UTC instant `wall` (microseconds since 1970)."""
    return (EPOCH + timedelta(microseconds=wall)).astimezone(zone)


def contains(window: Window, local: datetime) -> bool:
    """Whether the wall-clock time `local` lies in `window`."""
    minute = local.hour * 60 + local.minute
    days = window.days or EVERY_DAY
    today = local.weekday() in days
    if window.start_min < window.end_min:
        return today and window.start_min <= minute < window.end_min
    yesterday = (local.weekday() - 1) % 7 in days
    return (today and minute >= window.start_min) or (yesterday and minute < window.end_min)


def is_quiet(windows: Iterable[Window], zone: tzinfo, wall: int) -> bool:
    """Whether any window contains UTC instant `wall` on the clocks of `zone`."""
    local = to_local(wall, zone)
    return any(contains(window, local) for window in windows)


def span_at(windows: tuple[Window, ...], zone: tzinfo, wall: int) -> Span:
    """The membership at `wall` and how long it surely lasts (at most 48 h ahead)."""
    now = EPOCH + timedelta(microseconds=wall)
    member = is_quiet(windows, zone, wall)
    for instant in sorted(set(_possible_changes(windows, zone, now))):
        changes_at = (instant - EPOCH) // MICROSECOND
        if changes_at > wall and is_quiet(windows, zone, changes_at) != member:
            return Span(member, wall, changes_at)
    return Span(member, wall, wall + int(HORIZON.total_seconds()) * SECOND)


def _possible_changes(windows: tuple[Window, ...], zone: tzinfo, now: datetime) -> Iterator[datetime]:
    """Every UTC instant in the horizon at which a window's edge is shown or the clocks are changed."""
    first = now.astimezone(zone).date() - DAY
    edges = {minute % _MINUTES_A_DAY for window in windows for minute in (window.start_min, window.end_min)} | {0}
    for days in range(5):
        for minute in edges:
            yield from _when_shown(first + days * DAY, minute, zone)
    yield from _clock_changes(zone, now)


def _when_shown(day: date, minute: int, zone: tzinfo) -> Iterator[datetime]:
    shown = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=zone)
    for fold in (0, 1):
        yield shown.replace(fold=fold).astimezone(UTC)


def _clock_changes(zone: tzinfo, now: datetime) -> Iterator[datetime]:
    before = now
    while before < now + HORIZON:
        after = before + _STRIDE
        if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            yield _bisect_change(zone, before, after)
        before = after


def _bisect_change(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """The first whole second in (before, after] at which the offset has its later value."""
    offset = before.astimezone(zone).utcoffset()
    low, high = before, after
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
