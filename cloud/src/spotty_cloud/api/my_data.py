"""All of a person's data: taken along, and deleted for good."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from spotty_cloud.api.asking import AllParts, Asked, Caller, PageAsked, Parts, Signed, problems
from spotty_cloud.api.paging import page_of
from spotty_cloud.errors import ConflictError
from spotty_cloud.rooms import former
from spotty_cloud.store import LEAVING, events_of_sensor, gateways_of, sensors_of, sessions_of_user
from spotty_cloud.tables import Item
from spotty_contract.records import Part

router = APIRouter(tags=["you"])

_MOST_SENSORS = 500
_MOST_AT_ONCE = 2000
"""Records that one request deletes: it has 20 seconds."""


class Export(Part):
    """What is kept of you. Decisions on single motions are at /sensors/{sensorId}/decisions."""

    user: dict[str, Any] | None
    """This and the next two stand on the first page only."""
    gateways: tuple[dict[str, Any], ...] = Field(strict=False)
    sensors: tuple[dict[str, Any], ...] = Field(strict=False)
    sessions: tuple[dict[str, Any], ...] = Field(strict=False)
    next_cursor: str | None


class Deleted(Part):
    """What was deleted by this request; `complete` once nothing is left."""

    records: int
    complete: bool


class Nothing(Asked):
    """No parameters."""


@router.get("/users/me/export", responses=problems(400))
def export_me(parts: AllParts, caller: Signed, asked: Annotated[PageAsked, Query()]) -> Export:
    """Everything that is kept of you, page by page."""
    sessions, cursor = page_of(
        parts, caller, parts.store.sessions, sessions_of_user(caller.user_id, None, None), asked, {"export": True}
    )
    first = asked.cursor is None
    return Export(
        user=parts.store.users.get(caller.user_id) if first else None,
        gateways=tuple(parts.rooms.gateways(caller.user_id)) if first else (),
        sensors=tuple(_sensors(parts, caller)) if first else (),
        sessions=tuple(sessions),
        next_cursor=cursor,
    )


@router.delete("/users/me", responses=problems(409))
def delete_me(parts: AllParts, caller: Signed, _: Annotated[Nothing, Query()]) -> Deleted:
    """Delete all that is kept of you, once your gateways are deregistered; repeat it until `complete`."""
    if next(parts.rooms.gateways(caller.user_id), None) is not None:
        raise ConflictError("deregister your gateways first: they would go on with their last settings")
    gateways = parts.store.gateways
    for leaving in gateways.whole(gateways.all(gateways_of(former(caller.user_id)), 1)):
        gateway_id = leaving["gatewayId"].removeprefix(LEAVING)
        raise ConflictError(f"{gateway_id} has not left wholly; finish that first (DELETE /gateways/{gateway_id})")
    left = _MOST_AT_ONCE
    query = sessions_of_user(caller.user_id, None, None)
    sessions = [one["sessionId"] for one in parts.store.sessions.all(query, left)]
    parts.store.sessions.delete_many(sessions)
    left -= len(sessions)
    if left <= 0:
        return Deleted(records=_MOST_AT_ONCE, complete=False)
    for sensor in _sensors(parts, caller):
        query = events_of_sensor(sensor["sensorId"], None, None)
        events = [one["eventId"] for one in parts.store.events.all(query, left) if one.get("userId") == caller.user_id]
        parts.store.events.delete_many(events)
        left -= len(events)
        if left <= 0:
            return Deleted(records=_MOST_AT_ONCE, complete=False)
        parts.store.sensors.delete_many([sensor["sensorId"]])
    if _sensors(parts, caller):
        return Deleted(records=_MOST_AT_ONCE - left, complete=False)
    subscription = (parts.store.users.get(caller.user_id) or {}).get("notifySubscription")
    if subscription is not None:
        parts.subscriptions.end(subscription)
    parts.connections.forget_all(caller.user_id)
    # A tombstone: it says when, and nothing about whom.
    parts.store.users.put({"userId": caller.user_id, "deletedAt": parts.now_ms()})
    return Deleted(records=_MOST_AT_ONCE - left, complete=True)


def _sensors(parts: Parts, caller: Caller) -> list[Item]:
    """Those that there are, and those that there were; one that was taken away just now may be found as either."""
    sensors, owners = parts.store.sensors, (caller.user_id, former(caller.user_id))
    keys = [one for owner in owners for one in sensors.all(sensors_of(owner), _MOST_SENSORS)]
    return [one for one in sensors.whole(keys) if one.get("userId") in owners]
