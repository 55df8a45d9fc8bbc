import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.cloud.world import ADA, BOB, HandClock, World

from spotty_cloud.connections import Connections
from spotty_cloud.live_push import MOST_BYTES, LivePush, dashboards
from spotty_sandbox.aws import LocalAws

MESSAGE = {"type": "room", "at": 1, "data": {"why": "Küche"}}


class Line(ThreadingHTTPServer):
    """API Gateway's end of the connections: what each was told, and how it takes it by the first word of its id."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.told: list[tuple[str, bytes]] = []
        self.asked: list[str] = []

    @property
    def endpoint(self) -> str:
        """Of its one API and stage."""
        return f"http://127.0.0.1:{self.server_port}/live"


class _Asked(BaseHTTPRequestHandler):
    server: Line

    def do_POST(self) -> None:
        """One message to one connection."""
        connection_id = self.path.rsplit("/", 1)[-1]
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(connection_id)
        match connection_id.split("-")[0]:
            case "gone":
                self._answer(410, "GoneException")
            case "broken":
                self._answer(500, "InternalServerException")
            case "deaf":
                self.close_connection = True
            case _:
                self.server.told.append((connection_id, data))
                self._answer(200, "")

    def _answer(self, status: int, error: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as http.server has it
        """Nothing to the terminal."""


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """The WebSocket API, as much of it as is asked."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    with Line() as made:
        served = threading.Thread(target=made.serve_forever, args=(0.01,))
        served.start()
        try:
            yield made
        finally:
            dashboards(made.endpoint).close()
            dashboards.cache_clear()
            made.shutdown()
            served.join()


@pytest.fixture
def connections(world: World) -> Iterator[Connections]:
    """Where people listen: nowhere yet, and nowhere any more."""
    yield world.parts.connections
    for user_id in (ADA, BOB):
        world.parts.connections.forget_all(user_id)


def pushing(world: World, line: Line, **more: Any) -> LivePush:  # noqa: ANN401  # its fields
    """One invocation's, in which no time goes by unless a test says so."""
    by_hand = {"mono_s": lambda: 0.0, **more}
    return LivePush(lambda: dashboards(line.endpoint), world.parts.connections, world.clock.now_ms, **by_hand)


def test_all_dashboards_of_a_person_are_told_and_nobody_else_s(
    world: World, line: Line, connections: Connections
) -> None:
    """Compact JSON in UTF-8, the same to each."""
    for user_id, one in ((ADA, "a-1"), (ADA, "a-2"), (BOB, "b-1")):
        connections.add(user_id, one, world.clock.ms)
    pushing(world, line).push(ADA, MESSAGE)
    sent = '{"type":"room","at":1,"data":{"why":"Küche"}}'.encode()
    assert sorted(line.told) == [("a-1", sent), ("a-2", sent)]


def test_whoever_is_gone_is_forgotten(world: World, line: Line, connections: Connections) -> None:
    """Neither asked again nor kept in the table; the others hear of it all the same."""
    connections.add(ADA, "gone-1", world.clock.ms)
    connections.add(ADA, "here-1", world.clock.ms + 1)
    push = pushing(world, line)
    push.push(ADA, MESSAGE)
    push.push(ADA, MESSAGE)
    assert line.asked == ["gone-1", "here-1", "here-1"]
    assert connections.of(ADA, world.clock.ms) == ["here-1"]


