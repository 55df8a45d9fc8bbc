import shutil
import sqlite3
import tempfile
import threading
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.gateway.cloud import Bench, FakeCloud, Message, away
from tests.gateway.hand_clock import HandClock
from tests.gateway.store.mail import BOOT, GATEWAY, NOON_MS, decision, error, running_outbox, session
from tests.gateway.store.workbench import PATIENCE_S, Disk

from spotty_contract.messages import MAX_MESSAGE_BYTES
from spotty_contract.records import ErrorRecord
from spotty_contract.topics import Kind
from spotty_gateway.clock import SystemClock
from spotty_gateway.cloud_way import LITE_UNANSWERED
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.errors import CloudError, CloudGoneError, CloudNotNowError, CloudRefusedError
from spotty_gateway.ports import Refused, Stamp
from spotty_gateway.uplink import LONGEST_WAIT_US, Uplink


def test_a_record_leaves_when_it_is_durable_and_only_once(tmp_path: Path) -> None:
    """With real threads: put, on disk, published, settled; then nobody has anything to do or asks for the time."""
    came, clock = threading.Semaphore(0), HandClock()

    def note(_: Message) -> None:
        came.release()

    cloud = FakeCloud(answer=note)
    with running_outbox(tmp_path) as store:
        uplink = Uplink(GATEWAY, store.outbox, cloud, clock, _no_refusal)
        store.outbox.on_growth = uplink.wake
        uplink.start()
        for number in range(20):
            store.outbox.put(Kind.ERRORS, error(number), BOOT)
            assert came.acquire(timeout=PATIENCE_S)
        assert uplink.stop(PATIENCE_S)
        assert clock.patience == []
    assert cloud.names() == [f"e{number}" for number in range(20)]
    with running_outbox(tmp_path) as store:
        assert store.outbox.view.records == 0


def _no_refusal(refused: Refused) -> None:
    raise AssertionError(refused)


def test_stopping_leaves_what_is_under_way_in_the_outbox(tmp_path: Path) -> None:
    """A message that hangs is waited for no longer than asked, and goes out again in the next run."""
    hangs, goes_on = threading.Event(), threading.Event()

    def hang(_: Message) -> CloudError:
        hangs.set()
        assert goes_on.wait(PATIENCE_S)
        return CloudNotNowError("too late")

    with running_outbox(tmp_path) as store:
        uplink = Uplink(GATEWAY, store.outbox, FakeCloud(answer=hang), SystemClock(assume_trusted=True), _no_refusal)
        store.outbox.on_growth = uplink.wake
        uplink.start()
        store.outbox.put(Kind.ERRORS, error(1), BOOT)
        assert hangs.wait(PATIENCE_S)
        assert not uplink.stop(0.05)
        goes_on.set()
        assert uplink.stop(PATIENCE_S)
    with running_outbox(tmp_path) as store:
        assert store.outbox.view.records == 1


def test_that_the_disk_takes_nothing_arrives(tmp_path: Path) -> None:
    """What tells of it leaves although it cannot be written; it leaves once, and nothing is promised by it."""
    came, disk, clock = threading.Event(), Disk(), HandClock()
    disk.full = True
    cloud = FakeCloud(answer=lambda _: came.set())
    with running_outbox(tmp_path, connect=disk.connect) as store:
        uplink = Uplink(GATEWAY, store.outbox, cloud, clock, _no_refusal, unproven=LITE_UNANSWERED)
        store.outbox.on_growth = uplink.wake
        uplink.start()
        store.outbox.put(Kind.SESSION, session("a"), BOOT)
        store.outbox.put(Kind.ERRORS, error(1), BOOT)
        while not came.is_set():
            assert not store.flush(0.01)
        assert uplink.stop(PATIENCE_S)
        assert cloud.names() == ["e1"]
        assert store.outbox.view.records == 2
        disk.full = False


