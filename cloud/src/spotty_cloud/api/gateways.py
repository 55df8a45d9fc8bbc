"""Gateways: which there are, how they are doing, their names and time zones."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from spotty_cloud.api.asking import AllParts, ChangeAsked, Parts, Signed, asks, body_of, problems
from spotty_cloud.in_step import Standing
from spotty_cloud.settings_of import wiring_of
from spotty_cloud.tables import Item
from spotty_contract.gateway import SensorWiring
from spotty_contract.policy import Zone
from spotty_contract.records import Part
from spotty_contract.registering import GatewayName
from spotty_contract.wire import Count, UtcMs

router = APIRouter(tags=["gateways"])


class GatewayChange(ChangeAsked):
    """What to change; everything else stays. `version` is the one that the change was made from."""

    name: GatewayName | None = None
    timezone: Zone | None = None


class Gateway(Part):
    """A gateway as it is."""

    gateway_id: str
    name: str
    timezone: str
    sensors: tuple[SensorWiring, ...] = Field(strict=False)
    version: Count
    settings: Standing
    """How far the list of sensors has come."""
    last_seen_at: UtcMs | None
    status: dict[str, Any] | None
    """What it last said of itself."""


class Gateways(Part):
    """All of yours."""

    gateways: tuple[Gateway, ...] = Field(strict=False)


@router.get("/gateways", responses=problems())
def list_gateways(parts: AllParts, caller: Signed) -> Gateways:
    """Your gateways by id."""
    return Gateways(gateways=tuple(_told(parts, item) for item in parts.rooms.gateways(caller.user_id)))


@router.get("/gateways/{gateway_id}", responses=problems(404))
def read_gateway(parts: AllParts, caller: Signed, gateway_id: str) -> Gateway:
    """One of your gateways."""
    return _told(parts, parts.rooms.gateway(caller.user_id, gateway_id))


@router.put(
    "/gateways/{gateway_id}",
    responses=problems(400, 404, 409),
    openapi_extra=asks(GatewayChange, ordinary={"name": "The flat", "timezone": "Europe/Berlin"}),
)
def change_gateway(
    parts: AllParts,
    caller: Signed,
    gateway_id: str,
    wanted: Annotated[GatewayChange, Depends(body_of(GatewayChange))],
) -> Gateway:
    """Another name or time zone. With a `version` that is not the present one nothing changes (409)."""
    fields = wanted.model_dump(exclude_none=True, exclude={"version"})
    return _told(parts, parts.rooms.change_gateway(caller.user_id, gateway_id, fields, wanted.version))


def _told(parts: Parts, item: Item) -> Gateway:
    wiring = wiring_of(item)
    return Gateway(
        gateway_id=item["gatewayId"],
        name=item.get("name") or item["gatewayId"],
        timezone=wiring.timezone,
        sensors=wiring.sensors,
        version=item.get("version", 0),
        settings=parts.rooms.gateway_standing(item),
        last_seen_at=item.get("lastSeenAt"),
        status=item.get("status"),
    )
