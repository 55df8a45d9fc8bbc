import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotty_contract.gateway import GatewayPolicy
from spotty_contract.policy import MAX_POLICY_BYTES, Policy
from spotty_contract.shadow import (
    MAX_ANSWER_BYTES,
    MAX_VERSION,
    MAX_WRITTEN_POLICY_BYTES,
    Desired,
    Order,
    Refused,
    Rejection,
    Reported,
    ShadowError,
    encode_desired,
    encode_get,
    encode_reported,
    judge,
    order_of,
    read_delta,
    read_desired,
    read_rejected,
    read_reported,
)

TOKEN = "t" * 64
AT_S = 1_763_700_000
POLICY = Policy.model_validate({"vacancyDelayS": 600, "playback": {"device": {"name": "Küche"}}})


class Service:
    """AWS's shadow service, as far as documents go: it merges updates, and answers with deltas and metadata."""

    def __init__(self) -> None:
        self.state: dict[str, dict[str, Any]] = {}
        self.version = 0

    def update(self, document: bytes) -> None:
        """Null removes a key."""
        self.version = MAX_VERSION
        for part, content in json.loads(document)["state"].items():
            merged = {**self.state.get(part, {}), **content}
            self.state[part] = {name: value for name, value in merged.items() if value is not None}

    def delta(self) -> dict[str, Any]:
        """What of desired is not the same in reported."""
        desired, reported = self.state.get("desired", {}), self.state.get("reported", {})
        return {name: value for name, value in desired.items() if reported.get(name) != value}

    def answer(self) -> bytes:
        """What a get is answered with."""
        state = {**self.state, **({"delta": self.delta()} if self.delta() else {})}
        content = {"state": state, "metadata": {part: stamped(one) for part, one in self.state.items()}}
        return compact({**content, "version": self.version, "timestamp": AT_S, "clientToken": TOKEN})

    def delta_message(self) -> bytes:
        """What is published after an update."""
        content = {"version": self.version, "timestamp": AT_S, "state": self.delta(), "metadata": stamped(self.delta())}
        return compact(content)


def stamped(content: dict[str, Any]) -> dict[str, Any]:
    """A part's metadata."""
    return {name: {"timestamp": AT_S} for name in content}


def compact(content: object) -> bytes:
    """As AWS writes JSON."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def depth(value: object) -> int:
    """How deep objects and lists are nested."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def test_a_policy_arrives_as_it_was_sent() -> None:
    """By delta and by get alike, and what came of it is read back by the cloud."""
    service = Service()
    service.update(encode_desired(POLICY, 7))
    for desired in (read_delta(service.delta_message()), read_desired(service.answer())):
        assert desired is not None
        assert (desired.v, judge(desired, Policy)) == (7, POLICY)
    assert read_reported(service.answer()) is None
    service.update(encode_reported(Reported(7, "applied")))
    assert read_reported(service.answer()) == Reported(7, "applied")


def test_a_delta_that_repeats_an_answered_version_asks_for_nothing() -> None:
    """The policy is not in reported, so it stays in every delta; without a v there is nothing to do."""
    service = Service()
    service.update(encode_desired(POLICY, 7))
    service.update(encode_reported(Reported(7, "applied")))
    assert service.delta() == {"policy": POLICY.to_json()}
    assert read_delta(service.delta_message()) is None
    assert read_desired(service.answer()) == Desired(7, POLICY.to_json())


def test_a_rejection_goes_when_a_version_is_applied() -> None:
    """What was wrong with the one before is not told of this one."""
    service = Service()
    rejection = Rejection(field="vacancyDelayS", value="5", bound="it should be a number from 30 to 7200")
    service.update(encode_reported(Reported(7, "rejected", (rejection,))))
    assert read_reported(service.answer()) == Reported(7, "rejected", (rejection,))
    service.update(encode_reported(Reported(8, "applied")))
    assert service.state["reported"] == {"v": 8, "outcome": "applied"}


@pytest.mark.parametrize(
    "policy,rejections",
    [
        ('{"vacancyDelayS":5}', [("vacancyDelayS", "5", "it should be a number from 30 to 7200")]),
        ('{"enabled":1,"warmUpS":-1}', [("enabled", "1", "true or false"), ("warmUpS", "-1", "from 0 to 300")]),
        ('{"loud":1}', [("loud", "1", "known are enabled")]),
        ('{"holdOffS":300}', [("policy", None, "holdOffS, 300, should be less than vacancyDelayS, 300")]),
        ("{", [("policy", None, "is not JSON")]),
        ("", [("policy", None, "is not JSON")]),
        ('"\\ud800"', [("policy", None, "is not JSON")]),
        ("\ud800", [("policy", None, "is not JSON")]),
        ("[]", [("policy", "[]", "it should be an object")]),
    ],
)
def test_a_policy_is_rejected_with_field_value_and_bound(
    policy: str, rejections: list[tuple[str, str | None, str]]
) -> None:
    """A person sees on the dashboard what to change."""
    found = judge(Desired(1, policy), Policy)
    assert isinstance(found, tuple)
    assert [(one.field, one.value) for one in found] == [(field, value) for field, value, _ in rejections]
    for one, (_, _, bound) in zip(found, rejections, strict=True):
        assert bound in one.bound


