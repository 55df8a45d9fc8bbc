"""Every MQTT topic and shadow name, built here and read back here; nobody else puts one together."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from spotty_contract.gateway import RESERVED_SENSOR_ID

GATEWAY_ID_WORDS = "a thing name: 1 to 128 letters, digits, hyphens, underscores and colons"
SENSOR_ID_WORDS = "1 to 32 small letters, digits and hyphens, a letter or digit first"

GatewayId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9:_-]{1,128}$", description=GATEWAY_ID_WORDS)]
"""The name of the gateway's thing in AWS."""

_GATEWAY_ID = re.compile(r"[a-zA-Z0-9:_-]{1,128}", re.ASCII)
_SENSOR_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
_LOCAL_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}", re.ASCII)
_SENSOR_SHADOW = "sensor-"


class TopicError(ValueError):
    """This is no name, or no topic, of ours; the message says what it should be."""


class Kind(StrEnum):
    """The last level of a topic: what travels there. Everything goes up but `commands`."""

    MOTION = "motion"
    SESSION = "session"
    STATUS = "status"
    PLAYBACK = "playback"
    ERRORS = "errors"
    REGISTER = "register"
    RESULTS = "results"
    COMMANDS = "commands"


UP_KINDS = tuple(kind for kind in Kind if kind is not Kind.COMMANDS)


class ShadowAction(StrEnum):
    """What happens to a shadow, as the end of its topic says it."""

    GET = "get"
    GET_ACCEPTED = "get/accepted"
    GET_REJECTED = "get/rejected"
    UPDATE = "update"
    UPDATE_ACCEPTED = "update/accepted"
    UPDATE_REJECTED = "update/rejected"
    UPDATE_DELTA = "update/delta"
    UPDATE_DOCUMENTS = "update/documents"
    DELETE = "delete"
    DELETE_ACCEPTED = "delete/accepted"
    DELETE_REJECTED = "delete/rejected"


@dataclass(frozen=True, slots=True)
class SensorTopic:
    """`sensors/{gatewayId}/{sensorId}/{kind}`. Raises TopicError for ids that fit no topic."""

    gateway_id: str
    sensor_id: str
    kind: Kind

    def __post_init__(self) -> None:
        _check_gateway(self.gateway_id)
        _check_sensor(self.sensor_id)

    def __str__(self) -> str:
        return f"sensors/{self.gateway_id}/{self.sensor_id}/{self.kind}"


@dataclass(frozen=True, slots=True)
class ShadowTopic:
    """`$aws/things/{gatewayId}/shadow/name/{shadow}/{action}` of a sensor, or of `gateway`. Raises TopicError."""

    gateway_id: str
    sensor_id: str
    action: ShadowAction

    def __post_init__(self) -> None:
        _check_gateway(self.gateway_id)
        _check_sensor(self.sensor_id)

    def __str__(self) -> str:
        return f"{_shadows(self.gateway_id)}/{shadow_name(self.sensor_id)}/{self.action}"


def read_topic(topic: str) -> SensorTopic | ShadowTopic:
    """What a topic says. Raises TopicError for one that is not ours."""
    match topic.split("/", 6):
        case ["sensors", gateway_id, sensor_id, kind] if kind in set(Kind):
            return SensorTopic(gateway_id, sensor_id, Kind(kind))
        case ["$aws", "things", gateway_id, "shadow", "name", name, action] if action in set(ShadowAction):
            return ShadowTopic(gateway_id, sensor_of_shadow(name), ShadowAction(action))
    raise TopicError(f"{topic[:300]!r} is no topic of ours: they are sensors/... and named shadows of $aws/things/...")


def shadow_name(sensor_id: str) -> str:
    """The shadow that holds this sensor's policy; for `gateway`, the one that holds the list of sensors."""
    _check_sensor(sensor_id)
    return RESERVED_SENSOR_ID if sensor_id == RESERVED_SENSOR_ID else f"{_SENSOR_SHADOW}{sensor_id}"


def sensor_of_shadow(name: str) -> str:
    """The sensor whose policy this shadow holds, or `gateway`. Raises TopicError."""
    if name == RESERVED_SENSOR_ID:
        return name
    sensor_id = name.removeprefix(_SENSOR_SHADOW)
    if sensor_id in {name, RESERVED_SENSOR_ID}:
        raise TopicError(f"{name[:80]!r} is no shadow of ours: they are {RESERVED_SENSOR_ID} and {_SENSOR_SHADOW}<id>")
    _check_sensor(sensor_id)
    return sensor_id


def gateway_filters(gateway_id: str) -> tuple[str, ...]:
    """Everything a gateway subscribes to: five filters, however many sensors it has (99 are all there may be)."""
    _check_gateway(gateway_id)
    answers = (
        ShadowAction.UPDATE_DELTA,
        ShadowAction.UPDATE_REJECTED,
        ShadowAction.GET_ACCEPTED,
        ShadowAction.GET_REJECTED,
    )
    shadows = (f"{_shadows(gateway_id)}/+/{action}" for action in answers)
    return (f"sensors/{gateway_id}/+/{Kind.COMMANDS}", *shadows)


def rule_filter(kind: Kind) -> str:
    """What an IoT rule selects from for one kind of record, of all gateways."""
    return f"sensors/+/+/{kind}"


def cloud_id(gateway_id: str, local_id: str) -> str:
    """What the cloud calls a gateway's sensor, session or event: `{gatewayId}.{local id}`. Raises TopicError.

    On the wire ids are the gateway's own. The cloud takes the gateway from the topic, which AWS has checked.
    """
    _check_gateway(gateway_id)
    if not _LOCAL_ID.fullmatch(local_id):
        raise TopicError(f"{local_id[:140]!r} is no id of a sensor, a session or an event")
    return f"{gateway_id}.{local_id}"


def read_cloud_id(found: str) -> tuple[str, str]:
    """The gateway and its own id for the thing. Raises TopicError."""
    gateway_id, _, local_id = found.partition(".")
    cloud_id(gateway_id, local_id)
    return gateway_id, local_id


def _shadows(gateway_id: str) -> str:
    return f"$aws/things/{gateway_id}/shadow/name"


def _check_gateway(gateway_id: str) -> None:
    if not _GATEWAY_ID.fullmatch(gateway_id):
        raise TopicError(f"{gateway_id[:140]!r} cannot be a gateway's id: it should be {GATEWAY_ID_WORDS}")


def _check_sensor(sensor_id: str) -> None:
    if not _SENSOR_ID.fullmatch(sensor_id):
        raise TopicError(f"{sensor_id[:140]!r} cannot be a sensor's id: it should be {SENSOR_ID_WORDS}")
