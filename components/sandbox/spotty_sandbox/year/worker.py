"""The executor's half of a run: commands carried out one after the other, and what is done in between.

As in executor.py and idling.py, without their thread: whoever wakes it does the work.
"""

from collections.abc import Callable
from typing import Protocol

from spotty_gateway.account import Account
from spotty_gateway.account_side import BACK_WITHIN_US
from spotty_gateway.engine.commands import PlayerCommand, StartMusic
from spotty_gateway.engine.events import CallsShort, Event, Outcome, PlayerAnswered, PlayerReady, Superseded
from spotty_gateway.engine.rules import NEVER, SECOND
from spotty_gateway.executor import supersedes
from spotty_gateway.performer import Performer
from spotty_gateway.ports import Player
from spotty_gateway.spotify import READY_S

from .surroundings import Surroundings

PLAYER_STOPS_WITHIN_US = 5 * SECOND // 2
"""As app.py has it."""


class EndedError(BaseException):
    """The process has ended in the middle of what it was doing. Nothing in it may catch this: it is not there."""


class Component(Protocol):
    """What the worker works for."""

    account: Account
    is_closing: bool
    is_over: bool

    @property
    def around(self) -> Surroundings:
        """What every run has around it."""

    @property
    def player(self) -> Player:
        """The account's."""

    def now(self) -> tuple[int, int, bool]:
        """The instant as events have it."""

    def take(self, event: Event) -> None:
        """As the loop does it."""

    def write_and_end(self) -> None:
        """It has come to its end by itself. Raises EndedError where it was busy."""


class Worker:
    """One command at a time."""

    def __init__(self, component: Component, performer: Performer, begins: Callable[[], None]) -> None:
        """`begins` is called before each command."""
        self._component = component
        self._performer = performer
        self._begins = begins
        self._around = component.around
        self._agenda = component.around.agenda
        self._clock = component.around.agenda.clock
        self._queue: list[PlayerCommand] = []
        self._is_short: bool | None = None
        self._back_at = NEVER
        self._ready_again_at = 0
        self.is_busy = False
        self.command: PlayerCommand | None = None
        self.asked_at = 0

    def put(self, command: PlayerCommand) -> None:
        """Take a command."""
        self._queue.append(command)
        self.wake()

    def wake(self, *, has_something_new: bool = False) -> None:
        """There may be something to do; where it `has_something_new`, getting ready is."""
        if has_something_new:
            self._ready_again_at = 0
        self._agenda.after(0, self._work)

    def stop(self) -> None:
        """What waits is carried out but for starts, for as long as there is time."""
        if self.is_busy:
            self._agenda.after(PLAYER_STOPS_WITHIN_US, self._abandon)
        else:
            self._work()

    def _work(self) -> None:
        """While a command is under way, what comes waits for its end."""
        if self.is_busy or self._component.is_over:
            return
        self.is_busy = True
        try:
            self._carry_out()
            if self._component.is_closing and not self._component.is_over:
                self._component.write_and_end()
            self._look_around()
            self._get_ready()
            self._carry_out()
        except EndedError:
            pass
        finally:
            self.is_busy = False
            self.command = None

    def _carry_out(self) -> None:
        while self._queue and not self._component.is_over and not self._agenda.is_over:
            self._leave_out_superseded()
            command = self._queue.pop(0)
            if not (isinstance(command, StartMusic) and self._component.is_closing):
                self._finish(command, self._perform(command))
            self._ready_again_at = 0
            self._look_around()

    def _look_around(self) -> None:
        """As the executor tells the loop what has changed for all rooms at once."""
        seen = self._component.account.guard.look()
        if seen.is_short is not self._is_short:
            self._is_short = seen.is_short
            self._component.take(CallsShort(*self._component.now(), seen.is_short))
        mono = self._clock.mono()
        if seen.opens_in_us:
            self._back_at = mono + seen.opens_in_us + self._around.rng.randrange(BACK_WITHIN_US)
            self._agenda.after(self._back_at - mono, self._work)
        elif self._back_at < NEVER and self._back_at <= mono:
            self._back_at = NEVER
            self._component.take(PlayerReady(*self._component.now()))

    def _get_ready(self) -> None:
        """As the executor uses its leisure."""
        mono, account = self._clock.mono(), self._component.account
        if self._component.is_closing or self._ready_again_at > mono or account.guard.look().opens_in_us:
            return
        self._component.player.within(READY_S)
        readiness = self._component.player.get_ready()
        account.look_at_consent()
        self._ready_again_at = NEVER
        if readiness.again_in_s is not None:
            wait_us = max(SECOND, round(readiness.again_in_s * SECOND))
            self._ready_again_at = self._clock.mono() + wait_us
            self._agenda.after(wait_us, self._work)

    def _perform(self, command: PlayerCommand) -> Outcome:
        self.command, self.asked_at = command, self._clock.at
        self._begins()
        outcome = self._performer.perform(command)
        self.command = None
        self._around.story.note("player", f"{type(command).__name__} {command.token} of {command.sensor_id}: {outcome}")
        self._around.music.answered(command, outcome, self._clock.at - self.asked_at)
        return outcome

    def _leave_out_superseded(self) -> None:
        kept: list[PlayerCommand] = []
        for number, command in enumerate(self._queue):
            if any(supersedes(newer, command) for newer in self._queue[number + 1 :]):
                self._finish(command, Superseded())
            else:
                kept.append(command)
        self._queue = kept

    def _finish(self, command: PlayerCommand, outcome: Outcome) -> None:
        answered = PlayerAnswered(*self._component.now(), command.sensor_id, command.token, outcome)
        self._component.take(answered)

    def _abandon(self) -> None:
        """The player has not come to its end in time: it is left behind."""
        if not self._component.is_over:
            self._component.write_and_end()
