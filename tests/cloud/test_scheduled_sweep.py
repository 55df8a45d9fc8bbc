from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.cloud.inbox import Inbox
from tests.cloud.world import ADA, BOB, HOME, NOON_MS, OTHER_HOME, World

from spotty_cloud.scheduled.mail import Mail
from spotty_cloud.scheduled.run import Run
from spotty_cloud.scheduled.sweep import PARTITIONS, SILENT_AFTER_MS, Sweep
from spotty_cloud.store import Store
from spotty_cloud.tables import Change, Item, Table, apply
from spotty_sandbox.aws import LocalAws

SEEN_MS = NOON_MS - SILENT_AFTER_MS


@pytest.fixture(autouse=True)
def a_quiet_house(world: World, inbox: Inbox) -> Iterator[None]:
    """Both gateways are heard of, no session, Ada wants no mail; and nothing is left in her inbox."""
    heard(world, HOME, NOON_MS)
    heard(world, OTHER_HOME, NOON_MS + 86_400_000, user_id=BOB)
    assert world.ask("PUT", "/users/me", {"notifyByEmail": False, "timezone": "Europe/Berlin"}).status == 200
    yield
    sessions = world.dynamo.scan(TableName=world.names["SESSIONS_TABLE"])["Items"]
    world.parts.store.sessions.delete_many([one["sessionId"]["S"] for one in sessions])
    inbox.letters()


def heard(world: World, gateway_id: str, at_ms: int, *, user_id: str | None = ADA, partition: str = "online#3") -> None:
    """A gateway as ingest leaves it."""
    item = {"gatewayId": gateway_id, "userId": user_id, "online": partition, "lastSeenAt": at_ms, "name": "The flat"}
    world.parts.store.gateways.put(item)


def opened(world: World, number: int, gateway_id: str = HOME, **more: object) -> str:
    """A session as ingest leaves it while it runs."""
    session_id = f"{gateway_id}.s-{number:03}"
    world.parts.store.sessions.put(
        {
            "sessionId": session_id,
            "gatewayId": gateway_id,
            "openGatewayId": gateway_id,
            "userId": ADA,
            "sensorId": f"{gateway_id}.bath",
            "seq": 2,
            "status": "active",
            "startTime": SEEN_MS - 60_000 + number,
            "lastMotionTime": SEEN_MS - 30_000,
            **more,
        }
    )
    return session_id


def swept(world: World, mail: Mail, now_ms: int = NOON_MS, has_time: Callable[[], bool] = lambda: True) -> Run:
    """One run."""
    return Sweep(world.parts.store, mail, now_ms, has_time).run()


def session(world: World, session_id: str) -> Item:
    """As it is."""
    return world.parts.store.sessions.get(session_id) or {}


def gateway(world: World, gateway_id: str = HOME) -> Item:
    """As it is."""
    return world.parts.store.gateways.get(gateway_id) or {}


@pytest.mark.parametrize("partition", PARTITIONS)
def test_what_a_silent_gateway_left_open_is_closed(world: World, mail: Mail, partition: str) -> None:
    """When it was last heard of, by no number of its own; it leaves the index, and other gateways stay in it."""
    heard(world, HOME, SEEN_MS, partition=partition)
    lost, kept = opened(world, 1), opened(world, 2, OTHER_HOME)
    assert swept(world, mail) == Run(gateways=1, sessions=1)
    closed = session(world, lost)
    assert (closed["endedBy"], closed["endTime"], closed["status"]) == ("gateway_lost", SEEN_MS, "ended")
    assert closed["seq"] == 2
    assert "openGatewayId" not in closed
    assert "online" not in gateway(world)
    assert "openGatewayId" in session(world, kept)
    assert "online" in gateway(world, OTHER_HOME)
    assert swept(world, mail) == Run()  # and there is nothing more to do


@pytest.mark.parametrize("after_ms, is_silent", [(0, True), (1, False)])
def test_a_quarter_of_an_hour_is_silence(world: World, mail: Mail, after_ms: int, is_silent: bool) -> None:
    """Three times five minutes, and not a moment less."""
    heard(world, HOME, SEEN_MS + after_ms)
    assert swept(world, mail).gateways == is_silent
    assert ("online" in gateway(world)) is not is_silent


@pytest.mark.parametrize(
    "times", [{"lastMotionTime": SEEN_MS + 5_000}, {"startTime": SEEN_MS + 5_000, "lastMotionTime": SEEN_MS}]
)
def test_a_session_never_ends_before_what_is_known_of_it(world: World, mail: Mail, times: dict[str, Any]) -> None:
    """Its record may be younger than the last word of the gateway, or its clock be fast."""
    heard(world, HOME, SEEN_MS)
    lost = opened(world, 1, **times)
    swept(world, mail)
    assert session(world, lost)["endTime"] == SEEN_MS + 5_000


