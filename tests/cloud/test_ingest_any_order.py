"""Whatever the order, however often, however cut into batches: the rows are what was sent."""

import itertools
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cloud.ingesting import Ingest, decision, device, ingest_of, message, room, session
from tests.cloud.world import ADA, World
from tests.effort import IS_WHOLE

from spotty_cloud.attributes import item_of
from spotty_cloud.store import counts_id
from spotty_contract.records import Decision, Record, SessionRecord
from spotty_contract.status import DeviceStatus, RoomStatus
from spotty_contract.topics import cloud_id
from spotty_sandbox.aws import LocalAws

STEADY = settings(deadline=None, derandomize=True, max_examples=30)
_HOMES = itertools.count()
REASONS = ("debounced", "cooldown", "quiet_hours")


@pytest.fixture(scope="module")
def home(local_aws: LocalAws, world: World) -> Ingest:
    """Tables and queues; each test makes gateways of its own."""
    return ingest_of(local_aws, world, "order")


def new_gateway(home: Ingest, sensors: Sequence[str], user_id: str = ADA) -> str:
    """A gateway with these sensors, as the api leaves them."""
    gateway_id = f"spotty-any{next(_HOMES):08}"
    stores = home.world.parts.store
    stores.gateways.put({"gatewayId": gateway_id, "userId": user_id})
    for one in sensors:
        stores.sensors.put({"sensorId": f"{gateway_id}.{one}", "gatewayId": gateway_id, "userId": user_id})
    return gateway_id


def told(gateway_id: str) -> st.SearchStrategy[list[Record]]:
    """Some of the records that a gateway may have sent; each seq is one record, but for a corrected time."""
    at: dict[str, Any] = {"gateway_id": gateway_id}
    seqs, trust = st.integers(1, 12), st.booleans()
    counts = st.dictionaries(st.sampled_from(REASONS), st.integers(0, 9))
    sessions = st.builds(
        lambda number, seq, clock: session(
            number, seq, ends_by="timeout" if seq > 9 else None, clock_trusted=clock, **at
        ),
        st.integers(1, 3),
        seqs,
        trust,
    )
    return st.lists(
        st.one_of(
            sessions,
            st.builds(lambda number, clock: decision(number, clock_trusted=clock, **at), st.integers(1, 3), trust),
            st.builds(lambda seq, some: room(seq, some, **at), st.integers(1, 99), counts),
            st.builds(lambda seq: device(seq, gateway_id), st.integers(1, 99)),
        ),
        min_size=1,
        max_size=14,
        unique_by=lambda one: (
            type(one),
            getattr(one, "session_id", None),
            getattr(one, "event_id", None),
            getattr(one, "seq", None),
            one.clock_trusted,
        ),
    )


def batches(records: Sequence[Record]) -> st.SearchStrategy[list[list[Record]]]:
    """All of the records, some of them twice, in any order, cut anywhere."""
    repeated = st.lists(st.sampled_from(records), max_size=6).flatmap(lambda twice: st.permutations([*records, *twice]))
    cuts = st.sets(st.integers(1, len(records) + 5), max_size=5)
    return st.tuples(repeated, cuts).map(
        lambda found: [
            found[0][start:end]
            for start, end in itertools.pairwise(
                [0, *sorted(one for one in found[1] if one < len(found[0])), len(found[0])]
            )
        ]
    )


@given(data=st.data())
@STEADY
def test_any_order_gives_the_rows_that_were_sent(home: Ingest, data: st.DataObject) -> None:
    """By the highest seq, the right time before the doubtful one; counts by the highest of each."""
    gateway_id = new_gateway(home, ["bath"])
    records = data.draw(told(gateway_id))
    for batch in data.draw(batches(records)):
        assert home.collect(*(message(one) for one in batch)) == []
    assert rows_of(home, gateway_id) == wanted(records)
    assert home.letters() == []


def wanted(records: Iterable[Record]) -> dict[str, Any]:
    """What stands in the tables in the end: worked out from the records alone."""
    rows: dict[str, Any] = {}
    ranks: dict[str, Any] = {}
    counts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))

    def offer(key: str, rank: tuple[int, bool], value: object) -> None:
        if key not in ranks or rank > ranks[key]:
            rows[key], ranks[key] = value, rank

    for one in records:
        match one:
            case SessionRecord():
                key = cloud_id(one.gateway_id, one.session_id)
                is_open = one.ended_by is None
                offer(key, (one.seq, one.clock_trusted), (one.seq, one.duration_s, one.clock_trusted, is_open))
            case Decision():
                key = cloud_id(one.gateway_id, one.event_id)
                offer(key, (0, one.clock_trusted), (one.timestamp, one.action_taken, one.clock_trusted))
            case RoomStatus():
                sensor_id = cloud_id(one.gateway_id, one.sensor_id)
                offer(sensor_id, (one.seq, True), (one.seq, one.timestamp))
                for reason, number in one.suppressed_today.items():
                    of_day = counts[counts_id(sensor_id, one.day)]
                    of_day[reason] = max(of_day[reason], number)
            case DeviceStatus():
                offer(one.gateway_id, (one.seq, True), (one.seq, one.uptime_s))
    return rows | {key: dict(found) for key, found in counts.items()}


