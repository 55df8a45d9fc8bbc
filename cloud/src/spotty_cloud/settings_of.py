"""What the settings in an item say, and what they become by a change. Pure: nothing is read and nothing written."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue, ValidationError

from spotty_cloud.errors import unfit
from spotty_cloud.tables import Item
from spotty_contract.gateway import GatewayPolicy, SensorWiring
from spotty_contract.policy import Policy
from spotty_contract.topics import read_cloud_id


def policy_of(sensor: Item) -> Policy:
    """The policy that a sensor's item holds."""
    return Policy.from_json(sensor["policy"].encode())


def wiring_of(gateway: Item) -> GatewayPolicy:
    """The list of sensors that a gateway's item holds."""
    return GatewayPolicy.from_json(gateway.get("wiring", "{}").encode())


def wired(gateway: Item, sensor_id: str) -> SensorWiring | None:
    """How one of its sensors is wired."""
    _, local_id = read_cloud_id(sensor_id)
    return next((one for one in wiring_of(gateway).sensors if one.id == local_id), None)


def merge(old: Mapping[str, JsonValue], patch: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """RFC 7396: null removes, an object is merged, anything else replaces."""
    merged = dict(old)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            inner = merged.get(name)
            merged[name] = merge(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def patched_policy(sensor: Item, patch: Mapping[str, JsonValue]) -> Policy:
    """The policy that a merge patch makes of a stored one. Raises UnfitError with what is wrong in it."""
    try:
        return Policy.from_json(json.dumps(merge(json.loads(sensor.get("policy", "{}")), patch)).encode())
    except ValidationError as error:
        raise unfit(error, "policy", ["policy"]) from error


def with_sensor(wiring: GatewayPolicy, sensor: SensorWiring) -> GatewayPolicy:
    """The list with this sensor in it. Raises UnfitError where the two do not fit together."""
    return _fitting({**_as_json(wiring), "sensors": [*_others(wiring, sensor.id), _as_json(sensor)]})


def without_sensor(wiring: GatewayPolicy, local_id: str) -> GatewayPolicy:
    """The list without this sensor."""
    return _fitting({**_as_json(wiring), "sensors": _others(wiring, local_id)})


def rewired(wiring: GatewayPolicy, sensor_id: str, patch: Mapping[str, JsonValue]) -> GatewayPolicy:
    """The list with this sensor named or wired otherwise. Raises UnfitError as `with_sensor` does."""
    _, local_id = read_cloud_id(sensor_id)
    sensors = [{**_as_json(one), **patch} if one.id == local_id else _as_json(one) for one in wiring.sensors]
    return _fitting({**_as_json(wiring), "sensors": sensors})


def _others(wiring: GatewayPolicy, local_id: str) -> list[Any]:
    return [_as_json(one) for one in wiring.sensors if one.id != local_id]


def _as_json(value: GatewayPolicy | SensorWiring) -> dict[str, Any]:
    return value.model_dump(mode="json", exclude_defaults=True)


def _fitting(document: Mapping[str, object]) -> GatewayPolicy:
    try:
        return GatewayPolicy.from_json(json.dumps(document).encode())
    except ValidationError as error:
        raise unfit(error, "gateway", ["gateway"]) from error
