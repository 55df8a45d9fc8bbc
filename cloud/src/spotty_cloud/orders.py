"""What a gateway is asked to do, and what came of it."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from spotty_cloud.errors import NotFoundError, unfit
from spotty_cloud.store import Store
from spotty_cloud.tables import Item
from spotty_contract.commands import AUDIBLE_LASTS_MS, COMMANDS, LASTS_MS, Command
from spotty_contract.gateway import RESERVED_SENSOR_ID
from spotty_contract.results import CommandResult
from spotty_contract.topics import Kind, SensorTopic, read_cloud_id

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_iot_data.client import IoTDataPlaneClient

State = Literal["waiting", "expired", "done", "refused", "failed"]

_KEPT_S = 3600
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Given:
    """A command is on its way."""

    command_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Orders:
    """The way down to the gateways. What a command carries is kept nowhere: it may be a code."""

    store: Store
    client: "IoTDataPlaneClient" = field(repr=False)
    now_ms: Callable[[], int]

    def to_sensor(self, user_id: str, sensor_id: str, name: str, **said: object) -> Given:
        """Ask a sensor's gateway; the caller knows that it is theirs. Raises UnfitError for what no gateway takes."""
        gateway_id, local_id = read_cloud_id(sensor_id)
        return self._give(user_id, gateway_id, local_id, name, said)

    def to_gateway(self, user_id: str, gateway_id: str, name: str, **said: object) -> Given:
        """Ask a gateway; the caller knows that it is this person's."""
        return self._give(user_id, gateway_id, RESERVED_SENSOR_ID, name, said)

    def given(self, user_id: str, command_id: str) -> Item:
        """A command of this person. Raises NotFoundError for any other."""
        item = self.store.commands.get(command_id) if len(command_id) <= _LONGEST_ID else None
        if item is None or item["userId"] != user_id:
            raise NotFoundError("you have given no such command within the last hour")
        return item

    def _give(self, user_id: str, gateway_id: str, local_id: str, name: str, said: dict[str, object]) -> Given:
        shape, now_ms = COMMANDS[name], self.now_ms()
        lasts_ms = AUDIBLE_LASTS_MS if shape.audible else LASTS_MS
        frame = {"command_id": secrets.token_urlsafe(12), "issued_at": now_ms, "expires_at": now_ms + lasts_ms}
        try:
            command: Command = shape.model_validate({**frame, **said})
        except ValidationError as error:  # each field was good, and all together are not
            raise unfit(error, "body", secret=True) from None
        self.store.commands.put(
            {
                "commandId": command.command_id,
                "userId": user_id,
                "gatewayId": gateway_id,
                "sensorLocalId": local_id,
                "command": name,
                "issuedAt": command.issued_at,
                "expiresAt": command.expires_at,
                "ttl": now_ms // 1000 + _KEPT_S,
            }
        )
        topic = SensorTopic(gateway_id, local_id, Kind.COMMANDS)
        self.client.publish(topic=str(topic), qos=1, payload=command.to_json().encode())
        return Given(command.command_id, command.expires_at)


def result_of(item: Item) -> CommandResult | None:
    """What the gateway answered, if it has."""
    if "result" not in item:
        return None
    return CommandResult.model_validate_json(json.dumps(item["result"]))


def state_of(item: Item, now_ms: int) -> State:
    """How far a command has come."""
    result = result_of(item)
    if result is not None:
        return result.outcome
    return "expired" if now_ms >= item["expiresAt"] else "waiting"
