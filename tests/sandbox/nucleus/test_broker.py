from collections.abc import Iterator
from pathlib import Path

import pytest
from awsiot.greengrasscoreipc import model
from tests.sandbox.nucleus.mosquitto import Certificates, Listener, Mosquitto
from tests.sandbox.nucleus.test_messages import COMMANDS, MOTION, publish
from tests.sandbox.nucleus.workbench import PROFILES, THING, Events, ask, client, client_v2, running

from spotty_sandbox.nucleus import Broker, BrokerError, Nucleus

COMMAND = "sensors/gw1/bath/commands"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority that has signed for the broker, a thing and the cloud."""
    return Certificates(tmp_path_factory.mktemp("tls") / "ca").make("broker", THING, "cloud")


@pytest.fixture
def mosquitto(tmp_path: Path, certificates: Certificates) -> Iterator[Mosquitto]:
    """A real broker that runs."""
    broker = Mosquitto(tmp_path, certificates).start()
    yield broker
    broker.stop()


@pytest.fixture(params=PROFILES)
def bridged(request: pytest.FixtureRequest, tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Nucleus]:
    """A nucleus of each kind, connected to the broker."""
    with running(tmp_path, request.param, broker=mosquitto.broker(THING)) as nucleus:
        online(nucleus)
        yield nucleus


def online(nucleus: Nucleus, *, up: bool = True) -> None:
    """Wait until it is connected, or not."""
    nucleus.wait_until(lambda: nucleus.status().is_online is up)


def test_messages_go_both_ways(mosquitto: Mosquitto, bridged: Nucleus) -> None:
    """Over mutual TLS, as the thing, byte for byte."""
    with Listener(mosquitto) as cloud, client_v2(bridged) as component:
        events = Events()
        component.subscribe_to_iot_core(topic_name=COMMANDS, qos="1", stream_handler=events)
        mosquitto.heard(f"Sending SUBACK to {THING}")
        component.publish_to_iot_core(topic_name=MOTION, qos="1", payload=bytes(range(256)))
        assert cloud.next() == (MOTION, bytes(range(256)))
        cloud.say(COMMAND, b"pause")
        message = events.next().message
        assert (message.topic_name, message.payload) == (COMMAND, b"pause")


def test_lite_survives_the_broker_s_death(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """While it is away a publish is refused; when it is back, messages go both ways again."""
    with running(tmp_path, "lite", broker=mosquitto.broker(THING)) as nucleus, client(nucleus) as connected:
        online(nucleus)
        events = Events()
        operation = connected.new_subscribe_to_iot_core(events)
        operation.activate(model.SubscribeToIoTCoreRequest(topic_name=COMMANDS, qos="1")).result(10)
        operation.get_response().result(10)
        mosquitto.heard(f"Sending SUBACK to {THING}")
        mosquitto.kill()
        online(nucleus, up=False)
        with pytest.raises(model.ServiceError):
            publish(connected, b"refused")
        with pytest.raises(model.ServiceError):
            ask(
                connected.new_subscribe_to_iot_core(Events()),
                model.SubscribeToIoTCoreRequest(topic_name=COMMANDS, qos="1"),
            )
        mosquitto.start()
        online(nucleus)
        with Listener(mosquitto) as cloud:
            publish(connected, b"again")
            assert cloud.next() == (MOTION, b"again")
            cloud.say(COMMAND, b"resume")
            assert events.next().message.payload == b"resume"


def test_lite_loses_what_was_on_its_way(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Its yes means sent, not received: ten may be unacknowledged, and they die with the link."""
    with running(tmp_path, "lite", broker=mosquitto.broker(THING)) as nucleus, client(nucleus) as connected:
        online(nucleus)
        mosquitto.freeze()
        for number in range(10):
            publish(connected, b"%d" % number)
        with pytest.raises(model.ServiceError):
            publish(connected, b"one too many")
        mosquitto.kill()
        nucleus.wait_until(lambda: nucleus.status().lost == 10)
        assert nucleus.sent() == ()


