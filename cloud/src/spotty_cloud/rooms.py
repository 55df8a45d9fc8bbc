"""Sensors and the gateways they hang on: read, made, changed, taken away. Table first, then the shadows."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from spotty_cloud.errors import ConflictError, NotFoundError, UnavailableError
from spotty_cloud.in_step import Shadows, Standing, checked
from spotty_cloud.settings_of import (
    patched_policy,
    policy_of,
    rewired,
    wiring_of,
    with_sensor,
    without_sensor,
)
from spotty_cloud.store import MOST_GATEWAYS, Store, gateways_of
from spotty_cloud.tables import Change, Item, StaleError, apply
from spotty_contract.gateway import RESERVED_SENSOR_ID, GatewayPolicy, SensorWiring
from spotty_contract.policy import Policy
from spotty_contract.topics import TopicError, cloud_id, read_cloud_id

LOG = logging.getLogger(__name__)

_MOST_TRIES = 4
_NOBODY = "deleted#"
"""Before the owner of what is deleted, so that it is in nobody's list."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a change asks for; None leaves as it is."""

    policy: Mapping[str, JsonValue] | None = None
    """A merge patch (RFC 7396): null takes the default."""
    wiring: Mapping[str, JsonValue] | None = None
    location: str | None = None
    version: int | None = None
    """Which version the change was made from, where the caller says."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """Every person's sensors and gateways."""

    store: Store
    shadows: Shadows
    now_ms: Callable[[], int]

    def sensor(self, user_id: str, sensor_id: str) -> Item:
        """A sensor of this person. Raises NotFoundError for any other."""
        item = self.store.sensors.get(_known(sensor_id))
        if item is None or item.get("userId") != user_id:
            raise NotFoundError(f"you have no sensor {sensor_id}")
        return item

    def gateway(self, user_id: str, gateway_id: str) -> Item:
        """A gateway of this person. Raises NotFoundError for any other."""
        item = self.store.gateways.get(_known_gateway(gateway_id))
        if item is None or item.get("userId") != user_id:
            raise NotFoundError(f"you have no gateway {gateway_id}")
        return item

    def gateways(self, user_id: str) -> Iterator[Item]:
        """All gateways of this person, as they are now."""
        found = self.store.gateways.whole(self.store.gateways.all(gateways_of(user_id), MOST_GATEWAYS))
        return (item for item in found if item.get("userId") == user_id)

    def standing(self, sensor: Item) -> Standing:
        """How far the sensor's settings have come; what was not sent is sent."""
        gateway_id, local_id = read_cloud_id(sensor["sensorId"])
        return self.shadows.in_step(gateway_id, local_id, policy_of(sensor), sensor["version"])

    def gateway_standing(self, gateway: Item) -> Standing:
        """The same of the gateway's list of sensors."""
        return self.shadows.in_step(
            gateway["gatewayId"], RESERVED_SENSOR_ID, wiring_of(gateway), gateway.get("version", 0)
        )

    def add(self, user_id: str, gateway_id: str, wiring: SensorWiring, wanted: Wanted) -> Item:
        """A new sensor. Raises ConflictError where its gateway has one of this id."""
        sensor_id = cloud_id(gateway_id, wiring.id)

        def changes() -> list[Change]:
            gateway = self.gateway(user_id, gateway_id)
            before = self.store.sensors.get(sensor_id) or {}
            if "userId" in before and not before["userId"].startswith(_NOBODY):
                raise ConflictError(f"the gateway has a sensor {wiring.id} already", {"sensorId": sensor_id})
            policy = patched_policy({}, wanted.policy or {})
            attributes = {
                "userId": user_id,
                "gatewayId": gateway_id,
                "location": wanted.location,
                "createdAt": self.now_ms(),
                "deletedAt": None,
            }
            return [
                self._sensor_change(sensor_id, before, policy, attributes),
                self._gateway_change(gateway, with_sensor(wiring_of(gateway), wiring)),
            ]

        self._carry_out(changes)
        return self._sent(user_id, sensor_id)

    def change(self, user_id: str, sensor_id: str, wanted: Wanted) -> Item:
        """The sensor with what was wanted. Raises ConflictError where it is not at the version it was changed from."""

        def changes() -> list[Change]:
            before = self.sensor(user_id, sensor_id)
            _same_version(before, wanted.version)
            policy = patched_policy(before, wanted.policy or {})
            attributes = {} if wanted.location is None else {"location": wanted.location or None}
            made = [self._sensor_change(sensor_id, before, policy, attributes)]
            if wanted.wiring is not None:
                gateway = self.gateway(user_id, before["gatewayId"])
                made.append(self._gateway_change(gateway, rewired(wiring_of(gateway), sensor_id, wanted.wiring)))
            return made

        self._carry_out(changes)
        return self._sent(user_id, sensor_id)

    def remove(self, user_id: str, sensor_id: str) -> None:
        """Take a sensor away: its policy is disabled, its inputs are no longer watched. Twice is as good as once."""
        gateway_id, local_id = read_cloud_id(_known(sensor_id))

        def changes() -> list[Change]:
            before = self.store.sensors.get(sensor_id) or {}
            if before.get("userId") == former(user_id):
                return []
            before, gateway = self.sensor(user_id, sensor_id), self.gateway(user_id, gateway_id)
            policy = patched_policy(before, {"enabled": False})
            gone = {"userId": former(user_id), "deletedAt": self.now_ms()}
            return [
                self._sensor_change(sensor_id, before, policy, gone),
                self._gateway_change(gateway, without_sensor(wiring_of(gateway), local_id)),
            ]

        self._carry_out(changes)
        left = self.store.sensors.get(sensor_id)
        if left is not None and left["userId"].startswith(_NOBODY):
            self.standing(left)
        self.gateway_standing(self.gateway(user_id, gateway_id))

    def change_gateway(self, user_id: str, gateway_id: str, fields: Mapping[str, object], version: int | None) -> Item:
        """Another name or time zone. Raises ConflictError as `change` does."""

        def changes() -> list[Change]:
            before = self.gateway(user_id, gateway_id)
            _same_version(before, version)
            known = {name: value for name, value in fields.items() if name == "timezone"}
            wiring = wiring_of(before).model_copy(update=known)
            return [self._gateway_change(before, wiring, {"name": fields.get("name", before.get("name"))})]

        self._carry_out(changes)
        gateway = self.gateway(user_id, gateway_id)
        self.gateway_standing(gateway)
        return gateway

    def _sent(self, user_id: str, sensor_id: str) -> Item:
        sensor = self.sensor(user_id, sensor_id)
        self.standing(sensor)
        self.gateway_standing(self.gateway(user_id, sensor["gatewayId"]))
        return sensor

    def _carry_out(self, changes: Callable[[], list[Change]]) -> None:
        """The only one who tries again: somebody else's write came between reading and writing."""
        for _ in range(_MOST_TRIES):
            made = changes()
            if not made:
                return
            try:
                apply(*made)
            except StaleError:
                LOG.info("changed by somebody else meanwhile; looking again")
                continue
            return
        raise UnavailableError("this is being changed by many at once; try again")

    def _sensor_change(self, sensor_id: str, before: Item, policy: Policy, attributes: Mapping[str, object]) -> Change:
        version = self.shadows.next_version(*read_cloud_id(sensor_id), before.get("version", 0))
        checked(policy, version, "policy")
        stored = {**attributes, "policy": policy.to_json(), "version": version, "updatedAt": self.now_ms()}
        return Change(self.store.sensors, sensor_id, stored, {"version": before.get("version")})

    def _gateway_change(self, before: Item, wiring: GatewayPolicy, more: Mapping[str, object] | None = None) -> Change:
        version = self.shadows.next_version(before["gatewayId"], RESERVED_SENSOR_ID, before.get("version", 0))
        checked(wiring, version, "inputs")
        stored = {**(more or {}), "wiring": wiring.to_json(), "version": version, "updatedAt": self.now_ms()}
        expected = {"version": before.get("version"), "userId": before["userId"]}
        return Change(self.store.gateways, before["gatewayId"], stored, expected)


def former(user_id: str) -> str:
    """Who owns what this person has deleted: nobody's list has it, and it can be found to be deleted for good."""
    return f"{_NOBODY}{user_id}"


def _known(sensor_id: str) -> str:
    try:
        read_cloud_id(sensor_id)
    except TopicError as error:
        raise NotFoundError("you have no such sensor") from error
    return sensor_id


def _known_gateway(gateway_id: str) -> str:
    try:
        cloud_id(gateway_id, RESERVED_SENSOR_ID)
    except TopicError as error:
        raise NotFoundError("you have no such gateway") from error
    return gateway_id


def _same_version(before: Item, version: int | None) -> None:
    found = before.get("version", 0)
    if version is not None and version != found:
        raise ConflictError(
            f"it is at version {found}, and your change was made from {version}; look at it anew",
            {"currentVersion": found},
        )
