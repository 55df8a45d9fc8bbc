import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest
from tests.gateway.hand_clock import WALL, HandClock

from spotty_gateway.engine.commands import Effect, Judged, SessionFacts
from spotty_gateway.engine.events import Event, PauseAsked, Report, RoomConfigured, Stopping, Tick
from spotty_gateway.engine.reasons import EndedBy
from spotty_gateway.engine.rules import SECOND, InputKind, Rules
from spotty_gateway.engine.state import House, Room, new_house
from spotty_gateway.engine.step import step
from spotty_gateway.loop import FAULTS_IN_A_ROW, Loop, Question, Rejoin, in_order

PATIENCE_S = 10.0
RULES = Rules(warm_up_us=0, vacancy_delay_us=60 * SECOND)


def report(at: int, *, active: bool = True, room: str = "bath") -> Report:
    """An input's level."""
    return Report(at, at + WALL, True, room, "pir", active)


class Room1:
    """A loop over one room, what it told, and a way to wait until it has done all that it was given."""

    def __init__(self, clock: HandClock, rejoin: Rejoin | None = None) -> None:
        self.clock = clock
        self.told: list[tuple[House, Event, list[Effect]]] = []
        self.given_up = threading.Event()
        self.fails: Callable[[Event], bool] = lambda _: False
        house = new_house("run", 0, WALL, clock.is_trusted)
        configured = RoomConfigured(0, WALL, clock.is_trusted, "bath", RULES, (("pir", InputKind.PIR),))
        house, _ = step(house, configured)
        self.loop = Loop(house, clock, self.tell, self.given_up.set, rejoin)

    def tell(self, house: House, event: Event, effects: Iterable[Effect]) -> None:
        """The listener."""
        self.told.append((house, event, list(effects)))
        if self.fails(event):
            raise ZeroDivisionError

    def give(self, *events: Event) -> None:
        """Post these and wait until they are done."""
        for event in events:
            self.loop.post(event)
        self.settle()

    def settle(self) -> None:
        """Wait until all that was posted is done."""
        assert self.loop.ask(lambda _: None, PATIENCE_S)

    def ends(self) -> list[EndedBy]:
        """How sessions have ended."""
        facts = [one for _, _, effects in self.told for one in effects if isinstance(one, SessionFacts)]
        return [one.ended_by for one in facts if one.ended_by is not None]


@pytest.fixture
def clock() -> HandClock:
    """Time moved by hand."""
    return HandClock()


@pytest.fixture
def room(clock: HandClock) -> Iterator[Room1]:
    """A running loop."""
    made = Room1(clock)
    made.loop.start()
    yield made
    assert made.loop.close(PATIENCE_S)


def test_events_of_one_batch_go_by_their_instants() -> None:
    """Reports that threads hand in out of order are sorted; policy changes come first; questions keep their place."""

    def asked(house: House) -> None:
        """A question, to be found again."""

    change = RoomConfigured(5, WALL, True, "bath", RULES, ())
    batch: list[Event | Question | None] = [report(9), report(5), asked, change, Tick(7, WALL, True), None]
    assert in_order(batch) == [change, report(5), asked, Tick(7, WALL, True), report(9), None]


def test_a_late_report_counts_as_now(room: Room1) -> None:
    """A motion older than the house's clock is raised to it, wall and all, and judged: none is lost."""
    room.give(Tick(10 * SECOND, WALL + 10 * SECOND, True))
    room.give(report(9 * SECOND))
    _, event, effects = room.told[-1]
    assert (event.mono, event.wall) == (10 * SECOND, WALL + 10 * SECOND)
    assert any(isinstance(one, Judged) for one in effects)


def test_it_sleeps_until_the_next_deadline_and_no_longer(room: Room1, clock: HandClock) -> None:
    """Nothing due: no wait is asked of the clock. A session: exactly until its vacancy delay is over."""
    room.settle()
    assert clock.patience == []
    room.give(report(0), report(2 * SECOND, active=False))
    clock.now = 10 * SECOND
    room.settle()
    room.settle()
    assert clock.patience[-1] == 52 * SECOND


def test_what_falls_due_happens_without_an_event(room: Room1, clock: HandClock) -> None:
    """When the deadline has passed the loop ticks by itself: the session ends."""
    room.give(report(0), report(2 * SECOND, active=False))
    clock.now = 62 * SECOND
    room.settle()
    room.settle()
    assert room.ends() == [EndedBy.TIMEOUT]


