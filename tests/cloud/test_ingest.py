"""What becomes of each kind of record, and in which order."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cloud.ingesting import (
    DAY_S,
    RETENTION_S,
    Ingest,
    decision,
    device,
    fault,
    ingest_of,
    kinds_told,
    message,
    result,
    room,
    session,
    started,
)
from tests.cloud.world import ADA, HOME, NOON_MS, World

from spotty_cloud.ingest.gateways import HEARD_EVERY_MS, online_of
from spotty_cloud.ingest.keeping import Place
from spotty_cloud.store import counts_id
from spotty_contract.results import ConnectLink, FoundDevice
from spotty_contract.status import Consent
from spotty_sandbox.aws import LocalAws

BATH = f"{HOME}.bath"
DAY_MS = DAY_S * 1000
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def home(local_aws: LocalAws, world: World) -> Ingest:
    """Ada's home with a bathroom."""
    made = {"gatewayId": HOME, "id": "bath", "name": "Bath", "inputs": [{"id": "pir", "pin": 17}]}
    assert world.ask("POST", "/sensors", made).status == 201
    return ingest_of(local_aws, world, "kinds")


@pytest.fixture(autouse=True)
def as_it_was(home: Ingest) -> Iterator[None]:
    """Each test begins with a gateway that has never been heard of, a room without a status, and no records."""
    stores = home.world.parts.store
    for table in (stores.sessions, stores.events, stores.commands):
        rows = home.world.dynamo.scan(TableName=table.name)["Items"]
        table.delete_many([row[table.key]["S"] for row in rows])
    gateway, bath = home.gateway(), home.sensor("bath")
    home.dashboards.told.clear()
    yield
    home.world.clock.ms = NOON_MS
    stores.gateways.put(gateway)
    stores.sensors.put(bath)
    assert home.letters() == []


def test_a_session_is_kept_as_the_api_tells_it(home: Ingest) -> None:
    """Cloud ids, the owner from the gateway's item, open until it has ended."""
    home.tell(session(1, 1))
    kept = home.session("bath-r1-1")
    assert kept["openGatewayId"] == HOME
    assert (kept["userId"], kept["sensorId"], kept["gatewayId"]) == (ADA, BATH, HOME)
    home.tell(session(1, 2, ends_by="timeout", silent_reason="no_device", device={"name": "Bath", "type": "Speaker"}))
    (told,) = home.world.ask("GET", "/sessions").body["sessions"]
    assert "openGatewayId" not in home.session("bath-r1-1")
    assert (told["sessionId"], told["status"], told["durationS"]) == (f"{HOME}.bath-r1-1", "timeout", 2.5)
    assert told["device"] == {"name": "Bath", "type": "Speaker"}


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (3, 3, 1)])
@pytest.mark.parametrize("at_once", [True, False])
def test_the_highest_seq_of_a_session_holds(home: Ingest, order: tuple[int, ...], at_once: bool) -> None:
    """In any order, in one batch or in several; a stale one is success."""
    records = [session(1, seq, ends_by="timeout" if seq == 3 else None) for seq in order]
    if at_once:
        home.tell(*records)
    else:
        for record in records:
            home.tell(record)
    kept = home.session("bath-r1-1")
    assert (kept["seq"], kept["endedBy"]) == (3, "timeout")
    assert "openGatewayId" not in kept


def test_one_batch_writes_an_item_once(home: Ingest) -> None:
    """Ten records of a session cost one request to write, whatever their order."""
    before = home.collector.keeper.spent.requests.copy()
    home.tell(*(session(1, seq) for seq in (3, 1, 4, 10, 5, 9, 2, 6, 8, 7)))
    spent = home.collector.keeper.spent.requests - before
    assert spent == {"put_item": 1, "batch_get_item": 1, "update_item": 1}


def test_a_corrected_time_replaces_a_doubtful_one(home: Ingest) -> None:
    """The same seq again, now that the clock is right; and never the other way round."""
    doubtful, right = session(1, 4, clock_trusted=False, start_time=0), session(1, 4)
    for records in ((doubtful, right), (right, doubtful)):
        for record in records:
            home.tell(record)
        assert home.session("bath-r1-1")["startTime"] == right.start_time
    for event in (
        decision(1, clock_trusted=False, timestamp=5),
        decision(1),
        decision(1, clock_trusted=False, timestamp=7),
    ):
        home.tell(event)
    assert home.event("bath-r1-e1")["timestamp"] == NOON_MS - 1