def test_what_has_ended_by_itself_stays_as_it_ended(world: World, mail: Mail) -> None:
    """However late the index knows of it."""
    heard(world, HOME, SEEN_MS)
    ended = opened(world, 1, openGatewayId=None, endedBy="timeout", endTime=SEEN_MS)
    assert swept(world, mail) == Run(gateways=1)
    assert session(world, ended)["endedBy"] == "timeout"


def test_a_run_without_time_leaves_the_rest_to_the_next(world: World, mail: Mail) -> None:
    """Whatever it breaks off at: the gateway stays in the index until everything of it is closed."""
    heard(world, HOME, SEEN_MS)
    sessions = [opened(world, number) for number in range(5)]
    answers = iter([True, True, True])  # for the gateway, and for two sessions
    first = swept(world, mail, has_time=lambda: next(answers, False))
    assert (first.sessions, first.gateways, first.complete) == (2, 0, False)
    assert "online" in gateway(world)
    assert swept(world, mail) == Run(gateways=1, sessions=3)
    assert all("openGatewayId" not in session(world, one) for one in sessions)


def test_more_sessions_than_a_page_holds_are_all_closed(world: World, mail: Mail) -> None:
    """A gateway that was lost often, or whose ends were: the index is read to its end."""
    heard(world, HOME, SEEN_MS)
    for number in range(130):
        opened(world, number)
    assert swept(world, mail) == Run(gateways=1, sessions=130)


class Meanwhile:
    """The tables' client, through which something else is written just before its nth write."""

    def __init__(self, world: World, before: int, write: Callable[[], object]) -> None:
        self._left, self._write = before, write
        self._client = world.parts.store.gateways.client

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # boto3 makes its methods at run time
        if name in {"update_item", "transact_write_items"}:
            self._left -= 1
            if self._left == 0:
                self._write()
        return getattr(self._client, name)


def swept_meanwhile(world: World, mail: Mail, before: int, write: Callable[[], object]) -> Run:
    """One run, into which that is written."""
    client: Any = Meanwhile(world, before, write)
    tables: dict[str, Table] = {name: getattr(world.parts.store, name) for name in Store.__slots__}
    through = Store(**{name: Table(client, table.name, table.key) for name, table in tables.items()})
    return Sweep(through, mail, NOON_MS, lambda: True).run()


@pytest.mark.parametrize("before, closed", [(1, 0), (2, 1), (3, 2)])
def test_a_gateway_that_comes_back_meanwhile_is_left_alone(world: World, mail: Mail, before: int, closed: int) -> None:
    """From then on nothing is closed, it stays in the index, and its owner is not told."""
    heard(world, HOME, SEEN_MS)
    sessions = [opened(world, 1), opened(world, 2)]
    run = swept_meanwhile(world, mail, before, lambda: heard(world, HOME, NOON_MS - 1))
    assert (run.gateways, run.sessions, run.told) == (0, closed, 0)
    assert ["openGatewayId" in session(world, one) for one in sessions].count(True) == 2 - closed
    assert gateway(world)["lastSeenAt"] == NOON_MS - 1
    assert "online" in gateway(world)


def test_a_gateway_with_no_end_of_sessions_keeps_no_other_waiting(world: World, mail: Mail) -> None:
    """It has its share of a run, stays in the index, and is seen to bit by bit."""
    heard(world, HOME, SEEN_MS - 1)
    heard(world, OTHER_HOME, SEEN_MS, user_id=BOB)
    theirs = opened(world, 999, OTHER_HOME, userId=BOB)
    for number in range(201):
        opened(world, number)
    assert swept(world, mail) == Run(gateways=1, sessions=201, complete=False)
    assert session(world, theirs)["endedBy"] == "gateway_lost"
    assert "online" in gateway(world)
    assert swept(world, mail) == Run(gateways=1, sessions=1)


def test_a_session_whose_end_arrives_meanwhile_ends_as_it_says(world: World, mail: Mail) -> None:
    """From the queue, of a gateway that is silent all the same: it is swept with its other sessions."""
    heard(world, HOME, SEEN_MS)
    opened(world, 1)
    opened(world, 2)
    ended: dict[str, Any] = {"openGatewayId": None, "endedBy": "timeout", "seq": 3, "endTime": SEEN_MS}
    run = swept_meanwhile(world, mail, 1, lambda: opened(world, 1, **ended))
    assert run == Run(gateways=1, sessions=1)
    assert [session(world, f"{HOME}.s-{number:03}")["endedBy"] for number in (1, 2)] == ["timeout", "gateway_lost"]


