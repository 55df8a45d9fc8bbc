"""What can never be kept, and what may be kept another time: neither takes anything else along."""

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from botocore.config import Config
from tests.cloud.ingesting import (
    PLENTY_MS,
    Behind,
    Ingest,
    decision,
    device,
    fault,
    ingest_of,
    message,
    raw_message,
    result,
    room,
    session,
)
from tests.cloud.world import ADA, BOB, HOME, NOON_MS, OTHER_HOME, World

from spotty_cloud.ingest.dead_letters import DeadLetters, in_portions
from spotty_cloud.ingest.keeping import Keeper, Later
from spotty_cloud.ingest.letters import MOST_BYTES
from spotty_cloud.ingest.requests import Request, TableName
from spotty_cloud.ingest.rows import Item, Owner
from spotty_contract.topics import Kind
from spotty_sandbox.aws import LocalAws


@pytest.fixture(scope="module")
def home(local_aws: LocalAws, world: World) -> Ingest:
    """Ada's home with a bathroom."""
    made = {"gatewayId": HOME, "id": "bath", "name": "Bath", "inputs": [{"id": "pir", "pin": 17}]}
    assert world.ask("POST", "/sensors", made).status == 201
    return ingest_of(local_aws, world, "refusals")


@pytest.fixture(autouse=True)
def no_records(home: Ingest) -> Iterator[None]:
    """Each test begins without any."""
    yield
    stores = home.world.parts.store
    for table in (stores.sessions, stores.events, stores.commands):
        rows = home.world.dynamo.scan(TableName=table.name)["Items"]
        table.delete_many([row[table.key]["S"] for row in rows])
    assert home.letters() == []


def batch_of(*lines: bytes) -> bytes:
    """A payload of these lines, whatever they are."""
    return b"\x01" + zlib.compress(b"\n".join(lines))


GOOD = decision(1).to_json().encode()
NEWER = GOOD.replace(b'"schemaVersion":1', b'"schemaVersion":2')
FOREIGN = decision(2, gateway_id=OTHER_HOME).to_json().encode()


def test_a_bad_record_goes_alone(home: Ingest) -> None:
    """The others of its batch are kept; the letter has the message, which record, and why."""
    text = raw_message(batch_of(NEWER, b"{}", GOOD, FOREIGN), HOME, "bath", Kind.MOTION)
    assert home.collect(text) == []
    assert home.event("bath-r1-e1") is not None
    assert home.event("bath-r1-e2") is None
    (letter,) = home.letters()
    assert (letter["message"], letter["refusedAt"]) == (text, home.world.clock.ms)
    assert [(one["line"], one["why"]) for one in letter["faults"]] == [
        (0, "unknown_version"),
        (1, "unreadable"),
        (3, "unreadable"),
    ]
    assert f"came from {HOME}/bath" in letter["faults"][2]["reason"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        '{"body":"e30="}',
        raw_message(b"{}", "no gateway!", "bath", "motion"),
        raw_message(b"{}", HOME, "bath", "gossip"),
        raw_message(b"{}", HOME, "bath", "motion").replace("e30=", "%"),
        raw_message(b"\x02abc", HOME, "bath", "motion"),
        raw_message(b"\x01" + zlib.compress(b"x" * 100_000), HOME, "bath", "motion"),
        raw_message(GOOD, HOME, "bath", "commands"),
        raw_message(b"x" * 5000, HOME, "bath", "motion"),
        json.dumps({**json.loads(raw_message(GOOD, HOME, "bath", "motion")), "lines": [4]}),
        json.dumps({**json.loads(raw_message(GOOD, HOME, "bath", "motion")), "receivedAt": True}),
    ],
)
def test_poison_never_comes_again(home: Ingest, text: str) -> None:
    """It is set aside whole, with the reason, and the message beside it is kept."""
    assert home.collect(text, message(session(1, 1))) == []
    (letter,) = home.letters()
    assert letter["message"] == text
    assert {one["why"] for one in letter["faults"]} == {"unreadable"}
    assert all(one["reason"] for one in letter["faults"])
    assert home.session("bath-r1-1")["seq"] == 1