def test_what_waited_while_it_was_away_arrives_in_few_messages(tmp_path: Path) -> None:
    """A simulated day without a broker and 5,000 records; then each arrives once, in order, hundreds at a time."""
    cloud, clock = FakeCloud(answer=away), HandClock()
    bench = Bench(tmp_path, cloud, clock)
    rooms = ("bath", "hall", "kitchen", "attic")
    for number in range(5_000):
        if number % 5 == 0:
            clock.now += 86_400 * SECOND // 1_000
            bench.drain()
        bench.store.outbox.put(Kind.MOTION, decision(number, rooms[number % 4]), BOOT)
    assert cloud.attempts <= 1_000 + 4
    assert cloud.arrived == []
    cloud.answer = lambda _: None
    clock.now += LONGEST_WAIT_US
    bench.drain()
    for number, room in enumerate(rooms):
        assert cloud.names(room) == [f"e{one}" for one in range(number, 5_000, 4)]
    assert len(cloud.arrived) <= 100
    assert bench.store.flush(PATIENCE_S)
    assert bench.store.outbox.view.records == 0
    bench.close()


def test_away_it_tries_ever_more_rarely_and_never_twice_in_a_second(tmp_path: Path) -> None:
    """In an hour without a broker: one message at a time, waits that grow to a minute and differ from each other."""
    cloud, clock = FakeCloud(answer=away), HandClock()
    bench = Bench(tmp_path, cloud, clock)
    for room in ("a", "b", "c", "d", "e", "f"):
        bench.store.outbox.put(Kind.ERRORS, error(1, room), BOOT)
    at: list[int] = []
    for second in range(3_600):
        clock.now = second * SECOND
        before = cloud.attempts
        bench.drain()
        at += [second] * (cloud.attempts - before)
    assert at[:5] == [0] * 5  # all that may leave at once did, before anybody knew
    waits = [later - earlier for earlier, later in pairwise(at[4:])]
    assert min(waits) >= 1
    assert min(waits[-20:]) >= 30
    assert max(waits) <= 61
    assert len(set(waits[-20:])) > 5
    bench.close()


def test_back_again_it_does_not_wait_out_the_minute(tmp_path: Path) -> None:
    """Told that the nucleus is back, it tries a second later."""
    cloud, clock = FakeCloud(answer=away), HandClock()
    bench = Bench(tmp_path, cloud, clock)
    bench.store.outbox.put(Kind.ERRORS, error(1), BOOT)
    bench.live_s(300)
    cloud.answer = lambda _: None
    bench.uplink.cloud_is_back()
    bench.drain()
    bench.live_s(1)
    assert cloud.names() == ["e1"]
    bench.close()


def test_a_record_that_fits_nowhere_holds_up_nobody(tmp_path: Path) -> None:
    """It is set aside and told; those before and behind it arrive."""
    cloud = FakeCloud()
    bench = Bench(tmp_path, cloud, HandClock())
    noise = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(4_000))
    huge = ErrorRecord.model_construct(
        gateway_id=GATEWAY,
        sensor_id="gateway",
        clock_trusted=True,
        event_id="huge",
        timestamp=NOON_MS,
        fault="player",
        detail=noise,
        schema_version=1,
    )
    for record in (error(1), huge, error(2)):
        bench.store.outbox.put(Kind.ERRORS, record, BOOT)
    bench.drain()
    assert cloud.names() == ["e1", "e2"]
    (refused,) = bench.reports
    assert (refused.topic, refused.number) == (f"sensors/{GATEWAY}/gateway/errors", 1)
    assert f"does not fit into a message of {MAX_MESSAGE_BYTES}" in refused.why
    assert bench.store.outbox.view.aside == 1
    bench.close()


