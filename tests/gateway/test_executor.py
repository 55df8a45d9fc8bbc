import os
import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest
from tests.gateway.hand_clock import HandClock

from spotty_gateway.engine.commands import Claim, PauseMusic, PlayerCommand, SetVolume, StartMusic
from spotty_gateway.engine.events import (
    CallsShort,
    Event,
    Failed,
    NotOurs,
    PlayerAnswered,
    PlayerReady,
    Position,
    Superseded,
)
from spotty_gateway.engine.rules import SECOND, Device, Repeat, Target
from spotty_gateway.errors import PlayerRefusedError, PlayerUnavailableError
from spotty_gateway.executor import Executor, supersedes
from spotty_gateway.guard import Guard, GuardView, Purpose
from spotty_gateway.performer import BUDGET_S
from spotty_gateway.ports import Look, Readiness, SeenDevice

PATIENCE_S = 10.0
SPEAKER = Device("Bathroom", "Speaker", "id1")
TARGET = Target(SPEAKER, "spotify:album:1")
CLAIM = Claim(SPEAKER, "spotify:album:1", confirmed=True)


def start(token: int, room: str = "bath") -> StartMusic:
    """Music, please."""
    return StartMusic(room, token, TARGET, None, (), take_over=False, position=None)


def pause(token: int, room: str = "bath") -> PauseMusic:
    """Silence, please."""
    return PauseMusic(room, token, CLAIM, even_if_taken_over=False, restore_volume_pct=None)


def volume(token: int, room: str = "bath") -> SetVolume:
    """Quieter, please."""
    return SetVolume(room, token, CLAIM, 10, only_if_ours=True)


class SlowPlayer:
    """A player that nobody has an account on: each look waits until it is let go, and finds silence."""

    def __init__(self) -> None:
        self.looked = threading.Semaphore(0)
        self.may_go_on = threading.Semaphore(0)
        self.looks = 0
        self.bugs = 0
        self.budgets: list[float] = []
        self.readiness: SimpleQueue[Readiness] = SimpleQueue()
        """What getting ready comes to; nothing to wait for once it is empty."""
        self.got_ready = threading.Semaphore(0)

    def within(self, seconds: float) -> None:
        """Note the budget."""
        self.budgets.append(seconds)

    def get_ready(self) -> Readiness:
        """As the test has planned it."""
        self.got_ready.release()
        return Readiness() if self.readiness.empty() else self.readiness.get()

    def look(self) -> Look | None:
        """Wait to be let go."""
        self.looks += 1
        self.looked.release()
        self.may_go_on.acquire(timeout=PATIENCE_S)
        if self.bugs:
            self.bugs -= 1
            raise ZeroDivisionError
        return None

    def devices(self) -> list[SeenDevice]:
        """None."""
        return []

    def play(self, device_id: str, context_uri: str, position: Position | None) -> None:
        """Nothing is heard."""

    def transfer(self, device_id: str) -> None:
        """Nothing follows."""

    def pause(self, device_id: str | None) -> None:
        """Silence stays."""

    def set_volume(self, device_id: str | None, volume_pct: int) -> None:
        """Nobody hears."""

    def set_shuffle(self, device_id: str, on: bool) -> None:
        """Nobody hears."""

    def set_repeat(self, device_id: str, repeat: Repeat) -> None:
        """Nobody hears."""


