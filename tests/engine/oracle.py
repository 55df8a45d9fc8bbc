"""The sessions of one room, told a second time: from the text of the design, with the whole log in hand.

The engine goes forward through time, keeps little and never looks back. This does the opposite: it lays out all
evidence as intervals first, walks quiet hours minute by minute, and finds each session's end by scanning everything
again. It is slow on purpose, and it shares no line with the engine but the names of things.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from spotty_gateway.engine.reasons import EndedBy, Reason
from spotty_gateway.engine.rules import InputKind, Rules

MINUTE = 60_000_000
FOREVER = 10**18


class Line(NamedTuple):
    """One line of a log: at `at`, this input reported this level."""

    at: int
    input_id: str
    active: bool
    initial: bool = False


class Told(NamedTuple):
    """A session as a person would tell it."""

    start: int
    end: int
    ended_by: EndedBy
    motions: int


class Stay(NamedTuple):
    """Evidence of one input without a break. Both ends belong to it; `confirms` is False where a door holds."""

    begin: int
    end: int
    confirms: bool


@dataclass
class Verdict:
    """What became of a log."""

    sessions: list[Told] = field(default_factory=list)
    suppressed: Counter[Reason] = field(default_factory=Counter)
    faults: int = 0
    motions: int = 0


@dataclass(frozen=True)
class World:
    """What surrounds the log: `kinds` of the inputs that are not PIRs, when the component started, the wall clock."""

    rules: Rules
    kinds: dict[str, InputKind] = field(default_factory=dict)
    started_at: int = -FOREVER
    offset: int = 0
    trusted: bool = True
    snoozed_until: int | None = None

    def kind(self, line: Line) -> InputKind:
        """What reported."""
        return self.kinds.get(line.input_id, InputKind.PIR)

    def is_snoozed(self, at: int) -> bool:
        """Whether a person's snooze holds: to its end, and for as long as nobody knows the time."""
        return self.snoozed_until is not None and (not self.trusted or at + self.offset < self.snoozed_until)

    def is_quiet(self, at: int) -> bool:
        """Whether the room's own wall clock shows a time inside one of the windows."""
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at + self.offset)).astimezone(
            self.rules.zone
        )
        minute = local.hour * 60 + local.minute
        today = local.weekday()
        yesterday = (today - 1) % 7
        for window in self.rules.quiet_windows:
            days = window.days or frozenset(range(7))
            if window.start_min < window.end_min:
                if today in days and window.start_min <= minute < window.end_min:
                    return True
            elif (today in days and minute >= window.start_min) or (yesterday in days and minute < window.end_min):
                return True
        return False


def stays_of_pir(lines: list[Line], stuck_after: int) -> tuple[list[Stay], int]:
    """The evidence of one PIR, and how often it was found stuck."""
    stays: list[Stay] = []
    faults = 0
    faulty = False
    begin: int | None = None
    limit = 0
    for at, _, active, _ in [*lines, Line(FOREVER, "", active=False)]:
        if begin is not None and limit <= at:
            stays.append(Stay(begin, limit, confirms=True))
            begin = None
            faults += not faulty
            faulty = True
        if active:
            begin = at if begin is None else begin
            limit = at + stuck_after
        else:
            if begin is not None:
                stays.append(Stay(begin, at, confirms=True))
                begin = None
            faulty = False
    return stays, faults


def stays_of_contacts(log: list[Line], world: World) -> list[Stay]:
    """The evidence of the room's doors: each change for a moment, and motion behind doors that are all closed."""
    limit = world.rules.max_session_us or 14_400_000_000
    doors = {name: list[Line]() for name, kind in world.kinds.items() if kind is InputKind.CONTACT}
    stays = []
    changes = []
    for index, line in enumerate(log):
        if line.input_id in doors:
            before = doors[line.input_id]
            if not before or before[-1].active != line.active:
                changes.append(index)
                if not line.initial:
                    stays.append(Stay(line.at, line.at, confirms=False))
                before.append(line)
    for index, line in enumerate(log):
        if world.kind(line) is InputKind.PIR and line.active and not line.initial and doors:
            last = {name: [log[i] for i in changes if i < index and log[i].input_id == name][-1:] for name in doors}
            if all(one and not one[0].active and line.at - one[0].at >= 5_000_000 for one in last.values()):
                until = min([log[i].at for i in changes if i > index] + [line.at + limit])
                stays.append(Stay(line.at, until, confirms=False))
    return stays


