"""What stays with an owner whose gateway has left: its sessions, ended, and sensors that are in no list."""

import contextlib

from spotty_cloud.rooms import former
from spotty_cloud.settings_of import wiring_of
from spotty_cloud.store import Store
from spotty_cloud.tables import Change, Item, Query, StaleError, apply
from spotty_contract.topics import cloud_id

_MOST_OPEN = 1000
"""A gateway has 16 rooms, each with one session at a time."""


def close_sessions(store: Store, gateway: Item) -> None:
    """End what it left open, when it was last heard of: nobody else will."""
    query = Query("OpenIndex", ("openGatewayId", gateway["gatewayId"]), "startTime")
    for found in store.sessions.all(query, _MOST_OPEN):
        session = store.sessions.get(found["sessionId"])
        if session is None:
            continue
        ended = {
            "status": "ended",
            "endedBy": "gateway_lost",
            "endTime": max(gateway.get("lastSeenAt", 0), session["startTime"], session.get("lastMotionTime", 0)),
            "openGatewayId": None,
        }
        with contextlib.suppress(StaleError):  # ended meanwhile
            apply(Change(store.sessions, session["sessionId"], ended, {"openGatewayId": gateway["gatewayId"]}))


def disown_sensors(store: Store, user_id: str, gateway: Item, now_ms: int) -> None:
    """As when they are taken away one by one. The list is final: nobody changes a gateway that is nobody's."""
    for sensor in wiring_of(gateway).sensors:
        gone = {"userId": former(user_id), "deletedAt": now_ms}
        sensor_id = cloud_id(gateway["gatewayId"], sensor.id)
        with contextlib.suppress(StaleError):  # disowned last time
            apply(Change(store.sensors, sensor_id, gone, {"userId": user_id}))