def test_a_name_that_the_disk_has_damaged_holds_up_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No topic can be made of it: its records are set aside, in one line and one report; all others arrive."""
    cloud, clock = FakeCloud(), HandClock()
    bench = Bench(tmp_path, cloud, clock)
    for number in range(150):
        bench.store.outbox.put(Kind.ERRORS, error(number, "bath" if number % 2 else "hall"), BOOT)
    assert bench.store.flush(PATIENCE_S)
    bench.close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as disk:
        disk.execute("UPDATE outbox SET sensor_id = 'b/th' WHERE sensor_id = 'bath'")
        disk.commit()
    bench = Bench(tmp_path, cloud, clock)
    bench.drain()
    assert cloud.names() == [f"e{number}" for number in range(0, 150, 2)]
    (refused,) = bench.reports
    assert (refused.topic, refused.number, refused.cure) == (f"sensors/{GATEWAY}", 75, "check the disk or card")
    assert refused.why.startswith("75 damaged records on the disk: 'b/th' cannot be a sensor's id")
    assert [one.message.startswith(refused.why) for one in caplog.records] == [True]
    assert bench.store.outbox.view.aside == 75
    bench.store.outbox.put(Kind.ERRORS, error(200), BOOT)
    bench.drain()
    assert cloud.names("gateway") == ["e200"]
    bench.close()


def test_one_poisonous_record_is_found_among_many(tmp_path: Path) -> None:
    """Where a message of several is refused they go one by one; the one that is refused alone is set aside."""
    cloud, clock = FakeCloud(), HandClock()
    cloud.answer = lambda message: CloudRefusedError("no") if any(b'"e3"' in one for one in message.lines) else None
    bench = Bench(tmp_path, cloud, clock)
    for number in range(6):
        bench.store.outbox.put(Kind.ERRORS, error(number), BOOT)
    bench.drain()
    bench.live_s(12)
    assert cloud.names() == ["e0", "e1", "e2", "e4", "e5"]
    assert bench.reports == [Refused(f"sensors/{GATEWAY}/gateway/errors", "no", 1)]
    bench.close()


def test_a_topic_that_is_refused_holds_up_no_other(tmp_path: Path) -> None:
    """All of its records are set aside at a few a second at least, and wait for the next start; the others arrive."""
    cloud, clock = FakeCloud(), HandClock()
    cloud.answer = lambda message: CloudRefusedError("not allowed") if "/motion" in message.topic else None
    bench = Bench(tmp_path, cloud, clock)
    for number in range(500):
        bench.store.outbox.put(Kind.MOTION, decision(number), BOOT)
        bench.store.outbox.put(Kind.SESSION, session(f"s{number}"), BOOT)
    bench.live_s(20)
    assert cloud.names() == [f"s{number}/1" for number in range(500)]
    assert bench.store.outbox.view[:1] == (0,)
    assert sum(one.number for one in bench.reports) == bench.store.outbox.view.aside == 500
    assert cloud.attempts < 40
    bench.close()
    cloud.answer = lambda _: None
    bench = Bench(tmp_path, cloud, clock)  # whoever mended the recipe has started us anew
    bench.drain()
    assert [one for one in cloud.names() if one.startswith("e")] == [f"e{number}" for number in range(500)]
    bench.close()


def test_a_topic_that_was_just_refused_has_its_rest(tmp_path: Path) -> None:
    """Whatever else comes meanwhile: one refusal a second."""
    cloud, clock = FakeCloud(), HandClock()
    cloud.answer = lambda message: CloudRefusedError("not allowed") if "/motion" in message.topic else None
    bench = Bench(tmp_path, cloud, clock)
    for number in range(10):
        bench.store.outbox.put(Kind.MOTION, decision(number), BOOT)
        bench.store.outbox.put(Kind.ERRORS, error(number), BOOT)
        bench.drain()
    assert cloud.names() == [f"e{number}" for number in range(10)]
    assert cloud.attempts == 10 + 1
    bench.close()


def test_a_newer_word_than_the_one_under_way_follows_it(tmp_path: Path) -> None:
    """Put while the older one was being sent, it leaves when that is answered, though nothing else comes."""
    cloud = FakeCloud()
    bench = Bench(tmp_path, cloud, HandClock())
    for seq in (1, 2):
        bench.store.outbox.put(Kind.SESSION, session("s", seq), BOOT)
        bench.turn()
    assert len(bench.work) == 1
    bench.drain()
    assert cloud.names() == ["s/1", "s/2"]
    bench.close()


def test_a_failure_after_a_success_counts(tmp_path: Path) -> None:
    """Of three under way one fails, one arrives, one fails: then it is one at a time and a second apart again."""
    cloud = FakeCloud(keeps_acknowledged=True)
    bench = Bench(tmp_path, cloud, HandClock())
    for room in ("a", "b", "c"):
        bench.store.outbox.put(Kind.ERRORS, error(1, room), BOOT)
    bench.turn()
    for number in range(3):
        cloud.answer = (lambda _: None) if number == 1 else away
        bench.answer_one()
        bench.uplink.turn()
    cloud.answer = lambda _: None
    bench.turn()
    assert len(bench.work) == 0
    bench.live_s(3)
    assert sorted(cloud.names()) == ["e1", "e1", "e1"]
    bench.close()


def test_what_was_in_a_lost_nucleus_s_memory_goes_first(tmp_path: Path) -> None:
    """After an IPC loss everything it had acknowledged is sent again, before anything newer."""
    cloud, clock = FakeCloud(keeps_acknowledged=True), HandClock()
    bench = Bench(tmp_path, cloud, clock)
    for number in range(3):
        bench.store.outbox.put(Kind.ERRORS, error(number), BOOT)
    bench.drain()
    cloud.answer = lambda _: CloudGoneError("the nucleus has ended")
    bench.store.outbox.put(Kind.ERRORS, error(3), BOOT)
    bench.live_s(5)
    cloud.answer = lambda _: None
    bench.live_s(60)
    assert cloud.names() == ["e0", "e1", "e2", "e0", "e1", "e2", "e3"]
    bench.close()


def test_a_nucleus_that_came_back_unseen_is_sent_everything_again(tmp_path: Path) -> None:
    """Where no message was under way when it ended, being told that it is back is enough."""
    cloud = FakeCloud(keeps_acknowledged=True)
    bench = Bench(tmp_path, cloud, HandClock())
    bench.store.outbox.put(Kind.ERRORS, error(1), BOOT)
    bench.drain()
    bench.uplink.cloud_is_back()
    bench.drain()
    assert cloud.names() == ["e1", "e1"]
    bench.close()


def test_what_a_link_took_along_goes_out_again_once(tmp_path: Path) -> None:
    """Lite had taken twelve messages, the link breaks: the last ten are sent again, before anything newer.

    At the next break they are not: a link that is too slow for us would see no end of them.
    """
    cloud, clock = FakeCloud(), HandClock()
    bench = Bench(tmp_path, cloud, clock)
    for number in range(12):
        bench.store.outbox.put(Kind.ERRORS, error(number), BOOT)
        bench.drain()
    cloud.answer = away
    bench.store.outbox.put(Kind.ERRORS, error(12), BOOT)
    bench.drain()
    cloud.arrived.clear()
    cloud.answer = lambda _: None
    bench.live_s(5)
    assert cloud.names() == [f"e{number}" for number in range(2, 13)]
    cloud.answer = away
    bench.store.outbox.put(Kind.ERRORS, error(13), BOOT)
    bench.drain()
    cloud.arrived.clear()
    cloud.answer = lambda _: None
    bench.live_s(5)
    assert cloud.names() == ["e12", "e13"]
    bench.close()


def test_a_restart_sends_again_what_a_link_may_have_taken_along(tmp_path: Path) -> None:
    """A component that is started anew cannot know whether lite had delivered: the last ten messages go out again."""
    cloud = FakeCloud()
    bench = Bench(tmp_path, cloud, HandClock())
    for number in range(12):
        bench.store.outbox.put(Kind.ERRORS, error(number), BOOT)
        bench.drain()
    bench.close()
    cloud.arrived.clear()
    bench = Bench(tmp_path, cloud, HandClock())
    bench.drain()
    assert cloud.names() == [f"e{number}" for number in range(2, 12)]
    bench.close()


def test_a_defect_in_the_adapter_loses_nothing(tmp_path: Path) -> None:
    """Whatever it raises, the record stays, and the next attempt may do better."""
    cloud, clock = FakeCloud(), HandClock()

    def break_down(_: Message) -> None:
        raise KeyError("a defect")

    cloud.answer = break_down
    bench = Bench(tmp_path, cloud, clock)
    bench.store.outbox.put(Kind.ERRORS, error(1), BOOT)
    bench.drain()
    cloud.answer = lambda _: None
    bench.live_s(5)
    assert cloud.names() == ["e1"]
    bench.close()


def _errors_fail(message: Message) -> CloudError | None:
    """What a broker's refusal looks like on lite: not to be told from being offline."""
    return CloudNotNowError("UnauthorizedError") if message.topic.endswith("/errors") else None


