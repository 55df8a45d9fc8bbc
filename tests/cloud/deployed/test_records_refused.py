import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cloud.deployed.edge import Edge
from tests.cloud.deployed.home import Home
from tests.cloud.deployed.left_behind import items
from tests.cloud.deployed.lived_in import a_decision, a_session

from spotty_contract.messages import encode_batch
from spotty_contract.topics import Kind, SensorTopic


@pytest.fixture
def edge(bob: Home) -> Iterator[Edge]:
    """Bob's gateway, which says what it should not."""
    with bob.edge() as made:
        assert made.is_in()
        yield made


def letters(home: Home) -> list[dict[str, Any]]:
    """What has come to the dead letter queue about this home's gateway since it was last looked at."""
    sqs, url = home.deployed.aws.client("sqs"), home.deployed.stack.output("DeadLetterQueueUrl")
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for one in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    read = [json.loads(one["Body"]) for one in found]
    return [one for one in read if json.loads(one["message"])["gatewayId"] == home.gateway_id]


def faults(home: Home, many: int) -> list[tuple[str, int]]:
    """Why records were refused, and which lines they are (0: the first, or the whole), once so many messages were."""
    found: list[dict[str, Any]] = []

    def all_there() -> bool:
        found.extend(letters(home))
        return len(found) >= many

    home.deployed.until(all_there)
    return sorted((one["why"], one.get("line", 0)) for letter in found for one in letter["faults"])


def test_a_gateway_tells_of_itself_only(ada: Home, bob: Home, edge: Edge) -> None:
    """A record that names Ada's gateway, sent on Bob's own topic, is refused; what came along with it is kept."""
    now_ms = time.time_ns() // 1_000_000
    ada.adds_sensor("bath")
    bob.adds_sensor("bath")
    mixed = [a_decision(bob, now_ms, 1), a_decision(ada, now_ms, 2), a_decision(bob, now_ms, 3)]
    before = items(ada.deployed.aws, ada.gateway_id)
    edge.tells(Kind.MOTION, *mixed)
    assert faults(bob, 1) == [("unreadable", 1)]
    decisions = bob.gets(f"/sensors/{bob.sensor_id()}/decisions")["decisions"]
    assert {one["eventId"] for one in decisions} == {f"{bob.gateway_id}.run1-e{number}" for number in (1, 3)}
    assert items(ada.deployed.aws, ada.gateway_id) == before


def test_what_nobody_can_read_holds_up_nothing(bob: Home, edge: Edge) -> None:
    """Noise, a cut batch, a record of another shape: each to the dead letters; the good one behind them is kept."""
    now_ms = time.time_ns() // 1_000_000
    topic = SensorTopic(bob.gateway_id, "bath", Kind.SESSION)
    whole = encode_batch([a_session(bob, now_ms, number).to_json().encode() for number in (1, 2)]).payload
    for payload in (b"\xff\x00noise", whole[:-4], b'{"schemaVersion":1}', b'{"schemaVersion":99}'):
        assert edge.says(topic, payload)
    edge.tells(Kind.SESSION, a_session(bob, now_ms, 3))
    bob.deployed.until(lambda: bool(bob.gets("/sessions")["sessions"]))
    (kept,) = bob.gets("/sessions")["sessions"]
    assert kept["sessionId"].endswith("-s3")
    assert [why for why, _ in faults(bob, 4)] == ["unknown_version", *["unreadable"] * 3]
