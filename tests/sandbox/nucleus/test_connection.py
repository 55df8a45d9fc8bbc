import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from awsiot.eventstreamrpc import AccessDeniedError, UnmappedDataError
from awsiot.greengrasscoreipc import model
from awsiot.greengrasscoreipc.client import GreengrassCoreIPCClient
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sandbox.nucleus.workbench import PATIENCE_S, STEADY, Ending, Events, ask, client, client_v2, running

from spotty_sandbox.nucleus import Nucleus
from spotty_sandbox.nucleus.frames import Frame, MessageType, decode, encode
from spotty_sandbox.nucleus.request import Stream


def get_pin(connected: GreengrassCoreIPCClient) -> Any:  # noqa: ANN401 - JSON
    """One small request, done well."""
    request = model.GetConfigurationRequest(key_path=["pin"])
    return ask(connected.new_get_configuration(), request).value["pin"]


@contextmanager
def raw(nucleus: Nucleus) -> Iterator[socket.socket]:
    """A client that minds no rules."""
    with socket.socket(socket.AF_UNIX) as bare:
        bare.settimeout(PATIENCE_S)
        bare.connect(str(nucleus.socket_path))
        yield bare


def is_closed(bare: socket.socket) -> bool:
    """Whether the nucleus closed, after whatever it still said."""
    try:
        while bare.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


def connect_frame(token: str, version: str = "0.1.0") -> bytes:
    """A connect message."""
    return encode(
        Frame(MessageType.CONNECT, headers={":version": version}, payload=b'{"authToken": "%s"}' % token.encode())
    )


def test_both_of_the_sdk_s_clients_are_answered(nucleus: Nucleus) -> None:
    """The generated operations and the v2 client work unchanged; lite has strings where the YAML had scalars."""
    expected: Any = "17" if nucleus.profile.name == "lite" else 17
    with client(nucleus) as connected:
        assert get_pin(connected) == expected
    with client_v2(nucleus) as comfortable:
        assert comfortable.get_configuration(key_path=["pin"]).value == {"pin": expected}


def test_a_wrong_token_is_not_let_in(nucleus: Nucleus) -> None:
    """Without a valid token there is no connection: classic says so, lite just closes."""
    expected = AccessDeniedError if nucleus.profile.name == "classic" else Exception
    with pytest.raises(expected), client(nucleus, token="nobody's"):  # noqa: S106 - it opens nothing
        pass
    assert [(entry.operation, entry.outcome) for entry in nucleus.requests()] == [("(connect)", "closed")]


def test_streams_end_as_the_nucleus_ends_them(nucleus: Nucleus) -> None:
    """Classic ends the stream of an answer; lite never does, so each stays until the client closes it."""
    with client(nucleus) as connected:
        operations = [connected.new_get_configuration() for _ in range(5)]
        for operation in operations:
            operation.activate(model.GetConfigurationRequest()).result(PATIENCE_S)
            operation.get_response().result(PATIENCE_S)
        assert nucleus.status().open_streams == (5 if nucleus.profile.name == "lite" else 0)
        for operation in operations:
            operation.close().result(PATIENCE_S)
        nucleus.wait_until(lambda: nucleus.status().open_streams == 0)


def test_errors_end_their_stream_and_say_why_on_classic_only(nucleus: Nucleus) -> None:
    """An error's message is empty on lite: a component must branch on the type."""
    with client(nucleus) as connected:
        operation = connected.new_get_configuration()
        operation.activate(model.GetConfigurationRequest(key_path=["nowhere"])).result(PATIENCE_S)
        error = operation.get_response().exception(PATIENCE_S)
        assert isinstance(error, model.ResourceNotFoundError)
        assert (error.message is None) == (nucleus.profile.name == "lite")
        nucleus.wait_until(lambda: nucleus.status().open_streams == 0)


def test_operations_that_a_nucleus_does_not_have(nucleus: Nucleus) -> None:
    """What has no handler is a ServiceError on lite, and an error the SDK does not know on classic."""
    expected = model.ServiceError if nucleus.profile.name == "lite" else UnmappedDataError
    with client(nucleus) as connected, pytest.raises(expected):
        ask(connected.new_get_thing_shadow(), model.GetThingShadowRequest(thing_name="gw1", shadow_name="x"))


def test_classic_only_operations_are_not_on_lite(lite: Nucleus) -> None:
    """Component updates and validation are classic's."""
    with client(lite) as connected:
        for operation, request in (
            (connected.new_subscribe_to_component_updates(Events()), model.SubscribeToComponentUpdatesRequest()),
            (
                connected.new_subscribe_to_validate_configuration_updates(Events()),
                model.SubscribeToValidateConfigurationUpdatesRequest(),
            ),
            (connected.new_defer_component_update(), model.DeferComponentUpdateRequest(deployment_id="x")),
        ):
            with pytest.raises(model.ServiceError):
                ask(operation, request)