def test_classic_keeps_what_was_on_its_way(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """What no broker has acknowledged is sent again to the next."""
    sent = {b"%d" % number for number in range(12)}
    with running(tmp_path, "classic", broker=mosquitto.broker(THING)) as nucleus, client(nucleus) as connected:
        online(nucleus)
        mosquitto.freeze()
        for payload in sent:
            publish(connected, payload)
        mosquitto.kill()
        online(nucleus, up=False)
        mosquitto.start()
        nucleus.wait_until(lambda: nucleus.status().spooled == 0)
        assert {message.payload for message in nucleus.sent()} == sent


def test_classic_spools_over_the_broker_s_death(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """What was acknowledged while the broker was away arrives when it is back, in order, and so do commands."""
    sent = [b"%d" % number for number in range(50)]
    with running(tmp_path, "classic", broker=mosquitto.broker(THING)) as nucleus, client_v2(nucleus) as component:
        online(nucleus)
        events = Events()
        component.subscribe_to_iot_core(topic_name=COMMANDS, qos="1", stream_handler=events)
        mosquitto.kill()
        online(nucleus, up=False)
        for payload in sent:
            component.publish_to_iot_core(topic_name=MOTION, qos="1", payload=payload)
        assert nucleus.status().spooled == len(sent)
        nucleus.go_offline()  # so that somebody is there to hear
        mosquitto.start()
        with Listener(mosquitto) as cloud:
            nucleus.go_online()
            assert [cloud.next()[1] for _ in sent] == sent
            online(nucleus)
            cloud.say(COMMAND, b"resume")
            assert events.next().message.payload == b"resume"
        nucleus.wait_until(lambda: nucleus.status().spooled == 0)


def test_the_broker_keeps_messages_for_classic(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Classic's session outlives a cut link: what came meanwhile is delivered then."""
    with running(tmp_path, "classic", broker=mosquitto.broker(THING)) as nucleus, client_v2(nucleus) as component:
        online(nucleus)
        events = Events()
        component.subscribe_to_iot_core(topic_name=COMMANDS, qos="1", stream_handler=events)
        nucleus.go_offline()
        mosquitto.heard(f"Received DISCONNECT from {THING}")
        with Listener(mosquitto) as cloud:
            cloud.say(COMMAND, b"while you were away")
        nucleus.go_online()
        assert events.next().message.payload == b"while you were away"


def test_a_filter_that_is_none_does_no_harm(bridged: Nucleus, mosquitto: Mosquitto) -> None:
    """Classic refuses it; lite, which answered before it asked, forgets it; both can connect again."""
    with client(bridged) as connected:
        operation = connected.new_subscribe_to_iot_core(Events())
        operation.activate(model.SubscribeToIoTCoreRequest(topic_name="sensors/gw1/#/commands", qos="1")).result(10)
        failed = operation.get_response().exception(10)
        assert isinstance(failed, model.ServiceError) == (bridged.profile.name == "classic")
        mosquitto.stop()
        online(bridged, up=False)
        mosquitto.start()
        online(bridged)


def test_going_offline_and_online(bridged: Nucleus, mosquitto: Mosquitto) -> None:
    """As often as one likes."""
    for _ in range(3):
        before = bridged.log()
        bridged.go_offline()
        assert not bridged.status().is_online
        mosquitto.heard(f"Received DISCONNECT from {THING}")
        with Listener(mosquitto):
            assert not [line for line in mosquitto.said_until("SUBACK to cloud") if f"as {THING}" in line]
        assert bridged.log() == before
        bridged.go_online()
        online(bridged)


def test_a_broker_that_does_not_trust_us(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """A certificate of another authority keeps us offline, and the log says so."""
    stranger = Certificates(tmp_path / "stranger").make(THING)
    ours = mosquitto.certificates.ca
    broker = Broker("127.0.0.1", mosquitto.port, ours, stranger.cert(THING), stranger.key(THING), patience_s=0.2)
    with running(tmp_path, "lite", broker=broker) as nucleus:
        nucleus.wait_until(lambda: len(nucleus.log()) > 0)
        assert not nucleus.status().is_online
        assert "not connected" in nucleus.log()[0]


def test_a_broker_that_we_do_not_trust(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Neither is a broker spoken to that another authority has signed for."""
    stranger = Certificates(tmp_path / "stranger").make(THING)
    broker = Broker("127.0.0.1", mosquitto.port, stranger.ca, stranger.cert(THING), stranger.key(THING), (0.02, 0.1))
    with running(tmp_path, "lite", broker=broker) as nucleus:
        nucleus.wait_until(lambda: len(nucleus.log()) > 0)
        assert "CERTIFICATE_VERIFY_FAILED" in nucleus.log()[0]


@pytest.mark.parametrize("kind", ["missing", "half", "nonsense"])
def test_certificates_that_cannot_be_used_are_said_at_once(
    tmp_path: Path, certificates: Certificates, kind: str
) -> None:
    """Before anything is started."""
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    key = {"missing": tmp_path / "nowhere", "half": None, "nonsense": nonsense}[kind]
    with pytest.raises(BrokerError):
        Broker("127.0.0.1", 8883, certificates.ca, certificates.cert(THING), key).tls()
