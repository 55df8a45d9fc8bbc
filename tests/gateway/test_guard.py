import json
import zlib
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.engine.patience import patient
from tests.gateway.hand_clock import HandClock

from spotty_gateway.account_memory import AccountMemory, AccountMemoryError, GuardState, decode, encode
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.errors import PlayerLimitError
from spotty_gateway.guard import (
    DAY_LIMIT,
    DAY_US,
    LEAST_LIMIT,
    QUARTER_US,
    QUOTA_WAIT_US,
    Guard,
    Moment,
    Purpose,
    in_words,
    view,
)
from spotty_gateway.ports import RememberedDevice

HOUR_US = 3_600 * SECOND
EPOCH_US = 1_790_000_000 * SECOND


@dataclass
class Desk:
    """A guard, its clock, and what it wanted kept."""

    clock: HandClock = field(default_factory=HandClock)
    kept: list[tuple[GuardState, bool]] = field(default_factory=list)
    boot: str = "boot-a"
    day_limit: int = DAY_LIMIT

    def __post_init__(self) -> None:
        """Begin without a memory."""
        self.guard = Guard(self.clock, self.boot, None, self.keep, self.day_limit)

    def keep(self, state: GuardState, urgent: bool) -> None:
        """What the guard wants kept."""
        self.kept.append((state, urgent))

    def pass_us(self, us: int) -> None:
        """Time goes on."""
        self.clock.now += us

    def restart(self, boot: str | None = None, *, mono: int | None = None) -> None:
        """Another process, in another boot if it is named, begins with the bytes kept last."""
        self.boot = boot or self.boot
        self.clock.now = self.clock.now if mono is None else mono
        before = decode(encode(AccountMemory(self.kept[-1][0]))).guard
        self.guard = Guard(self.clock, self.boot, before, self.keep, self.day_limit)

    def may_enter(self) -> bool:
        """Whether a request may leave."""
        try:
            self.guard.enter()
        except PlayerLimitError:
            return False
        return True

    def enter(self, times: int) -> None:
        """So many requests leave."""
        for _ in range(times):
            self.guard.enter()


@pytest.fixture
def desk() -> Desk:
    """A guard that knows nothing yet."""
    return Desk()


# Closed.


def test_nothing_leaves_before_the_wait_is_over(desk: Desk) -> None:
    """Refused to the last microsecond with what is left of the wait, and let through at the next."""
    desk.guard.close(120, quota=False)
    desk.pass_us(20 * SECOND)
    with pytest.raises(PlayerLimitError, match="Spotify asked us to wait: no request for 100 s") as refused:
        desk.guard.enter()
    assert refused.value.retry_after_s == 100
    desk.pass_us(100 * SECOND - 1)
    assert not desk.may_enter()
    desk.pass_us(1)
    assert desk.may_enter()


@pytest.mark.parametrize("first_s, second_s", [(600, 30), (30, 600)])
def test_of_two_waits_the_later_end_counts(desk: Desk, first_s: float, second_s: float) -> None:
    """No second answer shortens what a first one has asked for."""
    desk.guard.close(first_s, quota=False)
    desk.guard.close(second_s, quota=False)
    desk.pass_us(599 * SECOND)
    assert not desk.may_enter()
    desk.pass_us(SECOND)
    assert desk.may_enter()


def test_a_closure_is_to_be_on_disk_at_once_and_a_call_is_not(desk: Desk) -> None:
    """`keep` hears of both, and which of them a kill must not lose."""
    desk.guard.enter()
    desk.guard.close(1, quota=False)
    assert [urgent for _, urgent in desk.kept] == [False, True]


def test_a_restart_is_no_way_round(desk: Desk) -> None:
    """Another process of the same boot waits on, whatever the wall clock was set to meanwhile."""
    desk.guard.close(600, quota=False)
    desk.pass_us(60 * SECOND)
    desk.clock.wall_offset += 30 * DAY_US
    desk.restart()
    assert desk.guard.view().opens_in_us == 540 * SECOND


@pytest.mark.parametrize("gone_s, left_s", [(0, 600), (60, 540), (600, 0), (-3600, 600), (10**8, 0)])
def test_across_a_boot_the_calendar_counts(desk: Desk, gone_s: int, left_s: int) -> None:
    """The wait goes on while the computer is off; a clock set back makes it no longer than it was."""
    desk.guard.close(600, quota=False)
    wall = desk.clock.now + desk.clock.wall_offset + gone_s * SECOND
    desk.clock.wall_offset = wall - 5 * SECOND
    desk.restart("boot-b", mono=5 * SECOND)
    assert desk.guard.view().opens_in_us == left_s * SECOND


