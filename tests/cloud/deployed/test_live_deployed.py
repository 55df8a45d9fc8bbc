"""A dashboard at the deployed WebSocket, and what the clock looks after, as they are in the stack."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
from tests.cloud.inbox import inbox_of
from tests.cloud.ingesting import device, session

from spotty_contract.status import Consent
from spotty_contract.topics import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cloud.deployed.home import Deployed, Home

    from spotty_contract.records import Record

PATIENCE_S = 30.0
DAY_MS = 86_400_000


def ticket_of(home: Home) -> str:
    """The address that it opens, once."""
    answer = home.ask("POST", "/live/tickets", {})
    assert answer.status == 201, answer
    home.deployed.secrets.add(answer.body["ticket"])
    return f"{answer.body['url']}?ticket={answer.body['ticket']}"


async def tells(page: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next message of this kind; the others before it are read."""
    while True:
        told: dict[str, Any] = json.loads(await page.receive_str(timeout=PATIENCE_S))
        if told["type"] == kind:
            return told


def says(home: Home, kind: Kind, *records: Record) -> None:
    """The gateway tells these, as its own."""
    with home.edge() as edge:
        assert edge.is_in()
        edge.tells(kind, *(one.model_copy(update={"gateway_id": home.gateway_id}) for one in records))


def scheduled(deployed: Deployed, task: str) -> dict[str, Any]:
    """What the function answers to its schedule."""
    found_stack = deployed.aws.client("cloudformation").describe_stack_resource(
        StackName=deployed.stack.name, LogicalResourceId="ScheduledFunction"
    )
    name = found_stack["StackResourceDetail"]["PhysicalResourceId"]
    answer = deployed.aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps({"task": task}))
    told = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, (told, deployed.last_words())
    found: dict[str, Any] = told
    return found


def test_a_dashboard_hears_of_its_own_home_as_it_happens(ada: Home, bob: Home) -> None:
    """From the gateway's topic to the page; the neighbour's page hears nothing of it, and is there all the time."""

    async def watched() -> tuple[dict[str, Any], dict[str, Any]]:
        async with (
            aiohttp.ClientSession() as browser,
            browser.ws_connect(ticket_of(ada)) as page,
            browser.ws_connect(ticket_of(bob)) as neighbour,
        ):
            await asyncio.to_thread(says, ada, Kind.SESSION, session(0, 1))
            told = await tells(page, "session")
            await neighbour.send_str('{"action": "ping"}')
            return told, json.loads(await neighbour.receive_str(timeout=PATIENCE_S))

    ada.adds_sensor()
    told, first_of_neighbour = asyncio.run(watched())
    assert told["data"]["sensorId"] == ada.sensor_id()
    assert told["data"]["status"] == "active"
    assert first_of_neighbour["type"] == "pong"


def test_a_ticket_opens_one_connection(ada: Home) -> None:
    """The second one is turned away, and so is whoever has none; who leaves is told nothing more."""
    table = ada.deployed.table("ConnectionsTable")
    dynamo = ada.deployed.aws.client("dynamodb")

    def rows() -> list[str]:
        owner = {":owner": {"S": f"user#{ada.person.sub}"}}
        found = dynamo.query(
            TableName=table, KeyConditionExpression="ownerOrSession = :owner", ExpressionAttributeValues=owner
        )
        return [one["connectionId"]["S"] for one in found["Items"]]

    async def comes(browser: aiohttp.ClientSession, url: str) -> bool:
        try:
            async with browser.ws_connect(url) as page:
                await page.send_str("hello")
                assert (await tells(page, "error"))["data"]["message"].startswith("nothing is read here")
                assert len(rows()) == 1
        except aiohttp.WSServerHandshakeError:
            return False
        return True

    async def tried() -> list[bool]:
        url = ticket_of(ada)
        async with aiohttp.ClientSession() as browser:
            return [await comes(browser, one) for one in (url, url, url.split("?")[0])]

    ada.deployed.until(lambda: rows() == [])
    assert asyncio.run(tried()) == [True, False, False]
    ada.deployed.until(lambda: rows() == [])


def test_a_silent_gateway_is_swept_and_its_owner_told(ada: Home) -> None:
    """By the function as its schedule calls it, with its own rights; the true end comes later and holds."""
    inbox = noted(ada, "sweep")
    ada.adds_sensor("sauna")
    record = session(1, 1, sensor_id="sauna")
    says(ada, Kind.SESSION, record)
    told = waits_for(ada, lambda one: one["status"] == "active")
    quiet_since(ada)

    run = scheduled(ada.deployed, "sweep")
    assert (run["told"], run["failed"], run["complete"]) == (1, 0, True)
    assert ada.gets(f"/sessions?sensorId={told['sensorId']}")["sessions"][0]["endedBy"] == "gateway_lost"
    ((subject, text),) = inbox.letters()
    assert subject.endswith("a gateway has gone silent")
    assert "ada's flat" in text

    says(ada, Kind.SESSION, session(1, 2, ends_by="timeout", sensor_id="sauna"))
    assert waits_for(ada, lambda one: one["endedBy"] == "timeout")["status"] == "timeout"
    assert ada.ask("PUT", "/users/me", {"notifyByEmail": False}).status == 200


def test_who_has_to_connect_spotify_again_is_told(bob: Home) -> None:
    """From the gateway's own status, by the function as its schedule calls it."""
    inbox = noted(bob, "health")
    consent = Consent(state="refused", given_at=1, ends_at=2)
    says(bob, Kind.STATUS, device(1, consent=consent))
    bob.deployed.until(lambda: bob.gets(f"/gateways/{bob.gateway_id}")["status"] is not None, PATIENCE_S)
    assert scheduled(bob.deployed, "token_health")["told"] == 1
    assert scheduled(bob.deployed, "token_health")["told"] == 0
    ((subject, _),) = inbox.letters()
    assert subject.endswith("Spotify refuses a gateway")


def noted(home: Home, name: str) -> Any:  # noqa: ANN401 - an inbox
    """Somebody who wants to be told, and what comes for them."""
    answer = home.ask("PUT", "/users/me", {"notifyByEmail": True, "timezone": "Europe/Berlin"})
    assert answer.body["notifyByEmail"], answer
    topic = home.deployed.stack.output("NotificationsTopicArn")
    return inbox_of(home.deployed.aws, topic, home.person.email, f"{name}-{home.gateway_id}")


def waits_for(home: Home, holds: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - a session
    """The latest session of the sauna, once it is so."""
    path = f"/sessions?sensorId={home.sensor_id('sauna')}"

    def found() -> Any:  # noqa: ANN401 - JSON
        return home.gets(path)["sessions"]

    home.deployed.until(lambda: bool(found()) and holds(found()[0]), PATIENCE_S)
    return found()[0]


def quiet_since(home: Home) -> None:
    """As if nothing had been heard of the gateway for a day."""
    home.deployed.aws.client("dynamodb").update_item(
        TableName=home.deployed.table("GatewaysTable"),
        Key={"gatewayId": {"S": home.gateway_id}},
        UpdateExpression="SET lastSeenAt = lastSeenAt - :day",
        ExpressionAttributeValues={":day": {"N": str(DAY_MS)}},
    )
