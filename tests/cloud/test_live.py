import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.cloud.world import ADA, BOB, LIVE_ENDPOINT, World

from spotty_cloud.connections import MOST_CONNECTIONS
from spotty_cloud.live.door import Door


class GoneError(ClientError):
    """API Gateway's GoneException."""

    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "GoneException"}}, "PostToConnection")


@dataclass
class Line:
    """The connections' far end by hand: what each was told, which were closed, which have gone."""

    told: list[tuple[str, Any]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(GoneException=GoneError))

    def post_to_connection(self, *, ConnectionId: str, Data: bytes) -> None:  # noqa: N803  # as boto3 has it
        """Tell it."""
        if ConnectionId in self.gone:
            raise GoneError
        self.told.append((ConnectionId, json.loads(Data)))

    def delete_connection(self, *, ConnectionId: str) -> None:  # noqa: N803  # as boto3 has it
        """Close it."""
        if ConnectionId in self.gone:
            raise GoneError
        self.closed.append(ConnectionId)


@pytest.fixture
def line(world: World) -> Iterator[Line]:
    """Nobody is connected before, and nobody after."""
    yield Line()
    for user_id in (ADA, BOB):
        world.parts.connections.forget_all(user_id)


@pytest.fixture
def door(world: World, line: Line) -> Door:
    """As the function has it."""
    return Door(world.parts.connections, lambda: line, world.clock.now_ms)  # type: ignore[arg-type, return-value]  # by hand


def event(kind: str, connection_id: str, **more: object) -> dict[str, Any]:
    """As API Gateway sends it; a browser's query may be missing altogether."""
    return {
        "requestContext": {"eventType": kind, "connectionId": connection_id, "routeKey": "$default"},
        "queryStringParameters": None,
        "isBase64Encoded": False,
        **more,
    }


def coming(connection_id: str, ticket: str) -> dict[str, Any]:
    """Somebody connects with this ticket."""
    return event("CONNECT", connection_id, queryStringParameters={"ticket": ticket})


def listening(world: World, user_id: str = ADA) -> list[str]:
    """Where this person hears of things."""
    return world.parts.connections.of(user_id, world.clock.ms)


def ticket_of(world: World, user_id: str = ADA) -> str:
    """As the dashboard gets one."""
    return str(world.ask("POST", "/live/tickets", {}, user=user_id).body["ticket"])


def everything_in(world: World) -> str:
    """The table, as somebody would see it who got at it."""
    return str(world.dynamo.scan(TableName=world.names["CONNECTIONS_TABLE"])["Items"])


def test_a_ticket_says_where_it_is_good_and_how_long(world: World) -> None:
    """A minute, for a WebSocket beside the API; the table does not hold the ticket itself."""
    given = world.ask("POST", "/live/tickets", {})
    assert given.status == 201
    assert given.body["url"] == LIVE_ENDPOINT.replace("https://", "wss://")
    assert given.body["expiresAt"] == world.clock.ms + 60_000
    assert len(given.body["ticket"]) == 32
    assert given.body["ticket"] not in everything_in(world)
    assert world.ask("POST", "/live/tickets", {}, user=None).status == 401
    assert world.ask("POST", "/live/tickets", {"userId": BOB}).status == 422


def test_a_ticket_lets_its_owner_in_once(world: World, door: Door) -> None:
    """The connection is theirs; the ticket is gone, and another one with it would be a stranger."""
    ticket = ticket_of(world, BOB)
    assert door.answer(coming("c-1", ticket)) == {"statusCode": 200}
    assert listening(world, BOB) == ["c-1"]
    assert door.answer(coming("c-2", ticket)) == {"statusCode": 401}
    assert listening(world, BOB) == ["c-1"]


@pytest.mark.parametrize("after_ms, status", [(59_999, 200), (60_000, 401)])
def test_a_ticket_is_good_for_a_minute(world: World, door: Door, after_ms: int, status: int) -> None:
    """By our clock: DynamoDB would let it stand for days."""
    ticket = ticket_of(world)
    world.clock.ms += after_ms
    try:
        assert door.answer(coming("c-1", ticket)) == {"statusCode": status}
    finally:
        world.clock.ms -= after_ms


@pytest.mark.parametrize(
    "query", [None, {}, {"ticket": ""}, {"ticket": "x" * 32}, {"ticket": "ü\x00" * 900}, {"token": "x"}]
)
def test_nobody_comes_in_without_one(world: World, door: Door, query: dict[str, str] | None) -> None:
    """No ticket, a made-up one, a strange one: all the same."""
    assert door.answer(event("CONNECT", "c-1", queryStringParameters=query)) == {"statusCode": 401}
    assert listening(world) == []


