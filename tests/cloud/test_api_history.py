import pytest
from tests.cloud.world import ADA, HOME, NOON_MS, World

from spotty_cloud.store import counts_id

SENSOR = f"{HOME}.bath"
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def session(number: int, **more: object) -> dict[str, object]:
    """A session as ingest leaves it, `number` hours before noon."""
    return {
        "sessionId": f"{HOME}.bath-{number}",
        "sensorId": SENSOR,
        "gatewayId": HOME,
        "userId": ADA,
        "startTime": NOON_MS - number * HOUR_MS,
        "endTime": NOON_MS - number * HOUR_MS + 600_000,
        "lastMotionTime": NOON_MS - number * HOUR_MS + 300_000,
        "endedBy": "timeout",
        "durationS": 600.5,
        "motionEventsCount": 3,
        "playbackStarted": True,
        "timeToMusicMs": 700 + number,
        "clockTrusted": True,
        "policyVersion": 1,
        "seq": 2,
        **more,
    }


@pytest.fixture(scope="module", autouse=True)
def a_day_at_ada_s(world: World) -> None:
    """Five sessions, one of them silent for a fault; a day's counts; two decisions."""
    made = {"gatewayId": HOME, "id": "bath", "name": "Bath", "inputs": [{"id": "pir", "pin": 17}]}
    assert world.ask("POST", "/sensors", made).status == 201
    for number in range(4):
        world.parts.store.sessions.put(session(number))
    silent = session(4, playbackStarted=False, silentReason="no_device", timeToMusicMs=None)
    world.parts.store.sessions.put(silent)
    counts = {
        "userId": ADA,
        "sensorId": SENSOR,
        "timestamp": NOON_MS,
        "eventType": "heartbeat",
        "actionTaken": "counted",
    }
    counts |= {"eventId": counts_id(SENSOR, "2026-11-21"), "suppressed": {"quiet_hours": 3, "debounced": 41}}
    world.parts.store.events.put(counts)
    for number in range(2):
        decided = {"eventId": f"{HOME}.e{number}", "userId": ADA, "sensorId": SENSOR, "timestamp": NOON_MS - number - 1}
        world.parts.store.events.put({**decided, "eventType": "motion_detected", "actionTaken": "playback_started"})


def test_sessions_come_the_latest_first_and_stay_so_under_inserts(world: World) -> None:
    """Page by page each is seen once, whatever begins meanwhile; the status is derived."""
    first = world.ask("GET", "/sessions", query={"limit": "2"}).body
    world.parts.store.sessions.put(session(-1))
    second = world.ask("GET", "/sessions", query={"limit": "100", "cursor": first["nextCursor"]}).body
    seen = [one["sessionId"] for one in first["sessions"] + second["sessions"]]
    assert seen == [f"{HOME}.bath-{number}" for number in range(5)]
    assert [one["status"] for one in second["sessions"]] == ["timeout", "timeout", "error"]
    world.parts.store.sessions.delete_many([f"{HOME}.bath--1"])


def test_a_cursor_is_bound_to_its_filters(world: World) -> None:
    """A cursor of all sessions goes on in no other list."""
    cursor = world.ask("GET", "/sessions", query={"limit": "2"}).body["nextCursor"]
    for other in ({"since": "1"}, {"sensorId": SENSOR}):
        assert world.ask("GET", "/sessions", query={"cursor": cursor, **other}).status == 400


def test_sessions_are_found_by_time_and_sensor(world: World) -> None:
    """Both bounds are inclusive."""
    query = {"since": str(NOON_MS - 2 * HOUR_MS), "until": str(NOON_MS - HOUR_MS), "sensorId": SENSOR}
    found = world.ask("GET", "/sessions", query=query).body
    assert [one["sessionId"] for one in found["sessions"]] == [f"{HOME}.bath-1", f"{HOME}.bath-2"]
    assert found["nextCursor"] is None


def test_decisions_are_told_without_the_daily_counts(world: World) -> None:
    """The item of the day's counts is no decision."""
    found = world.ask("GET", f"/sensors/{SENSOR}/decisions").body
    assert [one["eventId"] for one in found["decisions"]] == [f"{HOME}.e0", f"{HOME}.e1"]


def test_analytics_add_up(world: World) -> None:
    """Totals, sensors, days, hours in the zone asked for, time to music, and why there was none."""
    query = {"since": str(NOON_MS - DAY_MS), "until": str(NOON_MS), "timezone": "Asia/Tokyo"}
    found = world.ask("GET", "/analytics", query=query).body
    assert found["complete"] is True
    assert found["totals"] == {"sessions": 5, "durationS": 3002.5, "motions": 15, "withMusic": 4}
    assert [(one["sensorId"], one["sessions"]) for one in found["bySensor"]] == [(SENSOR, 5)]
    assert [(one["day"], one["sessions"]) for one in found["byDay"]] == [("2026-11-21", 5)]
    assert found["byWeekdayAndHour"][5][17:22] == [1, 1, 1, 1, 1]  # a Saturday; noon in UTC is nine at night there
    assert sum(map(sum, found["byWeekdayAndHour"])) == 5
    assert found["timeToMusic"] == {"sessions": 4, "medianMs": 701.5, "p95Ms": pytest.approx(702.85)}
    assert found["silentSessions"] == {"no_device": 1}
    assert found["suppressedMotions"] == {"quiet_hours": 3, "debounced": 41}


def test_analytics_of_a_home_without_sessions_are_zero(world: World) -> None:
    """Nothing is divided by nothing."""
    found = world.ask("GET", "/analytics", user="nobody-has-lived-here").body
    assert (found["totals"]["sessions"], found["timeToMusic"]["medianMs"]) == (0, None)


def test_the_person_s_zone_is_the_default(world: World) -> None:
    """Days are those of the person who looks."""
    assert world.ask("PUT", "/users/me", {"timezone": "Asia/Tokyo", "version": 0}).body["version"] == 1
    assert world.ask("GET", "/analytics").body["timezone"] == "Asia/Tokyo"
    late = world.ask("PUT", "/users/me", {"timezone": "UTC", "version": 0})
    assert (late.status, late.error["details"]) == (409, {"currentVersion": 1})