@pytest.mark.parametrize("body", ["x" * 255_000, '"' * 200_000, "\u00e9" * 130_000])
def test_what_is_too_long_for_a_letter_is_cut(home: Ingest, body: str) -> None:
    """SQS takes 256 kB; a letter says that it has been cut, and another one goes beside it."""
    assert home.collect(body, "nonsense") == []
    letters = sorted(home.letters(), key=lambda one: one["isCut"])
    assert [one["isCut"] for one in letters] == [False, True]
    assert len(json.dumps(letters[1], ensure_ascii=False).encode()) <= MOST_BYTES


def test_many_long_letters_go_in_portions(home: Ingest) -> None:
    """Ten messages at once, and 256 kB together, are all that SQS takes."""
    long = [raw_message(b"y" * 60_000, HOME, "bath", "motion", number) for number in range(8)]
    assert home.collect(*long, *("nonsense" for _ in range(25))) == []
    assert len(home.letters()) == 33


@pytest.mark.parametrize(
    "sizes, portions",
    [
        ([1] * 25, [10, 10, 5]),
        ([60_000] * 8, [4, 4]),
        ([MOST_BYTES, 1, MOST_BYTES - 1, 1], [1, 2, 1]),
        ([], []),
    ],
)
def test_a_portion_is_no_more_than_sqs_takes(sizes: list[int], portions: list[int]) -> None:
    """Ten messages, 256 kB; nothing is left out, and the order stays."""
    texts = [(str(number), "x" * size) for number, size in enumerate(sizes)]
    found = list(in_portions(texts))
    assert [len(one) for one in found] == portions
    assert [text for portion in found for text in portion] == texts


def test_a_gateway_that_nobody_owns_writes_nothing(home: Ingest) -> None:
    """Unknown ones, and one that has left its owner: its late records are neither the old owner's nor a new one's."""
    left = "spotty-left00000001"
    home.world.parts.store.gateways.put({"gatewayId": left, "leavingOf": ADA, "leavingAt": 1})
    for gateway_id in ("spotty-never0000001", left):
        text = message(session(1, 1, gateway_id=gateway_id))
        assert home.collect(text, message(device(1, gateway_id))) == []
        assert {one["why"] for letter in home.letters() for one in letter["faults"]} == {"nobodys"}
        assert home.world.parts.store.sessions.get(f"{gateway_id}.bath-r1-1") is None
    assert home.gateway("spotty-never0000001") is None
    assert "lastSeenAt" not in home.gateway(left)


@pytest.mark.parametrize("change", [{"gatewayId": OTHER_HOME}, {"userId": BOB}])
def test_an_item_of_another_is_never_changed(home: Ingest, change: dict[str, str]) -> None:
    """Whatever the record's seq: session, decision and command of another gateway or owner stay, and it is told."""
    home.tell(session(1, 1), decision(1, clock_trusted=False))
    given = home.world.ask("POST", "/spotify/devices", {"gatewayId": HOME}).body["commandId"]
    stores = home.world.parts.store
    theirs = [
        (stores.sessions, {**home.session("bath-r1-1"), **change}),
        (stores.events, {**home.event("bath-r1-e1"), **change}),
        (stores.commands, {**(stores.commands.get(given) or {}), **change}),
    ]
    for table, item in theirs:
        table.put(item)
    assert home.collect(message(session(1, 9)), message(decision(1)), message(result(given))) == []
    assert [table.get(item[table.key]) for table, item in theirs] == [item for _, item in theirs]
    assert [fault["why"] for letter in home.letters() for fault in letter["faults"]] == ["foreign"] * 3


