"""What only the gateway can do: asked here, answered 202, its result fetched by the command's id."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from spotty_cloud.api.asking import AllParts, Signed, asks, body_of, problems
from spotty_cloud.orders import Given, State, result_of, state_of
from spotty_contract.policy import ContextUri, DeviceChoice, Policy
from spotty_contract.records import Part
from spotty_contract.results import CommandResult
from spotty_contract.wire import Percent, Seconds, UtcMs, Wire

router = APIRouter(tags=["commands"])


class Nothing(Wire):
    """An empty object."""


class SnoozeAsked(Wire):
    """Until an instant, or for a while; until tomorrow morning where neither is given."""

    until: UtcMs | None = None
    for_s: Annotated[Seconds, Field(gt=0, le=30 * 86_400)] | None = None


class VolumeAsked(Wire):
    """How loud."""

    volume_pct: Percent


class WhatIfAsked(Wire):
    """What would this policy have made of the last days?"""

    policy: Policy
    days: Annotated[int, Field(ge=1, le=30)] = 7


class TestAsked(Wire):
    """Play for a moment on a sensor's speaker, or on another; what is not given is as its policy has it."""

    sensor_id: Annotated[str, Field(max_length=200)]
    device: DeviceChoice | None = None
    context_uri: ContextUri | None = None
    volume_pct: Percent | None = None
    for_s: Annotated[Seconds, Field(ge=5, le=60)] = 15


class Accepted(Part):
    """It is on its way; `GET /commands/{commandId}` says what comes of it."""

    command_id: str
    expires_at: UtcMs


class CommandGiven(Part):
    """A command and what came of it."""

    command_id: str
    gateway_id: str
    command: str
    state: State
    issued_at: UtcMs
    expires_at: UtcMs
    result: CommandResult | None


@router.get("/commands/{command_id}", responses=problems(404))
def read_command(parts: AllParts, caller: Signed, command_id: str) -> CommandGiven:
    """How far a command of yours has come; it is kept for an hour."""
    item = parts.orders.given(caller.user_id, command_id)
    return CommandGiven(
        command_id=item["commandId"],
        gateway_id=item["gatewayId"],
        command=item["command"],
        state=state_of(item, parts.now_ms()),
        issued_at=item["issuedAt"],
        expires_at=item["expiresAt"],
        result=result_of(item),
    )


@router.post(
    "/sensors/{sensor_id}/snooze",
    status_code=202,
    responses=problems(400, 404),
    openapi_extra=asks(SnoozeAsked, for_an_hour={"forS": 3600}, until_tomorrow={}),
)
def snooze(
    parts: AllParts, caller: Signed, sensor_id: str, asked: Annotated[SnoozeAsked, Depends(body_of(SnoozeAsked))]
) -> Accepted:
    """No music in this room for a while."""
    parts.rooms.sensor(caller.user_id, sensor_id)
    said = asked.model_dump(by_alias=False, exclude_none=True)
    return _accepted(parts.orders.to_sensor(caller.user_id, sensor_id, "snooze", **said))


@router.post(
    "/sensors/{sensor_id}/pause",
    status_code=202,
    responses=problems(400, 404),
    openapi_extra=asks(Nothing, ordinary={}),
)
def pause(
    parts: AllParts, caller: Signed, sensor_id: str, _: Annotated[Nothing, Depends(body_of(Nothing))]
) -> Accepted:
    """Silence in this room for the rest of its session."""
    parts.rooms.sensor(caller.user_id, sensor_id)
    return _accepted(parts.orders.to_sensor(caller.user_id, sensor_id, "pause"))


@router.post(
    "/sensors/{sensor_id}/resume",
    status_code=202,
    responses=problems(400, 404),
    openapi_extra=asks(Nothing, ordinary={}),
)
def resume(
    parts: AllParts, caller: Signed, sensor_id: str, _: Annotated[Nothing, Depends(body_of(Nothing))]
) -> Accepted:
    """Music again in this room: lifts snooze and mute."""
    parts.rooms.sensor(caller.user_id, sensor_id)
    return _accepted(parts.orders.to_sensor(caller.user_id, sensor_id, "resume"))


@router.post(
    "/sensors/{sensor_id}/volume",
    status_code=202,
    responses=problems(400, 404),
    openapi_extra=asks(VolumeAsked, ordinary={"volumePct": 30}),
)
def volume(
    parts: AllParts, caller: Signed, sensor_id: str, asked: Annotated[VolumeAsked, Depends(body_of(VolumeAsked))]
) -> Accepted:
    """The volume of the room's music, within the policy's cap."""
    parts.rooms.sensor(caller.user_id, sensor_id)
    return _accepted(parts.orders.to_sensor(caller.user_id, sensor_id, "volume", volume_pct=asked.volume_pct))


@router.post(
    "/sensors/{sensor_id}/what-if",
    status_code=202,
    responses=problems(400, 404),
    openapi_extra=asks(WhatIfAsked, ordinary={"policy": {"vacancyDelayS": 600}, "days": 7}),
)
def what_if(
    parts: AllParts, caller: Signed, sensor_id: str, asked: Annotated[WhatIfAsked, Depends(body_of(WhatIfAsked))]
) -> Accepted:
    """What would another policy have made of the last days? The gateway has the motions and works it out."""
    parts.rooms.sensor(caller.user_id, sensor_id)
    said = {"policy": asked.policy, "days": asked.days}
    return _accepted(parts.orders.to_sensor(caller.user_id, sensor_id, "what_if", **said))


@router.post(
    "/spotify/test",
    status_code=202,
    responses=problems(400, 404),
    openapi_extra=asks(TestAsked, ordinary={"sensorId": "spotty-0123456789ab.bathroom", "volumePct": 20}),
)
def play_a_test(parts: AllParts, caller: Signed, asked: Annotated[TestAsked, Depends(body_of(TestAsked))]) -> Accepted:
    """Play for a moment, so that somebody hears which speaker it is."""
    parts.rooms.sensor(caller.user_id, asked.sensor_id)
    said = {name: value for name, value in dict(asked).items() if name != "sensor_id"}
    return _accepted(parts.orders.to_sensor(caller.user_id, asked.sensor_id, "test_play", **said))


def _accepted(given: Given) -> Accepted:
    return Accepted(command_id=given.command_id, expires_at=given.expires_at)