def publish_of(size: int) -> model.PublishToTopicRequest:
    """A request whose frame has exactly `size` bytes."""

    def request(letters: int) -> model.PublishToTopicRequest:
        message = model.JsonMessage(message={"x": "y" * letters})
        return model.PublishToTopicRequest(topic="local/a", publish_message=model.PublishMessage(json_message=message))

    payload = '{"topic": "local/a", "publishMessage": {"jsonMessage": {"message": {"x": ""}}}}'
    headers = {
        "operation": "aws.greengrass#PublishToTopic",
        ":content-type": "application/json",
        "service-model-type": "aws.greengrass#PublishToTopicRequest",
    }
    return request(size - len(encode(Frame(MessageType.APPLICATION_MESSAGE, 0, 1, headers, payload.encode()))))


def test_lite_closes_over_a_frame_of_more_than_10_000_bytes(lite: Nucleus) -> None:
    """10,000 bytes pass; one more costs the connection."""
    ending = Ending()
    with client(lite, ending=ending) as connected:
        ask(connected.new_publish_to_topic(), publish_of(10_000))
        with pytest.raises(Exception):  # noqa: B017, PT011 - awscrt has several words for a connection that is gone
            ask(connected.new_publish_to_topic(), publish_of(10_001))
        assert ending.reason() is not None
    assert lite.requests()[-1].request == {"why": "a frame of 10001 bytes is longer than 10000"}


def test_classic_takes_long_frames(classic: Nucleus) -> None:
    """What lite closes over is nothing to classic."""
    with client(classic) as connected:
        ask(connected.new_publish_to_topic(), publish_of(100_000))


@pytest.mark.parametrize("items, passes", [(250, True), (251, False)])
def test_lite_takes_255_sub_objects(lite: Nucleus, items: int, passes: bool) -> None:
    """List items and map entries of a whole request, its own five included; more is a ServiceError."""
    message = model.PublishMessage(json_message=model.JsonMessage(message={"l": [0] * items}))
    request = model.PublishToTopicRequest(topic="local/a", publish_message=message)
    with client(lite) as connected:
        if passes:
            ask(connected.new_publish_to_topic(), request)
        else:
            with pytest.raises(model.ServiceError):
                ask(connected.new_publish_to_topic(), request)


def test_lite_takes_no_deep_nesting(lite: Nucleus) -> None:
    """A request nested more than fifteen deep is a ServiceError, and the connection stays."""
    deep: Any = 1
    for _ in range(20):
        deep = {"a": deep}
    message = model.PublishMessage(json_message=model.JsonMessage(message=deep))
    with client(lite) as connected:
        with pytest.raises(model.ServiceError):
            ask(connected.new_publish_to_topic(), model.PublishToTopicRequest(topic="local/a", publish_message=message))
        assert get_pin(connected) == "17"


def test_lite_has_99_subscriptions(lite: Nucleus) -> None:
    """The hundredth is refused; closing one makes room for another."""
    request = model.SubscribeToTopicRequest(topic="local/a")
    with client(lite) as connected:
        operations = [connected.new_subscribe_to_topic(Events()) for _ in range(99)]
        for operation in operations:
            operation.activate(request).result(PATIENCE_S)
            operation.get_response().result(PATIENCE_S)
        with pytest.raises(model.ServiceError):
            ask(connected.new_subscribe_to_topic(Events()), request)
        operations[0].close().result(PATIENCE_S)
        last = connected.new_subscribe_to_topic(Events())
        last.activate(request).result(PATIENCE_S)
        last.get_response().result(PATIENCE_S)
        assert lite.status().subscriptions == 99
    lite.wait_until(lambda: lite.status().subscriptions == 0)


def test_an_answer_that_does_not_fit_is_an_error_on_lite(lite: Nucleus) -> None:
    """A configuration of more than 10,000 bytes cannot be read at once, but in parts."""
    lite.set_configuration({"long": "x" * 9_950})
    with client(lite) as connected:
        with pytest.raises(model.ServiceError):
            ask(connected.new_get_configuration(), model.GetConfigurationRequest())
        assert get_pin(connected) == "17"


def test_a_restart_of_the_server_voids_tokens(nucleus: Nucleus) -> None:
    """After it neither the connection nor the token is worth anything; a component must be started anew."""
    token, ending = nucleus.new_token(), Ending()
    with client(nucleus, token, ending) as connected:
        assert get_pin(connected)
        nucleus.restart_ipc()
        assert ending.reason() is not None
    with pytest.raises(Exception), client(nucleus, token):  # noqa: B017, PT011 - lite just closes
        pass


def test_dropped_connections_can_come_back(nucleus: Nucleus) -> None:
    """Without a restart the token stays good."""
    token, ending = nucleus.new_token(), Ending()
    with client(nucleus, token, ending):
        nucleus.drop_connections()
        assert ending.reason() is not None
    with client(nucleus, token) as connected:
        assert get_pin(connected)