def test_a_gateway_that_leaves_meanwhile_is_not_brought_back(home: Ingest, world: World) -> None:
    """Between looking whose it is and writing, its owner deregisters it: no item is made anew."""
    gone = "spotty-gone00000001"
    world.parts.store.gateways.put({"gatewayId": gone, "userId": ADA})
    keeper = home.collector.keeper
    seen = keeper.known([("gateways", gone)])
    world.parts.store.gateways.delete_many([gone])
    late = replace(home.collector, keeper=Behind(keeper.client, keeper.names, seen=seen))
    assert late.collect({"m": message(device(1, gone))}, lambda: PLENTY_MS) == []
    assert home.gateway(gone) is None
    assert {one["why"] for letter in home.letters() for one in letter["faults"]} == {"nobodys"}


def test_what_dynamodb_refuses_for_good_is_set_aside(home: Ingest) -> None:
    """A number that is none of its numbers, for one: five more deliveries would change nothing."""
    assert home.collect(message(session(1, 1, duration_s=1e300)), message(session(2, 1))) == []
    (letter,) = home.letters()
    assert [(one["line"], one["why"]) for one in letter["faults"]] == [(0, "unstorable")]
    assert home.session("bath-r1-2")["seq"] == 1


def test_what_may_succeed_later_comes_again_alone(home: Ingest) -> None:
    """A table that does not answer holds up its own messages only, and nothing of them goes to the dead letters."""
    keeper = home.collector.keeper
    lame = replace(home.collector, keeper=Keeper(keeper.client, {**keeper.names, "sensors": "not-there-yet"}))
    batch = {"session": message(session(1, 1)), "room": message(room(1, {"debounced": 1})), "bad": "nonsense"}
    assert lame.collect(batch, lambda: PLENTY_MS) == ["room"]
    assert len(home.letters()) == 1
    assert home.session("bath-r1-1") is not None
    assert home.collect(batch["room"]) == []
    assert home.sensor("bath")["status"]["seq"] == 1


def test_without_dynamodb_all_comes_again(home: Ingest, local_aws: LocalAws) -> None:
    """Nothing is lost, nothing is called poison that could not be judged."""
    nowhere = local_aws.client("dynamodb").meta.endpoint_url.rpartition(":")[0] + ":9"
    from botocore.session import Session  # noqa: PLC0415  # only here

    client = Session().create_client(
        "dynamodb",
        region_name="eu-central-1",
        endpoint_url=nowhere,
        aws_access_key_id="x",
        aws_secret_access_key="x",  # noqa: S106  # nobody's
        config=Config(connect_timeout=1, retries={"total_max_attempts": 1}),
    )
    try:
        lame = replace(home.collector, keeper=Keeper(client, home.collector.keeper.names))  # type: ignore[arg-type]
        assert lame.collect({"a": message(session(1, 1)), "b": "nonsense"}, lambda: PLENTY_MS) == ["a"]
    finally:
        client.close()
    assert [one["message"] for one in home.letters()] == ["nonsense"]


def test_what_the_dead_letters_do_not_take_comes_again(home: Ingest) -> None:
    """It would be lost otherwise; what was good in it is kept already."""
    lame = replace(home.collector, letters=DeadLetters(lambda: home.sqs, home.dead_url + "-gone"))
    text = raw_message(batch_of(b"{}", GOOD), HOME, "bath", Kind.MOTION)
    assert lame.collect({"a": text, "b": message(session(1, 1))}, lambda: PLENTY_MS) == ["a"]
    assert home.event("bath-r1-e1") is not None


def test_what_breaks_off_is_healed_by_the_next_delivery(home: Ingest) -> None:
    """Time is up after any number of writes: what is not done comes again, and then all is as it should be."""
    texts = [message(session(1, 3)), message(decision(1)), message(room(5, {"cooldown": 2})), message(device(5))]
    for writes in range(4):
        left = [*[0] * 100, *[PLENTY_MS] * writes]
        batch = {str(number): text for number, text in enumerate(texts)}
        again = home.collector.collect(batch, left.pop)
        assert again
        assert home.collect(*(batch[one] for one in again)) == []
        assert (home.session("bath-r1-1")["seq"], home.event("bath-r1-e1") is not None) == (3, True)
        assert (home.sensor("bath")["statusSeq"], home.gateway()["statusSeq"]) == (5, 5)


