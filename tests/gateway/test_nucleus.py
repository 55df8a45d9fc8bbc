import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from awsiot.greengrasscoreipc import model
from tests.gateway.freezer import Freezer
from tests.sandbox.nucleus.workbench import PATIENCE_S, PROFILES, running

from spotty_gateway.errors import CloudError, CloudGoneError, CloudNotNowError, CloudRefusedError
from spotty_gateway.ipc import ANSWER_WITHIN_S, MOST_BYTES_UP, Ipc, _answer
from spotty_gateway.nucleus import MOST_BYTES_DOWN, MOST_WAITING, Nucleus
from spotty_sandbox import nucleus as sandbox

MOTION, COMMANDS, COMMAND = "sensors/gw1/bath/motion", "sensors/gw1/+/commands", "sensors/gw1/bath/commands"
ROOT = Path(__file__).parents[2]
LEAK_BYTES = 500
"""A request; an open stream costs ten times as much."""


class Told:
    """What the adapter says and hands on, and a way to wait for it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.came: SimpleQueue[Any] = SimpleQueue()
        self.stood: SimpleQueue[None] = SimpleQueue()
        self.gone: SimpleQueue[None] = SimpleQueue()

    def hear(self, topic: str, payload: bytes) -> None:
        """A message has come."""
        self.came.put((topic, payload, threading.current_thread().name))

    def stands(self) -> None:
        """The subscription stands."""
        self.stood.put(None)

    def next(self) -> Any:  # noqa: ANN401 - whatever comes
        """The next message."""
        return self.came.get(timeout=PATIENCE_S)


@pytest.fixture(params=PROFILES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sandbox.Nucleus]:
    """A nucleus of each kind."""
    with running(tmp_path, request.param) as started:
        yield started


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[sandbox.Nucleus]:
    """Nucleus lite."""
    with running(tmp_path, "lite") as started:
        yield started


@pytest.fixture
def classic(tmp_path: Path) -> Iterator[sandbox.Nucleus]:
    """Nucleus classic."""
    with running(tmp_path, "classic") as started:
        yield started


@contextmanager
def connected(server: sandbox.Nucleus, told: Told) -> Iterator[Nucleus]:
    """The adapter, connected as the component; it tries again at once."""
    nucleus = Nucleus(
        str(server.socket_path),
        server.new_token(),
        told.lines.append,
        lambda: told.gone.put(None),
        first_wait_s=0.01,
    )
    nucleus.connect()
    try:
        yield nucleus
    finally:
        nucleus.close()


def test_a_message_goes_out_as_it_is(server: sandbox.Nucleus) -> None:
    """Topic and bytes arrive unchanged, at least once, up to the longest there may be."""
    payload = bytes(range(256)) * 17 + b"." * (MOST_BYTES_UP - 256 * 17)
    with connected(server, Told()) as nucleus:
        nucleus.publish(MOTION, payload)
        server.wait_until(lambda: server.sent() == (sandbox.Message(MOTION, payload, 1),))


def test_a_message_that_is_too_long_is_refused_before_it_costs_the_connection(server: sandbox.Nucleus) -> None:
    """One byte more: refused for good, and the nucleus never saw it."""
    with connected(server, Told()) as nucleus:
        with pytest.raises(CloudRefusedError, match="4501 bytes; there may be 4500"):
            nucleus.publish(MOTION, b"." * (MOST_BYTES_UP + 1))
        assert [entry.operation for entry in server.requests()] == ["(connect)"]


def test_what_is_not_allowed_waits_for_a_deployment(server: sandbox.Nucleus) -> None:
    """A missing right is a fault of the installation and not of the record: kept, and told with its cure."""
    with connected(server, Told()) as nucleus, pytest.raises(CloudNotNowError, match="accessControl must be"):
        nucleus.publish("sensors/gw2/bath/motion", b"x")


def test_offline_lite_says_not_now_and_classic_takes_it(server: sandbox.Nucleus) -> None:
    """Lite has no memory for messages; what classic has taken may yet be lost, and is kept here."""
    with connected(server, Told()) as nucleus:
        nucleus.know("auto")
        server.go_offline()
        if server.profile.name == "lite":
            with pytest.raises(CloudNotNowError, match="publishing on sensors/gw1/bath/motion: the nucleus cannot"):
                nucleus.publish(MOTION, b"x")
        else:
            nucleus.publish(MOTION, b"x")
        assert nucleus.keeps_acknowledged == (server.profile.name == "classic")


def test_it_sees_which_nucleus_it_is(server: sandbox.Nucleus) -> None:
    """Without being told, and leaves no stream behind; what the settings say goes before."""
    with connected(server, Told()) as nucleus:
        assert nucleus.know("auto") == server.profile.name
        server.wait_until(lambda: server.status().open_streams == 0)
        assert nucleus.know("lite") == "lite"
        assert not nucleus.keeps_acknowledged


def test_every_request_is_closed(server: sandbox.Nucleus) -> None:
    """Lite ends no stream: after requests of every kind, refused ones too, none is left open."""
    with connected(server, Told()) as nucleus:
        for _ in range(5):
            nucleus.publish(MOTION, b"x")
            nucleus.configuration()
            nucleus.report(running=True, within_s=PATIENCE_S)
            with pytest.raises(CloudError):
                nucleus.publish("sensors/gw2/bath/motion", b"x")
        server.wait_until(lambda: server.status().open_streams == 0)


def test_memory_is_flat_over_10_000_publishes(lite: sandbox.Nucleus) -> None:
    """Against a nucleus that never ends a stream, a process that publishes stays as large as it was."""
    program = """
