"""What DynamoDB leaves undone, over real requests to the local one."""

from typing import Any

import pytest
from tests.cloud.world import ADA, World

from spotty_cloud.attributes import attributes_of
from spotty_cloud.errors import UnavailableError
from spotty_cloud.rooms import former


@pytest.mark.parametrize(
    "deed, left_undone", [("BatchGetItem", "UnprocessedKeys"), ("BatchWriteItem", "UnprocessedItems")]
)
def test_a_database_that_does_nothing_is_not_asked_for_ever(world: World, deed: str, left_undone: str) -> None:
    """It is told to the caller, who may come again; a function would spend all its time."""
    sensors, asked = world.parts.store.sensors, []

    def undone(parsed: dict[str, Any], **_: object) -> None:
        asked.append(deed)
        parsed[left_undone] = {sensors.name: [{}] if deed == "BatchWriteItem" else {"Keys": []}}

    def the_same(params: dict[str, Any], **_: object) -> None:
        params["RequestItems"] = first.setdefault("asked", params["RequestItems"])

    first: dict[str, Any] = {}
    events = world.dynamo.meta.events
    events.register(f"after-call.dynamodb.{deed}", undone)
    events.register(f"provide-client-params.dynamodb.{deed}", the_same)
    try:
        with pytest.raises(UnavailableError):
            sensors.delete_many(["gw.a"]) if deed == "BatchWriteItem" else list(sensors.get_many(["gw.a"]))
    finally:
        events.unregister(f"after-call.dynamodb.{deed}", undone)
        events.unregister(f"provide-client-params.dynamodb.{deed}", the_same)
    assert 1 < len(asked) <= 20


def test_what_one_request_cannot_delete_is_said_to_be_left(world: World) -> None:
    """`complete` only once nothing is: however many sensors there were."""
    sensors = [{"sensorId": f"gone.s{number}", "userId": former(ADA)} for number in range(510)]
    puts = [{"PutRequest": {"Item": attributes_of(one)}} for one in sensors]
    for start in range(0, len(puts), 25):
        world.dynamo.batch_write_item(RequestItems={world.parts.store.sensors.name: puts[start : start + 25]})
    told: list[bool] = []
    for gateway in world.parts.rooms.gateways(ADA):
        world.parts.store.gateways.delete(gateway["gatewayId"], {"userId": ADA})
    while not told or not told[-1]:
        told.append(world.ask("DELETE", "/users/me").body["complete"])
    assert told == [False, True]