def test_a_topic_that_never_gets_through_stops_no_other(tmp_path: Path) -> None:
    """Not of its own sensor either: all others arrive, it is told once and tried ever more rarely, to once an hour."""
    cloud = FakeCloud(answer=_errors_fail)
    bench = Bench(tmp_path, cloud, HandClock())
    for number in range(150):
        bench.store.outbox.put(Kind.ERRORS, error(number), BOOT)
        bench.store.outbox.put(Kind.MOTION, decision(1_000 + number, "gateway" if number % 2 else "hall"), BOOT)
        bench.live_s(1)
    bench.live_s(60)
    for room in ("gateway", "hall"):
        expected = [f"e{1_000 + number}" for number in range(150) if (number % 2 == 1) is (room == "gateway")]
        assert list(dict.fromkeys(cloud.names(room))) == expected
    before = cloud.attempts
    for minute in range(3 * 60):
        bench.store.outbox.put(Kind.MOTION, decision(2_000 + minute, "hall"), BOOT)
        bench.drain()
        bench.live_s(2)
        assert f"e{2_000 + minute}" in cloud.names("hall")[-20:]
        bench.clock.now += 58 * SECOND
    assert cloud.attempts - before < 3 * 60 + 60
    assert [(one.topic, "does not get through" in one.why) for one in bench.reports] == [
        (f"sensors/{GATEWAY}/gateway/errors", True)
    ]
    cloud.answer = lambda _: None
    bench.live_s(3_700)
    assert cloud.names_of("gateway", Kind.ERRORS) == [f"e{number}" for number in range(150)]
    bench.close()


