"""The guard of the account: no request before Spotify's wait is over, and a day's calls kept within bounds.

It holds for the whole account and outlives the process: a restart, or a boot, must not look like a way round a wait.
Pure but for the clock it is given and for `keep`, which is told whatever must survive. What it does with a memory and a
moment are functions of their own, so that another process can tell how things stand.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from spotty_gateway.account_memory import Anchor, Calls, Closure, GuardState, LearntLimit
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.errors import PlayerLimitError
from spotty_gateway.ports import Clock

QUARTER_US = 900 * SECOND
DAY_US = 86_400 * SECOND

DAY_LIMIT = 2_000
"""Calls we allow ourselves in 24 h. Spotify names no figure for an app in development mode. A home of 30 visits makes
about 200 without fades and 700 with them, so this is three busy days in one; a defect that calls on and on is stopped
by it before Spotify has to."""

LEAST_LIMIT = 250
"""What a busy day needs: thirty visits of seven calls without fades, and the reserve. After fewer calls of ours than
this, something else has used the quota up: that is waited for, and no limit is learnt from it. A lower one would keep
a home silent that does nothing wrong."""

LEARNT_LASTS_US = 2 * DAY_US
"""How long a learnt limit is believed: quotas are raised, and if it still holds, it is learnt again within a day."""

QUOTA_WAIT_US = 3_600 * SECOND
"""The wait where the day's quota is used up and nobody says for how long."""

RESERVE_SHARE, LEAST_RESERVE = 10, 30
"""What is kept for pausing: a tenth of the limit, and never less than ten pauses of three calls each: a look, the
pause, and a look whether it was heard."""

SHORT_SHARE = 4
"""Calls are short when less than a quarter of the limit is left for music: then fades, a dozen calls each, are dropped.
"""


class Purpose(StrEnum):
    """What the calls that follow are for."""

    MUSIC = "music"
    """A start: refused where the day's calls are needed for pausing."""
    STOPPING = "stopping"
    """A pause, a volume brought down or back, a token: never refused by our own reckoning."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant on both clocks."""

    mono: int
    wall: int
    trusted: bool


