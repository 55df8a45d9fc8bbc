import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from tests.gateway.flat import PATIENCE_S, POLICY, WIRING, Flat, plays
from tests.gateway.shadows import THING, FakeCloud, room

from spotty_contract.messages import decode_batch, read_record
from spotty_contract.records import Decision, Record, Registration, SessionRecord
from spotty_contract.status import DeviceStatus, RoomStatus
from spotty_contract.topics import SensorTopic, read_topic
from spotty_gateway.cloud_side import CloudAccess
from spotty_gateway.errors import CloudNotNowError
from spotty_gateway.local import LocalError, ask
from spotty_gateway.settings import Settings
from spotty_sandbox.house import MockPin
from spotty_sandbox.rig import Rig

HALL_PIN = 27


class LiveCloud(FakeCloud):
    """Answers at once, on a thread of its own as a nucleus does, and keeps the records that come."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Record] = []
        self.fails = 0
        """So many of the next questions and answers about settings do not get through."""
        self._changed = threading.Condition(threading.RLock())
        self._hear: dict[str, tuple[Callable[[str, bytes], None], Callable[[], None]]] = {}

    def publish(self, topic: str, payload: bytes) -> None:
        """From the gateway, on any of its threads."""
        with self._changed:
            found = read_topic(topic)
            if isinstance(found, SensorTopic):
                self.records += [read_record(found, line) for line in decode_batch(payload)]
            elif self.fails:
                self.fails -= 1
                self._changed.notify_all()
                raise CloudNotNowError("no network")
            else:
                super().publish(topic, payload)
                self._deliver()
            self._changed.notify_all()

    def subscribe(
        self, topic_filter: str, hear: Callable[[str, bytes], None], stands: Callable[[], None] = lambda: None
    ) -> None:
        """It stands at once."""
        self._hear[topic_filter] = hear, stands
        stands()

    def comes_back(self) -> None:
        """The nucleus had ended, and everybody has subscribed anew."""
        for _, stands in self._hear.values():
            stands()

    def saves(self, of: str, v: int, policy: object) -> None:
        """A person has saved settings; returns when the gateway has answered that it took them."""
        with self._changed:
            self.wants(of, v, json.dumps(policy))
            self._deliver()
        self.wait_for(lambda: any(name == of and one["v"] == v for name, one in self.reports))
        assert self.reports[-1][1]["outcome"] == "applied"

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Looked at after every message."""
        with self._changed:
            assert self._changed.wait_for(holds, PATIENCE_S), (self.records, self.reports)

    def count(self, shape: type[Record]) -> int:
        """How many records of this shape have come."""
        return sum(isinstance(one, shape) for one in self.records)

    def _deliver(self) -> None:
        while self.post:
            topic, payload = self.post.pop(0)
            for hear, _ in list(self._hear.values())[:1]:  # all filters lead to one ear
                hear(topic, payload)


@pytest.fixture
def cloud() -> LiveCloud:
    """A cloud that knows nothing yet."""
    return LiveCloud()


@pytest.fixture
def flat(tmp_path: Path, cloud: LiveCloud) -> Flat:
    """One room, whose gateway has a way to the cloud."""
    made = Flat(tmp_path)

    class Connected(Rig):
        def __init__(self, *given: object, **more: object) -> None:
            access = CloudAccess(THING, cloud, "lite", lambda: None, lambda: 0.0)
            super().__init__(*given, **more, cloud=access)  # type: ignore[arg-type]  # passed on as it is

    made.rig_type = Connected
    return made


@pytest.fixture
def rig(flat: Flat) -> Iterator[Rig]:
    """Its gateway."""
    with flat.rig() as running:
        yield running


def test_a_visit_is_told_and_a_restart_is_another_run(flat: Flat, cloud: LiveCloud) -> None:
    """Registered once a start; a session opened and closed is told as one, and ids of two runs never meet."""
    for number in (1, 2):
        with flat.rig() as rig:
            flat.motion(rig)
            flat.heard.wait_for("music started", number)
            flat.pass_s(rig, 61)
            flat.heard.wait_for("music stopped", number)
            cloud.wait_for(lambda times=number: len(_closed(cloud)) == times)  # type: ignore[misc]  # bound at once
    assert cloud.count(Registration) >= 2
    assert len({one.session_id for one in cloud.records if isinstance(one, SessionRecord)}) == 2


def _closed(cloud: LiveCloud) -> set[str]:
    return {one.session_id for one in cloud.records if isinstance(one, SessionRecord) and one.ended_by is not None}