def test_what_the_sweep_has_closed_is_overwritten_by_the_truth_alone(home: Ingest) -> None:
    """A record of the same seq that comes twice does not open it again; a later one does, and a later end ends it."""
    home.tell(session(1, 5))
    home.gives_up("bath-r1-1")
    home.tell(session(1, 5), session(1, 4))
    swept = home.session("bath-r1-1")
    assert (swept["endedBy"], "openGatewayId" in swept) == ("gateway_lost", False)
    home.tell(session(1, 6))
    again = home.session("bath-r1-1")
    assert ("endedBy" in again, "endTime" in again, again["openGatewayId"]) == (False, False, HOME)
    home.tell(session(1, 7, ends_by="timeout"))
    assert home.session("bath-r1-1")["endedBy"] == "timeout"


def test_a_late_open_session_of_a_silent_gateway_is_left_to_the_sweep(home: Ingest) -> None:
    """Where the sweep has passed, its gateway is put where the next sweep looks; it was not heard of for that."""
    home.tell(device(1))
    store = home.world.parts.store
    silent = home.gateway()
    del silent["online"]
    store.gateways.put(silent)
    home.world.clock.ms += HOUR_MS
    home.tell(session(1, 5), received_at=NOON_MS - 1000)
    assert (home.gateway()["online"], home.gateway()["lastSeenAt"]) == (online_of(HOME), NOON_MS + 1)
    assert home.session("bath-r1-1")["openGatewayId"] == HOME


def test_a_decision_is_kept_once(home: Ingest) -> None:
    """With the session's cloud id, and told by the api."""
    home.tell(
        decision(1), decision(1), decision(2, session_id=None, action_taken="ignored_debounced", reason="debounced")
    )
    told = home.world.ask("GET", f"/sensors/{BATH}/decisions").body["decisions"]
    assert [(one["eventId"], one["actionTaken"], one["sessionId"]) for one in told] == [
        (f"{HOME}.bath-r1-e1", "motion_accepted", f"{HOME}.bath-r1-0"),
        (f"{HOME}.bath-r1-e2", "ignored_debounced", None),
    ]


def test_a_room_s_fault_stands_among_its_decisions(home: Ingest) -> None:
    """What is wrong, with what a person can do; and that it is over."""
    home.tell(fault(2), fault(1, cleared=True))
    told = home.world.ask("GET", f"/sensors/{BATH}/decisions").body["decisions"]
    assert [(one["eventType"], one["actionTaken"], one["reason"]) for one in told] == [
        ("fault", "fault_cleared", "input_stuck"),
        ("fault", "fault_raised", "input_stuck"),
    ]
    assert home.event("bath-r1-e2")["cure"] == "look at the sensor"


def test_a_gateway_s_fault_is_told_and_not_kept(home: Ingest) -> None:
    """It is of no sensor, so no list has it and no deletion of a person's data would find it."""
    home.tell(fault(3, sensor_id="gateway", fault="records_dropped"))
    assert home.event("bath-r1-e3") is None
    assert home.dashboards.told[-1][1]["data"]["reason"] == "records_dropped"


def test_a_room_s_status_is_its_latest(home: Ingest) -> None:
    """By seq; the api tells it, with the session's cloud id."""
    home.tell(room(7, state="playing", session_id="bath-r1-0", why="Bath plays"))
    home.tell(room(6))
    status = home.world.ask("GET", f"/sensors/{BATH}").body["status"]
    assert (status["seq"], status["state"], status["sessionId"]) == (7, "playing", f"{HOME}.bath-r1-0")


@pytest.mark.parametrize("change", [{"userId": f"deleted#{ADA}"}, {"userId": "eve"}, {"gatewayId": "spotty-elsewhere"}])
def test_a_status_makes_no_sensor_and_changes_no_other_s(home: Ingest, change: dict[str, str]) -> None:
    """Rooms that the cloud does not know, or are nobody's any more, are passed over: it comes each five minutes."""
    home.tell(room(8, sensor_id="attic"))
    assert home.sensor("attic") is None
    home.world.parts.store.sensors.put({**home.sensor("bath"), **change})
    home.tell(room(9))
    assert "status" not in home.sensor("bath")


def test_counts_of_a_day_only_rise(home: Ingest) -> None:
    """By reason, whatever comes first; each day has its own; the api adds them up."""
    for records in (
        [room(3, {"debounced": 5, "cooldown": 1})],
        [room(2, {"debounced": 4}), room(4, {"debounced": 2, "quiet_hours": 1})],
        [room(5, {"debounced": 1}, day="2026-11-22")],
    ):
        home.tell(*records)
    found = home.world.parts.store.events.get(counts_id(BATH, "2026-11-21"))
    assert found is not None
    assert found["suppressed"] == {"debounced": 5, "cooldown": 1, "quiet_hours": 1}
    query = {"since": str(NOON_MS - HOUR_MS), "until": str(NOON_MS), "timezone": "UTC"}
    assert home.world.ask("GET", "/analytics", query=query).body["suppressedMotions"] == found["suppressed"]