def test_a_flood_holds_up_itself_alone(home: Ingest) -> None:
    """Time is up in the middle of it: the others' messages are done with, and so are those of its own that are kept."""
    flood = {
        f"flood-{at}": message(*(decision(100 * at + number) for number in range(20)), received_at=NOON_MS + at)
        for at in range(3)
    }
    other = message(session(1, 1, gateway_id=OTHER_HOME), received_at=NOON_MS)
    late, enough, rows = 8_000, PLENTY_MS, 1 + 20 + 15
    left = [*[late] * 100, *[enough] * rows]
    assert home.collector.collect({**flood, "other": other}, left.pop) == ["flood-1", "flood-2"]
    assert home.world.parts.store.sessions.get(f"{OTHER_HOME}.bath-r1-1") is not None
    assert [home.event(f"bath-r1-e{number}") is not None for number in (0, 19, 219)] == [True, True, False]


def test_dashboards_wait_where_time_is_up(home: Ingest) -> None:
    """The answer goes first: without it everything would be collected again, and every letter be sent again."""
    for left_ms in (5_000, PLENTY_MS):
        told = len(home.dashboards.told)
        again = home.collect(message(fault(1, sensor_id="gateway")), left_ms=left_ms)
        assert (bool(again), len(home.dashboards.told) > told) == (left_ms < PLENTY_MS, left_ms == PLENTY_MS)


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that breaks the code."""

    owner: Owner
    key: str = "a film"
    table: ClassVar[TableName] = "sessions"

    def joined(self, later: "Broken") -> "Broken":
        """Never asked."""
        return later

    def begin(self, known: Item | None) -> Request | None:
        """Breaks."""
        raise ValueError(f"{self.key} cannot be, with {known}")

    def after(self, found: Item | None) -> Request | None:
        """Never asked."""

    def told(self, before: Item) -> None:
        """Never asked."""


def test_a_fault_of_ours_takes_nothing_along(home: Ingest, caplog: pytest.LogCaptureFixture) -> None:
    """Its message comes again, and after twenty times SQS sets it aside; the log tells where, and no more."""
    row = Broken(Owner(HOME, ADA))
    enough: Callable[[], bool] = lambda: True  # noqa: E731  # no time is counted here
    assert home.collector.keeper.keep([row, row], {}, enough) == [Later(row)] * 2
    assert "ValueError" in caplog.text
    assert "film" not in caplog.text


def test_a_message_of_nonsense_costs_one_line(home: Ingest, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is wrong with its hundred records stands in its letter: a log is paid for by its length."""
    caplog.set_level("INFO", "spotty_cloud")
    assert home.collect(raw_message(batch_of(NEWER, *[b"{}"] * 99), HOME, "bath", Kind.MOTION)) == []
    (line,) = [vars(one) for one in caplog.records if one.message == "set aside"]
    assert line["why"] == {"unknown_version": 1, "unreadable": 99}
    assert len(home.letters()[0]["faults"]) == 100


def test_nothing_that_anybody_does_stands_in_the_log(home: Ingest, caplog: pytest.LogCaptureFixture) -> None:
    """Ids and words; no playlist, no device, no payload."""
    caplog.set_level("DEBUG", "spotty_cloud")
    secret = session(1, 1, context_uri="spotify:playlist:SECRET", device={"name": "SECRET", "type": "Speaker"})
    bad = raw_message(b'{"SECRET":', HOME, "bath", Kind.SESSION)
    assert home.collect(message(secret), bad, "SECRET") == []
    ours = [json.dumps(vars(one), default=str) for one in caplog.records if one.name.startswith("spotty_cloud")]
    assert len(ours) == 3
    assert "SECRET" not in "".join(ours)
    assert base64.b64encode(b"SECRET").decode().rstrip("=")[:6] not in "".join(ours)
    home.letters()