def test_a_room_from_the_cloud_is_there_at_once(flat: Flat, rig: Rig, cloud: LiveCloud) -> None:
    """A sensor is added while it runs: `spotty status` lists it, its motion brings music; taken away, it is gone."""
    bath = WIRING["sensors"][0]
    cloud.saves("gateway", 2, {"timezone": "Europe/Berlin", "sensors": [bath, room("hall", HALL_PIN)]})
    cloud.saves("hall", 5, POLICY)
    assert _rooms(flat) == ["Bathroom", "Hall"]
    cast("MockPin", rig.factory.pin(HALL_PIN)).drive_high()
    assert "Hall" in flat.heard.wait_for("music started")
    flat.simulator.wait_until(plays)
    assert ask(flat.folder / "spotty.sock", {"do": "pause", "sensor": "hall"})["rooms"][1]["state"] == "muted"
    cloud.saves("gateway", 3, {"timezone": "Europe/Berlin", "sensors": [bath]})
    with pytest.raises(LocalError, match="there is no sensor 'hall'; there are: bath"):
        ask(flat.folder / "spotty.sock", {"do": "pause", "sensor": "hall"})


def _rooms(flat: Flat) -> list[str]:
    return [one["name"] for one in ask(flat.folder / "spotty.sock", {"do": "status"})["rooms"]]


def test_single_motions_leave_the_house_when_that_is_wanted(flat: Flat, rig: Rig, cloud: LiveCloud) -> None:
    """By default they do not; `telemetryLevel: decisions` holds from the next one on."""
    flat.motion(rig)
    flat.heard.wait_for("music started")
    rig.gateway.apply(Settings(data_dir=flat.folder, telemetry_level="decisions"))
    flat.pass_s(rig, 50)
    flat.motion(rig)
    cloud.wait_for(lambda: cloud.count(Decision) == 1)


def test_what_a_lost_nucleus_may_have_lost_is_sent_again(flat: Flat, rig: Rig, cloud: LiveCloud) -> None:
    """Its subscriptions stand anew: the last messages go out once more."""
    del rig
    cloud.wait_for(lambda: cloud.count(DeviceStatus) == 1)
    cloud.comes_back()
    cloud.wait_for(lambda: cloud.count(Registration) == 2)
    assert flat.heard.with_words("please report") == []


def test_rooms_are_told_once_more_when_the_nucleus_is_back(flat: Flat, rig: Rig, cloud: LiveCloud) -> None:
    """With the next beat, though nothing has changed there; and only once."""
    cloud.wait_for(lambda: cloud.count(DeviceStatus) == 1)
    cloud.comes_back()
    assert _rooms(flat) == ["Bathroom"]  # the loop has heard of it
    _beat(flat, rig, cloud)
    cloud.wait_for(lambda: _told_anew(cloud) == 2)
    _beat(flat, rig, cloud)
    assert _told_anew(cloud) == 2


def test_rooms_are_told_once_more_when_something_gets_through_again(flat: Flat, cloud: LiveCloud) -> None:
    """What could not be said was a question about settings: the way was shut, and who knows what else is missing."""
    cloud.fails = 1
    with flat.rig() as rig:
        cloud.wait_for(lambda: cloud.fails == 0)
        for _ in range(2):  # when the second has come, it is known that the first got through
            _beat(flat, rig, cloud)
        assert _rooms(flat) == ["Bathroom"]
        _beat(flat, rig, cloud)
        cloud.wait_for(lambda: _told_anew(cloud) == 2)


def _beat(flat: Flat, rig: Rig, cloud: LiveCloud) -> None:
    flat.pass_s(rig, 301)
    now_ms = (flat.clock.mono() + flat.clock.offset()) // 1000
    cloud.wait_for(lambda: any(isinstance(one, DeviceStatus) and one.timestamp >= now_ms for one in cloud.records))


def _told_anew(cloud: LiveCloud) -> int:
    """How many statuses of rooms there were, each counted once."""
    return len({one.seq for one in cloud.records if isinstance(one, RoomStatus)})


def test_the_gateway_s_own_status_says_what_is_wrong(flat: Flat, cloud: LiveCloud) -> None:
    """Consent and calls, and the input that cannot be watched, with what to do."""
    inputs = [{"id": "pir", "pin": 17}, {"id": "far", "pin": 2, "pull": "down"}]
    flat.wiring = {"sensors": [{"id": "bath", "name": "Bathroom", "inputs": inputs}]}
    with flat.rig() as rig:
        flat.motion(rig)
        flat.heard.wait_for("music started")
        flat.pass_s(rig, 301)
        cloud.wait_for(lambda: any(one.faults for one in cloud.records if isinstance(one, DeviceStatus)))
    status = next(one for one in cloud.records if isinstance(one, DeviceStatus) and one.faults)
    assert (status.consent.state, status.guard.closed_until) == ("given", None)
    assert status.guard.calls_today >= 3
    assert [(one.fault, one.subject) for one in status.faults] == [("input_unwatched", "bath/far")]
    assert "GPIO2" in status.faults[0].detail


def test_without_a_cloud_nothing_is_kept_for_it(tmp_path: Path) -> None:
    """A gateway that nobody has connected writes no record, and its outbox stays empty."""
    flat = Flat(tmp_path)
    with flat.rig() as rig:
        flat.motion(rig)
        flat.heard.wait_for("music started")
        assert rig.gateway._store.outbox.view.records == 0