@dataclass(frozen=True, slots=True)
class GuardView:
    """How things stand, for people and for the engine."""

    opens_in_us: int
    """0 where the guard is open."""
    calls: int
    """In the last 24 h."""
    limit: int
    reserve: int
    is_learnt: bool
    """Whether the limit is what Spotify taught us, and not our own."""
    music_in_us: int
    """Until a start may be asked for as far as our own reckoning goes; 0 where it may."""

    @property
    def is_short(self) -> bool:
        """Whether calls are to be saved where music goes on without them."""
        return self._left_for_music < self.limit // SHORT_SHARE

    def is_short_after(self, *, was_short: bool) -> bool:
        """The same for whoever must not be told back and forth: what was short is so until there is half as much again.

        A home that wants a few calls too many would be at the brink all day, with each call that the day forgets.
        """
        return self.is_short or (was_short and self._left_for_music <= self.limit * 3 // (2 * SHORT_SHARE))

    @property
    def _left_for_music(self) -> int:
        return self.limit - self.reserve - self.calls


class Guard:
    """A Gate. Its owner is the player's thread; `view` may be asked from any."""

    def __init__(
        self,
        clock: Clock,
        boot_id: str,
        before: GuardState | None = None,
        keep: Callable[[GuardState, bool], object] = lambda _state, _urgent: None,
        day_limit: int = DAY_LIMIT,
    ) -> None:
        """`before` is what was kept last. `keep` gets the state and whether it must be on disk at once."""
        self._clock = clock
        self._boot_id = boot_id
        self._keep = keep
        self._day_limit = day_limit
        self._purpose = Purpose.STOPPING
        self._is_under_way = False
        now = self._now()
        self._state = brought_to(before or GuardState(boot_id, now.mono), boot_id, now)

    @property
    def state(self) -> GuardState:
        """What must survive, as it was when something last happened."""
        return self._state

    @property
    def is_in_doubt(self) -> bool:
        """Whether a closure from another boot is still to be judged anew: when the clock is trusted."""
        return bool(self._state.closures) and not _is_anchored(self._state)

    def serve(self, purpose: Purpose) -> None:
        """What the calls from now on are for. A start that has been let in once is let finish."""
        self._purpose = purpose
        self._is_under_way = False

    def enter(self) -> None:
        """Count a request that is about to leave. Raises PlayerLimitError where none may."""
        now = self._now()
        self._state = state = brought_to(self._state, self._boot_id, now)
        if state.closures:
            wait_us = _opens_at(state) - now.mono
            raise PlayerLimitError(f"Spotify asked us to wait: no request for {in_words(wait_us)}", wait_us / SECOND)
        if self._purpose is Purpose.MUSIC and not self._is_under_way:
            self._refuse_music_beyond_the_limit(now)
            self._is_under_way = True
        since = _after_anchor(state)
        calls = state.calls
        if calls and now.mono - calls[-1].since < QUARTER_US and not _is_of_before(state, calls[-1].since):
            calls = (*calls[:-1], Calls(calls[-1].since, calls[-1].number + 1))
        else:
            calls = (*calls, Calls(since, 1))
        self._state = replace(state, calls=calls)
        self._keep(self._state, False)

    def close(self, wait_s: float, *, quota: bool) -> None:
        """Spotify wants no request for so long; with `quota` because the day's is used up, for an hour if unsaid."""
        now = self._now()
        state = brought_to(self._state, self._boot_id, now)
        wait_us = round(wait_s * SECOND)
        learnt = state.learnt
        if quota:
            wait_us = wait_us or QUOTA_WAIT_US
            calls = _number(state)
            if calls >= LEAST_LIMIT:
                learnt = LearntLimit(min(calls, self._day_limit), _after_anchor(state))
        if wait_us > 0:
            # An earlier one that opens earlier is no more, whatever is still to be learnt about its beginning.
            later = tuple(one for one in state.closures if one.opens_at > now.mono + wait_us)
            state = replace(state, closures=(*later, Closure(_after_anchor(state), now.mono + wait_us)))
        self._state = replace(state, learnt=learnt)
        self._keep(self._state, True)

    def look(self) -> GuardView:
        """How things stand now, with what the clock has to tell taken in."""
        now = self._now()
        before, self._state = self._state, brought_to(self._state, self._boot_id, now)
        if before.closures and _is_anchored(self._state) and not _is_anchored(before):
            self._keep(self._state, True)
        return view(self._state, self._boot_id, now, self._day_limit)

    def view(self) -> GuardView:
        """How things stand now; from any thread."""
        return view(self._state, self._boot_id, self._now(), self._day_limit)

    def _refuse_music_beyond_the_limit(self, now: Moment) -> None:
        now_seen = view(self._state, self._boot_id, now, self._day_limit)
        if now_seen.music_in_us:
            raise PlayerLimitError(
                f"{now_seen.calls} of {now_seen.limit} calls to Spotify have been made in 24 h; the rest is kept for "
                f"stopping music: no start for {in_words(now_seen.music_in_us)}",
                now_seen.music_in_us / SECOND,
            )

    def _now(self) -> Moment:
        mono = self._clock.mono()
        return Moment(mono, mono + self._clock.offset(), self._clock.trusted())


def view(state: GuardState, boot_id: str, now: Moment, day_limit: int = DAY_LIMIT) -> GuardView:
    """How things stand at `now` in the boot of this id, by what was kept."""
    state = brought_to(state, boot_id, now)
    limit = min(day_limit, state.learnt.calls) if state.learnt is not None else day_limit
    reserve = min(limit // 2, max(LEAST_RESERVE, limit // RESERVE_SHARE))
    calls = _number(state)
    return GuardView(
        opens_in_us=max(0, _opens_at(state) - now.mono) if state.closures else 0,
        calls=calls,
        limit=limit,
        reserve=reserve,
        is_learnt=state.learnt is not None,
        music_in_us=_music_in_us(state, calls - (limit - reserve), now),
    )


def brought_to(state: GuardState, boot_id: str, now: Moment) -> GuardState:
    """The state at `now`: on this boot's clock, measured anew where that is possible at last, without what is over.

    Where nobody knows how long the computer was off, no time has passed: nothing opens too early, and no wait is longer
    than what was left of it.
    """
    if state.boot_id != boot_id or state.mono > now.mono:  # another boot, or a clock that was begun anew
        state = replace(_later(state, now.mono - state.mono), boot_id=boot_id)
    if now.trusted and state.anchor is not None and state.anchor.boot_id != boot_id:
        state = _measured(state, state.anchor, now)
    closures, calls, learnt = state.closures, state.calls, state.learnt
    if closures:
        closures = tuple(one for one in closures if one.opens_at > now.mono)
    if calls and _is_over(calls[0], now):
        calls = tuple(one for one in calls if not _is_over(one, now))
    if learnt is not None and learnt.at + LEARNT_LASTS_US <= now.mono:
        learnt = None
    anchor = Anchor(boot_id, now.mono, now.wall) if now.trusted else state.anchor
    return GuardState(boot_id, now.mono, closures, calls, learnt, anchor)


def in_words(us: int) -> str:
    """A wait as a person would say it, never shorter than it is."""
    minutes = -(-us // (60 * SECOND))
    if us < 120 * SECOND:
        return f"{-(-us // SECOND)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"  # noqa: PLR2004 - 2 h


def _later(state: GuardState, by: int) -> GuardState:
    """The same on a clock that shows so much more."""
    anchor, learnt = state.anchor, state.learnt
    return replace(
        state,
        mono=state.mono + by,
        closures=tuple(Closure(one.asked_at + by, one.opens_at + by) for one in state.closures),
        calls=tuple(Calls(one.since + by, one.number) for one in state.calls),
        learnt=None if learnt is None else LearntLimit(learnt.calls, learnt.at + by),
        anchor=None if anchor is None else replace(anchor, mono=anchor.mono + by),
    )


def _measured(state: GuardState, anchor: Anchor, now: Moment) -> GuardState:
    """What lies before an anchor of another boot is as long ago as the calendar says."""
    longer = max(0, (now.wall - anchor.wall) - (now.mono - anchor.mono))

    def by(at: int) -> int:
        return longer if _is_of_before(state, at) else 0

    learnt = state.learnt
    return replace(
        state,
        closures=tuple(Closure(one.asked_at, one.opens_at - by(one.asked_at)) for one in state.closures),
        calls=tuple(Calls(one.since - by(one.since), one.number) for one in state.calls),
        learnt=None if learnt is None else LearntLimit(learnt.calls, learnt.at - by(learnt.at)),
    )


def _is_of_before(state: GuardState, at: int) -> bool:
    """Whether this lies before the gap that is still to be measured."""
    return state.anchor is not None and state.anchor.boot_id != state.boot_id and at <= state.anchor.mono


def _after_anchor(state: GuardState) -> int:
    """Now, told apart from what was before such a gap."""
    return state.mono + 1 if _is_of_before(state, state.mono) else state.mono


def _is_over(calls: Calls, now: Moment) -> bool:
    """Whether every one of them is more than 24 h old."""
    return calls.since + QUARTER_US + DAY_US <= now.mono


def _is_anchored(state: GuardState) -> bool:
    return state.anchor is not None and state.anchor.boot_id == state.boot_id


def _opens_at(state: GuardState) -> int:
    return max(one.opens_at for one in state.closures)


def _number(state: GuardState) -> int:
    return sum(one.number for one in state.calls)


def _music_in_us(state: GuardState, too_many: int, now: Moment) -> int:
    """Until one call more than `too_many` has fallen out of the last 24 h."""
    for one in state.calls if too_many >= 0 else ():
        too_many -= one.number
        if too_many < 0:
            return one.since + QUARTER_US + DAY_US - now.mono
    return 0
