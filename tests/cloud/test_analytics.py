from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.cloud.test_api_history import session
from tests.cloud.world import HOME, World

from spotty_cloud.store import counts_id

BERLIN = ZoneInfo("Europe/Berlin")
CLARA, SENSOR = "clara-0004", f"{HOME}.attic"
SUNDAY = 6


def at_ms(text: str) -> int:
    """An instant, with its offset."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.fixture(scope="module", autouse=True)
def two_sundays(world: World) -> None:
    """The clocks go forward on one and back on the other; sessions begin around both."""
    world.parts.store.sensors.put({"sensorId": SENSOR, "userId": CLARA, "gatewayId": HOME})
    begun = (
        "2026-03-28T23:30:00+00:00",  # 00:30 in Berlin, of the 29th
        "2026-03-29T00:59:59+00:00",  # 01:59:59, the last second before three
        "2026-03-29T01:00:00+00:00",  # 03:00
        "2026-03-29T21:59:59+00:00",  # 23:59:59 in summer time
        "2026-03-29T22:00:00+00:00",  # midnight: the 30th
        "2026-10-24T22:00:00+00:00",  # midnight in summer time: the 25th
        "2026-10-25T00:30:00+00:00",  # 02:30 for the first time
        "2026-10-25T01:30:00+00:00",  # 02:30 for the second
        "2026-10-25T22:59:59+00:00",  # 23:59:59, twenty-five hours later
    )
    for number, text in enumerate(begun):
        world.parts.store.sessions.put(
            session(number, sessionId=f"{HOME}.c{number}", sensorId=SENSOR, userId=CLARA, startTime=at_ms(text))
        )
    for day in ("2026-03-28", "2026-03-29", "2026-10-25", "2026-10-26"):
        counted = {"userId": CLARA, "sensorId": SENSOR, "timestamp": at_ms(f"{day}T12:00:00+00:00")}
        counted |= {"eventType": "heartbeat", "suppressed": {day: 1}}
        world.parts.store.events.put({"eventId": counts_id(SENSOR, day), **counted})


def asked(world: World, since: str, until: str) -> Any:  # noqa: ANN401  # JSON
    """Both bounds as a clock on the wall shows them there."""
    bounds = {
        name: str(int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1000))
        for name, text in (("since", since), ("until", until))
    }
    answer = world.ask("GET", "/analytics", user=CLARA, query={**bounds, "timezone": BERLIN.key})
    assert answer.status == 200
    return answer.body


@pytest.mark.parametrize(
    "day, sessions, hours",
    [
        ("2026-03-29", 4, {0: 1, 1: 1, 3: 1, 23: 1}),
        ("2026-10-25", 4, {0: 1, 2: 2, 23: 1}),
    ],
)
def test_a_day_is_a_day_of_the_wall_clock(world: World, day: str, sessions: int, hours: dict[int, int]) -> None:
    """Of 23 hours or of 25: what began in it is its own, its counts are read once, an hour that comes twice adds up."""
    found = asked(world, f"{day}T00:00:00", f"{day}T23:59:59.999")
    (one,) = found["byDay"]
    assert (one["day"], one["sessions"]) == (day, sessions)
    weekdays = found["byWeekdayAndHour"]
    assert {hour: times for hour, times in enumerate(weekdays[SUNDAY]) if times} == hours
    assert sum(map(sum, weekdays)) == sessions
    assert found["suppressedMotions"] == {day: 1}


def test_a_stretch_over_both_has_each_session_once(world: World) -> None:
    """What stands under days and hours is what stands in the totals."""
    found = [asked(world, "2026-03-28T00:00:00", "2026-04-30T00:00:00")]
    found += [asked(world, "2026-10-01T00:00:00", "2026-11-21T00:00:00")]
    for one, sessions in zip(found, (5, 4), strict=True):
        assert one["totals"]["sessions"] == sum(day["sessions"] for day in one["byDay"]) == sessions


def test_nothing_is_scanned(world: World) -> None:
    """Sessions by their index, counts by their keys; however many others there are."""
    called: list[str] = []
    client = world.parts.store.sessions.client

    def note(model: object, **_: object) -> None:
        called.append(str(getattr(model, "name", "")))

    client.meta.events.register("before-call.dynamodb", note)
    asked(world, "2026-10-25T00:00:00", "2026-10-25T23:59:59")
    client.meta.events.unregister("before-call.dynamodb", note)
    assert set(called) <= {"Query", "BatchGetItem", "GetItem"}
    assert "Query" in called