def test_without_the_time_nobody_opens_early_and_with_it_it_is_measured_anew(desk: Desk) -> None:
    """A computer without a clock takes no time for passed; once it knows the time, the wait is as long as it really is.

    That is to be on disk at once: the next boot may not know the time again.
    """
    desk.guard.close(600, quota=False)
    true_wall = desk.clock.now + desk.clock.wall_offset + 500 * SECOND
    desk.clock.is_trusted, desk.clock.wall_offset = False, true_wall + 10**15
    desk.restart("boot-b", mono=5 * SECOND)
    assert desk.guard.view().opens_in_us == 600 * SECOND
    assert desk.guard.is_in_doubt
    kept_before = len(desk.kept)
    desk.clock.is_trusted, desk.clock.wall_offset = True, true_wall - 5 * SECOND
    assert desk.guard.look().opens_in_us == 100 * SECOND
    assert [urgent for _, urgent in desk.kept[kept_before:]] == [True]


def test_another_process_sees_the_same(desk: Desk) -> None:
    """What was kept is enough to tell how things stand, without a guard."""
    desk.enter(7)
    desk.guard.close(600, quota=True)
    now = Moment(SECOND, SECOND + desk.clock.wall_offset, trusted=True)
    desk.pass_us(SECOND)
    assert view(desk.kept[-1][0], "boot-a", now) == desk.guard.view()


# The day's calls.


def test_a_call_counts_for_a_day(desk: Desk) -> None:
    """A call is counted for 24 h, and forgotten within a quarter of an hour after."""
    desk.enter(3)
    desk.pass_us(DAY_US)
    assert desk.guard.view().calls == 3
    desk.pass_us(QUARTER_US)
    assert desk.guard.view().calls == 0


def test_music_leaves_the_reserve_for_pausing() -> None:
    """A start is refused where only the reserve is left, until calls are forgotten; stopping never is."""
    desk = Desk(day_limit=300)
    desk.enter(200)
    desk.pass_us(HOUR_US)
    desk.enter(70)
    desk.guard.serve(Purpose.MUSIC)
    with pytest.raises(PlayerLimitError, match=r"270 of 300 calls .* no start for 23 h 15 min") as refused:
        desk.guard.enter()
    assert refused.value.retry_after_s * SECOND == DAY_US + QUARTER_US - HOUR_US
    desk.guard.serve(Purpose.STOPPING)
    desk.enter(100)
    desk.pass_us(DAY_US + QUARTER_US - HOUR_US)
    desk.guard.serve(Purpose.MUSIC)
    desk.guard.enter()


def test_the_wait_for_calls_is_honest() -> None:
    """When the wait that was named is over, a start is let in, though more than one quarter had to be forgotten."""
    desk = Desk(day_limit=300)
    for number in (5, 5, 300):
        desk.enter(number)
        desk.pass_us(QUARTER_US)
    desk.pass_us(desk.guard.view().music_in_us - 1)
    desk.guard.serve(Purpose.MUSIC)
    assert not desk.may_enter()
    desk.pass_us(1)
    assert desk.may_enter()


def test_a_start_let_in_is_let_finish() -> None:
    """Music that has begun is verified and its volume brought down, also with the last call before the reserve."""
    desk = Desk(day_limit=300)
    desk.enter(269)
    desk.guard.serve(Purpose.MUSIC)
    desk.enter(9)
    desk.guard.serve(Purpose.MUSIC)
    assert not desk.may_enter()


@pytest.mark.parametrize("used, learnt", [(LEAST_LIMIT, LEAST_LIMIT), (300, 300), (500, 400)])
def test_the_quota_is_learnt_and_forgotten(used: int, learnt: int) -> None:
    """What was used is the limit for two days, and no more than we allow ourselves."""
    desk = Desk(day_limit=400)
    desk.enter(used)
    desk.guard.close(60, quota=True)
    seen = desk.guard.view()
    assert (seen.limit, seen.is_learnt) == (learnt, True)
    desk.pass_us(2 * DAY_US - 1)
    assert desk.guard.view().is_learnt
    desk.pass_us(1)
    assert (desk.guard.view().limit, desk.guard.view().is_learnt) == (400, False)


@pytest.mark.parametrize("used", [0, 3, LEAST_LIMIT - 1])
def test_a_quota_that_something_else_used_up_teaches_nothing(used: int) -> None:
    """After fewer calls than a busy day needs it was not we: the wait counts, and then everything is as before."""
    desk = Desk(day_limit=400)
    desk.enter(used)
    desk.guard.close(60, quota=True)
    seen = desk.guard.view()
    assert (seen.limit, seen.is_learnt, seen.opens_in_us) == (400, False, 60 * SECOND)


