from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from awsiot.greengrasscoreipc import model
from awsiot.greengrasscoreipc.client import GreengrassCoreIPCClient
from tests.sandbox.nucleus.workbench import PATIENCE_S, Events, ask, client, client_v2

from spotty_sandbox.nucleus import Nucleus, NucleusError

PAST = datetime(2020, 1, 1, tzinfo=UTC)
MOTION, COMMANDS = "sensors/gw1/bath/motion", "sensors/gw1/+/commands"


def json_message(**content: Any) -> model.PublishMessage:  # noqa: ANN401 - JSON
    """A local message."""
    return model.PublishMessage(json_message=model.JsonMessage(message=content))


def listen(connected: GreengrassCoreIPCClient, topic: str, mode: str | None = None) -> Events:
    """Subscribe locally; what comes."""
    events = Events()
    operation = connected.new_subscribe_to_topic(events)
    operation.activate(model.SubscribeToTopicRequest(topic=topic, receive_mode=mode)).result(PATIENCE_S)
    operation.get_response().result(PATIENCE_S)
    return events


def publish(connected: GreengrassCoreIPCClient, payload: bytes, topic: str = MOTION, qos: str = "1") -> None:
    """Publish to the cloud."""
    ask(
        connected.new_publish_to_iot_core(),
        model.PublishToIoTCoreRequest(topic_name=topic, qos=qos, payload=payload),
    )


def test_local_messages_reach_those_who_listen(nucleus: Nucleus) -> None:
    """JSON and binary, with their topic, to every filter that fits."""
    with client(nucleus) as connected:
        every, one, other = (listen(connected, topic) for topic in ("local/#", "local/a", "local/b"))
        nucleus.publish_locally("local/a", {"on": True})
        nucleus.publish_locally("local/a", b"\x00\xff")
        for events in (every, one):
            first, second = events.next(), events.next()
            assert (first.json_message.message, first.json_message.context.topic) == ({"on": True}, "local/a")
            assert (second.binary_message.message, second.binary_message.context.topic) == (b"\x00\xff", "local/a")
        assert other.came.empty()


ECHOES = [
    # profile, filter, receive mode, whether the own message comes
    ("lite", "local/a", None, True),
    ("lite", "local/#", None, True),
    ("lite", "local/#", "RECEIVE_MESSAGES_FROM_OTHERS", True),
    ("classic", "local/a", None, True),
    ("classic", "local/#", None, False),
    ("classic", "local/#", "RECEIVE_ALL_MESSAGES", True),
    ("classic", "local/a", "RECEIVE_MESSAGES_FROM_OTHERS", False),
]


@pytest.mark.parametrize("profile, topic, mode, echoed", ECHOES)
def test_own_messages_come_back(
    request: pytest.FixtureRequest, profile: str, topic: str, mode: str | None, echoed: bool
) -> None:
    """Lite echoes whatever was asked for; classic by receive mode, and by wildcard where none was given."""
    nucleus: Nucleus = request.getfixturevalue(profile)
    with client(nucleus) as connected:
        events = listen(connected, topic, mode)
        ask(
            connected.new_publish_to_topic(),
            model.PublishToTopicRequest(topic="local/a", publish_message=json_message(own=True)),
        )
        nucleus.publish_locally("local/a", {"own": False})
        came = [events.next().json_message.message]
        if echoed:
            came.append(events.next().json_message.message)
        assert came == ([{"own": True}] if echoed else []) + [{"own": False}]


def test_a_pattern_is_no_address_on_classic(classic: Nucleus) -> None:
    """Publishing to a wildcard is refused."""
    request = model.PublishToTopicRequest(topic="local/#", publish_message=json_message(a=1))
    with client(classic) as connected, pytest.raises(model.InvalidArgumentsError):
        ask(connected.new_publish_to_topic(), request)
    with pytest.raises(NucleusError, match="pattern"):
        classic.publish_locally("local/+", {})


REFUSED: list[Callable[[GreengrassCoreIPCClient], Any]] = [
    lambda one: publish(one, b"x", "sensors/gw2/bath/motion"),
    lambda one: publish(one, b"x", "sensors/gw1/bath/commands/deeper"),
    lambda one: ask(
        one.new_subscribe_to_iot_core(Events()), model.SubscribeToIoTCoreRequest(topic_name="sensors/#", qos="1")
    ),
    lambda one: ask(one.new_subscribe_to_topic(Events()), model.SubscribeToTopicRequest(topic="elsewhere")),
    lambda one: ask(
        one.new_publish_to_topic(),
        model.PublishToTopicRequest(topic="elsewhere", publish_message=json_message(a=1)),
    ),
]


@pytest.mark.parametrize("request_", REFUSED)
def test_what_the_recipe_does_not_allow_is_refused(
    nucleus: Nucleus, request_: Callable[[GreengrassCoreIPCClient], Any]
) -> None:
    """UnauthorizedError, and nothing is sent or subscribed."""
    with client(nucleus) as connected:
        with pytest.raises(model.UnauthorizedError):
            request_(connected)
        assert nucleus.requests()[-1].outcome == "UnauthorizedError"
        assert (nucleus.sent(), nucleus.status().subscriptions) == ((), 0)


def test_access_follows_the_configuration(nucleus: Nucleus) -> None:
    """A deployment that changes accessControl is obeyed at once; a component cannot change its own."""
    wider = {"aws.greengrass.ipc.mqttproxy": {"x:1": {"operations": ["*"], "resources": ["other/*"]}}}
    with client_v2(nucleus) as component:
        for path in ([], ["accessControl"]):
            with pytest.raises(model.InvalidArgumentsError):
                component.update_configuration(
                    key_path=path, value_to_merge=wider if path else {"accessControl": wider}, timestamp=PAST
                )
        nucleus.set_configuration({"accessControl": wider})
        component.publish_to_iot_core(topic_name="other/x", qos="1", payload=b"now")


