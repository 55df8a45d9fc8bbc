"""What the sessions of a stretch of time add up to. Read through indexes and by key: nothing is scanned."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from statistics import quantiles
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import Field, model_validator

from spotty_cloud.api.asking import AllParts, Asked, Caller, Parts, Signed, problems
from spotty_cloud.errors import UnfitError
from spotty_cloud.store import counts_id, sensors_of, sessions_of_sensor, sessions_of_user
from spotty_cloud.tables import Item
from spotty_contract.policy import Zone
from spotty_contract.records import Part
from spotty_contract.wire import UtcMs

router = APIRouter(tags=["history"])

_DAY_MS = 86_400_000
_MOST_DAYS = 92
_MOST_SESSIONS = 20_000
_MOST_SENSORS = 500
_HUNDREDTHS = 100
_LAST_DATE_MS = 253_402_000_000_000
"""The year 9999 in every zone."""


class AnalyticsAsked(Asked):
    """From one instant to another, at most 92 days; the last seven where they are left out."""

    since: UtcMs | None = None
    until: UtcMs | None = None
    sensor_id: Annotated[str, Field(max_length=200)] | None = None
    timezone: Zone | None = None
    """Whose days and hours; yours where it is left out."""

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ValueError("since should not be later than until")
        return self


class Totals(Part):
    """Of some sessions."""

    sessions: int
    duration_s: float
    motions: int
    with_music: int


class OfSensor(Totals):
    """Of one sensor's sessions."""

    sensor_id: str


class OfDay(Totals):
    """Of the sessions that began on one date."""

    day: str


class TimeToMusic(Part):
    """From the motion to the music, where it was measured."""

    sessions: int
    median_ms: float | None
    p95_ms: float | None


class Analytics(Part):
    """What the sessions add up to."""

    since: UtcMs
    until: UtcMs
    timezone: str
    complete: bool
    """False where there were more sessions than are counted at once: ask for a shorter time."""
    totals: Totals
    by_sensor: tuple[OfSensor, ...] = Field(strict=False)
    by_day: tuple[OfDay, ...] = Field(strict=False)
    by_weekday_and_hour: tuple[tuple[int, ...], ...] = Field(strict=False)
    """Sessions that began there: seven rows from Monday, each of 24 hours."""
    time_to_music: TimeToMusic
    silent_sessions: dict[str, int]
    """Sessions without music, by reason."""
    suppressed_motions: dict[str, int]
    """Motions that started nothing, by reason."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    since: int
    until: int
    zone: ZoneInfo

    def begun(self, session: Item) -> datetime:
        return self._local(session["startTime"])

    def days(self) -> Iterator[date]:
        first, last = (self._local(at).date() for at in (self.since, self.until))
        return (first + timedelta(days=number) for number in range((last - first).days + 1))

    def _local(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self.zone)


@router.get("/analytics", responses=problems(404))
def read_analytics(parts: AllParts, caller: Signed, asked: Annotated[AnalyticsAsked, Query()]) -> Analytics:
    """Totals, by sensor, by day, by weekday and hour, time to music, and why music did not start."""
    stretch = _stretch(parts, caller, asked)
    if asked.sensor_id is None:
        query = sessions_of_user(caller.user_id, stretch.since, stretch.until)
        sensor_ids = [item["sensorId"] for item in parts.store.sensors.all(sensors_of(caller.user_id), _MOST_SENSORS)]
    else:
        parts.rooms.sensor(caller.user_id, asked.sensor_id)
        query, sensor_ids = sessions_of_sensor(asked.sensor_id, stretch.since, stretch.until), [asked.sensor_id]
    found = list(parts.store.sessions.all(query, _MOST_SESSIONS + 1))
    sessions = [item for item in found[:_MOST_SESSIONS] if item.get("userId") == caller.user_id]
    return Analytics(
        since=stretch.since,
        until=stretch.until,
        timezone=stretch.zone.key,
        complete=len(found) <= _MOST_SESSIONS,
        totals=Totals.model_validate(_totals(sessions)),
        by_sensor=tuple(
            OfSensor.model_validate({"sensorId": sensor_id, **_totals(some)})
            for sensor_id, some in _grouped(sessions, lambda one: str(one["sensorId"]))
        ),
        by_day=tuple(
            OfDay.model_validate({"day": day, **_totals(some)})
            for day, some in _grouped(sessions, lambda one: stretch.begun(one).date().isoformat())
        ),
        by_weekday_and_hour=_hours(stretch, sessions),
        time_to_music=_time_to_music(sessions),
        silent_sessions=_silent(sessions),
        suppressed_motions=_suppressed(parts, caller, sensor_ids, stretch),
    )


def _stretch(parts: Parts, caller: Caller, asked: AnalyticsAsked) -> _Stretch:
    until = min(parts.now_ms() if asked.until is None else asked.until, _LAST_DATE_MS)
    since = max(_DAY_MS, until - 7 * _DAY_MS) if asked.since is None else asked.since
    if not 0 <= until - since <= _MOST_DAYS * _DAY_MS:
        words = f"since: it should be at most {_MOST_DAYS} days before until"
        raise UnfitError(words, [{"field": "since", "value": str(since), "bound": words}])
    zone = asked.timezone or (parts.store.users.get(caller.user_id) or {}).get("timezone", "UTC")
    return _Stretch(max(since, _DAY_MS), max(until, _DAY_MS), ZoneInfo(zone))


def _totals(sessions: Sequence[Item]) -> dict[str, float | int]:
    return {
        "sessions": len(sessions),
        "durationS": sum(float(one["durationS"]) for one in sessions),
        "motions": sum(one["motionEventsCount"] for one in sessions),
        "withMusic": sum(one["playbackStarted"] for one in sessions),
    }


def _grouped(sessions: Sequence[Item], key: Callable[[Item], str]) -> Iterator[tuple[str, list[Item]]]:
    return ((name, list(some)) for name, some in groupby(sorted(sessions, key=key), key))


def _hours(stretch: _Stretch, sessions: Sequence[Item]) -> tuple[tuple[int, ...], ...]:
    begun = Counter((at.weekday(), at.hour) for at in map(stretch.begun, sessions))
    return tuple(tuple(begun[weekday, hour] for hour in range(24)) for weekday in range(7))


def _time_to_music(sessions: Sequence[Item]) -> TimeToMusic:
    found = [one["timeToMusicMs"] for one in sessions if "timeToMusicMs" in one]
    if not found:
        return TimeToMusic(sessions=0, median_ms=None, p95_ms=None)
    cuts = quantiles([*found, *found[:1]] if len(found) == 1 else found, n=_HUNDREDTHS, method="inclusive")
    return TimeToMusic(sessions=len(found), median_ms=cuts[49], p95_ms=cuts[94])


def _silent(sessions: Sequence[Item]) -> dict[str, int]:
    return dict(Counter(str(one.get("silentReason", "unknown")) for one in sessions if not one["playbackStarted"]))


def _suppressed(parts: Parts, caller: Caller, sensor_ids: Sequence[str], stretch: _Stretch) -> dict[str, int]:
    keys = [counts_id(sensor_id, day.isoformat()) for sensor_id in sensor_ids for day in stretch.days()]
    total: Counter[str] = Counter()
    for item in parts.store.events.get_many(keys):
        if item.get("userId") == caller.user_id:
            total.update(item.get("suppressed", {}))
    return dict(total)
