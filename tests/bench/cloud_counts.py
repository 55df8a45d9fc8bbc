"""What a home's day asks of AWS: counted at the boto client, charged as DynamoDB charges for what the items hold.

python -m tests.bench.cloud_counts     counts anew what the costs are reckoned from (counts.json)
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.figures import Figure
from tests.bench.home_day import POLICY, ROOMS, HomeDay, Told, shadow_gets
from tests.cloud.ingesting import RETENTION_S
from tests.cloud.world import ADA, HOME, NOON_MS, World, world_of

from spotty_cloud.ingest.collect import Collector
from spotty_cloud.ingest.dead_letters import DeadLetters
from spotty_cloud.ingest.keeping import Keeper
from spotty_cloud.live_push import LivePush
from spotty_cloud.scheduled.mail import Mail
from spotty_cloud.scheduled.sweep import Sweep
from spotty_cloud.scheduled.token_health import TokenHealth
from spotty_contract.topics import gateway_filters
from spotty_gateway.engine.rules import SECOND
from spotty_sandbox.aws import LocalAws

SPEAKERS = [
    {"name": name, "type": "Speaker", "id": f"{number}fbb3ba6aa454b5534c4ba43a8c7e8e45a63ad0e", "isActive": False}
    for number, name in enumerate(("Bathroom", "Kitchen", "Living room", "Everywhere"))
]
"""That the household has been shown."""

RECORDED = Path(__file__).with_name("counts.json")
"""What the costs in cloud/README.md are reckoned from."""

VISITS = 30
WINDOW_US = SECOND
"""For which Lambda gathers messages, as the template says."""

READS = {"GetItem", "BatchGetItem", "Query"}
READ_UNIT_BYTES = 4_096

LOOK = ("/users/me", "/gateways", "/sensors", "/sessions", "/analytics")
"""What somebody reads who opens the dashboard, besides a ticket for what comes live."""


@dataclass(slots=True)
class Spent:
    """Requests to DynamoDB by kind, and the units that they are charged as."""

    requests: Counter[str] = field(default_factory=Counter)
    write_units: float = 0.0
    read_units: float = 0.0
    _rates: dict[str, float] = field(default_factory=dict)
    """Of the batch that is being read, by table: a consistent read costs twice as much."""

    def asks(self, params: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's hook
        """Before a request: it is to tell what it costs."""
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"
        if model.name == "BatchGetItem":
            self._rates = {
                name: 1.0 if one.get("ConsistentRead") else 0.5 for name, one in params["RequestItems"].items()
            }

    def hears(self, parsed: Mapping[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 - as above
        """An answer has come; nothing here is refused."""
        if "Error" in parsed:
            raise RuntimeError(f"{model.name} was refused: {parsed['Error']}")
        self.requests[model.name] += 1
        if model.name in READS:
            self.read_units += _read_units(parsed, self._rates)
        else:
            charged = parsed["ConsumedCapacity"]
            self.write_units += sum(
                one["CapacityUnits"] for one in (charged if isinstance(charged, list) else [charged])
            )

    def told(self) -> dict[str, float]:
        """As numbers with names."""
        return {"requests": self.requests.total(), "writeUnits": self.write_units, "readUnits": self.read_units}


def counted() -> dict[str, Any]:
    """Everything that the costs are made of."""
    with TemporaryDirectory() as folder, LocalAws(Path(folder)) as aws, event_loop():
        idle, _ = _day(aws, "idle", 0)
        busy, world = _day(aws, "busy", VISITS)
        sessions = world.dynamo.scan(TableName=world.names["SESSIONS_TABLE"])["Items"]
        days = world.dynamo.scan(TableName=world.names["MOTION_EVENTS_TABLE"])["Items"]
        return {
            "idleDay": idle,
            "visit": {name: round((busy[name] - idle[name]) / VISITS, 3) for name in idle},
            "settings": {
                "getsADay": shadow_gets(),
                "kilobytes": _shadow_kilobytes(world),
                "subscriptions": len(gateway_filters(HOME)),
            },
            "sweep": _counting(world, lambda: Sweep(*_scheduled(world)).run()),
            "tokenHealth": _counting(world, lambda: TokenHealth(*_scheduled(world)).run()),
            "look": {"apiRequests": len(LOOK) + 1} | _counting(world, lambda: _look(world)),
            "stored": {"sessionBytes": _size(sessions) // len(sessions), "dayBytes": _size(days) // len(days)},
        }


def counts() -> list[Figure]:
    """Each beside what is recorded: more is a cost that cloud/README.md does not know of."""
    recorded, found = json.loads(RECORDED.read_text()), counted()
    return [
        Figure(f"{part}: {name}", value, recorded["counts"][part][name], "", 1.0)
        for part, values in found.items()
        for name, value in values.items()
    ]


def _day(aws: LocalAws, prefix: str, visits: int) -> tuple[dict[str, float], World]:
    day = HomeDay()
    day.live(visits)
    messages = list(day.messages())
    batches = list(_batches(messages))
    world = _furnished(aws, prefix)
    collector = _collector(aws, world)

    def collect() -> None:
        for some in batches:
            world.clock.ms = max(world.clock.ms, json.loads(some[-1].text)["receivedAt"])
            texts = {f"m{number}": one.text for number, one in enumerate(some)}
            if collector.collect(texts, lambda: 30_000):
                raise RuntimeError("messages were not kept")

    world.clock.ms = json.loads(messages[0].text)["receivedAt"]
    spent = _counting(world, collect)
    return {"messages": len(messages), "batches": len(batches), **spent}, world


def _batches(messages: Sequence[Told]) -> Iterator[list[Told]]:
    """Lambda waits so long from the first one."""
    some: list[Told] = []
    for one in messages:
        if some and one.at_us > some[0].at_us + WINDOW_US:
            yield some
            some = []
        some.append(one)
    yield some


def _furnished(aws: LocalAws, prefix: str) -> World:
    """Ada's home as the API has made it, with a sensor a room."""
    world = world_of(aws, prefix)
    world.put_gateway(HOME, ADA, name="Ada's flat", registeredAt=world.clock.ms, devices=SPEAKERS, devicesAt=NOON_MS)
    world.ask("PUT", "/users/me", {"displayName": "Ada", "timezone": "Europe/Berlin"})
    for number, room in enumerate(ROOMS):
        inputs = [{"id": "pir", "pin": 17 + number}]
        asked = {"gatewayId": HOME, "id": room, "name": room.title(), "inputs": inputs, "policy": POLICY}
        answer = world.ask("POST", "/sensors", asked)
        if answer.status != 201:
            raise RuntimeError(f"no sensor: {answer.body}")
    return world


