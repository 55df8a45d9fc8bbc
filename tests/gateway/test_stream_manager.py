import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest
from tests.gateway.cloud import Bench, FakeCloud, Message, name_in
from tests.gateway.hand_clock import HandClock
from tests.gateway.store.mail import BOOT, GATEWAY, decision, running_outbox
from tests.gateway.store.workbench import PATIENCE_S
from tests.gateway.stream_manager_server import (
    Operation,
    Reaction,
    Status,
    StreamManagerServer,
    Trouble,
    running_server,
)

from spotty_contract.messages import decode_batch
from spotty_contract.streamed import Streamed
from spotty_contract.topics import Kind
from spotty_gateway.clock import SystemClock
from spotty_gateway.errors import CloudError, CloudNotNowError, CloudRefusedError
from spotty_gateway.ports import Refused
from spotty_gateway.stream_manager import Stream, StreamManager
from spotty_gateway.uplink import Uplink

ROOT = Path(__file__).parents[2]
MOTION, SESSION = f"sensors/{GATEWAY}/bath/motion", f"sensors/{GATEWAY}/bath/session"
SOON_S = 0.15
"""For tests in which no answer comes: they wait this long."""
STREAM = Stream("records")

broken = pytest.mark.filterwarnings("ignore:unclosed|loop is closed:ResourceWarning")
"""Where the other side hangs up, the client connects anew by itself, and leaves the old connection to the collector."""


@pytest.fixture
def server() -> Iterator[StreamManagerServer]:
    """A Stream Manager that runs."""
    with running_server() as started:
        yield started


@contextmanager
def way_to(
    server: StreamManagerServer,
    stream: Stream = STREAM,
    mqtt: FakeCloud | None = None,
    answer_within_s: float = PATIENCE_S,
) -> Iterator[StreamManager]:
    """The adapter; when it is closed none of the client's threads is left."""
    way = StreamManager(stream, mqtt or FakeCloud(), server.port, answer_within_s)
    try:
        yield way
    finally:
        way.close()
        no_thread_is_left()


def no_thread_is_left(*, but: str = "") -> None:
    """Of the client's or the adapter's, as soon as those that were told to end have ended."""
    for thread in threading.enumerate():
        if ("run_event_loop" in thread.name or thread.name == "stream manager") and thread.name != but:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def once(reaction: Reaction, to: Operation = Operation.APPEND) -> Callable[[Operation], Reaction]:
    """React so to the first one, and as one should to all others."""
    left = [reaction]
    return lambda operation: left.pop() if operation is to and left else Status.SUCCESS


def test_the_first_message_makes_the_stream(server: StreamManagerServer) -> None:
    """On disk before it is answered, bounded, never full for good; every message has its topic with it, in order."""
    with way_to(server) as way:
        for number in range(20):
            way.publish(MOTION, b"\x01%d\xff" % number)
        way.publish(SESSION, b"{}")
    stored = server.streams["records"]
    assert stored.read() == [*(Streamed(MOTION, b"\x01%d\xff" % one) for one in range(20)), Streamed(SESSION, b"{}")]
    assert stored.definition == {
        "name": "records",
        "maxSize": 268_435_456,
        "streamSegmentSize": 16_777_216,
        "strategyOnFull": 1,  # the oldest go
        "persistence": 0,  # a file
        "flushOnWrite": True,
    }
    assert server.connections == 1


def test_a_stream_is_exported_where_the_settings_say(server: StreamManagerServer) -> None:
    """To Kinesis, if it is we who make it."""
    with way_to(server, Stream("records", kinesis="fleet")) as way:
        way.publish(MOTION, b"{}")
    export = server.streams["records"].definition["exportDefinition"]
    assert export == {"kinesis": [{"identifier": "kinesis", "kinesisStreamName": "fleet"}]}


def test_a_stream_that_somebody_else_defined_stays_as_it_is(server: StreamManagerServer) -> None:
    """Records of a new run are appended behind what is there."""
    with way_to(server) as way:
        way.publish(MOTION, b"{1}")
    with way_to(server, Stream("records", kinesis="fleet")) as way:
        way.publish(MOTION, b"{2}")
    assert [one.payload for one in server.streams["records"].read()] == [b"{1}", b"{2}"]
    assert "exportDefinition" not in server.streams["records"].definition


def test_what_somebody_waits_for_goes_by_mqtt(server: StreamManagerServer) -> None:
    """Results, registrations and shadows; Stream Manager is not even connected to."""
    sent: list[str] = []
    mqtt = FakeCloud(answer=lambda message: sent.append(message.topic))
    topics = [
        f"sensors/{GATEWAY}/gateway/results",
        f"sensors/{GATEWAY}/gateway/register",
        f"$aws/things/{GATEWAY}/shadow/name/gateway/update",
    ]
    with way_to(server, mqtt=mqtt) as way:
        for topic in topics:
            way.publish(topic, b"{}")
    assert sent == topics
    assert server.connections == 0