import sys
from pathlib import Path
from spotty_gateway.nucleus import Nucleus

def resident_kb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4

nucleus = Nucleus(sys.argv[1], sys.argv[2], print)
nucleus.connect()
for number in range(10_000):
    nucleus.publish(sys.argv[3], b"." * 1_000)
    if number == 2_000:
        before = resident_kb()
print(resident_kb() - before)
nucleus.close()
"""
    arguments = [str(lite.socket_path), lite.new_token(), MOTION]
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(ended.stdout) * 1024 < 8_000 * LEAK_BYTES


def test_what_comes_is_heard_in_order_on_a_thread_that_may_be_kept(server: sandbox.Nucleus) -> None:
    """Topic and payload of each message; awscrt's own thread is never kept waiting."""
    told = Told()
    with connected(server, told) as nucleus:
        nucleus.subscribe(COMMANDS, told.hear, told.stands)
        told.stood.get(timeout=PATIENCE_S)
        for number in range(20):
            server.publish_from_cloud(COMMAND, b"%d" % number)
        assert [told.next() for _ in range(20)] == [(COMMAND, b"%d" % number, "nucleus") for number in range(20)]


def test_a_flood_is_let_go_and_told(server: sandbox.Nucleus) -> None:
    """While somebody hears slowly, so many messages wait and no more; how many were lost is said."""
    told, may_go_on = Told(), threading.Event()

    def hear(topic: str, payload: bytes) -> None:
        may_go_on.wait(PATIENCE_S)
        told.hear(topic, payload)

    with connected(server, told) as nucleus:
        nucleus.subscribe(COMMANDS, hear, told.stands)
        told.stood.get(timeout=PATIENCE_S)
        for number in range(MOST_WAITING + 50):
            server.publish_from_cloud(COMMAND, b"%d" % number)
        nucleus.publish(MOTION, b"x")  # its answer comes after all of those
        may_go_on.set()
        heard = [told.next()[1] for _ in range(MOST_WAITING)]
        server.publish_from_cloud(COMMAND, b"after")
        while heard[-1] != b"after":
            heard.append(told.next()[1])
    assert heard[:MOST_WAITING] == [b"%d" % number for number in range(MOST_WAITING)]
    lost = MOST_WAITING + 50 - (len(heard) - 1)
    assert told.lines == [f"let go of {lost} from the cloud: longer than {MOST_BYTES_DOWN} bytes, or too many at once"]


def test_a_message_that_is_too_long_is_let_go(classic: sandbox.Nucleus) -> None:
    """Classic would pass on 128 kB: nothing that long is for us."""
    told = Told()
    with connected(classic, told) as nucleus:
        nucleus.subscribe(COMMANDS, told.hear, told.stands)
        told.stood.get(timeout=PATIENCE_S)
        classic.publish_from_cloud(COMMAND, b"." * (MOST_BYTES_DOWN + 1))
        classic.publish_from_cloud(COMMAND, b"." * MOST_BYTES_DOWN)
        assert len(told.next()[1]) == MOST_BYTES_DOWN
    assert told.lines == [f"let go of 1 from the cloud: longer than {MOST_BYTES_DOWN} bytes, or too many at once"]


