import pytest
from tests.sandbox.nucleus.workbench import LOCAL, MQTT

from spotty_sandbox.nucleus import CLASSIC, LITE, Profile
from spotty_sandbox.nucleus.access import Access, classic_matches, lite_matches
from spotty_sandbox.nucleus.topics import fits

MATCHES = [
    # pattern, resource, lite MQTT, classic MQTT
    ("a/b", "a/b", True, True),
    ("a/b", "a/c", False, False),
    ("*", "anything/at/all", True, True),
    ("a/*", "a/b/c", True, True),
    ("a/*", "b/a/", False, False),
    ("a*c", "abbc", True, True),
    ("a/*/d*", "a/b/c/de", True, True),
    ("a/+/c", "a/b/c", True, True),
    ("a/+/c", "a/b/b/c", False, False),
    ("a/+/c", "a/+/c", True, True),
    ("a/+", "a/#", True, True),
    ("a/+", "a/b/c", False, False),
    ("a/#", "a/b/c", True, True),
    ("a/#", "a/", True, True),
    ("a/#", "a", False, True),
    ("#", "a/b", True, True),
    ("a/b+", "a/bcd", True, False),
    ("a/b#", "a/bcd/e", True, False),
    ("a/#/c", "a/b/d", True, False),
    ("a${*}b", "a*b", True, True),
    ("a${*}b", "axb", False, False),
]


@pytest.mark.parametrize("pattern, resource, lite, classic", MATCHES)
def test_what_a_resource_covers(pattern: str, resource: str, lite: bool, classic: bool) -> None:
    """Each nucleus reads `*`, `+` and `#` in accessControl in its own way."""
    assert lite_matches(MQTT, pattern, resource) is lite
    assert classic_matches(MQTT, pattern, resource) is classic


def test_local_topics_know_no_mqtt_wildcards_on_lite() -> None:
    """In a policy for local messages `+` and `#` are themselves on lite, and wildcards on classic."""
    assert not lite_matches(LOCAL, "a/+", "a/b")
    assert not lite_matches(LOCAL, "a/#", "a/b")
    assert lite_matches(LOCAL, "a/+", "a/+")
    assert lite_matches(LOCAL, "a/*", "a/b")
    assert classic_matches(LOCAL, "a/+", "a/b")


PUBLISH = "aws.greengrass#PublishToIoTCore"


def policy(operations: object, resources: object) -> dict[str, object]:
    """An accessControl with one policy for MQTT."""
    return {MQTT: {"x:1": {"operations": operations, "resources": resources}}}


@pytest.mark.parametrize("profile", [LITE, CLASSIC], ids=lambda profile: str(profile.name))
@pytest.mark.parametrize(
    "control, allowed",
    [
        (policy([PUBLISH], ["sensors/{iot:thingName}/x"]), True),
        (policy(["*"], ["*"]), True),
        (policy(["aws.greengrass#SubscribeToIoTCore"], ["*"]), False),
        (policy([PUBLISH], ["sensors/{iot:other}/x"]), False),
        (policy([PUBLISH], []), False),
        (policy(PUBLISH, "*"), False),
        ({LOCAL: {"x:1": {"operations": ["*"], "resources": ["*"]}}}, False),
        ({MQTT: {"x:1": "*"}}, False),
        ({MQTT: ["*"]}, False),
        (None, False),
        ("*", False),
    ],
)
def test_only_what_the_recipe_says_is_allowed(profile: Profile, control: object, allowed: bool) -> None:
    """Service, operation and resource must all be there; what is malformed allows nothing."""
    access = Access(profile, lambda: control, {"iot:thingName": "gw1"}.get)
    assert access.allows(MQTT, PUBLISH, "sensors/gw1/x") is allowed


@pytest.mark.parametrize(
    "topic_filter, topic, expected",
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("#", "a", True),
        ("+/b", "a/b", True),
        ("#", "$aws/things", False),
        ("+/things", "$aws/things", False),
        ("$aws/#", "$aws/things", True),
        ("a/b/c", "a/b", False),
    ],
)
def test_topic_filters(topic_filter: str, topic: str, expected: bool) -> None:
    """Filters fit topics as MQTT 3.1.1 says."""
    assert fits(topic_filter, topic) is expected