def test_two_topics_that_never_get_through_stop_no_third(tmp_path: Path) -> None:
    """One behind the other in the same sensor, and both before the third."""
    cloud = FakeCloud()
    cloud.answer = lambda message: None if message.topic.endswith("/motion") else CloudNotNowError("no")
    bench = Bench(tmp_path, cloud, HandClock())
    for number in range(100):
        bench.store.outbox.put(Kind.ERRORS, error(number), BOOT)
        bench.store.outbox.put(Kind.SESSION, session(f"s{number}", sensor_id="gateway"), BOOT)
        bench.store.outbox.put(Kind.MOTION, decision(1_000 + number, "gateway"), BOOT)
        bench.live_s(60)
    assert list(dict.fromkeys(cloud.names())) == [f"e{1_000 + number}" for number in range(100)]
    bench.close()


def test_a_topic_that_is_known_to_fail_delays_nobody(tmp_path: Path) -> None:
    """However often it has failed with nothing else to send: what comes a moment later leaves within a second."""
    cloud = FakeCloud(answer=_errors_fail)
    bench = Bench(tmp_path, cloud, HandClock())
    bench.store.outbox.put(Kind.ERRORS, error(1), BOOT)
    for number in range(4):
        bench.store.outbox.put(Kind.MOTION, decision(100 + number, "hall"), BOOT)
        bench.live_s(20)
    bench.live_s(300)
    before = cloud.attempts
    while cloud.attempts == before:
        bench.live_s(1)
    bench.store.outbox.put(Kind.MOTION, decision(200, "hall"), BOOT)
    bench.live_s(1)
    assert cloud.names("hall")[-1] == "e200"
    bench.close()


