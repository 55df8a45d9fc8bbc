from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from tests.cloud.inbox import Inbox
from tests.cloud.world import ADA, BOB, HOME, NOON_MS, World

from spotty_cloud.consent import consent_due_day
from spotty_cloud.scheduled.mail import Mail
from spotty_cloud.scheduled.run import Run
from spotty_cloud.scheduled.token_health import TokenHealth
from spotty_contract.status import DeviceStatus
from spotty_sandbox.aws import LocalAws

DAY_MS = 86_400_000
EVENING_MS = NOON_MS + DAY_MS // 4
"""When the consents of these tests end: at six in the evening, UTC."""


@pytest.fixture(autouse=True)
def nothing_is_known(world: World, inbox: Inbox) -> Iterator[None]:
    """Ada wants mail, and no gateway has said anything yet."""
    assert world.ask("PUT", "/users/me", {"notifyByEmail": True, "timezone": "America/New_York"}).status == 200
    gateways = world.dynamo.scan(TableName=world.names["GATEWAYS_TABLE"])["Items"]
    world.parts.store.gateways.delete_many([one["gatewayId"]["S"] for one in gateways])
    yield
    inbox.letters()


def status(state: str, ends_at: int | None = None, given_at: int | None = None) -> DeviceStatus:
    """What a gateway says of itself."""
    consent = {"state": state, "endsAt": ends_at, "givenAt": given_at}
    return DeviceStatus.model_validate(
        {
            "gatewayId": HOME,
            "sensorId": "gateway",
            "clockTrusted": True,
            "seq": 1,
            "timestamp": 1,
            "versions": {"component": "1", "python": "3", "system": "s"},
            "uptimeS": 1.0,
            "outbox": {"records": 0, "sizeBytes": 0, "dropped": 0},
            "consent": {name: value for name, value in consent.items() if value is not None},
            "guard": {"callsToday": 0},
            "policyVersion": 0,
        }
    )


def said(world: World, said: DeviceStatus, at_ms: int, gateway_id: str = HOME, **more: object) -> None:
    """A gateway as ingest leaves it when it has said this; what it was told of stays."""
    before = world.parts.store.gateways.get(gateway_id) or {}
    item = {
        **before,
        "gatewayId": gateway_id,
        "userId": ADA,
        "name": "The flat",
        "consentDueDay": consent_due_day(said, at_ms),
        "status": said.model_dump(mode="json", exclude_none=True),
        **more,
    }
    world.parts.store.gateways.put(item)


def looked(world: World, mail: Mail, now_ms: int, has_time: Callable[[], bool] = lambda: True) -> Run:
    """One run."""
    return TokenHealth(world.parts.store, mail, now_ms, has_time).run()


def subjects(inbox: Inbox) -> list[str]:
    """What has come, in a few words."""
    return [subject.removeprefix("SpottyPottySense: ") for subject, _ in inbox.letters()]


def test_an_owner_is_told_four_times_of_an_end_and_no_more(world: World, mail: Mail, inbox: Inbox) -> None:
    """30, 7 and 1 days before and on the day; a gateway that goes on saying so is no news."""
    told: dict[int, list[str]] = {}
    for left in (32, 31, 30, 29, 8, 7, 6, 2, 1, 0, -1, -2, -8):
        now_ms = NOON_MS - left * DAY_MS
        said(world, status("given" if left > 0 else "lapsed", EVENING_MS), now_ms)
        looked(world, mail, now_ms)
        letters = subjects(inbox)
        if letters:
            told[left] = letters
    assert told == {
        30: ["the consent to Spotify ends in 30 days"],
        7: ["the consent to Spotify ends in 7 days"],
        1: ["the consent to Spotify ends tomorrow"],
        0: ["the consent to Spotify ends today"],
    }


def test_a_letter_says_until_when_on_the_reader_s_clock(world: World, mail: Mail, inbox: Inbox) -> None:
    """With its zone, by the gateway's name and no id, and what to do."""
    said(world, status("given", EVENING_MS), NOON_MS)
    looked(world, mail, NOON_MS - 7 * DAY_MS)
    ((_, text),) = inbox.letters()
    assert '"The flat" may play on your Spotify until Saturday, 21 November 2026 at 13:00 (America/New_York).' in text
    assert "Connect Spotify again in the dashboard" in text
    assert HOME not in text


@pytest.mark.parametrize(
    "left, subject",
    [
        (29, "the consent to Spotify ends in 29 days"),
        (5, "the consent to Spotify ends in 5 days"),
        (0, "the consent to Spotify ends today"),
        (-3, "the consent to Spotify has ended"),
    ],
)
def test_a_day_on_which_no_run_was_is_made_up_for(
    world: World, mail: Mail, inbox: Inbox, left: int, subject: str
) -> None:
    """By the next run, in the words of that day; a gateway that is off has said nothing since."""
    said(world, status("given", EVENING_MS), NOON_MS - 60 * DAY_MS)
    assert looked(world, mail, NOON_MS - left * DAY_MS).told == 1
    assert subjects(inbox) == [subject]