def test_what_was_learnt_stays_after_a_quota_that_something_else_used_up() -> None:
    """A limit that our own calls have taught is not unlearnt by a second closure on a quiet day."""
    desk = Desk(day_limit=400)
    desk.enter(300)
    desk.guard.close(60, quota=True)
    desk.pass_us(DAY_US + QUARTER_US)
    desk.guard.close(60, quota=True)
    assert desk.guard.view().limit == 300


def test_a_learnt_limit_leaves_a_busy_home_its_music() -> None:
    """Thirty visits of seven calls each, the least that starting, stopping and looking take, fit beside the reserve."""
    desk = Desk()
    desk.enter(LEAST_LIMIT)
    desk.guard.close(60, quota=True)
    seen = desk.guard.view()
    assert seen.limit - seen.reserve >= 30 * 7


@pytest.mark.parametrize("wait_s, quota, closed_us", [(0, True, QUOTA_WAIT_US), (60, True, 60 * SECOND), (0, False, 0)])
def test_a_quota_without_a_wait_closes_for_an_hour(desk: Desk, wait_s: float, quota: bool, closed_us: int) -> None:
    """Where Spotify names a wait it counts; a day's quota is not asked after every thirty seconds."""
    desk.guard.close(wait_s, quota=quota)
    assert desk.guard.view().opens_in_us == closed_us


def test_calls_are_short_before_the_reserve_is_all_there_is() -> None:
    """With less than a quarter of the limit left for music, calls are to be saved."""
    desk = Desk(day_limit=400)  # 360 for music
    desk.enter(260)
    assert not desk.guard.view().is_short
    desk.enter(1)
    assert desk.guard.view().is_short


def test_calls_that_were_short_are_so_until_there_is_half_as_much_again() -> None:
    """Before three eighths of the limit are there for music nothing is told to be over: it would be back at once."""
    desk = Desk(day_limit=400)  # 360 for music
    desk.enter(210)
    assert desk.guard.view().is_short_after(was_short=True)
    assert not desk.guard.view().is_short_after(was_short=False)
    desk = Desk(day_limit=400)
    desk.enter(209)
    assert not desk.guard.view().is_short_after(was_short=True)


@pytest.mark.parametrize(
    "us, words",
    [(1, "1 s"), (100 * SECOND, "100 s"), (121 * SECOND, "3 min"), (7_199 * SECOND, "2 h 00 min")],
)
def test_a_wait_is_never_said_to_be_shorter(us: int, words: str) -> None:
    """Rounded up, in words that a person uses."""
    assert in_words(us) == words


# What is kept.


def test_the_memory_comes_back_whole(desk: Desk) -> None:
    """The guard's state and the speakers' survive the bytes."""
    desk.enter(2)
    desk.guard.close(60, quota=True)
    speaker = RememberedDevice("Küche 🔊", "Speaker", "id1", True, 1_750_000_000.25)
    memory = AccountMemory(desk.guard.state, (speaker,))
    assert decode(encode(memory)) == memory


def test_a_memory_of_before_can_be_read(desk: Desk) -> None:
    """A refusal whose day was not kept yet is still one."""
    memory = AccountMemory(desk.guard.state, (RememberedDevice("Hall", "Speaker", "id1", True),))
    header, _, body = encode(memory).partition(b"\n")
    content = json.loads(zlib.decompress(body))
    del content["devices"][0]["refused_at_s"]
    assert decode(header + b"\n" + zlib.compress(json.dumps(content).encode())) == memory


@pytest.mark.parametrize("data", [b"", b"junk", b"spotty account 2\nx", b"spotty account 1\nx"])
def test_a_memory_that_is_none_is_refused(data: bytes) -> None:
    """Damaged, foreign or of a later schema: one line, and nothing is taken from it."""
    with pytest.raises(AccountMemoryError) as refused:
        decode(data)
    assert "\n" not in str(refused.value)