class Desk:
    """An executor with a slow player, and the answers as they come."""

    def __init__(self) -> None:
        self.player = SlowPlayer()
        self.answers: SimpleQueue[PlayerAnswered] = SimpleQueue()
        self.told: SimpleQueue[Event] = SimpleQueue()
        self.clock = HandClock()
        self.guard = Guard(self.clock, "boot-a", day_limit=100)
        self.late_us = 0
        self.executor = Executor(self.player, self.clock, self._hear, self.guard, spread_us=lambda: self.late_us)

    def _hear(self, event: Event) -> None:
        if isinstance(event, PlayerAnswered):
            self.answers.put(event)
        else:
            self.told.put(event)

    def busy_with(self, command: PlayerCommand) -> None:
        """The executor has begun with this one and hangs."""
        self.executor.put(command)
        assert self.player.looked.acquire(timeout=PATIENCE_S)

    def answer(self) -> PlayerAnswered:
        """The next one."""
        return self.answers.get(timeout=PATIENCE_S)

    def hear(self) -> Event:
        """What is told next, answers aside."""
        return self.told.get(timeout=PATIENCE_S)

    def await_readiness(self) -> None:
        """The player gets ready once more."""
        assert self.player.got_ready.acquire(timeout=PATIENCE_S)

    def pass_s(self, seconds: float) -> None:
        """Time passes, and the executor's sleep with it."""
        self.clock.now += round(seconds * SECOND)
        self.executor.look_at_clock()

    def looked(self) -> GuardView:
        """How the guard stands, once the executor has looked at it too: it gets ready after that."""
        self.await_readiness()
        return self.guard.view()

    def asked(self) -> object:
        """The player's thread has done all that it had to do; what it answers between two commands."""
        return self.executor.ask(lambda _: None, PATIENCE_S)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Started, and ended whatever the test has left hanging."""
    made = Desk()
    made.executor.start()
    yield made
    made.player.may_go_on.release(1000)
    assert made.executor.close(PATIENCE_S)


@pytest.mark.parametrize(
    "newer, older, expected",
    [
        (start(2), start(1), True),
        (start(2), pause(1), True),
        (pause(2), start(1), True),
        (pause(2), pause(1), True),
        (start(2), volume(1), True),
        (pause(2), volume(1), True),
        (volume(2), volume(1), True),
        (volume(2), start(1), False),
        (volume(2), pause(1), False),
        (pause(2, "hall"), start(1), False),
        (volume(2, "hall"), volume(1), False),
    ],
)
def test_what_supersedes_what(newer: PlayerCommand, older: PlayerCommand, expected: bool) -> None:
    """A newer decision about a room makes older ones of that room pointless; a volume is no decision about music."""
    assert supersedes(newer, older) is expected


def test_a_waiting_command_is_superseded_and_says_so(desk: Desk) -> None:
    """Of three for one room only the newest is carried out; each of the others is answered."""
    desk.busy_with(pause(1, "hall"))
    for command in (start(2), pause(3), volume(4, "hall"), pause(5)):
        desk.executor.put(command)
    desk.player.may_go_on.release(1000)
    answers = [desk.answer() for _ in range(5)]
    assert [(one.token, type(one.outcome)) for one in answers] == [
        (1, NotOurs),
        (2, Superseded),
        (3, Superseded),
        (4, NotOurs),
        (5, NotOurs),
    ]


def test_what_has_begun_is_brought_to_its_end(desk: Desk) -> None:
    """A command under way is never superseded: its own answer comes first."""
    desk.busy_with(pause(1))
    desk.executor.put(pause(2))
    desk.player.may_go_on.release(1000)
    assert isinstance(desk.answer().outcome, NotOurs)
    assert desk.answer().token == 2


def test_every_command_has_its_budget(desk: Desk) -> None:
    """Twenty seconds for each, anew."""
    desk.player.may_go_on.release(1000)
    for token in (1, 2):
        desk.executor.put(pause(token))
        desk.answer()
    assert desk.player.budgets == [BUDGET_S, BUDGET_S]


def test_a_bug_is_answered_and_the_next_command_works(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """A room waits for its answer: a fault of ours gives it one, and the thread lives on."""
    desk.player.bugs = 1
    desk.player.may_go_on.release(1000)
    desk.executor.put(pause(1))
    outcome = desk.answer().outcome
    assert isinstance(outcome, Failed)
    assert "ZeroDivisionError" in outcome.detail
    desk.executor.put(pause(2))
    assert isinstance(desk.answer().outcome, NotOurs)
    assert "please report" in caplog.text


def test_closing_makes_the_pauses_and_starts_nothing(desk: Desk) -> None:
    """What waits to be stopped is stopped before the end; what waits to be started is not."""
    desk.busy_with(pause(1, "hall"))
    desk.executor.put(start(2))
    desk.executor.put(pause(3, "kitchen"))
    closing = threading.Thread(target=desk.executor.close, args=(PATIENCE_S,))
    closing.start()
    assert desk.executor._closing.wait(PATIENCE_S)
    desk.player.may_go_on.release(1000)
    closing.join(PATIENCE_S)
    assert [desk.answer().token, desk.answer().token] == [1, 3]
    assert desk.answers.empty()


def test_a_hanging_player_is_left_behind(desk: Desk) -> None:
    """Closing returns in its time, says that something was left, and no answer comes after it."""
    desk.busy_with(pause(1))
    desk.executor.put(pause(2, "hall"))
    assert not desk.executor.close(0.05)
    desk.player.may_go_on.release(1000)
    assert desk.executor.close(PATIENCE_S)
    assert desk.answers.empty()
    assert desk.player.looks == 1


def test_closing_what_was_never_started_is_no_fault() -> None:
    """A gateway that could not start can be stopped."""
    made = Desk()
    assert made.executor.close(0)
    made.executor.put(pause(1))


# The end of the thread.


def test_the_end_of_the_player_s_thread_is_noticed(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever ends it: it is told, the gateway gives up, and who has asked something is answered."""
    given_up: SimpleQueue[None] = SimpleQueue()
    asking = threading.Event()

    def hear(event: Event) -> None:
        if isinstance(event, PlayerAnswered):
            asking.wait(PATIENCE_S)
            raise ZeroDivisionError

    executor = Executor(desk.player, desk.clock, hear, desk.guard, give_up=lambda: given_up.put(None))
    executor.start()
    desk.player.may_go_on.release(1000)
    executor.put(pause(1))
    assert desk.player.looked.acquire(timeout=PATIENCE_S)
    refusals: SimpleQueue[str] = SimpleQueue()

    def ask() -> None:
        with pytest.raises(PlayerUnavailableError) as refused:
            executor.ask(lambda _: None, 10 * PATIENCE_S)
        refusals.put(str(refused.value))

    asker = threading.Thread(target=ask)
    asker.start()
    asking.set()
    given_up.get(timeout=PATIENCE_S)
    assert "stop" in refusals.get(timeout=PATIENCE_S)
    asker.join(PATIENCE_S)
    ask()
    assert "stop" in refusals.get(timeout=PATIENCE_S)
    assert executor.close(PATIENCE_S)
    assert given_up.empty()
    assert "please report" in caplog.text