def _collector(aws: LocalAws, world: World) -> Collector:
    """As ingest's function makes it; no dashboard is open."""
    names, sqs = world.names, aws.client("sqs")
    return Collector(
        keeper=Keeper(
            world.dynamo,
            {
                "sensors": names["SENSORS_TABLE"],
                "sessions": names["SESSIONS_TABLE"],
                "events": names["MOTION_EVENTS_TABLE"],
                "gateways": names["GATEWAYS_TABLE"],
                "commands": names["COMMANDS_TABLE"],
            },
        ),
        letters=DeadLetters(lambda: sqs, "nobody writes any"),
        push=lambda: LivePush(
            lambda: aws.client("apigatewaymanagementapi"), world.parts.connections, world.clock.now_ms
        ),
        retention_s=RETENTION_S,
        now_ms=world.clock.now_ms,
    )


def _scheduled(world: World) -> tuple[Any, Mail, int, Any]:
    """What a run of a schedule is given; nobody is silent, and no consent ends soon."""
    store = world.parts.store
    mail = Mail(None, "nobody is told", store.users, store.gateways)  # type: ignore[arg-type]  # never asked
    return store, mail, world.clock.ms, lambda: True


def _look(world: World) -> None:
    for path in LOOK:
        if world.ask("GET", path).status != 200:
            raise RuntimeError(f"{path} was refused")
    world.ask("POST", "/live/tickets")


def _counting(world: World, do: Any) -> dict[str, float]:  # noqa: ANN401 - whatever it returns
    spent, events = Spent(), world.dynamo.meta.events
    events.register("provide-client-params.dynamodb", spent.asks)
    events.register("after-call.dynamodb", spent.hears)
    try:
        do()
    finally:
        events.unregister("provide-client-params.dynamodb", spent.asks)
        events.unregister("after-call.dynamodb", spent.hears)
    return spent.told()


def _read_units(answer: Mapping[str, Any], rates: Mapping[str, float]) -> float:
    """By the size of what came, which the local AWS does not look at."""
    if "Responses" in answer:
        return sum(rates[table] * _units(_size([one])) for table, items in answer["Responses"].items() for one in items)
    items = answer["Items"] if "Items" in answer else [answer.get("Item", {})]
    rate: float = answer["ConsumedCapacity"]["CapacityUnits"]
    return rate * _units(_size(items))


def _units(size: int) -> int:
    return max(1, -(-size // READ_UNIT_BYTES))


def _shadow_kilobytes(world: World) -> int:
    """Of all shadows together, each rounded up, as AWS does."""
    sizes = [len(json.dumps(world.shadow(HOME, of)["state"], separators=(",", ":"))) for of in ("gateway", *ROOMS)]
    return sum(-(-size // 1024) for size in sizes)


def _size(items: Sequence[Mapping[str, Any]]) -> int:
    """What DynamoDB stores, about: names and values."""
    return len(json.dumps(items, separators=(",", ":")))


@contextmanager
def event_loop() -> Iterator[None]:
    """Mangum wants one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


if __name__ == "__main__":
    RECORDED.write_text(json.dumps({"counted": f"{datetime.now(UTC):%Y-%m-%d}", "counts": counted()}, indent=2) + "\n")
