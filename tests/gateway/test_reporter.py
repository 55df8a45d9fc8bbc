from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone
from itertools import pairwise
from typing import TypeVar

from tests.gateway.hand_clock import WALL, HandClock
from tests.gateway.store.mail import GATEWAY

from spotty_contract.messages import read_record
from spotty_contract.records import Decision, ErrorRecord, Record, Registration, SessionRecord, Versions
from spotty_contract.status import Consent, DeviceStatus, Guard, RoomStatus
from spotty_contract.topics import Kind, SensorTopic
from spotty_gateway.chronicle import Chronicle
from spotty_gateway.engine.commands import (
    Effect,
    FaultCleared,
    FaultRaised,
    Judged,
    MusicDecided,
    SessionFacts,
)
from spotty_gateway.engine.events import Event, PlayerReady, Report, RoomConfigured, Stopping, Tick
from spotty_gateway.engine.reasons import EndedBy, Fault, Reason
from spotty_gateway.engine.rules import SECOND, Device, InputKind, Rules
from spotty_gateway.engine.state import House, new_house
from spotty_gateway.engine.step import step
from spotty_gateway.loop import Loop
from spotty_gateway.ports import DecisionRow, EdgeRow, OutboxView, Refused, Stamp
from spotty_gateway.reporter import STATUS_EVERY_US, Health, Reporter

HOUR = 3_600 * SECOND
RecordT = TypeVar("RecordT", bound=Record)


@dataclass
class Shelf:
    """Records as they were put, each as the cloud would read it."""

    view: OutboxView = field(default_factory=OutboxView)
    put_records: list[tuple[int, Kind, Record, Stamp]] = field(default_factory=list)
    trusted: list[Stamp] = field(default_factory=list)
    now: Callable[[], int] = lambda: 0

    def put(self, kind: Kind, record: Record, stamp: Stamp) -> None:
        """The outbox's."""
        again = read_record(SensorTopic(GATEWAY, record.sensor_id, kind), record.to_json().encode())
        assert again == record
        self.put_records.append((self.now(), kind, record, stamp))

    def trust(self, stamp: Stamp) -> None:
        """The outbox's."""
        self.trusted.append(stamp)