def test_uninterpolated_access_covers_no_thing(classic_as_shipped: Nucleus) -> None:
    """Classic without interpolateComponentConfiguration takes {iot:thingName} as it stands."""
    with client(classic_as_shipped) as connected, pytest.raises(model.UnauthorizedError):
        publish(connected, b"x")


def test_messages_to_the_cloud_arrive_there(nucleus: Nucleus) -> None:
    """Bytes as they were, in order."""
    payloads = [b"", b"\x00\x01", "größer".encode(), bytes(range(256))]
    with client(nucleus) as connected:
        for payload in payloads:
            publish(connected, payload)
        nucleus.wait_until(lambda: len(nucleus.sent()) == len(payloads))
    assert [(message.topic, message.payload) for message in nucleus.sent()] == [(MOTION, one) for one in payloads]


def test_messages_from_the_cloud_reach_those_who_subscribed(nucleus: Nucleus) -> None:
    """With topic and payload, until the subscription is closed."""
    with client_v2(nucleus) as component:
        events = Events()
        _, operation = component.subscribe_to_iot_core(topic_name=COMMANDS, qos="1", stream_handler=events)
        nucleus.publish_from_cloud("sensors/gw1/bath/commands", b"pause")
        nucleus.publish_from_cloud("sensors/gw1/bath/results", b"not subscribed")
        nucleus.publish_from_cloud("sensors/gw1/bed/commands", b"resume")
        came = [events.next().message for _ in range(2)]
        assert [(one.topic_name, one.payload) for one in came] == [
            ("sensors/gw1/bath/commands", b"pause"),
            ("sensors/gw1/bed/commands", b"resume"),
        ]
        operation.close().result(PATIENCE_S)
        nucleus.wait_until(lambda: nucleus.status().subscriptions == 0)
        nucleus.publish_from_cloud("sensors/gw1/bath/commands", b"too late")
        assert events.came.empty()


def test_lite_loses_long_messages_from_the_cloud(lite: Nucleus) -> None:
    """4,900 bytes of topic and payload arrive; one more is lost without a word to the component."""
    topic = "sensors/gw1/bath/commands"
    with client_v2(lite) as component:
        events = Events()
        component.subscribe_to_iot_core(topic_name=COMMANDS, qos="1", stream_handler=events)
        lite.publish_from_cloud(topic, bytes(4_901 - len(topic)))
        lite.publish_from_cloud(topic, bytes(4_900 - len(topic)))
        assert len(events.next().message.payload) == 4_900 - len(topic)
        assert events.came.empty()
    assert lite.status().lost == 1


def test_lite_refuses_while_offline(lite: Nucleus) -> None:
    """A publish or subscribe without a connection is a ServiceError at once; later all is well."""
    subscribe = model.SubscribeToIoTCoreRequest(topic_name=COMMANDS, qos="1")
    with client(lite) as connected:
        lite.go_offline()
        with pytest.raises(model.ServiceError):
            publish(connected, b"lost")
        with pytest.raises(model.ServiceError):
            ask(connected.new_subscribe_to_iot_core(Events()), subscribe)
        lite.go_online()
        publish(connected, b"kept")
        lite.wait_until(lambda: len(lite.sent()) == 1)
    assert [message.payload for message in lite.sent()] == [b"kept"]


def test_classic_spools_while_offline(classic: Nucleus) -> None:
    """QoS 1 is acknowledged from memory and sent later, in order; QoS 0 is refused; the spool has an end."""
    with client(classic) as connected:
        classic.go_offline()
        for number in range(20):
            publish(connected, b"%d" % number)
        with pytest.raises(model.ServiceError):
            publish(connected, b"never", qos="0")
        assert (classic.sent(), classic.status().spooled) == ((), 20)
        with pytest.raises(model.ServiceError):
            publish(connected, bytes(2_700_000))
        classic.go_online()
        classic.wait_until(lambda: classic.status().spooled == 0)
    assert [message.payload for message in classic.sent()] == [b"%d" % number for number in range(20)]


def test_a_subscription_made_offline_lives_on_classic(classic: Nucleus) -> None:
    """Classic takes it and hears once it is online."""
    with client_v2(classic) as component:
        classic.go_offline()
        events = Events()
        component.subscribe_to_iot_core(topic_name=COMMANDS, qos="1", stream_handler=events)
        classic.publish_from_cloud("sensors/gw1/bath/commands", b"while offline")
        classic.go_online()
        classic.publish_from_cloud("sensors/gw1/bath/commands", b"online")
        assert events.next().message.payload == b"online"


@pytest.mark.parametrize(
    "topic, qos", [(MOTION, "2"), (MOTION, "high"), ("sensors/gw1/+/motion", "1"), ("sensors/gw1/\0/motion", "1")]
)
def test_nonsense_is_an_error(nucleus: Nucleus, topic: str, qos: str) -> None:
    """QoS 2, and publishing to what is no topic, are refused."""
    with client(nucleus) as connected, pytest.raises(model.ServiceError):
        publish(connected, b"", topic, qos)


def test_half_a_character_is_no_topic(nucleus: Nucleus) -> None:
    """JSON can spell what no encoding has; it harms nobody."""
    with client(nucleus) as connected:
        with pytest.raises(model.InvalidArgumentsError):
            publish(connected, b"", "sensors/gw1/\ud800/motion")
        publish(connected, b"")
