"""Sensors: one room's policy and wiring, and how far the gateway has taken them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field, JsonValue, ValidationError, WithJsonSchema

from spotty_cloud.api.asking import AllParts, Caller, ChangeAsked, PageAsked, Parts, Signed, asks, body_of, problems
from spotty_cloud.api.earlier import EarlierQuietHours, policy_patch
from spotty_cloud.api.paging import page_of
from spotty_cloud.errors import unfit
from spotty_cloud.in_step import Standing
from spotty_cloud.rooms import Wanted
from spotty_cloud.settings_of import policy_of, wired
from spotty_cloud.store import sensors_of
from spotty_cloud.tables import Item
from spotty_contract.gateway import InputWiring, SensorId, SensorWiring
from spotty_contract.policy import ContextUri, Policy
from spotty_contract.records import Part
from spotty_contract.topics import GatewayId
from spotty_contract.wire import Count, Seconds, UtcMs, Wire

router = APIRouter(tags=["sensors"])

PolicyPatch = Annotated[
    dict[str, JsonValue],
    WithJsonSchema(
        {
            "type": "object",
            "description": "fields of a Policy; what is left out stays as it is, null takes the default",
        }
    ),
]
Inputs = Annotated[tuple[InputWiring, ...], Field(strict=False, min_length=1, max_length=8)]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Location = Annotated[str, Field(max_length=64)]

_AT_ONCE = 8


class Earlier(Wire):
    """A policy, and the names that its fields had in the earlier product."""

    policy: PolicyPatch = Field(default_factory=dict)
    motion_debounce_minutes: Seconds | None = Field(default=None, ge=0, le=60, description="minutes, as holdOffS")
    timeout_minutes: Seconds | None = Field(default=None, ge=0.5, le=120, description="minutes, as vacancyDelayS")
    spotify_device_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    playlist_uri: ContextUri | None = None
    quiet_hours: EarlierQuietHours | None = None


class NewSensor(Earlier):
    """A sensor to make."""

    gateway_id: GatewayId
    id: SensorId
    name: Name
    location: Location | None = None
    inputs: Inputs


class SensorChange(Earlier, ChangeAsked):
    """What to change; everything else stays. `version` is the one that the change was made from."""

    name: Name | None = None
    location: Location | None = None
    """Empty for none."""
    inputs: Inputs | None = None


class Sensor(Part):
    """A sensor as it is."""

    sensor_id: str
    gateway_id: str
    name: str
    location: str | None
    inputs: tuple[InputWiring, ...] = Field(strict=False)
    policy: Policy
    version: Count
    created_at: UtcMs
    updated_at: UtcMs
    settings: Standing
    """How far `policy` has come: pending, applied or rejected, and why."""
    status: dict[str, Any] | None
    """What the gateway last said of the room, which it repeats once an hour: while its `lastSeenAt` is of the last
    quarter of an hour, this holds, however old its `timestamp` is."""


class Sensors(Part):
    """A page of them."""

    sensors: tuple[Sensor, ...] = Field(strict=False)
    next_cursor: str | None


@router.get("/sensors", responses=problems(400))
def list_sensors(parts: AllParts, caller: Signed, asked: Annotated[PageAsked, Query()]) -> Sensors:
    """Your sensors by id."""
    keys, cursor = page_of(parts, caller, parts.store.sensors, sensors_of(caller.user_id), asked, {})
    found = [item for item in parts.store.sensors.whole(keys) if item.get("userId") == caller.user_id]
    return Sensors(sensors=tuple(_told(parts, caller, found)), next_cursor=cursor)


@router.post(
    "/sensors",
    status_code=201,
    responses=problems(400, 404, 409),
    openapi_extra=asks(
        NewSensor,
        ordinary={
            "gatewayId": "spotty-0123456789ab",
            "id": "bathroom",
            "name": "Bathroom",
            "inputs": [{"id": "pir", "pin": 17}],
            "policy": {"vacancyDelayS": 300, "playback": {"device": {"name": "Bath"}, "volumePct": 30}},
        },
        earlier_names={
            "gatewayId": "spotty-0123456789ab",
            "id": "kitchen",
            "name": "Kitchen",
            "inputs": [{"id": "pir", "pin": 27}],
            "timeoutMinutes": 5,
            "motionDebounceMinutes": 2,
            "playlistUri": "spotify:playlist:37i9dQZF1DX0XUsuxWHRQd",
            "quietHours": {"startTime": "22:00", "endTime": "07:00", "days": [0, 1, 2, 3, 4]},
        },
    ),
)
def add_sensor(parts: AllParts, caller: Signed, wanted: Annotated[NewSensor, Depends(body_of(NewSensor))]) -> Sensor:
    """Make a sensor on one of your gateways; it is sent there at once."""
    gateway = parts.rooms.gateway(caller.user_id, wanted.gateway_id)
    try:
        wiring = SensorWiring(id=wanted.id, name=wanted.name, inputs=wanted.inputs)
    except ValidationError as error:
        raise unfit(error, "body") from error
    patch = _patch_of(wanted, gateway)
    made = parts.rooms.add(
        caller.user_id, wanted.gateway_id, wiring, Wanted(policy=patch, location=wanted.location or None)
    )
    return _told(parts, caller, [made])[0]


@router.get("/sensors/{sensor_id}", responses=problems(404))
def read_sensor(parts: AllParts, caller: Signed, sensor_id: str) -> Sensor:
    """One of your sensors."""
    return _told(parts, caller, [parts.rooms.sensor(caller.user_id, sensor_id)])[0]


@router.put(
    "/sensors/{sensor_id}",
    responses=problems(400, 404, 409),
    openapi_extra=asks(
        SensorChange,
        quieter={"version": 3, "policy": {"playback": {"volumePct": 20}}},
        back_to_the_default={"policy": {"vacancyDelayS": None}},
        earlier_names={"timeoutMinutes": 10},
    ),
)
def change_sensor(
    parts: AllParts,
    caller: Signed,
    sensor_id: str,
    wanted: Annotated[SensorChange, Depends(body_of(SensorChange))],
) -> Sensor:
    """Change what is given. With a `version` that is not the present one nothing changes (409)."""
    before = parts.rooms.sensor(caller.user_id, sensor_id)
    gateway = parts.rooms.gateway(caller.user_id, before["gatewayId"])
    wiring = {name: value for name, value in _dumped(wanted).items() if name in {"name", "inputs"}}
    changed = parts.rooms.change(
        caller.user_id,
        sensor_id,
        Wanted(_patch_of(wanted, gateway), wiring or None, wanted.location, wanted.version),
    )
    return _told(parts, caller, [changed])[0]


@router.delete("/sensors/{sensor_id}", status_code=204, responses=problems(404, 409))
def remove_sensor(parts: AllParts, caller: Signed, sensor_id: str) -> Response:
    """Take a sensor away: its gateway disarms it. Twice is as good as once."""
    parts.rooms.remove(caller.user_id, sensor_id)
    return Response(status_code=204)


def _told(parts: Parts, caller: Caller, items: Sequence[Item]) -> list[Sensor]:
    """Each with its standing; the shadows are looked at side by side, the gateways' lists among them."""
    ids = {item["gatewayId"] for item in items}
    gateways = {one["gatewayId"]: one for one in parts.store.gateways.get_many(sorted(ids))}
    own = [one for one in gateways.values() if one.get("userId") == caller.user_id]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        healed = pool.map(parts.rooms.gateway_standing, own)
        standings = list(pool.map(parts.rooms.standing, items))
        list(healed)
    return [
        _sensor(item, gateways.get(item["gatewayId"], {}), standing)
        for item, standing in zip(items, standings, strict=True)
    ]


def _sensor(item: Item, gateway: Item, standing: Standing) -> Sensor:
    wiring = wired(gateway, item["sensorId"])
    return Sensor(
        sensor_id=item["sensorId"],
        gateway_id=item["gatewayId"],
        name="" if wiring is None else wiring.name,
        location=item.get("location"),
        inputs=() if wiring is None else wiring.inputs,
        policy=policy_of(item),
        version=item["version"],
        created_at=item["createdAt"],
        updated_at=item["updatedAt"],
        settings=standing,
        status=item.get("status"),
    )


def _patch_of(wanted: Earlier, gateway: Item) -> dict[str, JsonValue]:
    return policy_patch(
        wanted.policy,
        gateway.get("devices", ()),
        hold_off_min=wanted.motion_debounce_minutes,
        vacancy_delay_min=wanted.timeout_minutes,
        device_id=wanted.spotify_device_id,
        context_uri=wanted.playlist_uri,
        quiet_hours=wanted.quiet_hours,
    )


def _dumped(wanted: SensorChange) -> dict[str, Any]:
    return wanted.model_dump(mode="json", exclude_defaults=True)