def test_reasons_that_are_made_up_find_no_room_without_end(home: Ingest) -> None:
    """The item is read and written with every status; those that stand there go on rising."""
    for seq in range(1, 6):
        home.tell(room(seq, {"debounced": seq, **{f"made-up-{seq}-{number}": 1 for number in range(11)}}))
    counts = (home.world.parts.store.events.get(counts_id(BATH, "2026-11-21")) or {})["suppressed"]
    assert (len(counts), counts["debounced"]) == (40, 5)


def test_two_at_once_lose_nothing(home: Ingest) -> None:
    """Counts and a gateway's item, written by another one since they were read: both are put together."""
    home.tell(room(3, {"debounced": 1}), device(3))
    places: list[Place] = [("events", counts_id(BATH, "2026-11-21")), ("gateways", HOME)]
    between = [room(5, {"cooldown": 4}), device(5)]
    home.tell_behind(places, between, room(4, {"debounced": 2}), device(4), started())
    counts = home.world.parts.store.events.get(counts_id(BATH, "2026-11-21")) or {}
    assert counts["suppressed"] == {"debounced": 2, "cooldown": 4}
    assert (home.gateway()["statusSeq"], home.gateway()["versions"]["component"]) == (5, "1.2.3")


def test_counts_that_do_not_rise_are_not_written(home: Ingest) -> None:
    """A write costs ten times what it costs to look; most statuses bring nothing new."""
    home.tell(room(3, {"debounced": 5}))
    before = home.collector.keeper.spent.requests.copy()
    home.tell(room(4, {"debounced": 5}))
    assert (home.collector.keeper.spent.requests - before)["put_item"] == 0


def test_a_gateway_s_item_says_how_it_is_doing(home: Ingest) -> None:
    """Heard of, its status by seq, its versions by its last start."""
    ends_at = NOON_MS + 30 * DAY_MS
    home.tell(started(), device(5, consent=Consent(state="given", ends_at=ends_at)), device(4))
    kept = home.gateway()
    assert (kept["online"], kept["lastSeenAt"], kept["statusSeq"]) == (online_of(HOME), NOON_MS, 5)
    assert (kept["consentDueDay"], kept["versions"]["component"]) == ("2026-12-21", "1.2.3")
    assert home.world.ask("GET", f"/gateways/{HOME}").body["status"]["uptimeS"] == 5
    home.tell(device(6))
    assert "consentDueDay" not in home.gateway()


def test_an_earlier_start_does_not_bring_back_older_versions(home: Ingest) -> None:
    """Starts have no number; AWS' own time of arrival orders them."""
    newer = started(versions={"component": "2.0", "python": "3.13", "system": "Debian 13"})
    home.tell(newer, received_at=NOON_MS)
    home.tell(started(), received_at=NOON_MS - 1000)
    assert home.gateway()["versions"]["component"] == "2.0"


def test_last_seen_never_goes_back_and_is_written_now_and_then(home: Ingest) -> None:
    """Anything heard counts, but of a gateway known to be there only every few minutes: its item is large."""
    home.tell(decision(1), received_at=NOON_MS - HOUR_MS)
    assert home.gateway()["lastSeenAt"] == NOON_MS - HOUR_MS
    home.tell(decision(2), received_at=NOON_MS - HOUR_MS + HEARD_EVERY_MS - 1)
    assert home.gateway()["lastSeenAt"] == NOON_MS - HOUR_MS
    home.tell(decision(3), received_at=NOON_MS - HOUR_MS + HEARD_EVERY_MS)
    home.tell(decision(4), received_at=NOON_MS - 2 * HOUR_MS)
    home.tell(decision(5), received_at=NOON_MS + 9 * DAY_MS)
    assert home.gateway()["lastSeenAt"] == NOON_MS


def test_a_gateway_that_was_given_up_is_there_again(home: Ingest) -> None:
    """Whatever it says; but not by what it had said before."""
    home.tell(device(1), received_at=NOON_MS - 1000)
    silent = home.gateway()
    del silent["online"]
    home.world.parts.store.gateways.put(silent)
    home.tell(room(2), received_at=NOON_MS - 2000)
    assert "online" not in home.gateway()
    home.tell(room(3), received_at=NOON_MS)
    assert home.gateway()["online"] == online_of(HOME)


def test_a_gateway_s_settings_are_left_alone(home: Ingest) -> None:
    """What the api writes into the same item stays, and the version it goes by."""
    before = home.gateway()
    home.tell(started(), device(5))
    assert {name: home.gateway()[name] for name in before} == before