def test_what_comes_down_comes_by_mqtt(server: StreamManagerServer) -> None:
    """A subscription is handed on as it is."""
    wanted: list[object] = []

    class Mqtt(FakeCloud):
        def subscribe(self, *what: object) -> None:
            wanted.extend(what)

    def hear(_topic: str, _payload: bytes) -> None: ...

    def stands() -> None: ...

    with way_to(server, mqtt=Mqtt()) as way:
        way.subscribe("sensors/+", hear, stands)
    assert wanted == ["sensors/+", hear, stands]


@pytest.mark.parametrize(
    "status, error, told",
    [
        (Status.PAYLOAD_TOO_LARGE, CloudRefusedError, "takes no message of"),
        (Status.INVALID_REQUEST, CloudNotNowError, "InvalidRequestException, no APPEND"),
        (Status.OUT_OF_MEMORY, CloudNotNowError, "ServerOutOfMemoryException"),
        (Status.UNKNOWN_FAILURE, CloudNotNowError, "UnknownFailureException"),
        (Status.SERVER_TIMEOUT, CloudNotNowError, "ServerTimeoutException"),
        (Status.UNAUTHORIZED, CloudNotNowError, "STREAM_MANAGER_AUTHENTICATE_CLIENT"),
        (Status.NOT_FOUND, CloudNotNowError, "InvalidRequestException, no CREATE"),
    ],
)
def test_an_error_is_told_by_what_comes_next(
    server: StreamManagerServer, status: Status, error: type[CloudError], told: str
) -> None:
    """Only a message that is too long is given up; nothing that may pass costs a record, or the connection."""
    with way_to(server) as way:
        way.publish(MOTION, b"{1}")
        server.react = lambda operation: status if operation is Operation.APPEND else Status.SUCCESS
        with pytest.raises(error, match=told):
            way.publish(MOTION, b"{2}")
        server.react = lambda _: Status.SUCCESS
        way.publish(MOTION, b"{3}")
    assert [one.payload for one in server.streams["records"].read()] == [b"{1}", b"{3}"]
    assert server.connections == 1


def test_a_message_that_is_too_long_is_refused_for_good(server: StreamManagerServer) -> None:
    """By Stream Manager itself."""
    with way_to(server) as way, pytest.raises(CloudRefusedError, match="takes no message of 1398"):
        way.publish(MOTION, b"." * 1_048_576)


def test_the_stream_is_made_again_where_somebody_deleted_it(server: StreamManagerServer) -> None:
    """While we run, too."""
    with way_to(server) as way:
        way.publish(MOTION, b"{1}")
        server.streams.clear()
        way.publish(MOTION, b"{2}")
    assert [one.payload for one in server.streams["records"].read()] == [b"{2}"]


def test_away_it_says_so_and_leaves_nothing_behind(server: StreamManagerServer) -> None:
    """Fifty attempts, no thread more; when it is there, the next one arrives."""
    server.stop()
    with way_to(server) as way:
        for _ in range(50):
            with pytest.raises(CloudNotNowError, match=rf"port {server.port} \(ConnectionRefusedError\); does it run"):
                way.publish(MOTION, b"{}")
        no_thread_is_left(but="stream manager")
        server.start()
        way.publish(MOTION, b"{}")
    assert server.streams["records"].read() == [Streamed(MOTION, b"{}")]


def test_it_shows_the_nucleus_s_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one in the environment; without it nobody is let in, and nobody is told it."""
    with running_server("a-secret") as server, way_to(server) as way:
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "another-secret")
        with pytest.raises(CloudNotNowError, match="does not let us in") as refused:
            way.publish(MOTION, b"{}")
        assert "secret" not in str(refused.value)
        no_thread_is_left(but="stream manager")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a-secret")
        way.publish(MOTION, b"{}")
    assert len(server.streams["records"].messages) == 1


@broken
@pytest.mark.parametrize("to", Operation)
@pytest.mark.parametrize("trouble", [*Trouble, Status.FROM_THE_FUTURE])
def test_no_answer_holds_nobody_and_spoils_nothing(
    server: StreamManagerServer, to: Operation, trouble: Reaction
) -> None:
    """It hangs, or hangs up, or is not understood: told soon, and the next message arrives by another connection."""
    server.react = once(trouble, to)
    with way_to(server, answer_within_s=SOON_S) as way:
        with pytest.raises(CloudNotNowError, match=r"no answer from Stream Manager|was not understood"):
            way.publish(MOTION, b"{1}")
        until_it_arrives(way, b"{2}")
    gc.collect()  # see `broken`
    assert server.streams["records"].read()[-1].payload == b"{2}"
    assert server.connections > 1


def until_it_arrives(way: StreamManager, payload: bytes) -> None:
    """As the uplink does; the worker may still be busy with what came before."""
    for _ in range(10):
        try:
            way.publish(MOTION, payload)
        except CloudNotNowError:
            continue
        return
    raise AssertionError("it never does")


@broken
def test_it_may_end_and_come_back_while_nobody_sends(server: StreamManagerServer) -> None:
    """Stream Manager is updated: the next message arrives, at the latest when it is tried again."""
    with way_to(server, answer_within_s=SOON_S) as way:
        until_it_arrives(way, b"{1}")
        server.stop()
        server.start()
        until_it_arrives(way, b"{2}")
    gc.collect()  # see `broken`
    assert server.streams["records"].read()[-1].payload == b"{2}"


def test_what_was_given_up_is_not_appended_behind_our_back(server: StreamManagerServer) -> None:
    """Messages that waited behind one that hung will be sent again: only one that had been begun may arrive twice."""
    server.react = lambda _: Trouble.SILENCE
    failed: list[CloudError] = []

    def publish() -> None:
        try:
            way.publish(MOTION, b"{1}")
        except CloudNotNowError as error:
            failed.append(error)

    with way_to(server, answer_within_s=SOON_S) as way:
        threads = [threading.Thread(target=publish) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(failed) == 5
        assert server.connections <= 3  # nobody waited for the others' turn
        server.react = lambda _: Status.SUCCESS
        until_it_arrives(way, b"{2}")
    arrived = [one.payload for one in server.streams["records"].read()]
    assert arrived.count(b"{1}") <= 1
    assert arrived[-1] == b"{2}"


def test_the_default_never_loads_it() -> None:
    """Neither greengrasssdk nor what it needs costs a gateway anything whose records go by MQTT."""
    program = "import sys, spotty_gateway.cli.component; print(sorted({'greengrasssdk', 'cbor2'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_it_does_not_keep_the_process(server: StreamManagerServer) -> None:
    """A process whose call hangs ends when it wants to."""
    server.react = lambda _: Trouble.SILENCE
    program = """