def rows_of(home: Ingest, *gateway_ids: str) -> dict[str, Any]:
    """The same, of these gateways, as the tables have it."""
    names, rows = home.collector.keeper.names, dict[str, Any]()
    for item in items(home, names["sessions"], gateway_ids):
        is_open = item.get("openGatewayId") == item["gatewayId"]
        rows[item["sessionId"]] = item["seq"], item["durationS"], item["clockTrusted"], is_open
    for item in items(home, names["events"], gateway_ids):
        if item["eventType"] == "heartbeat":
            rows[item["eventId"]] = item["suppressed"]
        else:
            rows[item["eventId"]] = item["timestamp"], item["actionTaken"], item["clockTrusted"]
    for item in items(home, names["sensors"], gateway_ids):
        if "status" in item:
            rows[item["sensorId"]] = item["statusSeq"], item["status"]["timestamp"]
    for item in items(home, names["gateways"], gateway_ids):
        assert item["lastSeenAt"] == home.world.clock.ms
        if "status" in item:
            rows[item["gatewayId"]] = item["statusSeq"], item["status"]["uptimeS"]
    return rows


def items(home: Ingest, table: str, gateway_ids: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    """All of a table that is of these gateways; every one is its owner's."""
    pages = home.world.dynamo.get_paginator("scan").paginate(TableName=table)
    for item in (item_of(one) for page in pages for one in page["Items"]):
        if item["gatewayId"] in gateway_ids:
            assert item["userId"] == ADA
            yield item


def a_week(gateway_id: str, sensor_id: str, chance: random.Random) -> list[list[Record]]:
    """All that a room tells in a while, by kind and in order: 9 sessions, 8 decisions, 80 statuses; 250 records."""
    at: dict[str, Any] = {"gateway_id": gateway_id, "sensor_id": sensor_id}
    seq = itertools.count(1)
    sessions: list[Record] = [
        session(
            number,
            next(seq),
            ends_by="timeout" if part == 17 else None,
            session_id=f"{sensor_id}-r1-{number}",
            **at,
        )
        for number in range(9)
        for part in range(18)
    ]
    decisions: list[Record] = [decision(number, event_id=f"{sensor_id}-r1-e{number}", **at) for number in range(8)]
    counts = dict.fromkeys(REASONS, 0)
    statuses: list[Record] = []
    for _ in range(80):
        counts[chance.choice(REASONS)] += chance.randrange(3)
        statuses.append(room(next(seq), counts, **at))
    return [sessions, decisions, statuses]


def test_many_records_a_fifth_of_them_twice_and_all_shuffled(home: Ingest) -> None:
    """Through a real queue, in batches of a hundred messages: the rows are what was sent, and nothing is left over.

    20,000 records if whole.
    """
    chance = random.Random(5)  # noqa: S311  # the same each time
    lanes: list[list[Record]] = []
    gateway_ids = []
    homes = 40 if IS_WHOLE else 6
    for _ in range(homes):
        gateway_ids.append(new_gateway(home, ["bath", "kitchen"]))
        lanes += a_week(gateway_ids[-1], "bath", chance) + a_week(gateway_ids[-1], "kitchen", chance)
    sent = [one for lane in lanes for one in lane]
    assert len(sent) == homes * 500
    texts = []
    for lane in lanes:
        while lane:
            size = chance.randrange(1, 40)
            texts.append(message(*lane[:size]))
            del lane[:size]
    delivered = [*texts, *chance.sample(texts, len(texts) // 5)]
    chance.shuffle(delivered)
    through_the_queue(home, delivered)
    assert rows_of(home, *gateway_ids) == wanted(sent)
    assert home.letters() == []


def through_the_queue(home: Ingest, texts: Sequence[str]) -> None:
    """As Lambda does it: a hundred messages at once; what is done is deleted, what is not comes again."""
    url, sqs = home.records_url, home.sqs
    for start in range(0, len(texts), 10):
        entries = [{"Id": str(at), "MessageBody": text} for at, text in enumerate(texts[start : start + 10])]
        assert not sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")
    while True:
        batch: dict[str, Any] = {}
        while len(batch) < 100 and (some := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages")):
            batch |= {one["MessageId"]: one for one in some}
        if not batch:
            return
        assert home.collector.collect({key: one["Body"] for key, one in batch.items()}, lambda: 30_000) == []
        found = list(batch.values())
        for start in range(0, len(found), 10):
            entries = [
                {"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]}
                for at, one in enumerate(found[start : start + 10])
            ]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)
