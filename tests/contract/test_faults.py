import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from spotty_contract.gateway import GatewayPolicy
from spotty_contract.policy import Policy
from spotty_contract.wire import faults_of

DEEP = b'{"playback":' * 100_000


def faults(data: bytes) -> list[str]:
    """What is told of bytes that are no policy."""
    with pytest.raises(ValidationError) as caught:
        Policy.from_json(data)
    return faults_of(caught.value, "policy")


@pytest.mark.parametrize(
    "given_name,told",
    [
        ("vacancyDelay", "vacancyDelay: unknown field with the value 5; did you mean vacancyDelayS?"),
        ("vacency_delay_s", "vacency_delay_s: unknown field with the value 5; did you mean vacancyDelayS?"),
        ("volume\nall", '"volume\\nall": unknown field with the value 5; known are enabled, holdOffS, '),
    ],
)
def test_an_unknown_field_is_told_with_what_was_probably_meant(given_name: str, told: str) -> None:
    """The field, its value, and the closest name there is, or else all of them."""
    [fault] = faults(json.dumps({given_name: 5}).encode())
    assert fault.startswith(told)


def test_an_unknown_field_is_told_where_it_stands() -> None:
    """A field that is known elsewhere is unknown here, and the names that are known here are told."""
    assert faults(b'{"quietHours": [{"start": "22:00", "end": "07:00", "warmUpS": 1}]}') == [
        "quietHours.0.warmUpS: unknown field with the value 1; known are start, end, days"
    ]


@pytest.mark.parametrize(
    "policy,told",
    [
        ('{"enabled": true, "enabled": false}', "enabled: it is given twice; keep one"),
        ('{"playback": {"shuffle": true, "shuffle": true}}', "shuffle: it is given twice; keep one"),
        ('{"warmUpS": 1, "warmUpS": 2e0}', "warmUpS: it is given twice; keep one"),
    ],
)
def test_nothing_is_said_twice(policy: str, told: str) -> None:
    """Two members of one name are a fault: no parser could tell which one was meant."""
    [fault] = faults(policy.encode())
    assert fault.startswith(told)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"nonsense", b'{"enabled": true,}', b'{"timezone": "\xff"}', b"\xff\xfe{\x00}\x00", DEEP, b"\x00"],
    ids=["empty", "open", "word", "comma", "not UTF-8", "UTF-16", "too deep", "NUL"],
)
def test_what_is_no_json_is_told_so(data: bytes) -> None:
    """Whatever the bytes, there is one line, and it says where the trouble is."""
    [fault] = faults(data)
    assert fault.startswith("policy is not JSON: ")
    assert "at line 1 column" in fault


@pytest.mark.parametrize("data", [b"[]", b"5", b"null", b'"text"'])
def test_a_policy_is_an_object(data: bytes) -> None:
    """Other JSON is refused with its value."""
    assert faults(data) == [f"policy: {data.decode()} is not allowed: it should be an object with named fields"]


def test_a_byte_order_mark_is_no_fault() -> None:
    """Some editors put one in front of everything."""
    assert Policy.from_json(b"\xef\xbb\xbf{}") == Policy()


def test_json_is_camel_case_and_the_other_spelling_is_told_what_was_meant() -> None:
    """snake_case is Python's: in JSON it is an unknown field, and the line says which one was meant."""
    assert faults(b'{"warm_up_s": 5}') == ["warm_up_s: unknown field with the value 5; did you mean warmUpS?"]


def test_every_fault_is_told() -> None:
    """A person who made three mistakes hears of three."""
    assert [fault.partition(":")[0] for fault in faults(b'{"warmUpS": -1, "enabled": 1, "loud": 1}')] == [
        "enabled",
        "warmUpS",
        "loud",
    ]


def test_a_missing_field_is_told_with_what_it_should_be() -> None:
    """A window without an end is told which form the end has."""
    assert faults(b'{"quietHours": [{"start": "22:00"}]}') == [
        "quietHours.0.end: missing; it should be a time of day HH:MM, 00:00 to 24:00"
    ]


def test_a_long_value_is_cut() -> None:
    """A line stays a line."""
    [fault] = faults(json.dumps({"timezone": "x" * 100_000}).encode())
    assert len(fault) < 200


class _Stranger(BaseModel):
    """A shape that is none of ours, as a component's settings are."""

    model_config = ConfigDict(extra="forbid")

    port: int = 80
    url: str = ""


def test_other_shapes_are_told_in_the_same_words() -> None:
    """Whatever pydantic checks can be told by this."""
    with pytest.raises(ValidationError) as caught:
        _Stranger.model_validate({"port": "high", "uri": "x"})
    assert faults_of(caught.value, "settings file") == [
        'port: "high" is not allowed: it should be a whole number',
        'uri: unknown field with the value "x"; did you mean url?',
    ]


WIRING = {"id": "bath", "name": "Bath", "inputs": [{"id": "pir", "pin": 4}]}


@pytest.mark.parametrize(
    "change,told",
    [
        ({"id": "gateway"}, "sensors.0: the sensor id gateway is reserved"),
        ({"id": "Bath"}, 'sensors.0.id: "Bath" is not allowed: it should be text like '),
        ({"inputs": []}, "sensors.0.inputs: [] is not allowed: it should be a list of 1 to 8"),
        (
            {"inputs": [{"id": "pir", "pin": 4}, {"id": "pir", "pin": 5}]},
            "sensors.0: two inputs of sensor bath have one id",
        ),
        ({"inputs": [{"id": "a", "pin": 4}, {"id": "b", "pin": 4}]}, "gateway policy: the pin 4 is used twice"),
        (
            {"inputs": [{"id": "a", "pin": 28}]},
            "sensors.0.inputs.0.pin: 28 is not allowed: it should be a whole number ",
        ),
        (
            {"inputs": [{"id": "a", "pin": 4, "kind": "radar"}]},
            'sensors.0.inputs.0.kind: "radar" is not allowed: it sh',
        ),
    ],
)
def test_wiring_that_cannot_be_is_refused(change: dict[str, Any], told: str) -> None:
    """Names and pins of a gateway are each used once, and are ones that exist."""
    with pytest.raises(ValidationError) as caught:
        GatewayPolicy.from_json(json.dumps({"sensors": [WIRING | change]}).encode())
    assert faults_of(caught.value, "gateway policy")[0].startswith(told)


def test_two_sensors_of_one_id_are_refused() -> None:
    """A sensor's id names its topic: there can be one."""
    other = WIRING | {"inputs": [{"id": "pir", "pin": 5}]}
    with pytest.raises(ValidationError, match="the sensor id bath is used twice"):
        GatewayPolicy.model_validate({"sensors": [WIRING, other]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(list(Policy.model_fields)), inner),
    max_leaves=12,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_policy_or_one_line_for_each_fault(data: bytes) -> None:
    """Nothing else ever comes out of reading a policy."""
    try:
        Policy.from_json(data)
    except ValidationError as error:
        told = faults_of(error, "policy")
        assert told
        assert all(line.isprintable() for line in told)
