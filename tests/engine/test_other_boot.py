from dataclasses import replace

import pytest
from tests.engine.stage import NOON, PLAIN, STARTED, Stage, decided

from spotty_gateway.engine.commands import PauseMusic, StartMusic
from spotty_gateway.engine.events import Outcome, Paused
from spotty_gateway.engine.restart import Restart, begin, is_decidable, rejoin, resume
from spotty_gateway.engine.rules import SECOND, InputKind, Rules
from spotty_gateway.engine.state import House, Muted, Playing

BOOT_S = 7
"""What the monotonic clock shows when the component comes up after the boot."""

LONG = replace(PLAIN, vacancy_delay_us=600 * SECOND)


class Booted(Stage):
    """Music plays in the bath since second 0; the power goes at 20 and is back `gap_s` later with an unknown clock."""

    def __init__(
        self,
        gap_s: float,
        rules: Rules = LONG,
        *,
        snoozed: bool = False,
        door: bool = False,
        answer: Outcome | None = STARTED,
    ) -> None:
        """Go through all that, and live with the house of `begin`."""
        super().__init__({"bath": rules}, kinds=(("pir", InputKind.PIR), ("door", InputKind.CONTACT)))
        if door:
            self.level(-100, "door", False)
        self.motion(0)
        if answer is not None:
            self.answer(1, answer)
        self.until(20)
        if snoozed:
            self.snooze(20, 5000)
        self.saved: House = self.house
        self.before = self.offset
        self.true_offset = self.offset + round((20 + gap_s - BOOT_S) * SECOND)
        self.effects = []
        self.trusted, self.offset = False, 0
        now = self.restarted(BOOT_S)
        assert not is_decidable(self.saved, now)
        self.house, effects = begin(self.saved, now)
        self.effects += effects

    def restarted(self, at_s: float) -> Restart:
        """The restart as known at this second since the boot."""
        return Restart("again", *self.now(at_s), same_boot=False)

    def wait_is_over(self, at_s: float, *, trusted: bool) -> None:
        """The clock is trusted at last, or has been waited for long enough."""
        if trusted:
            self.trusted, self.offset = True, self.true_offset
        self.house, effects = rejoin(self.house, self.saved, self.restarted(at_s))
        self.effects += effects

    def ended(self) -> list[tuple[float, float, str]]:
        """The ends that were told, in seconds of the time before the boot."""
        shift = (self.offset - self.before) / SECOND
        return [(start + shift, end + shift, why) for start, end, why in self.ends()]


def test_a_session_goes_on_over_a_short_boot() -> None:
    """Trust comes before the deadline: nothing is asked of the player, and the session ends when it would have."""
    stage = Booted(60)
    stage.wait_is_over(100, trusted=True)
    assert (stage.asked(), isinstance(stage.room().music.playback, Playing)) == ([], True)
    stage.until(2000)
    assert (stage.ended(), stage.asked()) == ([(0, 600, "timeout")], ["PauseMusic"])


def test_a_session_that_was_over_ends_at_its_instant() -> None:
    """Trust shows that the deadline passed while the power was off: closed there, and paused now."""
    stage = Booted(3000)
    stage.wait_is_over(100, trusted=True)
    assert (stage.ended(), stage.asked()) == ([(0, 600, "timeout")], ["PauseMusic"])


def test_a_deadline_within_the_wait_ends_the_session_there() -> None:
    """What fell due between the boot and the end of the wait fell due at its own instant."""
    stage = Booted(560)
    stage.wait_is_over(100, trusted=True)
    assert (stage.ended(), stage.asked()) == ([(0, 600, "timeout")], ["PauseMusic"])


def test_a_door_that_has_not_moved_holds_on_over_a_boot() -> None:
    """The hold of a closed door is evidence after the boot as it was before it, until the door moves."""
    stage = Booted(60, door=True)
    stage.level(8, "door", False, initial=True)
    stage.wait_is_over(100, trusted=True)
    stage.level(2000, "door", True)
    stage.until(5000)
    assert [round(end) for _, end, _ in stage.ended()] == [2000 - BOOT_S + 80 + 600]


