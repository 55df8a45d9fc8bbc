"""What the cloud is told, and when: sessions, faults, how the rooms are doing, and decisions where that is wanted.

Lives on the loop's thread, after the chronicle; nothing here blocks. It has no timer: `due_at` tells the loop when it
wants to be called again, and a gateway in which nothing happens is woken for it every five minutes. Then it says how it
is doing itself; of the rooms it speaks once an hour, and sooner only where there is something new.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from spotty_contract.records import Record, Registration, Versions
from spotty_contract.status import Consent, DeviceStatus, Guard, Outbox, RoomStatus, StandingFault
from spotty_contract.topics import Kind
from spotty_gateway.chronicle import RoomStory, local_day
from spotty_gateway.engine.commands import Effect, FaultCleared, FaultRaised, Judged, MusicDecided, SessionFacts
from spotty_gateway.engine.events import AccountForgotten, CallsShort, Event, PlayerReady, Stopping
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.engine.state import House, Room
from spotty_gateway.ports import Records, Refused, Stamp
from spotty_gateway.records_of import Origin, decision, fault_record, gateway_error, now_ms, room_status, session_record
from spotty_gateway.status import state_of

STATUS_EVERY_US = 300 * SECOND
"""The gateway's own; and so soon a room's, where it would say anything new."""
SAME_STATUS_EVERY_US = 3_600 * SECOND
"""Of a room in which nothing changes."""
STATUS_AT_MOST_EVERY_US = 5 * SECOND
SESSION_AT_MOST_EVERY_US = 300 * SECOND
"""While it runs; that its music plays is told at once."""
ERRORS_AT_MOST_EVERY_US = 3_600 * SECOND
"""Of what may go wrong again and again: records dropped, records refused."""

TOUCHES_ACCOUNT = (PlayerReady, CallsShort, AccountForgotten)


@dataclass(frozen=True, slots=True)
class Health:
    """How the gateway is doing as far as only the composition root knows."""

    consent: Consent
    guard: Guard
    policy_version: int
    """Of the list of sensors."""
    faults: tuple[StandingFault, ...] = ()


@dataclass(slots=True)
class _Session:
    """A running session: when its record was last put, whether that told of music, and what has come since."""

    put_at: int
    has_played: bool
    news: tuple[SessionFacts, Stamp] | None = None


@dataclass(slots=True)
class _Told:
    """What was last told of a room, or of the gateway; `day` and `counts` are what was last seen."""

    at: int = -STATUS_AT_MOST_EVERY_US
    said: RoomStatus | None = None
    """The last status of the room; None if the next beat is to tell it whatever it says."""
    face: object = None
    """What is worth a status of its own when it changes."""
    room: Room | None = None
    is_due: bool = True
    day: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    has_counts: bool = False
    """Whether there are counts that no status has told."""


@dataclass(slots=True)
class _Repeated:
    """Something that goes wrong again and again."""

    subject: str
    detail: str = ""
    cure: str = ""
    count: int = 0
    put_at: int | None = None


class Reporter:
    """A Listener of the loop. `tells_decisions` may be changed at any time, on the loop's thread."""

    def __init__(
        self,
        gateway_id: str,
        boot_id: str,
        records: Records,
        stories: Mapping[str, RoomStory],
        versions: Versions,
        health: Callable[[], Health],
        last_seq: int,
        *,
        tells_decisions: bool = False,
    ) -> None:
        """`last_seq` is the highest `seq` that any record ever had; `health` is asked on the loop's thread: no disk."""
        self.tells_decisions = tells_decisions
        self._gateway_id = gateway_id
        self._boot_id = boot_id
        self._records = records
        self._stories = stories
        self._versions = versions
        self._health = health
        self._seq = last_seq
        self._events = 0
        self._began_at: int | None = None
        self._is_trusted = False
        self._beat_at = 0
        self._due_at: int | None = None
        self._sessions: dict[str, _Session] = {}
        self._rooms: dict[str, _Told] = {}
        self._device = _Told()
        self._dropped = records.view.dropped
        self._drops = _Repeated("outbox", "the outbox was full", "see why nothing reaches the cloud: the network?")
        self._refused: dict[str, _Repeated] = {}

    def due_at(self) -> int | None:
        """The monotonic instant at which this wants to be called again, whether or not anything has happened."""
        return self._due_at

    def __call__(self, house: House, event: Event, effects: Iterable[Effect]) -> None:
        """One step has been made."""
        self._due_at = house.mono + STATUS_EVERY_US  # whatever may fail below, the loop does not turn on the spot
        if self._began_at is None:
            self._begin(house)
        if house.trusted and not self._is_trusted:
            self._is_trusted = self._device.is_due = True
            self._records.trust(self._stamp(house))
        self._device.is_due |= isinstance(event, TOUCHES_ACCOUNT)
        for effect in effects:
            self._tell(house, effect)
        is_last = isinstance(event, Stopping)
        is_beat = is_last or house.mono >= self._beat_at
        if is_beat:
            self._beat_at = house.mono + STATUS_EVERY_US
        self._tell_sessions(house, all_of_them=is_last)
        self._tell_rooms(house, is_beat=is_beat)
        self._tell_device(house, anyway=is_beat)
        self._tell_repeated(house, is_beat=is_beat)
        self._due_at = self._next_due_at()

    def note_refused(self, house: House, refused: Refused) -> None:
        """The uplink has set records aside. Of one topic that is told at once, then once an hour."""
        if refused.topic.endswith(f"/{Kind.ERRORS}"):
            return  # it would be refused as well
        story = self._refused.setdefault(refused.topic, _Repeated(refused.topic))
        story.detail, story.cure, story.count = refused.why, refused.cure, story.count + refused.number
        self._tell_repeated(house, is_beat=False)

    def tell_anew(self) -> None:
        """What was told may have been lost on its way: every room once more, with the next beat. On the loop's thread.

        Not at once: a way that comes and goes all day must not cost more than one that is open.
        """
        for told in self._rooms.values():
            told.said = None

    def _begin(self, house: House) -> None:
        self._began_at = house.mono
        sensors = tuple(sensor_id for sensor_id, room in house.rooms.items() if not room.removed)
        registration = Registration(
            gateway_id=self._gateway_id,
            sensor_id="gateway",
            clock_trusted=house.trusted,
            timestamp=now_ms(house),
            versions=self._versions,
            sensors=sensors,
        )
        self._put(house, Kind.REGISTER, registration)

    def _tell(self, house: House, effect: Effect) -> None:
        match effect:
            case SessionFacts():
                self._note_session(house, effect)
            case Judged():
                self._note_count(house, effect)
                if self.tells_decisions and effect.recorded:
                    found = decision(self._origin(house), effect, self._next_event(), trusted=house.trusted)
                    self._put(house, Kind.MOTION, found)
            case MusicDecided():
                if self.tells_decisions:
                    found = decision(self._origin(house), effect, self._next_event(), trusted=house.trusted)
                    self._put(house, Kind.PLAYBACK, found)
            case FaultRaised() | FaultCleared():
                fault = fault_record(self._origin(house), effect, self._next_event(), trusted=house.trusted)
                self._put(house, Kind.ERRORS, fault)
                self._told_of(effect.sensor_id).room = None  # looked at anew

    def _note_session(self, house: House, facts: SessionFacts) -> None:
        stamp = self._stamp(house)
        known = self._sessions.get(facts.session_id)
        if facts.ended_by is not None:
            self._sessions.pop(facts.session_id, None)
            is_of_this_run = facts.session_id.startswith(f"{facts.sensor_id}-{house.run}-")
            # One from before may have been stamped by a clock of which nothing is known any more: it stays in doubt.
            self._put_session(house, facts, stamp if is_of_this_run else Stamp("", 0))
        elif known is None:
            self._sessions[facts.session_id] = _Session(house.mono, facts.playback_started)
            self._put_session(house, facts, stamp)
        elif facts.playback_started and not known.has_played:
            self._sessions[facts.session_id] = _Session(house.mono, has_played=True)
            self._put_session(house, facts, stamp)
        else:
            known.news = facts, stamp

    def _tell_sessions(self, house: House, *, all_of_them: bool) -> None:
        for session in self._sessions.values():
            is_due = all_of_them or house.mono >= session.put_at + SESSION_AT_MOST_EVERY_US
            if session.news is not None and is_due:
                news, session.news, session.put_at = session.news, None, house.mono
                self._put_session(house, *news)

    def _put_session(self, house: House, facts: SessionFacts, stamp: Stamp) -> None:
        record = session_record(self._origin(house), facts, self._next_seq(house))
        self._records.put(Kind.SESSION, record, stamp)

    def _note_count(self, house: House, judged: Judged) -> None:
        story, told = self._stories.get(judged.sensor_id), self._told_of(judged.sensor_id)
        if story is None or judged.reason is None:
            return
        if told.day != story.day:
            self._end_day(house, judged.sensor_id, told)
        told.day, told.counts, told.has_counts = story.day, dict(story.suppressed), True

    def _end_day(self, house: House, sensor_id: str, told: _Told) -> None:
        """Another day has begun: what was counted last on the one before has its own record, and that stays."""
        if told.has_counts and sensor_id in house.rooms:
            self._put_room(house, sensor_id, told.day, told.counts)
        told.has_counts = False

    def _tell_rooms(self, house: House, *, is_beat: bool) -> None:
        for sensor_id, room in house.rooms.items():
            if room.removed:
                self._rooms.pop(sensor_id, None)
                continue
            told = self._told_of(sensor_id)
            if told.room is not room:
                face = self._face(sensor_id, room)
                told.is_due |= face != told.face
                told.room, told.face = room, face
            is_time = told.is_due and house.mono >= told.at + STATUS_AT_MOST_EVERY_US
            if is_time or (is_beat and self._has_news(house, sensor_id, told)):
                told.at, told.is_due = house.mono, False
                self._put_today(house, sensor_id, told)

    def _has_news(self, house: House, sensor_id: str, told: _Told) -> bool:
        """Whether its status would differ from the last, other than in when it was told; or that is an hour ago."""
        if told.said is None or told.is_due or house.mono >= told.at + SAME_STATUS_EVERY_US:
            return True
        today = self._today(house, sensor_id)
        status = self._status(house, sensor_id, told.said.seq, today, told.counts if told.day == today else {})
        return status.model_copy(update={"timestamp": told.said.timestamp}) != told.said

    def _put_today(self, house: House, sensor_id: str, told: _Told) -> None:
        today = self._today(house, sensor_id)
        if told.day != today:
            self._end_day(house, sensor_id, told)
            told.day, told.counts = today, {}
        told.has_counts = False
        self._put_room(house, sensor_id, today, told.counts)

    def _put_room(self, house: House, sensor_id: str, day: str, counts: Mapping[str, int]) -> None:
        status = self._status(house, sensor_id, self._next_seq(house), day, counts)
        self._told_of(sensor_id).said = status
        self._put(house, Kind.STATUS, status)

    def _status(self, house: House, sensor_id: str, seq: int, day: str, counts: Mapping[str, int]) -> RoomStatus:
        story = self._stories.get(sensor_id) or RoomStory()
        return room_status(self._origin(house), house, sensor_id, story, seq, day, counts)

    def _today(self, house: House, sensor_id: str) -> str:
        return local_day(house.mono + house.offset, house.rooms[sensor_id].rules.zone)

    def _face(self, sensor_id: str, room: Room) -> object:
        """What a person would want to see at once; that time goes by, or somebody moves, is none of it."""
        story = self._stories.get(sensor_id)
        session_id = None if room.session is None else room.session.id
        faults = () if story is None else tuple(story.faults.items())
        return state_of(room), session_id, room.snoozed_until, room.rules.version, faults

    def _tell_device(self, house: House, *, anyway: bool) -> None:
        told = self._device
        if not (anyway or (told.is_due and house.mono >= told.at + STATUS_AT_MOST_EVERY_US)):
            return
        told.at, told.is_due = house.mono, False
        health, view = self._health(), self._records.view
        status = DeviceStatus(
            gateway_id=self._gateway_id,
            sensor_id="gateway",
            clock_trusted=house.trusted,
            seq=self._next_seq(house),
            timestamp=now_ms(house),
            faults=health.faults,
            versions=self._versions,
            uptime_s=(house.mono - (self._began_at or 0)) / SECOND,
            outbox=Outbox(records=view.records, size_bytes=view.size_bytes, dropped=view.dropped),
            consent=health.consent,
            guard=health.guard,
            policy_version=health.policy_version,
        )
        self._put(house, Kind.STATUS, status)

    def _tell_repeated(self, house: House, *, is_beat: bool) -> None:
        """Dropped records are told when it is over (none for five minutes) or has gone on for an hour."""
        if is_beat:
            dropped, drops = self._records.view.dropped, self._drops
            is_over = dropped == self._dropped
            drops.count += dropped - self._dropped
            self._dropped = dropped
            if not drops.count:
                drops.put_at = house.mono
            elif is_over or _is_time(drops, house):
                self._put_repeated(house, drops, "records_dropped")
        for refused in self._refused.values():
            if refused.count and _is_time(refused, house):
                self._put_repeated(house, refused, "records_refused")

    def _put_repeated(self, house: House, what: _Repeated, fault: str) -> None:
        number, told = self._next_event(), (what.subject, what.detail, what.cure, what.count)
        record = gateway_error(self._origin(house), house, number, fault, *told)
        what.count, what.put_at = 0, house.mono
        self._put(house, Kind.ERRORS, record)

    def _next_due_at(self) -> int:
        due = [self._beat_at]
        due += [one.put_at + SESSION_AT_MOST_EVERY_US for one in self._sessions.values() if one.news is not None]
        due += [one.at + STATUS_AT_MOST_EVERY_US for one in (*self._rooms.values(), self._device) if one.is_due]
        return min(due)

    def _told_of(self, sensor_id: str) -> _Told:
        return self._rooms.setdefault(sensor_id, _Told())

    def _origin(self, house: House) -> Origin:
        return Origin(self._gateway_id, house.run)

    def _stamp(self, house: House) -> Stamp:
        return Stamp(self._boot_id, house.offset)

    def _put(self, house: House, kind: Kind, record: Record) -> None:
        self._records.put(kind, record, self._stamp(house))

    def _next_event(self) -> int:
        self._events += 1
        return self._events

    def _next_seq(self, house: House) -> int:
        """Higher than any before, in this run and those before it; above them too where the disk has been lost."""
        least = now_ms(house) if house.trusted else 0
        self._seq = max(self._seq + 1, least)
        return self._seq


def _is_time(what: _Repeated, house: House) -> bool:
    return what.put_at is None or house.mono >= what.put_at + ERRORS_AT_MOST_EVERY_US