def test_a_motion_in_time_is_before_the_deadline_however_late_it_is_read(room: Room1, clock: HandClock) -> None:
    """A report stamped before the deadline extends the session even if the deadline has passed when it is read."""
    room.give(report(0), report(2 * SECOND, active=False))
    gate = threading.Event()

    def busy(house: House) -> None:
        assert house.rooms
        gate.wait(PATIENCE_S)

    room.loop.post(busy)
    room.loop.post(report(61 * SECOND))
    clock.now = 63 * SECOND
    gate.set()
    room.settle()
    assert room.ends() == []


def test_an_untrusted_clock_is_looked_at_once_a_minute(clock: HandClock) -> None:
    """While the wall clock may still be set the loop wakes for it, and for nothing else."""
    clock.is_trusted = False
    untrusting = Room1(clock)
    untrusting.loop.start()
    untrusting.settle()
    assert untrusting.loop.close(PATIENCE_S)
    assert set(clock.patience) == {60 * SECOND}


def test_a_listener_s_bug_costs_one_event(room: Room1, caplog: pytest.LogCaptureFixture) -> None:
    """The thread lives on, the fault is told, and the next event is decided."""
    room.fails = lambda event: event.mono == 5
    room.give(PauseAsked(5, WALL, True, "bath"))
    room.fails = lambda _: False
    room.give(report(6))
    assert "please report" in caplog.text
    assert any(isinstance(one, Judged) for one in room.told[-1][2])
    assert not room.given_up.is_set()


def poisoned(house: House) -> House:
    """A house in which every step fails: what a bug in the engine would look like."""
    room = house.rooms["bath"]
    return replace(house, rooms={"bath": replace(room, rules="no rules at all", due_at=0)}, due_at=0)  # type: ignore[arg-type]  # the bug


def test_a_house_that_fails_every_step_gives_up_and_still_records(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each report still reaches the listener; after some failures in a row the supervisor is asked for a new start."""
    broken = Room1(clock)
    broken.loop._house = poisoned(broken.loop._house)
    broken.loop.start()
    for at in range(FAULTS_IN_A_ROW):
        broken.loop.post(report(at))
    assert broken.given_up.wait(PATIENCE_S)
    broken.settle()
    assert [event for _, event, effects in broken.told if isinstance(event, Report) and not effects]
    assert broken.loop.close(PATIENCE_S)
    assert "please report" in caplog.text


def joined(house: House, now: Tick) -> tuple[House, list[Effect]]:
    """A second room comes to the house."""
    del now
    return replace(house, rooms={**house.rooms, "hall": Room(RULES, house.rooms["bath"].presence)}), []


@pytest.mark.parametrize(
    "event, is_joined",
    [
        (Tick(1, WALL, False), False),
        (Tick(1, WALL, True), True),
        (Tick(120 * SECOND, WALL, False), True),
        (Stopping(1, WALL, False, pause=False), True),
    ],
)
def test_what_lived_before_a_boot_joins_in_time(clock: HandClock, event: Event, is_joined: bool) -> None:
    """When the clock is trusted, when the wait is over, or before we stop: not earlier."""
    clock.is_trusted = False
    waiting = Room1(clock, Rejoin(120 * SECOND, joined))
    waiting.loop.start()
    waiting.give(event)
    assert waiting.loop.close(PATIENCE_S)
    house, _, _ = waiting.told[-1]
    assert ("hall" in house.rooms) is is_joined


def test_a_memory_that_cannot_be_joined_is_done_without(clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """A fault in joining is told; the house that lives goes on, and it is not tried again."""
    tries: list[Tick] = []

    def fails(house: House, now: Tick) -> tuple[House, list[Effect]]:
        tries.append(now)
        raise ZeroDivisionError(house.run)

    waiting = Room1(clock, Rejoin(120 * SECOND, fails))
    waiting.loop.start()
    waiting.give(Tick(1, WALL, True), report(2))
    assert waiting.loop.close(PATIENCE_S)
    assert len(tries) == 1
    assert "please report" in caplog.text
    assert any(isinstance(one, Judged) for one in waiting.told[-1][2])


def test_closing_finishes_what_was_posted(clock: HandClock) -> None:
    """What came before the end is decided before it."""
    closing = Room1(clock)
    closing.loop.post(report(1))
    closing.loop.start()
    assert closing.loop.close(PATIENCE_S)
    assert [event for _, event, _ in closing.told] == [report(1)]