def test_nobody_asks_a_player_that_is_closed(desk: Desk) -> None:
    """Before the end, behind it, after it, or while a call hangs that was left behind: the refusal comes at once."""
    desk.busy_with(pause(1))
    refusals: SimpleQueue[str] = SimpleQueue()

    def ask() -> None:
        with pytest.raises(PlayerUnavailableError) as refused:
            desk.executor.ask(lambda _: None, 10 * PATIENCE_S)
        refusals.put(str(refused.value))

    asker = threading.Thread(target=ask)
    asker.start()
    assert not desk.executor.close(0.05)
    assert "stop" in refusals.get(timeout=PATIENCE_S)
    asker.join(PATIENCE_S)
    ask()
    desk.player.may_go_on.release(1000)
    assert desk.executor.close(PATIENCE_S)
    ask()
    assert [refusals.get(timeout=PATIENCE_S), refusals.get(timeout=PATIENCE_S)]


# Idle.


def test_it_gets_ready_when_it_starts_and_after_each_burst(desk: Desk) -> None:
    """What the next command should not have to wait for is done when there is nothing else to do."""
    desk.await_readiness()
    desk.busy_with(pause(1))
    desk.executor.put(pause(2, "hall"))
    desk.player.may_go_on.release(1000)
    desk.answer()
    desk.answer()
    desk.await_readiness()
    assert not desk.player.got_ready.acquire(blocking=False)


def test_an_idle_player_sleeps_until_what_it_waits_for(desk: Desk) -> None:
    """It sleeps for exactly as long as was said, and without an end where there is nothing to wait for."""
    desk.await_readiness()
    desk.player.readiness.put(Readiness(again_in_s=600))
    desk.executor.account_changed()
    desk.await_readiness()
    desk.pass_s(599)
    desk.asked()  # this thread has looked at the clock
    desk.await_readiness()  # after the question
    assert set(desk.clock.patience) <= {600 * SECOND, SECOND}
    assert desk.executor._idling._patience_ms() is None


def test_a_token_that_grows_old_wakes_it(desk: Desk) -> None:
    """When the time that was named has passed the player gets ready again."""
    desk.player.readiness.put(Readiness(again_in_s=600))
    desk.await_readiness()
    desk.executor.account_changed()
    desk.await_readiness()
    desk.player.readiness.put(Readiness(again_in_s=600))
    desk.executor.account_changed()
    desk.await_readiness()
    desk.pass_s(600)
    desk.await_readiness()


def test_a_sleep_of_any_length_can_be_slept() -> None:
    """A wait longer than the kernel counts does not end the player's thread: the next command is answered."""

    class UnhurriedClock(HandClock):
        def real_s(self, us: int) -> float:
            return us / SECOND

    clock, player = UnhurriedClock(), SlowPlayer()
    answers: SimpleQueue[Event] = SimpleQueue()
    executor = Executor(player, clock, answers.put, Guard(clock, "boot-a"))
    player.readiness.put(Readiness(again_in_s=1e9))
    player.may_go_on.release()
    executor.start()
    assert player.got_ready.acquire(timeout=PATIENCE_S)
    executor.put(pause(1))
    assert isinstance(answers.get(timeout=PATIENCE_S), CallsShort)
    assert isinstance(answers.get(timeout=PATIENCE_S), PlayerAnswered)
    assert executor.close(PATIENCE_S)