class Teller:
    """Tells the sessions of one log."""

    def __init__(self, log: list[Line], world: World) -> None:
        self.world = world
        self.rules = world.rules
        self.verdict = Verdict()
        self.motions = [
            line.at for line in log if line.active and not line.initial and world.kind(line) is InputKind.PIR
        ]
        self.verdict.motions = len(self.motions)
        self.stays = stays_of_contacts(log, world)
        for name in {line.input_id for line in log if world.kind(line) is InputKind.PIR}:
            stays, faults = stays_of_pir([line for line in log if line.input_id == name], self.rules.stuck_after_us)
            self.stays += stays
            self.verdict.faults += faults
        self.accepted_at = -FOREVER

    def empty_from(self, at: int) -> int:
        """The first instant, looking on from `at`, at which the vacancy delay has passed without evidence."""
        covered = at
        while True:
            later = [
                stay.end
                for stay in self.stays
                if stay.begin < covered + self.rules.vacancy_delay_us and stay.end > covered
            ]
            if not later:
                return covered + self.rules.vacancy_delay_us
            covered = max(later)

    def quiet_end(self, start: int, horizon: int) -> int:
        """When quiet hours end a session that began at `start`; anything after `horizon` does not matter."""
        minute = start
        while minute <= horizon:
            if self.world.is_quiet(minute):
                end = minute + self.rules.quiet_grace_us
                over = self.next_minute(minute)
                while over < end and self.world.is_quiet(over):
                    over = self.next_minute(over)
                if over >= end:
                    return end
                minute = over
            else:
                minute = self.next_minute(minute)
        return FOREVER

    def next_minute(self, at: int) -> int:
        """The next full minute of the wall clock."""
        return at + MINUTE - (at + self.world.offset) % MINUTE

    def end_of(self, start: int) -> tuple[int, EndedBy]:
        """When and why a session that starts here ends."""
        rules = self.rules
        ends = [(self.empty_from(start), EndedBy.TIMEOUT)]
        if rules.max_session_us:
            ends.append((start + rules.max_session_us, EndedBy.MAX_SESSION))
        if rules.quiet_windows:
            horizon = min(end for end, _ in ends)
            ends.append((self.quiet_end(start, horizon), EndedBy.QUIET_HOURS))
        return min(ends, key=lambda end: end[0])  # the first of equals is the first listed

    def reason_at(self, at: int) -> Reason | None:
        """Why nothing starts at this instant, confirmation aside."""
        rules = self.rules
        last = self.verdict.sessions[-1] if self.verdict.sessions else None
        asked = [
            (Reason.WARMING_UP, at - self.world.started_at < rules.warm_up_us),
            (Reason.DISABLED, not rules.enabled),
            (Reason.SNOOZED, self.world.is_snoozed(at)),
            (Reason.CLOCK_UNTRUSTED, bool(rules.quiet_windows) and not self.world.trusted),
            (Reason.QUIET_HOURS, self.world.is_quiet(at)),
            (
                Reason.MAX_SESSION,
                last is not None and last.ended_by is EndedBy.MAX_SESSION and at < self.empty_from(last.end),
            ),
            (Reason.COOLDOWN, last is not None and at - last.end < rules.cooldown_us),
            (Reason.DEBOUNCED, at - self.accepted_at < rules.hold_off_us),
        ]
        return next((reason for reason, holds in asked if holds), None)

    def tell(self) -> Verdict:
        """Go through the motions, session by session."""
        suppressed = self.verdict.suppressed
        index = 0
        while index < len(self.motions):
            at = self.motions[index]
            index += 1
            reason = self.reason_at(at)
            if reason is None and self.rules.confirm_us:
                until = at + self.rules.confirm_us
                if index < len(self.motions) and self.motions[index] < until:
                    suppressed[Reason.UNCONFIRMED] += 1
                    at = self.motions[index]
                    index += 1
                    reason = self.reason_at(at)
                elif any(stay.confirms and stay.begin <= at and stay.end >= until for stay in self.stays):
                    at = until
                    reason = self.reason_at(at)
                else:
                    reason = Reason.UNCONFIRMED
            if reason is not None:
                suppressed[reason] += 1
            else:
                index = self.session(at, index)
        return self.verdict

    def session(self, start: int, index: int) -> int:
        """Tell the session that starts here; the index of the first motion after it."""
        end, ended_by = self.end_of(start)
        accepted = 1
        self.accepted_at = start
        while index < len(self.motions) and self.motions[index] < end:
            if self.motions[index] - self.accepted_at >= self.rules.hold_off_us:
                accepted += 1
                self.accepted_at = self.motions[index]
            else:
                self.verdict.suppressed[Reason.DEBOUNCED] += 1
            index += 1
        self.verdict.sessions.append(Told(start, end, ended_by, accepted))
        return index


def tell(log: list[Line], world: World) -> Verdict:
    """The sessions of one room, every refusal counted, and how often an input was stuck."""
    return Teller(log, world).tell()