def test_an_outage_is_no_topic_s_fault(tmp_path: Path) -> None:
    """A link that comes and goes: nothing is told of any topic, and within seconds after its return nothing waits."""
    cloud = FakeCloud()
    bench = Bench(tmp_path, cloud, HandClock())
    for number in range(20):
        cloud.answer = away
        for room in ("a", "b", "c"):
            bench.store.outbox.put(Kind.ERRORS, error(number, room), BOOT)
            bench.store.outbox.put(Kind.MOTION, decision(100 + number, room), BOOT)
        bench.live_s(30)
        cloud.answer = lambda _: None
        bench.live_s(65)
        for room in ("a", "b", "c"):
            assert {f"e{number}", f"e{100 + number}"} <= set(cloud.names(room))
    assert bench.reports == []
    bench.close()


def test_a_nucleus_that_is_back_is_worth_a_try_of_every_topic(tmp_path: Path) -> None:
    """Whoever mended the rights has started it anew: what rested for an hour goes out in seconds."""
    cloud = FakeCloud(answer=_errors_fail)
    bench = Bench(tmp_path, cloud, HandClock())
    bench.store.outbox.put(Kind.ERRORS, error(1), BOOT)
    for number in range(120):
        bench.store.outbox.put(Kind.MOTION, decision(100 + number, "hall"), BOOT)
        bench.live_s(60)
    cloud.answer = lambda _: None
    bench.uplink.cloud_is_back()
    bench.drain()
    bench.live_s(2)
    assert cloud.names_of("gateway", Kind.ERRORS) == ["e1"]
    bench.close()


def test_a_record_that_the_adapter_stumbles_over_stops_no_other(tmp_path: Path) -> None:
    """Its topic waits with it, and nobody else."""
    cloud = FakeCloud()

    def stumble(message: Message) -> None:
        if message.topic.endswith("/errors"):
            raise KeyError("a defect")

    cloud.answer = stumble
    bench = Bench(tmp_path, cloud, HandClock())
    bench.store.outbox.put(Kind.ERRORS, error(1), BOOT)
    bench.store.outbox.put(Kind.MOTION, decision(2, "gateway"), BOOT)
    bench.live_s(5)
    assert set(cloud.names()) == {"e2"}
    bench.close()