def test_an_unknown_gap_closes_at_the_snapshot() -> None:
    """No trusted clock in time: the session is over since the snapshot, and its music is paused."""
    stage = Booted(60)
    stage.wait_is_over(127, trusted=False)
    assert stage.asked() == ["PauseMusic"]
    stage.offset = stage.before
    assert stage.ends() == [(0, 20, "timeout")]


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("gap_s", [60, 3000])
def test_a_start_lost_with_the_power_is_told_once(gap_s: float, trusted: bool) -> None:
    """Whether its session goes on or is over: a person reads why there was no music in it."""
    stage = Booted(gap_s, replace(LONG, start_retry_us=0), answer=None)
    stage.wait_is_over(100, trusted=trusted)
    stage.until(2000)
    assert decided(stage).count(("silent", "player_unavailable")) == 1


@pytest.mark.parametrize("trusted", [True, False])
def test_who_comes_during_the_wait_has_a_session_of_their_own(trusted: bool) -> None:
    """The new session takes the music over as ours and goes on; the old one is closed at the snapshot."""
    stage = Booted(60)
    stage.motion(80)
    start = stage.commands()[-1]
    assert isinstance(start, StartMusic)
    assert start.ours is not None
    stage.answer(81, replace(STARTED, adopted=True))
    stage.wait_is_over(100, trusted=trusted)
    stage.until(2000)
    assert stage.asked() == ["StartMusic", "PauseMusic"]
    offsets = (stage.before, stage.offset)
    told = []
    for number, stage.offset in enumerate(offsets):
        told.append(stage.ends()[number])
    assert told == [(0, 20, "timeout"), (80, 680, "timeout")]


def test_a_snooze_survives_a_boot_without_a_clock() -> None:
    """While nobody knows the time, a snooze holds."""
    stage = Booted(60, snoozed=True)
    stage.motion(80)
    assert stage.judged() == ["snoozed"]


@pytest.mark.parametrize("ask", ["pause", "snooze"])
def test_what_a_person_asks_during_the_wait_counts(ask: str) -> None:
    """Music from before the boot that a person stops during the wait stays stopped in the session that goes on."""
    stage = Booted(60)
    if ask == "pause":
        stage.pause(50)
        assert isinstance(stage.commands()[-1], PauseMusic)
        stage.answer(51, Paused(None))
    else:
        stage.snooze(50, 2 * NOON)
    stage.wait_is_over(100, trusted=True)
    assert stage.asked() == ["PauseMusic"]
    assert isinstance(stage.room().music.playback, Muted)


def test_a_debt_without_a_session_is_paid_without_waiting() -> None:
    """An owed pause needs no clock: it is made as soon as the component is up again."""
    stage = Stage()
    stage.motion(0)
    stage.answer(1, STARTED)
    stage.until(60)
    stage.effects = []
    _, effects = begin(stage.house, Restart("again", 7 * SECOND, 7 * SECOND, trusted=False, same_boot=False))
    assert [type(effect).__name__ for effect in effects if isinstance(effect, PauseMusic)] == ["PauseMusic"]


def test_trusted_clocks_on_both_sides_tell_the_gap() -> None:
    """A boot between two trusted clocks is a gap like any other."""
    stage = Stage()
    stage.motion(0)
    stage.answer(1, STARTED)
    wall = stage.now(4000)[1]
    now = Restart("again", 7 * SECOND, wall, trusted=True, same_boot=False)
    assert is_decidable(stage.house, now)
    stage.house, effects = resume(stage.house, now)
    stage.effects += effects
    assert (stage.ends(), stage.asked()) == ([(0, 60, "timeout")], ["StartMusic", "PauseMusic"])