def test_a_stale_connection_wakes_it_once(desk: Desk) -> None:
    """A connection that its server ends is seen at once; one that ends again and again is not opened at once."""
    reads, writes = os.pipe()
    try:
        desk.await_readiness()
        for _ in range(9):
            desk.player.readiness.put(Readiness(watch_fd=reads))
        desk.executor.account_changed()
        desk.await_readiness()
        os.write(writes, b"x")  # readable from now on, whatever is done
        desk.await_readiness()
        desk.pass_s(1)
        desk.await_readiness()
        assert desk.executor.close(PATIENCE_S)
        assert not desk.player.got_ready.acquire(blocking=False)
    finally:
        os.close(reads)
        os.close(writes)


def test_the_guard_s_opening_is_told(desk: Desk) -> None:
    """While it is closed the player does not get ready; when it opens, the loop is told, a moment later than others."""
    desk.await_readiness()
    assert desk.hear() == CallsShort(0, desk.clock.wall_offset, True, False)
    desk.late_us = 2 * SECOND
    desk.executor.ask(lambda _: desk.guard.close(120, quota=False), PATIENCE_S)
    desk.executor.account_changed()  # tells that the player may be tried, and is not itself a reason to get ready
    assert isinstance(desk.hear(), PlayerReady)
    desk.pass_s(120)
    desk.asked()
    assert desk.told.empty()
    desk.pass_s(2)
    assert desk.hear() == PlayerReady(122 * SECOND, 122 * SECOND + desk.clock.wall_offset, True)
    desk.await_readiness()
    assert not desk.player.got_ready.acquire(blocking=False)
    desk.asked()
    assert desk.told.empty()


def test_calls_that_grow_short_are_told_once(desk: Desk) -> None:
    """Whenever it changes, and only then."""
    assert desk.hear() == CallsShort(0, desk.clock.wall_offset, True, False)
    for _ in range(70):
        desk.executor.ask(lambda _: desk.guard.enter(), PATIENCE_S)
    told = desk.hear()
    assert isinstance(told, CallsShort)
    assert told.short
    desk.asked()
    assert desk.told.empty()


def test_calls_at_the_brink_do_not_flap(desk: Desk) -> None:
    """Once short, calls stay so until there is half as much again for music: no home is told back and forth."""
    desk.hear()
    desk.await_readiness()
    counted = set()
    for _ in range(100):  # at last a call falls out of the day's hundred for each that is made; 46 are short
        desk.executor.ask(lambda _: desk.guard.enter(), PATIENCE_S)
        counted.add(desk.looked().calls)
        desk.pass_s(1900)
        desk.asked()
        counted.add(desk.looked().calls)
    assert counted == set(range(1, 47))
    told = desk.hear()
    assert isinstance(told, CallsShort)
    assert told.short
    assert desk.told.empty()
    desk.pass_s(86_400)
    told = desk.hear()
    assert isinstance(told, CallsShort)
    assert not told.short


def test_the_guard_knows_what_a_command_is_for(desk: Desk) -> None:
    """A start may be refused for the sake of pauses, a pause never, nor what comes between two commands."""
    served: list[Purpose] = []

    class Listening(SlowPlayer):
        def look(self) -> Look | None:
            served.append(desk.guard._purpose)
            raise PlayerRefusedError("not now")

    executor = Executor(Listening(), desk.clock, desk._hear, desk.guard)
    executor.start()
    for command in (start(1), pause(2), volume(3, "hall")):
        executor.put(command)
        desk.answer()
    between = executor.ask(lambda _: desk.guard._purpose, PATIENCE_S)
    assert executor.close(PATIENCE_S)
    assert served == [Purpose.MUSIC, Purpose.STOPPING, Purpose.STOPPING]
    assert between is Purpose.STOPPING


def test_a_bug_in_getting_ready_does_not_end_the_thread(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """It is told, and the next command works."""

    def bug() -> None:
        raise ZeroDivisionError

    executor = Executor(desk.player, desk.clock, desk._hear, desk.guard, after_getting_ready=bug)
    executor.start()
    desk.player.may_go_on.release(1000)
    executor.put(pause(1))
    assert isinstance(desk.answer().outcome, NotOurs)
    assert executor.close(PATIENCE_S)
    assert "please report" in caplog.text


def test_a_changed_account_is_tried_at_once(desk: Desk) -> None:
    """Consent given again while we run: what waited for it is told to try, and the player gets ready."""
    desk.hear()
    desk.await_readiness()
    desk.executor.account_changed()
    assert isinstance(desk.hear(), PlayerReady)
    desk.await_readiness()