def test_a_gateway_s_list_of_sensors_travels_the_same_way() -> None:
    """The shadow `gateway` holds a GatewayPolicy."""
    sensors = [
        {"id": f"room-{n}", "name": f"Room {n}", "inputs": [{"id": "pir", "pin": n}, {"id": "door", "pin": n + 14}]}
        for n in range(2, 14)
    ]
    policy = GatewayPolicy.model_validate({"timezone": "Europe/Berlin", "sensors": sensors})
    desired = read_desired(encode_desired(policy, 1))
    assert desired is not None
    assert judge(desired, GatewayPolicy) == policy


def as_large_as_can_be() -> Policy:
    """The largest policy that a shadow takes."""
    window = {"start": "22:00", "end": "07:00", "days": [0, 1, 2, 3, 4]}
    policy: dict[str, Any] = {"quietHours": [window] * 7, "schedule": [window] * 5, "timezone": "Europe/Berlin"}
    policy["playback"] = {"device": {"name": '"' * 60 + "Küche"}, "contextUri": "spotify:album:x"}
    short = MAX_WRITTEN_POLICY_BYTES - len(
        json.dumps(Policy.model_validate(policy).to_json(), ensure_ascii=False).encode()
    )
    policy["playback"]["contextUri"] += "x" * (short + 2)
    return Policy.model_validate(policy)


@pytest.mark.parametrize("sign", ["x", '"', "\\", "\0", "\U0001f3b5"])
def test_the_largest_answer_reaches_a_gateway(sign: str) -> None:
    """Desired, reported, delta and metadata of the largest policy and the longest rejection: below 4.9 kB, depth 6."""
    service = Service()
    service.update(encode_desired(as_large_as_can_be(), MAX_VERSION, TOKEN))
    rejection = Rejection(field=sign * 500, value=sign * 500, bound=sign * 500)
    service.update(encode_reported(Reported(MAX_VERSION - 1, "rejected", (rejection,) * 16), TOKEN))
    answer = service.answer()
    assert len(answer) <= MAX_ANSWER_BYTES
    assert len(answer) > MAX_ANSWER_BYTES - 700
    assert depth(json.loads(answer)) <= 6
    reported = read_reported(answer)
    assert reported is not None
    assert len(reported.rejections) >= 1


def test_ordinary_rejections_are_told_together() -> None:
    """A person who made three mistakes hears of three at once."""
    found = judge(Desired(4, '{"warmUpS":-1,"enabled":1,"vacancyDelayS":5}'), Policy)
    assert isinstance(found, tuple)
    service = Service()
    service.update(encode_reported(Reported(4, "rejected", found)))
    assert read_reported(service.answer()) == Reported(4, "rejected", found)
    assert len(found) == 3


def test_a_policy_that_quotes_too_much_is_refused() -> None:
    """Below 1.8 kB as JSON, but a string in a string doubles its quotes."""
    policy = Policy.model_validate({"playback": {"device": {"name": '"' * 128, "type": '"' * 32}}})
    assert encode_desired(policy, 1)
    window = {"start": "22:00", "end": "07:00", "days": [0]}
    full = {"quietHours": [window] * 7, "schedule": [window | {"contextUri": "spotify:album:" + "x" * 100}] * 5}
    crowded = Policy.model_validate({**full, "playback": policy.playback.model_dump()})
    assert len(crowded.to_json().encode()) <= MAX_POLICY_BYTES
    with pytest.raises(ShadowError, match="bytes in a shadow; at most 2000 fit: shorten names"):
        encode_desired(crowded, 1)


def test_too_many_sensors_for_a_shadow_are_refused() -> None:
    """A list that would be lost on its way is not sent."""
    sensors = [{"id": f"{n:032}", "name": "N" * 64, "inputs": [{"id": "pir", "pin": n}]} for n in range(16)]
    with pytest.raises(ShadowError, match="bytes as compact JSON; at most 1800 fit"):
        encode_desired(GatewayPolicy.model_validate({"sensors": sensors}), 1)


@pytest.mark.parametrize("token", ["", "t" * 65, "é" * 33])
def test_a_client_token_has_at_most_64_bytes(token: str) -> None:
    """AWS refuses longer ones, and no local stand-in does."""
    with pytest.raises(ShadowError, match="1 to 64 bytes"):
        encode_get(token)
    with pytest.raises(ShadowError, match="1 to 64 bytes"):
        encode_desired(POLICY, 1, token)
    assert json.loads(encode_get("t")) == {"clientToken": "t"}
    assert encode_get() == b"{}"


@pytest.mark.parametrize("v", [-1, MAX_VERSION + 1])
def test_a_version_that_no_reader_takes_is_not_sent(v: int) -> None:
    """Both sides know the same bounds."""
    with pytest.raises(ShadowError, match="is no version"):
        encode_desired(POLICY, v)
    with pytest.raises(ShadowError, match="is no version"):
        encode_reported(Reported(v, "applied"))