@pytest.mark.parametrize("one", ["broken-1", "deaf-1"])
def test_a_connection_that_fails_holds_nobody_up(
    world: World, line: Line, connections: Connections, one: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, asked once in an invocation, and kept: the next one may find it well."""
    connections.add(ADA, one, world.clock.ms)
    connections.add(ADA, "here-1", world.clock.ms + 1)
    push = pushing(world, line)
    with caplog.at_level(logging.WARNING, "spotty_cloud.live_push"):
        push.push(ADA, MESSAGE)
        push.push(ADA, MESSAGE)
    assert line.asked == [one, "here-1", "here-1"]
    assert [record.message[:30] for record in caplog.records] == ["a dashboard cannot be told jus"]
    assert connections.of(ADA, world.clock.ms) == [one, "here-1"]


@pytest.mark.parametrize("more_bytes, is_sent", [(0, True), (1, False)])
def test_a_message_has_32_kb_at_most(
    world: World, line: Line, connections: Connections, more_bytes: int, is_sent: bool
) -> None:
    """Counted as it is sent; a longer one is left out, and those after it are not."""
    connections.add(ADA, "a-1", world.clock.ms)
    push = pushing(world, line)
    push.push(ADA, {"data": "ü" + "x" * (MOST_BYTES - len('{"data":"ü"}'.encode()) + more_bytes)})
    push.push(ADA, MESSAGE)
    assert [len(data) for _, data in line.told][:-1] == ([MOST_BYTES] if is_sent else [])
    assert len(line.told) == 1 + is_sent


def test_where_a_person_listens_is_looked_up_once(world: World, line: Line, connections: Connections) -> None:
    """Once a person and invocation, also where nobody listens: a batch holds a hundred records."""
    queries: list[object] = []
    connections.add(ADA, "a-1", world.clock.ms)
    push = pushing(world, line)

    def count(**_: object) -> None:
        queries.append(_)

    events = connections.client.meta.events
    events.register("before-call.dynamodb.Query", count)
    try:
        for _ in range(3):
            push.push(ADA, MESSAGE)
            push.push("nobody", MESSAGE)
    finally:
        events.unregister("before-call.dynamodb.Query", count)
    assert len(queries) == 2
    assert len(line.told) == 3


def test_a_connection_of_yesterday_is_not_told(world: World, line: Line, connections: Connections) -> None:
    """By its own time: DynamoDB lets what has expired stand for days."""
    connections.add(ADA, "old-1", world.clock.ms - 7_200_000)
    connections.add(ADA, "new-1", world.clock.ms - 7_199_000)
    pushing(world, line).push(ADA, MESSAGE)
    assert line.asked == ["new-1"]


def test_pushes_take_three_seconds_of_an_invocation_at_most(
    world: World, line: Line, connections: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    """The records come first: what is left over is dropped, with one line for all of it."""
    connections.add(ADA, "a-1", world.clock.ms)
    slow = HandClock(0)

    def mono_s() -> float:
        slow.ms += 800  # as if each push took so long
        return slow.ms / 1000

    push = pushing(world, line, mono_s=mono_s)
    with caplog.at_level(logging.WARNING, "spotty_cloud.live_push"):
        for _ in range(9):
            push.push(ADA, MESSAGE)
    assert len(line.told) == 3  # and the look where she listens
    assert len(caplog.records) == 1


def test_many_places_take_no_longer_than_one(world: World, line: Line, connections: Connections) -> None:
    """One message goes to ten of them, each of which may take as long as all may."""
    for number in range(10):
        connections.add(ADA, f"a-{number}", world.clock.ms + number)
    slow = HandClock(0)

    def mono_s() -> float:
        slow.ms += 800
        return slow.ms / 1000

    pushing(world, line, mono_s=mono_s).push(ADA, MESSAGE)
    assert [one for one, _ in line.told] == ["a-0", "a-1", "a-2"]


def test_a_table_that_does_not_answer_costs_one_line(
    world: World, line: Line, local_aws: LocalAws, caplog: pytest.LogCaptureFixture
) -> None:
    """What AWS refuses a dashboard never becomes a record's trouble."""
    lost = Connections(local_aws.client("dynamodb"), "no-such-table")
    push = LivePush(lambda: dashboards(line.endpoint), lost, world.clock.now_ms)
    with caplog.at_level(logging.WARNING, "spotty_cloud.live_push"):
        push.push(ADA, MESSAGE)
        push.push(ADA, MESSAGE)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_it_is_cheap_to_bring_along() -> None:
    """Ingest imports it at each cold start: boto3 and pydantic, a quarter of a second, are not in it."""
    program = "import json, sys, spotty_cloud.live_push; print(json.dumps([n for n in sys.modules if '.' not in n]))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"boto3", "pydantic", "fastapi", "spotty_contract"}.isdisjoint(json.loads(ran.stdout))
