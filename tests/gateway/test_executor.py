import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest
from tests.gateway.hand_clock import HandClock

from spotty_gateway.engine.commands import Claim, PauseMusic, PlayerCommand, SetVolume, StartMusic
from spotty_gateway.engine.events import Failed, NotOurs, PlayerAnswered, Position, Superseded
from spotty_gateway.engine.rules import Device, Repeat, Target
from spotty_gateway.executor import Executor, supersedes
from spotty_gateway.performer import BUDGET_S
from spotty_gateway.ports import Look, SeenDevice

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

    def within(self, seconds: float) -> None:
        """Note the budget."""
        self.budgets.append(seconds)

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
        self.executor = Executor(self.player, HandClock(), self.answers.put)

    def busy_with(self, command: PlayerCommand) -> None:
        """The executor has begun with this one and hangs."""
        self.executor.put(command)
        assert self.player.looked.acquire(timeout=PATIENCE_S)

    def answer(self) -> PlayerAnswered:
        """The next one."""
        return self.answers.get(timeout=PATIENCE_S)


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
    assert Executor(SlowPlayer(), HandClock(), lambda _: None).close(0)