def test_whoever_hears_and_fails_does_not_end_the_hearing(
    server: sandbox.Nucleus, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect is said, and the next message is heard."""
    told = Told()

    def hear(topic: str, payload: bytes) -> None:
        told.hear(topic, payload)
        raise ZeroDivisionError

    with connected(server, told) as nucleus:
        nucleus.subscribe(COMMANDS, hear, told.stands)
        told.stood.get(timeout=PATIENCE_S)
        for number in range(2):
            server.publish_from_cloud(COMMAND, b"%d" % number)
        assert [told.next()[1], told.next()[1]] == [b"0", b"1"]
    assert [record.levelno for record in caplog.records if record.name.startswith("spotty")] == [logging.CRITICAL] * 2


def test_a_subscription_that_fails_is_tried_again(lite: sandbox.Nucleus) -> None:
    """Lite refuses while it is offline: said once, and it stands as soon as there is a connection."""
    told = Told()
    lite.go_offline()
    with connected(lite, told) as nucleus:
        nucleus.subscribe(COMMANDS, told.hear, told.stands)
        lite.wait_until(lambda: sum(one.operation == "SubscribeToIoTCore" for one in lite.requests()) > 2)
        lite.go_online()
        told.stood.get(timeout=PATIENCE_S)
        lite.publish_from_cloud(COMMAND, b"x")
        assert told.next()[:2] == (COMMAND, b"x")
    assert told.lines == [f"subscribing to {COMMANDS}: the nucleus cannot, now or at all; it is tried again"]


def test_a_connection_that_broke_comes_back_with_everything(server: sandbox.Nucleus) -> None:
    """With the same token, said in two lines; subscriptions stand again, and whoever has them is told."""
    told = Told()
    with connected(server, told) as nucleus:
        nucleus.subscribe(COMMANDS, told.hear, told.stands)
        told.stood.get(timeout=PATIENCE_S)
        server.drop_connections()
        told.stood.get(timeout=PATIENCE_S)
        server.publish_from_cloud(COMMAND, b"x")
        assert told.next()[:2] == (COMMAND, b"x")
        nucleus.publish(MOTION, b"x")
        assert server.status().subscriptions == 1
    assert told.lines == ["the connection to the nucleus is lost; the music goes on", "connected to the nucleus again"]
    assert told.gone.empty()


def test_what_stands_and_falls_at_once_is_set_up_less_and_less(server: sandbox.Nucleus) -> None:
    """Each wait is twice the one before, though each attempt succeeds."""
    told = Told()

    def stands() -> None:
        server.drop_connections()
        told.stands()

    began = time.monotonic()
    with connected(server, told) as nucleus:
        nucleus.subscribe(COMMANDS, told.hear, stands)
        for _ in range(6):
            told.stood.get(timeout=PATIENCE_S)
    assert time.monotonic() - began >= 0.01 * (1 + 2 + 4 + 8 + 16)


def test_whoever_hears_that_it_stands_and_fails_keeps_no_other_from_standing(
    server: sandbox.Nucleus, caplog: pytest.LogCaptureFixture
) -> None:
    """The defect is told; after a break the next subscription is set up all the same."""
    told = Told()

    def fail() -> None:
        raise ValueError("a planted fault")

    with connected(server, told) as nucleus:
        nucleus.subscribe("sensors/gw1/hall/commands", told.hear, fail)
        nucleus.subscribe(COMMANDS, told.hear, told.stands)
        told.stood.get(timeout=PATIENCE_S)
        server.drop_connections()
        told.stood.get(timeout=PATIENCE_S)
        server.wait_until(lambda: server.status().subscriptions == 2)
    assert "a planted fault" in caplog.text


def test_a_connection_that_breaks_in_the_middle_of_a_call_is_gone(server: sandbox.Nucleus) -> None:
    """The SDK says that in a bare RuntimeError, which belongs to nobody else: the caller hears what to do next."""
    lost = threading.Event()
    ipc = Ipc(str(server.socket_path), server.new_token(), lost.set)
    ipc.connect()
    operation = ipc._client.new_publish_to_iot_core()
    server.drop_connections()
    assert lost.wait(PATIENCE_S)
    request = model.PublishToIoTCoreRequest(topic_name=MOTION, qos=model.QOS.AT_LEAST_ONCE, payload=b"x")
    with pytest.raises(CloudGoneError, match="publishing: the connection to the nucleus broke"):
        _answer(operation, request, "publishing", PATIENCE_S)
    operation.close()
    ipc.close()


def test_a_token_that_is_void_is_told_once(server: sandbox.Nucleus) -> None:
    """After the server's restart nothing helps: that is said, and every message is refused as gone."""
    told = Told()
    with connected(server, told) as nucleus:
        server.restart_ipc()
        told.gone.get(timeout=PATIENCE_S)
        with pytest.raises(CloudGoneError, match="publishing on sensors/gw1/bath/motion: the nucleus is not connected"):
            nucleus.publish(MOTION, b"x")
    assert told.gone.empty()
    assert told.lines[0] == "the connection to the nucleus is lost; the music goes on"
    why = "does not know our token any more" if server.profile.name == "classic" else "SOCKET_CLOSED)"
    assert told.lines[1].endswith(f"{why}; records wait until the component is started anew")
    assert len(told.lines) == 2


def test_where_nobody_listens_is_one_line(tmp_path: Path) -> None:
    """No socket: the line names it, and the adapter can be told to try again."""
    nucleus = Nucleus(str(tmp_path / "none"), "token", print)
    for _ in range(2):
        with pytest.raises(CloudGoneError, match=f"no nucleus answers at {tmp_path}/none ") as raised:
            nucleus.connect()
        assert "\n" not in str(raised.value)
    nucleus.close()


def test_a_refused_token_is_no_secret_told(server: sandbox.Nucleus) -> None:
    """Whatever is said of a connection that fails, the token is not in it."""
    token = "s3cr3t-t0k3n"  # noqa: S105 - it opens nothing
    nucleus = Nucleus(str(server.socket_path), token, print)
    with pytest.raises(CloudGoneError) as raised:
        nucleus.connect()
    assert token not in f"{raised.value!r} {raised.value.__cause__!r}"
    nucleus.close()


def test_the_configuration_is_told_now_and_when_it_changes(server: sandbox.Nucleus) -> None:
    """Whole each time, and one deployment of many values is not read once for each of them."""
    told, values = Told(), 20
    with connected(server, told) as nucleus:
        nucleus.watch_configuration(told.came.put)
        assert told.next()["room"]["name"] == "Bath"
        server.set_configuration({"room": {"name": "Kitchen"}, **{f"key{number}": "x" for number in range(values)}})
        assert told.next()["room"]["name"] == "Kitchen"
        nucleus.report(running=True, within_s=PATIENCE_S)  # after all that was to be read
        assert sum(entry.operation == "GetConfiguration" for entry in server.requests()) < values


@pytest.mark.parametrize("running_well, state", [(True, "RUNNING"), (False, "ERRORED")])
def test_the_nucleus_is_told_how_it_is(server: sandbox.Nucleus, running_well: bool, state: str) -> None:
    """RUNNING and ERRORED, in the nucleus's own words."""
    with connected(server, Told()) as nucleus:
        nucleus.report(running=running_well, within_s=PATIENCE_S)
        assert server.status().reported == state


def test_closing_does_not_wait_for_what_hears(server: sandbox.Nucleus) -> None:
    """Somebody who hears and never returns does not keep the component from ending."""
    told, never = Told(), threading.Event()

    def hear(topic: str, payload: bytes) -> None:
        told.hear(topic, payload)
        never.wait(PATIENCE_S)

    with connected(server, told) as nucleus:
        nucleus.subscribe(COMMANDS, hear, told.stands)
        told.stood.get(timeout=PATIENCE_S)
        server.publish_from_cloud(COMMAND, b"x")
        told.next()
        closing = threading.Thread(target=nucleus.close, daemon=True)
        closing.start()
        closing.join(PATIENCE_S / 2)
        assert not closing.is_alive()
        never.set()


def test_a_nucleus_that_hangs_is_not_waited_for_where_it_need_not_be(lite: sandbox.Nucleus, tmp_path: Path) -> None:
    """Saying how we are returns at once; a publish gives up by itself, and the message is to be sent again."""
    freezer = Freezer(tmp_path / "freezer", str(lite.socket_path))
    nucleus = Nucleus(str(tmp_path / "freezer"), lite.new_token(), print)
    try:
        nucleus.connect()
        freezer.freeze()
        saying = threading.Thread(target=lambda: nucleus.report(running=True), daemon=True)
        saying.start()
        saying.join(ANSWER_WITHIN_S / 2)
        assert not saying.is_alive()
        with pytest.raises(CloudNotNowError, match="no answer within"):
            nucleus.publish(MOTION, b"x")
    finally:
        nucleus.close()
        freezer.close()
