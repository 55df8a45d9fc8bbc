"""The tables that there are, with their indexes, and what may stand in the attributes that queries go by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spotty_cloud.tables import Query, Table

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_dynamodb.client import DynamoDBClient

LEAVING = "leaving#"
"""Before the id of a gateway that is being deregistered: an item by which whose it was can find it. No gateway's id:
those have no such sign."""

MOST_GATEWAYS = 200
"""Of one person: so many are listed, and no more are registered."""


@dataclass(frozen=True, slots=True)
class Store:
    """All tables that the api and ingest use."""

    sensors: Table
    users: Table
    sessions: Table
    events: Table
    gateways: Table
    commands: Table


def store_of(client: "DynamoDBClient", environment: Mapping[str, str]) -> Store:
    """The tables that the environment names. Raises KeyError for one that it does not."""
    return Store(
        sensors=Table(client, environment["SENSORS_TABLE"], "sensorId"),
        users=Table(client, environment["USERS_TABLE"], "userId"),
        sessions=Table(client, environment["SESSIONS_TABLE"], "sessionId"),
        events=Table(client, environment["MOTION_EVENTS_TABLE"], "eventId"),
        gateways=Table(client, environment["GATEWAYS_TABLE"], "gatewayId"),
        commands=Table(client, environment["COMMANDS_TABLE"], "commandId"),
    )


def sensors_of(user_id: str) -> Query:
    """A person's sensors by id, their keys alone; deleted ones belong to nobody."""
    return Query("UserIdIndex", ("userId", user_id), "sensorId")


def gateways_of(user_id: str) -> Query:
    """A person's gateways by id, their keys alone."""
    return Query("UserIdIndex", ("userId", user_id), "gatewayId")


def sessions_of_user(user_id: str, since: int | None, until: int | None) -> Query:
    """A person's sessions, the latest first."""
    return Query("UserIdIndex", ("userId", user_id), "startTime", since, until, newest_first=True)


def sessions_of_sensor(sensor_id: str, since: int | None, until: int | None) -> Query:
    """A sensor's sessions, the latest first."""
    return Query("SensorIdIndex", ("sensorId", sensor_id), "startTime", since, until, newest_first=True)


def events_of_sensor(sensor_id: str, since: int | None, until: int | None) -> Query:
    """What was decided about a sensor's motions, the latest first; its daily counts among them."""
    return Query("SensorTimestampIndex", ("sensorId", sensor_id), "timestamp", since, until, newest_first=True)


def counts_id(sensor_id: str, day: str) -> str:
    """The item of MotionEvents that holds a sensor's suppressed motions of one day (its own zone's date)."""
    return f"{sensor_id}.day-{day}"