import sys, threading
from spotty_gateway.stream_manager import Stream, StreamManager
way = StreamManager(Stream("records"), None, int(sys.argv[1]), answer_within_s=3600)
threading.Thread(target=way.publish, args=(sys.argv[2], b"{}"), daemon=True).start()
sys.stdin.read()
way.close()
"""
    arguments = [sys.executable, "-c", program, str(server.port), MOTION]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, text=True) as process:
        try:
            server.wait_for(Operation.CONNECT)
            process.communicate("", timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0


def through(way: StreamManager) -> Callable[[Message], CloudError | None]:
    """A cloud's answers, which are Stream Manager's."""

    def answer(message: Message) -> CloudError | None:
        try:
            way.publish(message.topic, message.payload)
        except CloudError as error:
            return error
        return None

    return answer


@broken
def test_the_outbox_arrives_whatever_happens(server: StreamManagerServer, tmp_path: Path) -> None:
    """Refusing, hanging up before and after, ending and coming back: each record arrives, in order of its sensor."""
    rooms = ("bath", "hall", "kitchen", "attic")
    fine: list[Reaction] = [Status.SUCCESS] * 5
    troubles = cycle(
        [*fine, Status.OUT_OF_MEMORY, *fine, Trouble.HANGS_UP, *fine, Trouble.HANGS_UP_AFTER, *fine, Trouble.GIBBERISH]
    )
    server.react = lambda operation: next(troubles) if operation is Operation.APPEND else Status.SUCCESS
    clock = HandClock()
    with way_to(server, answer_within_s=SOON_S) as way:
        bench = Bench(tmp_path, FakeCloud(answer=through(way)), clock)
        for number in range(120):
            bench.store.outbox.put(Kind.MOTION, decision(number, rooms[number % 4]), BOOT)
            if number % 5 == 0:
                bench.drain()
                bench.live_s(1)
            if number == 60:
                server.stop()
                bench.live_s(10)
                server.start()
        bench.live_s(200)
        assert bench.store.outbox.view.records == 0
        assert bench.reports == []
        bench.close()
    gc.collect()  # see `broken`
    arrived = [
        (topic, name_in(line)) for topic, payload in server.streams["records"].read() for line in decode_batch(payload)
    ]
    for number, room in enumerate(rooms):
        first = dict.fromkeys(name for topic, name in arrived if topic == f"sensors/{GATEWAY}/{room}/motion")
        assert list(first) == [f"e{one}" for one in range(number, 120, 4)]
    assert len(arrived) > 120  # some twice: what was done and never answered


def test_with_the_uplink_s_own_threads(server: StreamManagerServer, tmp_path: Path) -> None:
    """Put, on disk, appended, settled; the next run finds nothing left."""

    def no_refusal(refused: Refused) -> None:
        raise AssertionError(refused)

    with way_to(server) as way, running_outbox(tmp_path) as store:
        uplink = Uplink(GATEWAY, store.outbox, way, SystemClock(assume_trusted=True), no_refusal)
        store.outbox.on_growth = uplink.wake
        uplink.start()
        for number in range(20):
            store.outbox.put(Kind.MOTION, decision(number), BOOT)
            while not server.streams or len(names_in(server)) <= number:
                server.wait_for(Operation.APPEND)
        assert uplink.stop(PATIENCE_S)
    assert names_in(server) == [f"e{number}" for number in range(20)]
    with running_outbox(tmp_path) as store:
        assert store.outbox.view.records == 0


def names_in(server: StreamManagerServer) -> list[str]:
    """What has arrived, in order."""
    return [name_in(line) for _, payload in server.streams["records"].read() for line in decode_batch(payload)]
