import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotty_contract.gateway import SensorWiring
from spotty_contract.topics import (
    UP_KINDS,
    Kind,
    SensorTopic,
    ShadowAction,
    ShadowTopic,
    TopicError,
    cloud_id,
    gateway_filters,
    read_cloud_id,
    read_topic,
    rule_filter,
    sensor_of_shadow,
    shadow_name,
)

GATEWAY_IDS = st.from_regex(r"[a-zA-Z0-9:_-]{1,128}", fullmatch=True)
SENSOR_IDS = st.just("gateway") | st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT's rule for filters without #."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    return len(wanted) == len(levels) and all(one in {"+", level} for one, level in zip(wanted, levels, strict=True))


@pytest.mark.parametrize(
    "topic,text",
    [
        (SensorTopic("gw1", "bath", Kind.SESSION), "sensors/gw1/bath/session"),
        (SensorTopic("gw1", "gateway", Kind.COMMANDS), "sensors/gw1/gateway/commands"),
        (ShadowTopic("gw1", "gateway", ShadowAction.GET), "$aws/things/gw1/shadow/name/gateway/get"),
        (
            ShadowTopic("gw1", "bath", ShadowAction.UPDATE_DELTA),
            "$aws/things/gw1/shadow/name/sensor-bath/update/delta",
        ),
    ],
)
def test_topics_are_written_as_the_design_says(topic: SensorTopic | ShadowTopic, text: str) -> None:
    """Others have these in their policies and rules: they are what they are."""
    assert str(topic) == text
    assert read_topic(text) == topic


@given(GATEWAY_IDS, SENSOR_IDS, st.sampled_from(Kind), st.sampled_from(ShadowAction))
def test_a_topic_is_read_back_and_aws_takes_it(
    gateway_id: str, sensor_id: str, kind: Kind, action: ShadowAction
) -> None:
    """Every topic of ours is at most 256 bytes and 7 slashes, its shadow's name 64 characters, and reads back."""
    for topic in (SensorTopic(gateway_id, sensor_id, kind), ShadowTopic(gateway_id, sensor_id, action)):
        assert read_topic(str(topic)) == topic
        assert len(str(topic).encode()) <= 256
        assert str(topic).count("/") <= 7
    assert sensor_of_shadow(shadow_name(sensor_id)) == sensor_id
    assert len(shadow_name(sensor_id)) <= 64
    assert read_cloud_id(cloud_id(gateway_id, sensor_id)) == (gateway_id, sensor_id)


@given(st.text() | st.lists(st.sampled_from(["sensors", "$aws", "things", "g", "shadow", "name", "get", "#", "+", ""])))
def test_any_text_is_a_topic_of_ours_or_a_topic_error(found: str | list[str]) -> None:
    """Nothing else comes out, and what is read is written the same."""
    text = found if isinstance(found, str) else "/".join(found)
    try:
        assert str(read_topic(text)) == text
    except TopicError:
        return


@pytest.mark.parametrize(
    "topic",
    [
        "sensors/gw1/bath/config",
        "sensors/gw1/bath",
        "sensors/gw1/bath/session/now",
        "sensors/gw1/+/session",
        "/sensors/gw1/bath/session",
        "$aws/things/gw1/shadow/get",
        "$aws/things/gw1/shadow/name/gateway/get/later",
        "$aws/things/gw1/shadow/name/other/get",
    ],
)
def test_other_topics_are_not_ours(topic: str) -> None:
    """A level too few or too many, another kind, a classic shadow, a filter."""
    with pytest.raises(TopicError):
        read_topic(topic)


@pytest.mark.parametrize("gateway_id", ["", "g" * 129, "a/b", "a.b", "+", "#", "é", "gw\n", "a b", "\u0661"])
def test_what_is_no_thing_name_makes_no_topic(gateway_id: str) -> None:
    """One line says what a gateway's id should be."""
    for make in (
        lambda: SensorTopic(gateway_id, "bath", Kind.SESSION),
        lambda: ShadowTopic(gateway_id, "bath", ShadowAction.GET),
        lambda: gateway_filters(gateway_id),
        lambda: cloud_id(gateway_id, "bath"),
    ):
        with pytest.raises(TopicError, match="cannot be a gateway's id: it should be a thing name: 1 to 128"):
            make()


@pytest.mark.parametrize("sensor_id", ["", "s" * 33, "a/b", "Bath", "-a", "a_b", "bath\n", "+", "é"])
def test_what_is_no_sensor_id_makes_no_topic(sensor_id: str) -> None:
    """One line says what a sensor's id should be."""
    for make in (lambda: SensorTopic("gw1", sensor_id, Kind.SESSION), lambda: shadow_name(sensor_id)):
        with pytest.raises(TopicError, match="cannot be a sensor's id: it should be 1 to 32 small letters"):
            make()


def test_a_sensor_s_id_in_the_wiring_is_one_that_fits_a_topic() -> None:
    """The longest id a gateway's list of sensors allows is the longest that a topic takes."""
    longest = "s" * 32
    wired = SensorWiring.model_validate({"id": longest, "name": "S", "inputs": [{"id": "pir", "pin": 4}]})
    assert str(SensorTopic("g", wired.id, Kind.STATUS)) == f"sensors/g/{longest}/status"


@pytest.mark.parametrize("name", ["", "sensor-", "sensor-gateway", "bath", "Gateway", "sensor-a/b"])
def test_other_shadows_are_not_ours(name: str) -> None:
    """A thing may have shadows of other programs; and no sensor can pose as the gateway."""
    with pytest.raises(TopicError):
        sensor_of_shadow(name)


def test_a_gateway_needs_five_subscriptions() -> None:
    """Commands and what AWS answers about its shadows, with + for the sensor, and nothing of another gateway."""
    filters = gateway_filters("gw1")
    assert filters == (
        "sensors/gw1/+/commands",
        "$aws/things/gw1/shadow/name/+/update/delta",
        "$aws/things/gw1/shadow/name/+/update/rejected",
        "$aws/things/gw1/shadow/name/+/get/accepted",
        "$aws/things/gw1/shadow/name/+/get/rejected",
    )
    for mine in filters:
        assert not any(matches(other, mine.replace("+", "x")) for other in gateway_filters("gw10"))


def test_rules_select_by_kind() -> None:
    """The rule for a kind sees that kind of every gateway and sensor, and no other."""
    for kind in UP_KINDS:
        seen = [one for one in Kind if matches(rule_filter(kind), str(SensorTopic("g", "bath", one)))]
        assert seen == [kind]
    assert Kind.COMMANDS not in UP_KINDS


@pytest.mark.parametrize("found", ["", "gw", "gw.", ".bath", "g w.bath", "gw.Bath", "gw.a.b"])
def test_what_is_no_cloud_id_is_refused(found: str) -> None:
    """A gateway's id has no dot, so the first one parts it from what is the gateway's own."""
    with pytest.raises(TopicError):
        read_cloud_id(found)