def test_a_run_over_a_house_in_order_reads_eight_index_pages_and_writes_nothing(world: World, mail: Mail) -> None:
    """It is most of what an idle day costs."""
    asked: list[str] = []

    def note(model: Any, **_: object) -> None:  # noqa: ANN401  # botocore's
        asked.append(model.name)

    events = world.parts.store.gateways.client.meta.events
    events.register("before-call.dynamodb", note)
    try:
        assert swept(world, mail) == Run()
    finally:
        events.unregister("before-call.dynamodb", note)
    assert asked == ["Query"] * 8


def test_an_owner_hears_once_of_a_silence_and_only_if_they_asked(world: World, mail: Mail, inbox: Inbox) -> None:
    """On their clock, by the gateway's name and no id; the next silence is told again."""
    heard(world, HOME, SEEN_MS)
    assert swept(world, mail) == Run(gateways=1)
    assert inbox.letters() == []

    assert world.ask("PUT", "/users/me", {"notifyByEmail": True}).status == 200
    for seen_at in (SEEN_MS + 1, SEEN_MS + 3_600_000):
        apply(Change(world.parts.store.gateways, HOME, {"online": "online#3", "lastSeenAt": seen_at}, {}))
        assert swept(world, mail, seen_at + SILENT_AFTER_MS) == Run(gateways=1, told=1)
        assert swept(world, mail, seen_at + SILENT_AFTER_MS) == Run()
    first, second = inbox.letters()
    assert first[0] == "SpottyPottySense: a gateway has gone silent"
    assert '"The flat" since Saturday, 21 November 2026 at 12:45 (Europe/Berlin).' in first[1]
    assert "at 13:45 (Europe/Berlin)" in second[1]
    assert HOME not in first[1] + second[1]


def test_a_run_that_broke_off_after_its_letter_sends_no_second_one(world: World, mail: Mail, inbox: Inbox) -> None:
    """The silence is marked as told by when it began."""
    assert world.ask("PUT", "/users/me", {"notifyByEmail": True}).status == 200
    heard(world, HOME, SEEN_MS)
    apply(Change(world.parts.store.gateways, HOME, {"silenceToldAt": SEEN_MS}, {}))
    assert swept(world, mail) == Run(gateways=1)
    assert inbox.letters() == []


@pytest.mark.parametrize("later_ms, told", [(1, 0), (SILENT_AFTER_MS - 1, 0), (SILENT_AFTER_MS, 1)])
def test_a_word_that_was_late_makes_no_second_silence(
    world: World, mail: Mail, inbox: Inbox, later_ms: int, told: int
) -> None:
    """A record from before the silence that was told, out of the queue or the dead letters: nobody has come back."""
    assert world.ask("PUT", "/users/me", {"notifyByEmail": True}).status == 200
    heard(world, HOME, SEEN_MS + later_ms)
    apply(Change(world.parts.store.gateways, HOME, {"silenceToldAt": SEEN_MS}, {}))
    late = opened(world, 1)
    assert swept(world, mail, NOON_MS + later_ms) == Run(gateways=1, sessions=1, told=told)
    assert session(world, late)["endedBy"] == "gateway_lost"
    assert len(inbox.letters()) == told


def test_nobody_s_gateway_is_swept_without_a_word(world: World, mail: Mail) -> None:
    """Its owner has gone; what it left open is closed all the same."""
    heard(world, HOME, SEEN_MS, user_id=None)
    opened(world, 1)
    assert swept(world, mail) == Run(gateways=1, sessions=1)


def test_what_aws_refuses_for_one_gateway_keeps_no_other_waiting(world: World, mail: Mail, local_aws: LocalAws) -> None:
    """It is counted and logged, and stays in the index for the next run."""
    assert world.ask("PUT", "/users/me", {"notifyByEmail": True}).status == 200
    heard(world, HOME, SEEN_MS)
    heard(world, OTHER_HOME, SEEN_MS, user_id=BOB)
    nowhere = Mail(local_aws.client("sns"), f"{mail.topic}-gone", mail.users, mail.gateways)
    run = swept(world, nowhere)
    assert (run.gateways, run.failed, run.complete) == (1, 1, True)
    assert "online" in gateway(world)
    assert "silenceToldAt" not in gateway(world)
    assert swept(world, mail) == Run(gateways=1, told=1)