@pytest.mark.parametrize(
    "incoming_v,answered_v,order",
    [
        (0, None, Order.NEWER),
        (5, None, Order.NEWER),
        (5, 4, Order.NEWER),
        (5, 5, Order.SAME),
        (4, 5, Order.OLDER),
        (0, 5, Order.OLDER),
    ],
)
def test_versions_are_put_in_order(incoming_v: int, answered_v: int | None, order: Order) -> None:
    """An answered one is ignored silently, an older one dropped, a newer one taken."""
    assert order_of(incoming_v, answered_v) is order


@given(st.lists(st.integers(0, 6)))
def test_whatever_the_order_the_newest_is_taken_last(versions: list[int]) -> None:
    """Duplicates, losses and disorder: what is taken rises, each version at most once, and ends with the newest."""
    answered_v: int | None = None
    taken = []
    for v in versions:
        if order_of(v, answered_v) is Order.NEWER:
            answered_v = v
            taken.append(v)
    assert taken == sorted(set(taken))
    assert answered_v == max(versions, default=None)


@pytest.mark.parametrize(
    "document,v,told",
    [
        (b"", None, "it is not JSON"),
        (b"[]", None, "the document: it should be an object"),
        (b'{"state":5}', None, "state: it should be an object"),
        (b'{"state":{"desired":[]}}', None, "state.desired: it should be an object"),
        (b'{"state":{"desired":{"policy":"{}"}}}', None, "desired.v: it should be a version"),
        (b'{"state":{"desired":{"v":true,"policy":"{}"}}}', None, "desired.v"),
        (b'{"state":{"desired":{"v":1.0,"policy":"{}"}}}', None, "desired.v"),
        (b'{"state":{"desired":{"v":2147483648,"policy":"{}"}}}', None, "desired.v"),
        (b'{"state":{"desired":{"v":7}}}', 7, "desired.policy: it should be the whole policy as one string"),
        (b'{"state":{"desired":{"v":7,"policy":{}}}}', 7, "desired.policy"),
        (b'{"state":' * 5000, None, "it is not JSON"),
        (b" " * 70_000, None, "70000 bytes are no shadow"),
    ],
)
def test_a_broken_document_is_told_with_its_version_where_there_is_one(
    document: bytes, v: int | None, told: str
) -> None:
    """So that the cloud hears of it as rejected, and not never."""
    with pytest.raises(ShadowError, match=told) as caught:
        read_desired(document)
    assert caught.value.v == v


@pytest.mark.parametrize("document", [b"{}", b'{"state":{}}', b'{"state":null}', b'{"state":{"desired":null}}'])
def test_an_empty_shadow_asks_for_nothing(document: bytes) -> None:
    """A shadow that was just made, or cleared."""
    assert read_desired(document) is None
    assert read_delta(document) is None
    assert read_reported(document) is None


def test_one_half_of_a_shadow_does_not_spoil_the_other() -> None:
    """A gateway reads its policy whatever an older gateway has reported; the cloud reads reports whatever it wished."""
    broken = b'{"state":{"desired":{"v":7,"policy":"{}"},"reported":{"v":"x","outcome":5}}}'
    assert read_desired(broken) == Desired(7, "{}")
    with pytest.raises(ShadowError, match=r"reported\.v"):
        read_reported(broken)
    assert read_reported(b'{"state":{"desired":5,"reported":{"v":1,"outcome":"applied"}}}') == Reported(1, "applied")


@pytest.mark.parametrize(
    "reported,told",
    [
        ('{"v":1,"outcome":"fine"}', "reported.outcome"),
        ('{"v":1,"outcome":[]}', "reported.outcome"),
        ('{"v":1,"outcome":"rejected","rejection":[]}', "reported.rejection"),
        ('{"v":1,"outcome":"rejected","rejection":"{}"}', "reported.rejection"),
    ],
)
def test_a_broken_report_is_told(reported: str, told: str) -> None:
    """One line names the field."""
    with pytest.raises(ShadowError, match=told):
        read_reported(f'{{"state":{{"reported":{reported}}}}}'.encode())


def test_aws_s_refusals_are_read() -> None:
    """404 after a get says that there is no such shadow yet."""
    assert read_rejected(b'{"code":404,"message":"No shadow exists","timestamp":1}') == Refused(404, "No shadow exists")
    for other in (b"{}", b'{"code":"404"}', b'{"code":true}', b'{"code":1,"message":5}', b"x"):
        with pytest.raises(ShadowError):
            read_rejected(other)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["state", "desired", "reported", "v", "policy", "outcome", "rejection", "code"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_document_or_a_shadow_error(data: bytes) -> None:
    """Nothing else comes out of reading, and whatever is desired is judged."""
    for read in (read_desired, read_delta, read_reported, read_rejected):
        try:
            found = read(data)
        except ShadowError:
            continue
        if isinstance(found, Desired):
            assert judge(found, Policy) is not None
            assert judge(found, GatewayPolicy) is not None