class Home:
    """One room, its chronicle and its reporter; a step is made whenever either of them is due."""

    def __init__(self, *, trusted: bool = True, decisions: bool = False, last_seq: int = 0) -> None:
        self.house = new_house("a1b2c3", 0, WALL, trusted)
        self.shelf = Shelf(now=lambda: self.house.mono)
        self.chronicle = Chronicle(self, "boot", {}, lambda _: None, lambda _: None, lambda _: None)
        self.health = Health(Consent(state="given"), Guard(calls_today=3), policy_version=2)
        self.reporter = Reporter(
            GATEWAY,
            "boot",
            self.shelf,
            self.chronicle.rooms,
            Versions(component="1", python="3", system="x"),
            lambda: self.health,
            last_seq,
            tells_decisions=decisions,
        )
        rules = Rules(warm_up_us=0, zone=timezone(timedelta(hours=1)))
        self.do(RoomConfigured(0, WALL, trusted, "bath", rules, (("pir", InputKind.PIR),)))

    def save(self, house: House, boot_id: str) -> None:
        """The store's."""

    def note_edge(self, edge: EdgeRow) -> None:
        """The store's."""

    def note_decision(self, decision: DecisionRow) -> None:
        """The store's."""

    def hear(self, event: Event, effects: list[Effect]) -> None:
        """What the loop does after a step."""
        self.chronicle(self.house, event, effects)
        self.reporter(self.house, event, effects)

    def do(self, event: Event) -> None:
        """One step."""
        self.house, effects = step(self.house, event)
        self.hear(event, effects)

    def tell(self, *effects: Effect) -> None:
        """As if a step had decided these now."""
        self.hear(self._tick(self.house.mono), list(effects))

    def live_until(self, at: int, trusted: bool | None = None) -> None:
        """Time passes; whoever wants to be woken is."""
        while (due := self.reporter.due_at()) is not None and due <= at:
            assert due > self.house.mono
            self.do(self._tick(due))
        self.do(self._tick(at, trusted))

    def move(self, at: int) -> None:
        """Somebody moves, once."""
        self.live_until(at - 1)
        self.do(Report(at, at + WALL, self.house.trusted, "bath", "pir", True))
        self.do(Report(at, at + WALL, self.house.trusted, "bath", "pir", False))

    def _tick(self, at: int, trusted: bool | None = None) -> Tick:
        return Tick(at, at + self.house.offset, self.house.trusted if trusted is None else trusted)

    def told(self, shape: type[RecordT]) -> list[RecordT]:
        """The records of this shape, in order."""
        return [record for _, _, record, _ in self.shelf.put_records if isinstance(record, shape)]

    def when(self, shape: type[Record]) -> list[int]:
        """The seconds at which they were put."""
        return [at // SECOND for at, _, record, _ in self.shelf.put_records if isinstance(record, shape)]


def facts(session_id: str = "bath-a1b2c3-1", ended_by: EndedBy | None = None, motions: int = 1) -> SessionFacts:
    """A session as the engine tells it."""
    return SessionFacts(
        sensor_id="bath",
        session_id=session_id,
        start_at=WALL,
        end_at=None if ended_by is None else WALL + 60 * SECOND,
        duration_us=60 * SECOND,
        last_motion_at=WALL,
        motions=motions,
        ended_by=ended_by,
        playback_started=True,
        silent_reason=None,
        time_to_music_us=740_000,
        device=Device("Bathroom", "Speaker", "id"),
        context_uri="spotify:album:1",
        clock_trusted=True,
        policy_version=3,
    )


def test_a_session_is_told_with_everything_the_engine_knows() -> None:
    """Every fact arrives in its field, in the units of the wire."""
    home = Home()
    home.tell(facts(ended_by=EndedBy.TIMEOUT, motions=4))
    (record,) = home.told(SessionRecord)
    assert record.to_json() == (
        f'{{"schemaVersion":1,"gatewayId":"{GATEWAY}","sensorId":"bath","clockTrusted":true,'
        f'"sessionId":"bath-a1b2c3-1","seq":{record.seq},"endedBy":"timeout","startTime":{WALL // 1000},'
        f'"endTime":{WALL // 1000 + 60_000},"lastMotionTime":{WALL // 1000},"durationS":60,"motionEventsCount":4,'
        '"playbackStarted":true,"timeToMusicMs":740,"device":{"name":"Bathroom","type":"Speaker","id":"id"},'
        '"contextUri":"spotify:album:1","policyVersion":3,"status":"timeout"}'
    )


def test_a_session_is_told_when_it_opens_changes_and_closes() -> None:
    """At once, then at most every five minutes with the newest, then at once; `seq` only rises."""
    home = Home()
    for at in range(10, 700, 10):
        home.live_until(at * SECOND)
        home.tell(facts(motions=at))
    home.tell(facts(ended_by=EndedBy.TIMEOUT, motions=999))
    records = home.told(SessionRecord)
    assert home.when(SessionRecord) == [10, 310, 610, 690]
    assert [one.motion_events_count for one in records] == [10, 300, 600, 999]
    assert all(later.seq > earlier.seq for earlier, later in pairwise(records))
    home.live_until(HOUR)
    assert len(home.told(SessionRecord)) == 4


def test_that_music_plays_is_told_at_once() -> None:
    """Once a session, and with all that had waited; what changes after it waits from then on."""
    home = Home()
    home.tell(replace(facts(), playback_started=False))
    for second, started in ((2, False), (4, True), (5, True)):
        home.live_until(second * SECOND)
        home.tell(replace(facts(motions=second), playback_started=started))
    home.live_until(400 * SECOND)
    assert home.when(SessionRecord) == [0, 4, 304]
    assert [one.motion_events_count for one in home.told(SessionRecord)] == [1, 4, 5]


def test_what_changed_last_is_told_though_nothing_follows() -> None:
    """A change that had to wait for its minutes is told when they are over, or before we stop."""
    for stops, second in ((False, 300), (True, 7)):
        home = Home()
        home.tell(facts())
        home.live_until(5 * SECOND)
        home.tell(facts(motions=2))
        if stops:
            home.do(Stopping(7 * SECOND, WALL + 7 * SECOND, True, pause=False))
        home.live_until(400 * SECOND)
        assert home.when(SessionRecord) == [0, second]


def test_a_correction_is_told_with_a_higher_seq() -> None:
    """What is known only later about a session that is over replaces what was told."""
    home = Home()
    home.tell(facts(), facts(ended_by=EndedBy.TIMEOUT), facts(ended_by=EndedBy.MANUAL_STOP))
    assert [one.status for one in home.told(SessionRecord)] == ["active", "timeout", "manual_stop"]
    assert len({one.seq for one in home.told(SessionRecord)}) == 3


def test_a_real_visit() -> None:
    """Through the engine: somebody comes and goes, and the room's status says each."""
    home = Home()
    home.move(10 * SECOND)
    home.live_until(400 * SECOND)
    opened, closed = home.told(SessionRecord)[0], home.told(SessionRecord)[-1]
    assert (opened.ended_by, closed.ended_by, closed.duration_s) == (None, "timeout", 300)
    states = [one.state for one in home.told(RoomStatus)]
    assert [states[0], "silent" in states, states[-1]] == ["vacant", True, "vacant"]


def test_an_idle_house_says_so_every_five_minutes_and_a_room_every_hour() -> None:
    """One status of the gateway, now and then one a room, and no wake-up between."""
    home = Home()
    home.live_until(3 * HOUR)
    assert home.when(DeviceStatus) == [*range(0, 3 * 3_600 + 1, 300)]
    assert home.when(RoomStatus) == [0, 3_600, 7_200, 10_800]
    seqs = [one.seq for one in (*home.told(RoomStatus), *home.told(DeviceStatus))]
    assert len(set(seqs)) == len(seqs)


def test_what_changes_without_haste_is_told_with_the_next_beat() -> None:
    """Suppressed motions, the last decision, a new deadline; once, and what stays as it is waits for its hour."""
    home = Home()
    home.live_until(400 * SECOND)
    home.tell(Judged("bath", home.house.mono + WALL, Reason.QUIET_HOURS, recorded=False, session_id=None))
    home.live_until(1_000 * SECOND)
    home.tell(MusicDecided("bath", "", WALL, "silent", "account_busy"))
    home.live_until(4_800 * SECOND)
    assert home.when(RoomStatus) == [0, 600, 1_200, 4_800]
    _, counted, decided, same = home.told(RoomStatus)
    assert (counted.suppressed_today, decided.suppressed_today) == ({"quiet_hours": 1},) * 2
    assert decided.last_decision != counted.last_decision
    assert same.model_copy(update={"seq": decided.seq, "timestamp": decided.timestamp}) == decided
    home.move(5_000 * SECOND)
    home.do(Report(5_100 * SECOND, 5_100 * SECOND + WALL, True, "bath", "pir", True))
    home.do(Report(5_101 * SECOND, 5_101 * SECOND + WALL, True, "bath", "pir", False))
    home.live_until(5_200 * SECOND)
    moved, beat = home.told(RoomStatus)[-2:]
    assert (home.when(RoomStatus)[-2:], moved.session_id) == ([5_000, 5_100], beat.session_id)
    assert moved.next is not None
    assert beat.next is not None
    assert beat.next.at > moved.next.at


def test_another_day_is_told_with_the_next_beat() -> None:
    """A dashboard that shows today's counts is not left with yesterday's for an hour."""
    home = Home()
    midnight = (86_400 - (WALL // SECOND + 3_600) % 86_400) * SECOND
    home.live_until(midnight + STATUS_EVERY_US)
    days = [one.day for one in home.told(RoomStatus)]
    assert (days.count(days[-1]), days[-1] > days[0]) == (1, True)


def test_after_a_gap_everything_is_told_once_more() -> None:
    """With the next beat, and only once: the way to the cloud may come and go many times an hour."""
    home = Home()
    home.live_until(700 * SECOND)
    home.reporter.tell_anew()
    home.reporter.tell_anew()
    home.live_until(3_000 * SECOND)
    assert home.when(RoomStatus) == [0, 900]
    assert 900 in home.when(DeviceStatus)


def test_changes_are_told_at_most_every_five_seconds() -> None:
    """The first at once, the last of a flurry when five seconds are over; that somebody moves is no change."""
    home = Home()
    home.live_until(100 * SECOND)
    for tenth in range(1000, 1100, 4):
        home.live_until(tenth * SECOND // 10)
        home.tell(FaultRaised("bath", "pir", Fault.INPUT_STUCK, f"the {tenth}th", WALL))
    home.live_until(130 * SECOND)
    assert home.when(RoomStatus) == [0, 100, 105, 110]
    assert home.told(RoomStatus)[-1].faults[0].detail == "the 1096th"
    assert "jumpers" in home.told(RoomStatus)[-1].faults[0].cure


def test_yesterday_s_counts_have_a_last_word() -> None:
    """At midnight of the room's own zone the day before gets its final counts, whatever comes after."""
    home = Home()
    midnight = (86_400 - (WALL // SECOND + 3_600) % 86_400) * SECOND
    home.live_until(midnight - 10 * SECOND)
    for seconds in (9, 5, 1):
        home.live_until(midnight - seconds * SECOND)
        home.tell(Judged("bath", home.house.mono + WALL, Reason.QUIET_HOURS, recorded=False, session_id=None))
    home.live_until(midnight + 2 * SECOND)
    home.tell(Judged("bath", home.house.mono + WALL, Reason.QUIET_HOURS, recorded=False, session_id=None))
    home.live_until(midnight + STATUS_EVERY_US)
    last = {one.day: one.suppressed_today for one in home.told(RoomStatus)}
    assert list(last.values()) == [{"quiet_hours": 3}, {"quiet_hours": 1}]
    days = [one.day for one in home.told(RoomStatus)]
    assert days == sorted(days)


def test_raw_motion_stays_in_the_house_unless_it_is_wanted() -> None:
    """At the level `sessions` no decision leaves; at `decisions` each recorded one does, with an id of its own."""
    effects: list[Effect] = [
        Judged("bath", WALL, None, recorded=True, session_id="bath-a1b2c3-1"),
        Judged("bath", WALL, Reason.DEBOUNCED, recorded=True, session_id=None),
        Judged("bath", WALL, Reason.DEBOUNCED, recorded=False, session_id=None),
        MusicDecided("bath", "bath-a1b2c3-1", WALL, "playback_started", "motion"),
        MusicDecided("bath", "bath-a1b2c3-1", WALL, "silent", "no_device"),
        MusicDecided("bath", "", WALL, "silent", "account_busy"),
    ]
    quiet, open_home = Home(), Home(decisions=True)
    quiet.tell(*effects)
    assert quiet.told(Decision) == []
    open_home.tell(*effects)
    kinds = [kind for _, kind, record, _ in open_home.shelf.put_records if isinstance(record, Decision)]
    assert [(kind, one.action_taken) for kind, one in zip(kinds, open_home.told(Decision), strict=True)] == [
        (Kind.MOTION, "motion_accepted"),
        (Kind.MOTION, "ignored_debounced"),
        (Kind.PLAYBACK, "playback_started"),
        (Kind.PLAYBACK, "error"),
        (Kind.PLAYBACK, "silent"),
    ]
    assert len({one.event_id for one in open_home.told(Decision)}) == 5
    open_home.reporter.tells_decisions = False
    open_home.tell(*effects)
    assert len(open_home.told(Decision)) == 5


def test_a_fault_is_told_when_it_comes_and_when_it_goes() -> None:
    """With what a person can do, the first time."""
    home = Home()
    stuck = Fault.INPUT_STUCK
    home.tell(FaultRaised("bath", "pir", stuck, "stuck", WALL), FaultCleared("bath", "pir", stuck, WALL))
    assert [(one.fault, one.cleared, bool(one.cure)) for one in home.told(ErrorRecord)] == [
        ("input_stuck", False, True),
        ("input_stuck", True, False),
    ]


def test_it_introduces_itself_once() -> None:
    """At the first step, with its sensors."""
    home = Home()
    home.live_until(HOUR)
    (record,) = home.told(Registration)
    assert record.sensors == ("bath",)


def test_a_clock_that_is_set_is_told_once() -> None:
    """The outbox learns what to correct by, and the cloud that all is well now."""
    home = Home(trusted=False)
    home.live_until(10 * SECOND)
    assert (home.shelf.trusted, home.told(DeviceStatus)[-1].clock_trusted) == ([], False)
    home.live_until(20 * SECOND, trusted=True)
    home.live_until(30 * SECOND)
    assert home.shelf.trusted == [Stamp("boot", WALL)]
    assert home.told(DeviceStatus)[-1].clock_trusted
    assert home.when(DeviceStatus) == [0, 20]


def test_a_session_from_before_a_boot_is_not_corrected_by_this_one_s_clock() -> None:
    """One that another run began and that ends while nobody knows the time stays in doubt."""
    home = Home()
    home.tell(facts("bath-ffffff-1", ended_by=EndedBy.TIMEOUT), facts("bath-a1b2c3-2", ended_by=EndedBy.TIMEOUT))
    stamps = [stamp for _, kind, _, stamp in home.shelf.put_records if kind is Kind.SESSION]
    assert stamps == [Stamp("", 0), Stamp("boot", WALL)]


def test_seq_goes_on_above_all_before_it() -> None:
    """Above the last run's, and above it too where the disk was lost and only the clock knows; never by a wrong one."""
    home = Home(trusted=False, last_seq=10**15)
    home.tell(facts())
    assert home.told(SessionRecord)[0].seq > 10**15
    lost, doubtful = Home(), Home(trusted=False)
    lost.tell(facts())
    assert lost.told(SessionRecord)[0].seq >= WALL // 1000
    doubtful.tell(facts())
    assert doubtful.told(SessionRecord)[0].seq < 10


def test_the_account_s_news_are_told_at_once() -> None:
    """The guard has opened, consent was given: the gateway's status says it without waiting for its minutes."""
    home = Home()
    home.live_until(20 * SECOND)
    home.health = Health(Consent(state="missing"), Guard(calls_today=4), policy_version=2)
    home.do(PlayerReady(20 * SECOND, WALL + 20 * SECOND, True))
    assert (home.told(DeviceStatus)[-1].consent.state, home.when(DeviceStatus)) == ("missing", [0, 20])


def test_drops_are_told_when_they_are_over_or_an_hour_old() -> None:
    """One record for many; what was dropped before this run is not told again."""
    home = Home()
    for minute in range(5, 180, 5):
        dropped = home.shelf.view.dropped + (7 if minute <= 100 else 0)
        home.shelf.view = OutboxView(dropped=dropped)
        home.live_until(minute * 60 * SECOND)
    assert [(one.fault, one.count) for one in home.told(ErrorRecord)] == [
        ("records_dropped", 7 * 12),
        ("records_dropped", 7 * 8),
    ]
    assert [at // 60 for at in home.when(ErrorRecord)] == [60, 105]


def test_what_was_refused_is_told_once_an_hour_and_never_in_a_circle() -> None:
    """Counted by topic, with what a person can do; that an error record was refused makes no error record."""
    home = Home()
    topic = str(SensorTopic(GATEWAY, "bath", Kind.MOTION))
    for _ in range(3):
        home.reporter.note_refused(home.house, Refused(topic, "not allowed", 10, "allow it"))
    home.reporter.note_refused(home.house, Refused(str(SensorTopic(GATEWAY, "bath", Kind.ERRORS)), "no", 1))
    home.live_until(2 * HOUR)
    assert [(one.fault, one.count, one.subject, one.cure) for one in home.told(ErrorRecord)] == [
        ("records_refused", 10, topic, "allow it"),
        ("records_refused", 20, topic, "allow it"),
    ]
    assert home.when(ErrorRecord) == [0, 3_600]


def test_the_loop_wakes_for_it() -> None:
    """The loop's thread sleeps until the reporter is due and no longer, and then makes a step."""
    home, clock = Home(), HandClock()
    steps: list[int] = []

    def listen(house: House, event: Event, effects: Iterable[Effect]) -> None:
        steps.append(event.mono)
        home.reporter(house, event, effects)

    loop = Loop(home.house, clock, listen, lambda: None, listener_due_at=home.reporter.due_at)
    loop.start()
    assert loop.ask(lambda _: None, 10)
    assert loop.ask(lambda _: None, 10)
    assert clock.patience[-1] == STATUS_EVERY_US
    clock.now = STATUS_EVERY_US
    assert loop.ask(lambda _: None, 10)
    assert loop.close(10)
    assert steps == [STATUS_EVERY_US]
