"""What happened: sessions, and what was decided about single motions."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import Field, model_validator

from spotty_cloud.api.asking import AllParts, PageAsked, Signed, problems
from spotty_cloud.api.paging import page_of
from spotty_cloud.store import events_of_sensor, sessions_of_sensor, sessions_of_user
from spotty_contract.records import Part, status_of
from spotty_contract.wire import UtcMs

router = APIRouter(tags=["history"])


class Between(PageAsked):
    """From one instant to another, both inclusive, in milliseconds since 1970."""

    since: UtcMs | None = None
    until: UtcMs | None = None

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ValueError("since should not be later than until")
        return self


class SessionsAsked(Between):
    """Of all sensors, or of one."""

    sensor_id: Annotated[str, Field(max_length=200)] | None = None


class Session(Part):
    """A session as it stands."""

    session_id: str
    sensor_id: str
    gateway_id: str
    status: str
    ended_by: str | None = None
    start_time: UtcMs
    end_time: UtcMs | None = None
    last_motion_time: UtcMs
    duration_s: float
    motion_events_count: int
    playback_started: bool
    silent_reason: str | None = None
    time_to_music_ms: int | None = None
    device: dict[str, Any] | None = None
    context_uri: str | None = None
    clock_trusted: bool = True
    policy_version: int = 0


class Sessions(Part):
    """A page of them, the latest first."""

    sessions: tuple[Session, ...] = Field(strict=False)
    next_cursor: str | None


class Decided(Part):
    """What was decided about one motion, or about the music."""

    event_id: str
    sensor_id: str
    session_id: str | None = None
    timestamp: UtcMs
    event_type: str
    action_taken: str
    reason: str | None = None


class Decisions(Part):
    """A page of them, the latest first. Empty unless the gateway's telemetry level is `decisions`."""

    decisions: tuple[Decided, ...] = Field(strict=False)
    next_cursor: str | None


@router.get("/sessions", responses=problems(400, 404))
def list_sessions(parts: AllParts, caller: Signed, asked: Annotated[SessionsAsked, Query()]) -> Sessions:
    """Your sessions, the latest first."""
    if asked.sensor_id is None:
        query = sessions_of_user(caller.user_id, asked.since, asked.until)
    else:
        parts.rooms.sensor(caller.user_id, asked.sensor_id)
        query = sessions_of_sensor(asked.sensor_id, asked.since, asked.until)
    filters = {"since": asked.since, "until": asked.until, "sensorId": asked.sensor_id}
    items, cursor = page_of(parts, caller, parts.store.sessions, query, asked, filters)
    own = [item for item in items if item.get("userId") == caller.user_id]
    return Sessions(sessions=tuple(map(session_of, own)), next_cursor=cursor)


@router.get("/sensors/{sensor_id}/decisions", responses=problems(400, 404))
def list_decisions(parts: AllParts, caller: Signed, sensor_id: str, asked: Annotated[Between, Query()]) -> Decisions:
    """Why music did or did not start, the latest first."""
    parts.rooms.sensor(caller.user_id, sensor_id)
    query = events_of_sensor(sensor_id, asked.since, asked.until)
    filters = {"since": asked.since, "until": asked.until, "sensorId": sensor_id}
    items, cursor = page_of(parts, caller, parts.store.events, query, asked, filters)
    own = [item for item in items if item.get("userId") == caller.user_id and item.get("eventType") != "heartbeat"]
    return Decisions(decisions=tuple(map(Decided.model_validate, own)), next_cursor=cursor)


def session_of(item: dict[str, Any]) -> Session:
    """As it is told: its status is derived, here as everywhere."""
    derived = status_of(
        item.get("endedBy"), item.get("silentReason"), playback_started=item.get("playbackStarted", False)
    )
    return Session.model_validate({**item, "status": derived})