def test_speakers_come_with_their_result(home: Ingest) -> None:
    """As the api tells them, by when they were found; a wrong clock does not make them newer."""
    found = FoundDevice(name="Bath", type="Speaker", id="d1", is_active=False, is_restricted=False)
    older = FoundDevice(name="Old", type="Speaker", is_active=False, is_restricted=False)
    home.tell(
        result("c1", devices=(older,), timestamp=NOON_MS + 9 * DAY_MS, clock_trusted=False), received_at=NOON_MS - 9
    )
    home.tell(result("c2", devices=(found,)), result("c3", devices=(older,), timestamp=NOON_MS - 5))
    told = home.world.ask("GET", "/spotify/devices", query={"gatewayId": HOME}).body
    assert ([one["name"] for one in told["devices"]], told["asOf"]) == (["Bath"], NOON_MS)


def test_the_first_result_of_a_command_holds(home: Ingest) -> None:
    """The api tells it; one that comes when the command is forgotten is of no use to anybody."""
    given = home.world.ask("POST", "/spotify/devices", {"gatewayId": HOME}).body["commandId"]
    home.tell(result(given, outcome="failed", reason="no_account"))
    home.tell(result(given))
    told = home.world.ask("GET", f"/commands/{given}").body
    assert (told["state"], told["result"]["reason"]) == ("failed", "no_account")
    home.tell(result("forgotten"))


def test_a_link_to_spotify_is_for_who_asked(home: Ingest) -> None:
    """Dashboards learn that there is one; it stands in the command's own item alone."""
    asked = {"gatewayId": HOME, "redirectUri": "https://dashboard.example/spotify"}
    given = home.world.ask("POST", "/spotify/connect", asked).body["commandId"]
    link = ConnectLink(
        link="https://accounts.example/authorize?state=s", redirect_uri=asked["redirectUri"], expires_at=NOON_MS
    )
    home.tell(result(given, command="connect_spotify", connect=link))
    assert "accounts.example" not in json.dumps(home.dashboards.told)
    assert home.world.ask("GET", f"/commands/{given}").body["result"]["connect"]["link"] == link.link


@pytest.mark.parametrize(
    "at_ms, trusted, kept_s",
    [
        (NOON_MS, True, RETENTION_S),
        (NOON_MS - 10 * DAY_MS, True, RETENTION_S - 10 * DAY_S),
        (NOON_MS + 900 * DAY_MS, True, RETENTION_S),
        (0, True, DAY_S),
        (0, False, RETENTION_S),
    ],
)
def test_how_long_a_record_is_kept(home: Ingest, at_ms: int, trusted: bool, kept_s: int) -> None:
    """From its own time, but no longer than from its arrival, and a day at least; a doubtful clock is not asked."""
    home.tell(decision(1, timestamp=at_ms, clock_trusted=trusted))
    assert home.event("bath-r1-e1")["ttl"] == NOON_MS // 1000 + kept_s
    home.tell(session(1, 1, start_time=at_ms, last_motion_time=at_ms, clock_trusted=trusted))
    assert home.session("bath-r1-1")["ttl"] == NOON_MS // 1000 + kept_s


def test_dashboards_are_told_what_was_written(home: Ingest) -> None:
    """In the api's words, to the owner; nothing that was there already, and no status in which only time went by."""
    home.tell(session(1, 1), decision(1), room(1), device(1))
    assert sorted(kinds_told(home.dashboards.told)) == ["decision", "gateway", "room", "session"]
    said = {one["type"]: one["data"] for _, one in home.dashboards.told}
    assert said["session"]["sessionId"] == f"{HOME}.bath-r1-1"
    assert said["room"]["status"]["state"] == "vacant"
    assert not {"userId", "ttl", "seq"} & {name for data in said.values() for name in data}
    home.dashboards.told.clear()
    home.tell(session(1, 1), decision(1), room(2))
    assert home.dashboards.told == []
    home.tell(room(3, state="occupied"))
    assert kinds_told(home.dashboards.told) == ["room"]


def test_dashboards_that_fail_cost_nothing(home: Ingest) -> None:
    """Everything is kept before anybody is told."""
    home.dashboards.fails = True
    try:
        home.tell(session(1, 1))
    finally:
        home.dashboards.fails = False
    assert home.session("bath-r1-1")["seq"] == 1


def test_a_long_silence_told_at_once_does_not_flood_dashboards(home: Ingest) -> None:
    """Of each person the last fifty."""
    records: list[Any] = [decision(number) for number in range(90)]
    assert home.collect(message(*records[:45]), message(*records[45:])) == []
    assert len(home.dashboards.told) == 50