@pytest.mark.parametrize("state", ["given", "missing"])
def test_nobody_hears_of_what_is_well_or_was_never_there(world: World, mail: Mail, inbox: Inbox, state: str) -> None:
    """A consent of months, or of an unknown day; and none at all, which a household may want."""
    for ends_at in (None, NOON_MS + 31 * DAY_MS + DAY_MS // 2):
        said(world, status(state, ends_at), NOON_MS)
        assert looked(world, mail, NOON_MS) == Run()
    assert subjects(inbox) == []


def test_a_new_consent_is_told_of_anew(world: World, mail: Mail, inbox: Inbox) -> None:
    """What was told of the old one says nothing of it."""
    for ends_at in (EVENING_MS, EVENING_MS + 181 * DAY_MS):
        now_ms = ends_at - DAY_MS // 4
        said(world, status("given", ends_at), now_ms)
        looked(world, mail, now_ms)
    assert subjects(inbox) == ["the consent to Spotify ends today"] * 2


def test_a_refusal_is_told_once_a_consent(world: World, mail: Mail, inbox: Inbox) -> None:
    """The gateway asks again now and then and is refused again: the same fault. After a new consent it is not."""
    for day, (state, given_at) in enumerate(
        [("refused", 5), ("refused", 5), ("given", 5), ("refused", 5), ("given", 9), ("refused", 9)]
    ):
        now_ms = NOON_MS + day * DAY_MS
        said(world, status(state, now_ms + 90 * DAY_MS, given_at), now_ms)
        looked(world, mail, now_ms)
    assert subjects(inbox) == ["Spotify refuses a gateway"] * 2


def test_a_refusal_and_an_end_are_each_told_once(world: World, mail: Mail, inbox: Inbox) -> None:
    """However often the gateway goes from one to the other and back."""
    for minute, state in enumerate(["given", "refused", "given", "refused"]):
        now_ms = NOON_MS + minute * 60_000
        said(world, status(state, EVENING_MS + 5 * DAY_MS, 5), now_ms)
        looked(world, mail, now_ms)
    assert subjects(inbox) == ["the consent to Spotify ends in 5 days", "Spotify refuses a gateway"]


@pytest.mark.parametrize(
    "state, ends_at, day",
    [
        ("given", EVENING_MS, "2026-11-21"),
        ("given", None, None),
        ("lapsed", EVENING_MS, "2026-12-01"),
        ("refused", EVENING_MS + 90 * DAY_MS, "2026-12-01"),
        ("refused", None, "2026-12-01"),
        ("missing", None, None),
    ],
)
def test_a_gateway_stands_under_the_day_that_matters(state: str, ends_at: int | None, day: str | None) -> None:
    """A consent under its last day; a fault under the day on which it was last said, whenever the consent ends."""
    received_at = int(datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC).timestamp() * 1000)
    assert consent_due_day(status(state, ends_at), received_at) == day


def test_only_who_has_asked_for_it_is_told(world: World, mail: Mail, inbox: Inbox) -> None:
    """And once they ask for it, of what is so then."""
    assert world.ask("PUT", "/users/me", {"notifyByEmail": False}).status == 200
    said(world, status("given", EVENING_MS), NOON_MS)
    said(world, status("given", EVENING_MS), NOON_MS, "spotty-bobs", userId=BOB)
    said(world, status("given", EVENING_MS), NOON_MS, "spotty-nobodys", userId=None)
    assert looked(world, mail, NOON_MS) == Run(gateways=2)
    assert world.ask("PUT", "/users/me", {"notifyByEmail": True}).status == 200
    assert looked(world, mail, NOON_MS) == Run(gateways=2, told=1)
    assert subjects(inbox) == ["the consent to Spotify ends today"]


def test_more_gateways_than_are_read_at_once_are_all_seen_to(world: World, mail: Mail, inbox: Inbox) -> None:
    """And a run without time leaves the rest to the next, the most urgent first."""
    for number in range(103):
        said(world, status("given", EVENING_MS), NOON_MS, f"spotty-{number:03}")
    said(world, status("given", EVENING_MS + 20 * DAY_MS), NOON_MS, "spotty-later")
    answers = iter([True] * 2)
    assert looked(world, mail, NOON_MS, lambda: next(answers, False)) == Run(gateways=2, told=2, complete=False)
    assert subjects(inbox) == ["the consent to Spotify ends today"] * 2
    assert looked(world, mail, NOON_MS) == Run(gateways=102, told=102)
    assert subjects(inbox).count("the consent to Spotify ends in 20 days") == 1


def test_what_aws_refuses_is_told_by_the_next_run(world: World, mail: Mail, local_aws: LocalAws) -> None:
    """One letter that was not taken holds nobody up."""
    for number in range(2):
        said(world, status("given", EVENING_MS), NOON_MS, f"spotty-{number}")
    nowhere = Mail(local_aws.client("sns"), f"{mail.topic}-gone", mail.users, mail.gateways)
    assert looked(world, nowhere, NOON_MS) == Run(gateways=2, failed=2)
    assert looked(world, mail, NOON_MS) == Run(gateways=2, told=2)
