"""An index is late: what it has found may be gone by now, or another's. DynamoDB itself, and real requests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from tests.cloud.world import BOB, World

from spotty_cloud.rooms import former
from spotty_cloud.tables import Change, Table, apply
from spotty_sandbox.aws import LocalAws

FAY = "fay-0004"


@contextmanager
def once_found(world: World, table: Table, happens: Callable[[], None]) -> Iterator[None]:
    """Somebody else is quicker: this happens when an index has named items of the table, before they are read."""
    events, left = world.dynamo.meta.events, [happens]

    def hook(parsed: dict[str, Any], **_: object) -> None:
        if left and any(table.key in one for one in parsed["Items"]):
            left.pop()()

    events.register("after-call.dynamodb.Query", hook)
    yield
    events.unregister("after-call.dynamodb.Query", hook)
    assert not left


def furnish(world: World, gateway_id: str, user_id: str, sensors: int) -> None:
    """A gateway with sensors s0, s1, ..."""
    world.put_gateway(gateway_id, user_id, timezone="UTC")
    for number in range(sensors):
        made = {"gatewayId": gateway_id, "id": f"s{number}", "name": "x", "inputs": [{"id": "a", "pin": number}]}
        assert world.ask("POST", "/sensors", made, user=user_id).status == 201


def test_a_list_of_sensors_has_those_that_are_one_s_own_by_now(world: World) -> None:
    """One that is gone, or another's, since the index was written is left out; the page after it goes on as ever."""
    furnish(world, "spotty-fays", FAY, 5)
    sensors = world.parts.store.sensors

    def meanwhile() -> None:
        sensors.delete_many(["spotty-fays.s1"])
        apply(Change(sensors, "spotty-fays.s2", {"userId": BOB}, {}))
        apply(Change(sensors, "spotty-fays.s3", {"status": {"state": "playing"}}, {}))

    with once_found(world, sensors, meanwhile):
        first = world.ask("GET", "/sensors", user=FAY, query={"limit": "4"}).body
    rest = world.ask("GET", "/sensors", user=FAY, query={"limit": "4", "cursor": first["nextCursor"]}).body
    told = [(one["sensorId"], one["status"]) for one in first["sensors"]]
    assert told == [("spotty-fays.s0", None), ("spotty-fays.s3", {"state": "playing"})]
    assert ([one["sensorId"] for one in rest["sensors"]], rest["nextCursor"]) == (["spotty-fays.s4"], None)


@pytest.mark.parametrize("path", ["/gateways", "/users/me/export"])
def test_a_list_of_gateways_has_those_that_are_one_s_own_by_now(world: World, path: str) -> None:
    """In the list and in the export."""
    user_id = f"gus{path[1:4]}"
    ids = [f"spotty-{user_id}{number}" for number in range(4)]
    for gateway_id in reversed(ids):
        world.put_gateway(gateway_id, user_id, name="x")
    gateways = world.parts.store.gateways

    def meanwhile() -> None:
        gateways.delete_many([ids[1]])
        apply(Change(gateways, ids[2], {"userId": BOB}, {}))

    with once_found(world, gateways, meanwhile):
        told = world.ask("GET", path, user=user_id).body["gateways"]
    assert [(one["gatewayId"], one["name"]) for one in told] == [(ids[0], "x"), (ids[3], "x")]


def test_what_is_taken_away_meanwhile_is_deleted_with_its_owner(world: World) -> None:
    """A sensor that the index still has under its person has become nobody's: it goes all the same; another's stays."""
    furnish(world, "spotty-hals", "hal", 3)
    apply(Change(world.parts.store.gateways, "spotty-hals", {"userId": None}, {}))
    sensors = world.parts.store.sensors

    def meanwhile() -> None:
        apply(Change(sensors, "spotty-hals.s0", {"userId": former("hal")}, {}))
        apply(Change(sensors, "spotty-hals.s1", {"userId": BOB}, {}))

    with once_found(world, sensors, meanwhile):
        assert world.ask("DELETE", "/users/me", user="hal").body["complete"]
    left = [sensors.get(f"spotty-hals.s{number}") for number in range(3)]
    assert [one and one["userId"] for one in left] == [None, BOB, None]


def test_an_index_of_a_person_s_things_holds_keys_alone(world: World, local_aws: LocalAws) -> None:
    """What each status would otherwise be written into a second time, and paid for."""
    furnish(world, "spotty-idas", "ida", 1)
    client = local_aws.client("dynamodb")
    for table in (world.parts.store.sensors, world.parts.store.gateways):
        found = client.query(
            TableName=table.name,
            IndexName="UserIdIndex",
            KeyConditionExpression="userId = :user",
            ExpressionAttributeValues={":user": {"S": "ida"}},
        )["Items"]
        assert [set(one) for one in found] == [{"userId", table.key}]


class Backwards:
    """DynamoDB as it may be: answers in an order of its own, and not all at once."""

    def __init__(self) -> None:
        self.asked: list[bool] = []

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803  # boto3's name
        """One at a time, the last first; of what ends with 3 there is nothing."""
        ((name, asked),) = RequestItems.items()
        self.asked.append(asked["ConsistentRead"])
        *others, last = asked["Keys"]
        left = {name: {**asked, "Keys": others}} if others else {}
        return {"Responses": {name: [] if last["k"]["S"].endswith("3") else [last]}, "UnprocessedKeys": left}


def test_what_an_index_has_found_is_read_in_its_order() -> None:
    """Each once, as it is now, however DynamoDB answers; what is gone is left out."""
    client = Backwards()
    found = [{"k": f"key{number}"} for number in (4, 2, 3, 1, 2)]
    table = Table(cast("Any", client), "table", "k")
    assert table.whole(found) == [{"k": "key4"}, {"k": "key2"}, {"k": "key1"}]
    assert client.asked == [True] * 4