class Wire:
    """A connection that keeps what is sent."""

    component = "com.example.Hello"

    def __init__(self) -> None:
        self.sent: list[tuple[int, str, dict[str, Any]]] = []

    def send_event(self, stream_id: int, shape: str, content: dict[str, Any]) -> None:
        """Keep it."""
        self.sent.append((stream_id, shape, content))


def test_no_event_comes_before_the_answer() -> None:
    """The client takes the first message on a stream for the answer, so events wait for it."""
    wire = Wire()
    stream = Stream(wire, 7)
    stream.event("Early", {"a": 1})
    assert wire.sent == []
    stream.answered()
    stream.event("Late", {})
    assert wire.sent == [(7, "Early", {"a": 1}), (7, "Late", {})]


def test_what_belongs_to_a_stream_ends_with_it() -> None:
    """Also when the client went away before it was there."""
    ended: list[int] = []
    stream = Stream(Wire(), 7)
    stream.at_end(lambda: ended.append(1))
    stream.end()
    stream.at_end(lambda: ended.append(2))
    stream.end()
    assert ended == [1, 2]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        connect_frame("nobody's"),
        encode(Frame(MessageType.CONNECT, payload=b"no JSON")),
        encode(Frame(MessageType.CONNECT, payload=b"[1]")),
        encode(Frame(MessageType.APPLICATION_MESSAGE, 0, 1, {"operation": "x"}, b"{}")),
        encode(Frame(MessageType.PING)),
        encode(Frame(MessageType.CONNECT, 1)),
    ],
)
def test_who_does_not_begin_with_a_good_connect_is_closed(nucleus: Nucleus, sent: bytes) -> None:
    """Anything but a connect with a token closes the connection."""
    with raw(nucleus) as bare:
        bare.sendall(sent)
        assert is_closed(bare)


def test_another_protocol_version_is_not_let_in(nucleus: Nucleus) -> None:
    """Only version 0.1.0 is spoken."""
    with raw(nucleus) as bare:
        bare.sendall(connect_frame(nucleus.new_token(), "0.2.0"))
        assert is_closed(bare)


@pytest.mark.parametrize(
    "sent",
    [
        Frame(MessageType.APPLICATION_MESSAGE, 0, 0, {"operation": "x"}, b"{}"),
        Frame(MessageType.APPLICATION_MESSAGE, 0, -3, {"operation": "x"}, b"{}"),
        Frame(MessageType.CONNECT, 0, 5),
        Frame(MessageType.APPLICATION_ERROR, 0, 5),
    ],
)
def test_who_breaks_the_rules_later_is_closed_too(nucleus: Nucleus, sent: Frame) -> None:
    """Requests on no stream and messages that only a server sends close the connection."""
    with raw(nucleus) as bare:
        bare.sendall(connect_frame(nucleus.new_token()) + encode(sent))
        assert is_closed(bare)


def test_classic_answers_a_ping(classic: Nucleus) -> None:
    """With the same payload."""
    with raw(classic) as bare:
        bare.sendall(connect_frame(classic.new_token()))
        assert decode(bare.recv(4096)).type == MessageType.CONNECT_ACK
        bare.sendall(encode(Frame(MessageType.PING, payload=b"hello")))
        assert decode(bare.recv(4096)) == Frame(MessageType.PING_RESPONSE, payload=b"hello")


garbage = st.one_of(
    st.binary(max_size=300),
    st.builds(
        encode,
        st.builds(
            Frame,
            st.sampled_from(MessageType),
            st.integers(0, 3),
            st.integers(-2, 4),
            st.dictionaries(st.sampled_from(["operation", ":version", "x"]), st.text(max_size=30), max_size=3),
            st.one_of(st.binary(max_size=60), st.sampled_from([b"{}", b"[" * 5000, b'{"topic": 5}'])),
        ),
    ),
)


@pytest.mark.parametrize("profile", ["lite", "classic"])
def test_bad_clients_hurt_nobody_else(tmp_path: Path, profile: str) -> None:
    """Whatever bytes a client sends, admitted or not, the others are answered, and nothing is left of it."""
    with running(tmp_path, profile) as nucleus, client(nucleus) as connected:
        token = nucleus.new_token()

        @settings(STEADY, max_examples=60)
        @given(st.lists(garbage, max_size=4), st.booleans())
        def disturb(pieces: list[bytes], admitted: bool) -> None:
            with raw(nucleus) as bare:
                try:
                    bare.sendall((connect_frame(token) if admitted else b"") + b"".join(pieces))
                    bare.shutdown(socket.SHUT_WR)
                    is_closed(bare)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it was closed before all was sent
            assert get_pin(connected)

        disturb()
        nucleus.wait_until(lambda: nucleus.status().connections == 1)
        assert nucleus.status().subscriptions == 0