class Journey(RuleBasedStateMachine):
    """Records, a cloud that takes, fails and vanishes, a nucleus that forgets, restarts and boots, in any order."""

    @initialize(classic=st.booleans(), trusted=st.booleans())
    def begin(self, classic: bool, trusted: bool) -> None:
        """One gateway, on either nucleus."""
        self.folder = Path(tempfile.mkdtemp())
        self.clock = HandClock()
        self.cloud = FakeCloud(keeps_acknowledged=classic)
        self.boot = 0
        self.is_trusted = trusted
        self.put: dict[tuple[str, Kind], list[str]] = {}
        self.sessions: dict[str, int] = {}
        self.number = 0
        self.is_broken = False
        self.lost_once: set[bytes] = set()
        self.linked_at = 0
        self.bench = self._run()

    def _run(self) -> Bench:
        return Bench(self.folder, self.cloud, self.clock, f"boot-{self.boot}")

    def _stamp(self) -> Stamp:
        return Stamp(f"boot-{self.boot}", BOOT.offset_us)

    @rule(sensor_id=st.sampled_from(("a", "b", "c", "d", "e", "f")), kind=st.sampled_from((Kind.MOTION, Kind.ERRORS)))
    def something_happens(self, sensor_id: str, kind: Kind) -> None:
        """An event's record."""
        self.number += 1
        if kind is Kind.MOTION:
            self.bench.store.outbox.put(kind, decision(self.number, sensor_id), self._stamp())
        else:
            record = error(self.number, sensor_id, trusted=self.is_trusted)
            self.bench.store.outbox.put(kind, record, self._stamp())
        self.put.setdefault((sensor_id, kind), []).append(f"e{self.number}")

    @rule(name=st.sampled_from(("s1", "s2")))
    def a_session_changes(self, name: str) -> None:
        """A newer word on a session."""
        self.number += 1
        record = session(name, self.number, "a", trusted=self.is_trusted)
        self.bench.store.outbox.put(Kind.SESSION, record, self._stamp())
        self.sessions[name] = self.number

    @rule()
    def what_can_leave_leaves(self) -> None:
        """No answer comes yet."""
        self.bench.turn()

    @precondition(lambda self: self.bench.work)
    @rule(
        which=st.integers(0, 4),
        error=st.sampled_from((None, None, None, CloudNotNowError("offline"), CloudGoneError("gone"))),
    )
    def one_is_answered(self, which: int, error: CloudError | None) -> None:
        """Well or badly, in any order; the first after a break badly."""
        if self.is_broken:
            error, self.is_broken = CloudNotNowError("the link is gone"), False
        self.cloud.answer = lambda _: error
        self.bench.answer_one(which % len(self.bench.work))
        self.cloud.answer = lambda _: None

    @precondition(lambda self: not self.cloud.keeps_acknowledged)
    @rule(number=st.integers(1, LITE_UNANSWERED))
    def the_link_breaks(self, number: int) -> None:
        """What lite has taken and the broker has not dies with it; but nothing twice, or nobody could do anything."""
        number = min(number, len(self.cloud.arrived) - self.linked_at)
        last = self.cloud.arrived[len(self.cloud.arrived) - number :]
        lost = [one for one in last if not self.lost_once.intersection(one.lines)]
        self.cloud.arrived = [one for one in self.cloud.arrived if not any(one is other for other in lost)]
        self.lost_once.update(line for one in lost for line in one.lines)
        self.linked_at = len(self.cloud.arrived)
        self.is_broken = True

    @rule(seconds=st.sampled_from((1, 2, 60)))
    def time_passes(self, seconds: int) -> None:
        """Waits are over."""
        self.clock.now += seconds * SECOND

    @precondition(lambda self: not self.is_trusted)
    @rule()
    def the_clock_is_set(self) -> None:
        """What was held back may go."""
        self.is_trusted = True
        self.bench.store.outbox.trust(self._stamp())

    @rule(boots=st.booleans())
    def it_starts_anew(self, boots: bool) -> None:
        """The component alone, or the computer; what a classic nucleus had in memory is lost with it."""
        self.bench.close()
        if boots:
            self.boot += 1
            self.is_trusted = False
        if self.cloud.keeps_acknowledged and self.cloud.arrived:
            lost = len(self.cloud.arrived) // 2
            del self.cloud.arrived[lost:]
            self.linked_at = 0
        self.cloud.is_failing = self.is_broken = False
        self.bench = self._run()

    def teardown(self) -> None:
        """In the end everything works: each record has arrived, in order of its sensor and kind, and none waits."""
        try:
            self.it_starts_anew(boots=True)
            while self.bench.work:
                self.bench.answer_one()
            self.bench.drain()
            self.bench.live_s(3)
            for (sensor_id, kind), expected in self.put.items():
                first = list(dict.fromkeys(self.cloud.names_of(sensor_id, kind)))
                assert first == expected
            for name, seq in self.sessions.items():
                told = [one for one in self.cloud.names_of("a", Kind.SESSION) if one.startswith(f"{name}/")]
                assert max(int(one.rpartition("/")[2]) for one in told) == seq
            assert self.bench.store.outbox.view.records == 0
        finally:
            self.bench.close()
            shutil.rmtree(self.folder)


Journey.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestJourney = Journey.TestCase
