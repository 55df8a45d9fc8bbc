"""The API as Lambda runs it: real events of API Gateway through Mangum, over a local DynamoDB and IoT."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from mangum import Mangum
from mangum.types import LambdaContext
from tests.cloud.stack import template

from spotty_cloud.api.app import create_app
from spotty_cloud.api.asking import Parts
from spotty_cloud.connections import Connections
from spotty_cloud.cursors import Cursors
from spotty_cloud.in_step import Shadows
from spotty_cloud.orders import Orders
from spotty_cloud.rooms import Rooms
from spotty_cloud.store import store_of
from spotty_cloud.subscriptions import Subscriptions
from spotty_contract.shadow import Reported, encode_reported
from spotty_contract.topics import shadow_name
from spotty_sandbox.aws import LocalAws

NOON_MS = 1_795_262_400_000
ADA, BOB = "ada-0001", "bob-0002"
HOME, OTHER_HOME = "spotty-home00000001", "spotty-home00000002"
LIVE_ENDPOINT = "https://live.example/live"

_TABLES = {
    "SENSORS_TABLE": "SensorsTable",
    "USERS_TABLE": "UsersTable",
    "SESSIONS_TABLE": "SessionsTable",
    "MOTION_EVENTS_TABLE": "MotionEventsTable",
    "GATEWAYS_TABLE": "GatewaysTable",
    "COMMANDS_TABLE": "CommandsTable",
    "CONNECTIONS_TABLE": "ConnectionsTable",
}


@dataclass
class HandClock:
    """A clock that is moved by hand."""

    ms: int = NOON_MS

    def now_ms(self) -> int:
        """What it shows."""
        return self.ms


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def error(self) -> Any:  # noqa: ANN401  # whatever JSON there is
        """What went wrong."""
        return self.body["error"]


@dataclass
class World:
    """One deployment, and what may be done to it."""

    parts: Parts
    clock: HandClock
    iot: Any
    dynamo: Any
    names: dict[str, str]
    answerer: Mangum = field(init=False)

    def __post_init__(self) -> None:
        """Make the app once, as a function does."""
        self.answerer = Mangum(create_app(self.parts), lifespan="off")

    def ask(self, method: str, path: str, body: object = None, user: str | None = ADA, **more: Any) -> Answer:  # noqa: ANN401  # parts of an event
        """One request, with `query`, `headers`, `raw` body or `claims` where they matter."""
        claims = more.get("claims", claims_of(user, f"{user}@example.com") if user else None)
        raw = more.get("raw", json.dumps(body).encode() if body is not None else None)
        answer = self.answered(event_of(method, path, raw, claims, more.get("query"), more.get("headers")))
        text = answer["body"]
        return Answer(answer["statusCode"], answer["headers"], json.loads(text) if text else None)

    def answered(self, event: dict[str, Any]) -> dict[str, Any]:
        """What the function returns for this event."""
        return self.answerer(event, cast("LambdaContext", None))

    def put_gateway(self, gateway_id: str, user_id: str, **more: object) -> None:
        """A gateway as registration leaves it."""
        self.parts.store.gateways.put({"gatewayId": gateway_id, "userId": user_id, **more})
        self.iot.create_thing(thingName=gateway_id)

    def desired(self, gateway_id: str, sensor_id: str) -> dict[str, Any]:
        """What a shadow asks for."""
        return cast("dict[str, Any]", self.shadow(gateway_id, sensor_id)["state"]["desired"])

    def policy(self, gateway_id: str, sensor_id: str) -> tuple[int, Any]:
        """Which version of which settings a shadow asks for."""
        desired = self.desired(gateway_id, sensor_id)
        return desired["v"], json.loads(desired["policy"])

    def shadow(self, gateway_id: str, sensor_id: str) -> dict[str, Any]:
        """A whole shadow."""
        client = self.parts.rooms.shadows.client
        answer = client.get_thing_shadow(thingName=gateway_id, shadowName=shadow_name(sensor_id))
        return cast("dict[str, Any]", json.loads(answer["payload"].read()))

    def report(self, gateway_id: str, sensor_id: str, reported: Reported) -> None:
        """Answer as a gateway does."""
        client = self.parts.rooms.shadows.client
        payload = encode_reported(reported)
        client.update_thing_shadow(thingName=gateway_id, shadowName=shadow_name(sensor_id), payload=payload)


def claims_of(user_id: str, email: str, *, is_verified: bool = True) -> dict[str, str]:
    """What API Gateway says of a good ID token: all of it text."""
    verified = str(is_verified).lower()
    return {"sub": user_id, "token_use": "id", "email": email, "email_verified": verified}


def event_of(
    method: str,
    path: str,
    body: bytes | None,
    claims: Mapping[str, object] | None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What a REST API's proxy integration sends, with the body in base64 as for binary types."""
    context: dict[str, Any] = {
        "resourcePath": "/{proxy+}",
        "httpMethod": method,
        "stage": "api",
        "requestId": "11111111-2222-3333-4444-555555555555",
        "identity": {"sourceIp": "192.0.2.1"},
    }
    if claims is not None:
        context["authorizer"] = {"claims": dict(claims)}
    headers = {"Host": "api.example", "X-Forwarded-Proto": "https", "Content-Type": "application/json"} | dict(
        headers or {}
    )
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": context,
        "body": None if body is None else base64.b64encode(body).decode(),
        "isBase64Encoded": body is not None,
    }


def make_tables(dynamo: Any, prefix: str) -> dict[str, str]:  # noqa: ANN401  # boto3 makes clients at run time
    """The tables with just the keys and indexes that the template gives them."""
    resources = template()["Resources"]
    names = {variable: f"{prefix}-{logical}" for variable, logical in _TABLES.items()}
    for variable, logical in _TABLES.items():
        properties = resources[logical]["Properties"]
        known = {"AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"} & properties.keys()
        dynamo.create_table(
            TableName=names[variable], BillingMode="PAY_PER_REQUEST", **{name: properties[name] for name in known}
        )
    return names


def world_of(aws: LocalAws, prefix: str) -> World:
    """A deployment of its own in the local AWS."""
    clock, dynamo, iot, data = HandClock(), aws.client("dynamodb"), aws.client("iot"), aws.client("iot-data")
    names, sns = make_tables(dynamo, prefix), aws.client("sns")
    store = store_of(dynamo, names)
    parts = Parts(
        store=store,
        rooms=Rooms(store, Shadows(data), clock.now_ms),
        orders=Orders(store, data, clock.now_ms),
        cursors=Cursors(b"a key of the tests"),
        connections=Connections(dynamo, names["CONNECTIONS_TABLE"]),
        live_endpoint=LIVE_ENDPOINT,
        subscriptions=Subscriptions(lambda: sns, sns.create_topic(Name=prefix)["TopicArn"]),
        now_ms=clock.now_ms,
    )
    return World(parts, clock, iot, dynamo, names)