class AnyLife(RuleBasedStateMachine):
    """A guard through clock steps, restarts and boots, beside what is really true."""

    @initialize(trusted=st.booleans())
    def begin(self, trusted: bool) -> None:
        """A first boot."""
        self.true_us, self.boots = 0, 0
        self.clock = HandClock(trusted=trusted)
        self.clock.now = 7
        self.set_clock(0)
        self.desk = Desk(self.clock, boot="boot-0", day_limit=400)
        self.desk.keep(self.desk.guard.state, True)
        self.opens: list[int] = []
        self.calls: list[int] = []
        self.waits = [0]
        self.quota_at = -(10**15)
        self.is_measurable = True
        """Whether all that is remembered happened while the time was known."""

    def set_clock(self, wrong_by: int) -> None:
        """A trusted clock is right, another may show anything."""
        self.clock.wall_offset = EPOCH_US + self.true_us - self.clock.now + (0 if self.clock.is_trusted else wrong_by)

    @rule(us=st.sampled_from([0, 1, SECOND, 300 * SECOND, QUARTER_US, 6 * HOUR_US, 23 * HOUR_US]))
    def time_passes(self, us: int) -> None:
        """Also for the computer."""
        self.true_us += us
        self.clock.now += us

    @rule(hours=st.sampled_from([-(10**6), -2, 1, 30, 10**6]))
    def clock_is_set(self, hours: int) -> None:
        """To something wrong, while it is not trusted."""
        self.set_clock(hours * HOUR_US)

    @rule()
    def clock_is_trusted(self) -> None:
        """The time arrives."""
        self.clock.is_trusted = True
        self.set_clock(0)
        self.desk.guard.look()

    @rule(times=st.integers(1, 60), purpose=st.sampled_from(Purpose))
    def call(self, times: int, purpose: Purpose) -> None:
        """Requests want to leave."""
        for _ in range(times):
            seen = self.desk.guard.view()
            self.desk.guard.serve(purpose)
            if self.desk.may_enter():
                assert all(at <= self.true_us for at in self.opens), "nothing leaves before the wait is over"
                assert purpose is Purpose.STOPPING or seen.calls < seen.limit - seen.reserve
                self.calls.append(self.true_us)
                self.is_measurable = self.is_measurable and self.clock.is_trusted
            else:
                assert seen.opens_in_us or purpose is Purpose.MUSIC, "stopping waits for Spotify only"

    @rule(wait_s=st.sampled_from([0, 1, 30, 3600, 86_400]), quota=st.booleans())
    def close(self, wait_s: int, quota: bool) -> None:
        """Spotify has had enough."""
        self.desk.guard.close(wait_s, quota=quota)
        wait_us = wait_s * SECOND or (QUOTA_WAIT_US if quota else 0)
        self.quota_at = self.true_us if quota else self.quota_at
        self.opens.append(self.true_us + wait_us)
        self.waits.append(wait_us)
        self.is_measurable = self.is_measurable and self.clock.is_trusted

    @rule()
    def restart(self) -> None:
        """The component is killed and comes up again."""
        self.desk.restart()

    @rule(off_us=st.sampled_from([0, 5 * SECOND, HOUR_US, 40 * HOUR_US]), trusted=st.booleans(), wrong_by=st.integers())
    def boot(self, off_us: int, trusted: bool, wrong_by: int) -> None:
        """The power fails, and comes back."""
        self.true_us += off_us
        self.boots += 1
        self.clock.is_trusted = trusted
        self.clock.now = 7
        self.set_clock(wrong_by)
        self.desk.restart(f"boot-{self.boots}", mono=7)

    @invariant()
    def the_wait_is_what_was_asked_for(self) -> None:
        """Never open too early, never longer than asked for, and exact where the time is and was known."""
        left_us = max([0, *(at - self.true_us for at in self.opens)])
        opens_in_us = self.desk.guard.view().opens_in_us
        assert left_us <= opens_in_us <= max(self.waits)
        if self.clock.is_trusted and self.is_measurable:
            assert opens_in_us == left_us

    @invariant()
    def a_learnt_limit_is_a_mild_one(self) -> None:
        """No quota, whoever used it up, leaves less than a busy day needs; and none is remembered for long."""
        seen = self.desk.guard.view()
        assert LEAST_LIMIT <= seen.limit <= 400
        if self.clock.is_trusted and self.is_measurable and self.quota_at <= self.true_us - 2 * DAY_US:
            assert not seen.is_learnt

    @invariant()
    def the_ledger_is_the_list(self) -> None:
        """No call of the last 24 h is missing; older ones are gone within a quarter, where the time is known."""
        counted = self.desk.guard.view().calls
        assert counted >= sum(at > self.true_us - DAY_US for at in self.calls)
        if self.clock.is_trusted and self.is_measurable:
            assert counted <= sum(at > self.true_us - DAY_US - QUARTER_US for at in self.calls)


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(patient, max_examples=100, stateful_step_count=30)