def test_the_hash_of_a_ticket_opens_nothing(world: World, door: Door) -> None:
    """Nor does a connection's own row, with whatever is in the table."""
    ticket_of(world)
    (found,) = [
        row["ownerOrSession"]["S"]
        for row in world.dynamo.scan(TableName=world.names["CONNECTIONS_TABLE"])["Items"]
        if row["userId"]["S"] == ADA and int(row["expiresAt"]["N"]) == world.clock.ms + 60_000
    ][-1:]
    assert door.answer(coming("c-1", found.removeprefix("ticket#"))) == {"statusCode": 401}


def test_of_many_at_once_a_ticket_lets_one_in(world: World, door: Door) -> None:
    """Whoever is first takes it along."""
    ticket = ticket_of(world)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: door.answer(coming(f"c-{number}", ticket))["statusCode"], range(8)))
    assert sorted(answers) == [200, *[401] * 7]
    assert len(listening(world)) == 1


def test_who_leaves_is_told_nothing_more(world: World, door: Door) -> None:
    """Found by the connection alone; somebody who never came leaves without a fault."""
    door.answer(coming("c-1", ticket_of(world)))
    door.answer(coming("c-2", ticket_of(world)))
    assert door.answer(event("DISCONNECT", "c-1")) == {"statusCode": 200}
    assert listening(world) == ["c-2"]
    assert door.answer(event("DISCONNECT", "c-unknown")) == {"statusCode": 200}


def test_the_oldest_goes_where_there_are_too_many(world: World, door: Door, line: Line) -> None:
    """Ten of one owner; it is closed, so that its page knows. Another owner's do not count."""
    door.answer(coming("b-1", ticket_of(world, BOB)))
    for number in range(MOST_CONNECTIONS + 2):
        world.clock.ms += 1
        door.answer(coming(f"c-{number:02}", ticket_of(world)))
    assert listening(world) == [f"c-{number:02}" for number in range(2, MOST_CONNECTIONS + 2)]
    assert line.closed == ["c-00", "c-01"]
    assert listening(world, BOB) == ["b-1"]


def test_an_oldest_that_has_left_is_no_trouble(world: World, door: Door, line: Line) -> None:
    """API Gateway tells nobody of every connection that breaks."""
    line.gone.add("c-00")
    for number in range(MOST_CONNECTIONS + 1):
        world.clock.ms += 1
        assert door.answer(coming(f"c-{number:02}", ticket_of(world))) == {"statusCode": 200}
    assert len(listening(world)) == MOST_CONNECTIONS


def test_a_ping_is_answered(world: World, door: Door, line: Line) -> None:
    """So the connection stays open, and the page knows that it is."""
    assert door.answer(event("MESSAGE", "c-1", body='{"action": "ping"}')) == {"statusCode": 200}
    assert line.told == [("c-1", {"type": "pong", "at": world.clock.ms})]


@pytest.mark.parametrize(
    "body",
    [None, "", "hello", "[]", '{"action": "pong"}', '{"action": "ping", "as": "bob"}', "[" * 100_000, '"\\ud800"'],
)
def test_anything_else_is_answered_plainly(door: Door, line: Line, body: str | None) -> None:
    """Nothing that is sent here is carried out, or repeated."""
    assert door.answer(event("MESSAGE", "c-1", body=body)) == {"statusCode": 200}
    ((_, told),) = line.told
    assert told["type"] == "error"
    assert '{"action": "ping"}' in told["data"]["message"]


def test_who_has_gone_while_they_are_answered_is_forgotten(world: World, door: Door, line: Line) -> None:
    """Their row does not wait for its time."""
    door.answer(coming("c-1", ticket_of(world)))
    line.gone.add("c-1")
    assert door.answer(event("MESSAGE", "c-1", body='{"action": "ping"}')) == {"statusCode": 200}
    assert listening(world) == []


def test_a_person_who_goes_takes_their_connections_along(world: World, door: Door) -> None:
    """With all of their data; whoever else listens goes on."""
    door.answer(coming("e-1", ticket_of(world, "eve-0009")))
    door.answer(coming("b-1", ticket_of(world, BOB)))
    assert world.ask("DELETE", "/users/me", user="eve-0009").body["complete"]
    assert (listening(world, "eve-0009"), listening(world, BOB)) == ([], ["b-1"])
