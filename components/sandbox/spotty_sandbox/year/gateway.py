"""One run of the component without its threads: the same engine, chronicle, performer, manners, guard and client.

What differs is who calls whom: here one thread does it all, in the year's time. Motions go on being decided while a
command is under way, because a request lets time pass (agenda.py).
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, cast

from spotty_gateway.account import Account
from spotty_gateway.app import BACK_WITHIN_US
from spotty_gateway.awakening import Before, awake
from spotty_gateway.chronicle import Chronicle
from spotty_gateway.engine.commands import Effect, PlayerCommand, SessionFacts, StartMusic
from spotty_gateway.engine.events import (
    CallsShort,
    Event,
    Outcome,
    PlayerAnswered,
    PlayerReady,
    Report,
    Stopping,
    Superseded,
    Tick,
)
from spotty_gateway.engine.rules import NEVER, SECOND
from spotty_gateway.engine.state import House
from spotty_gateway.engine.step import next_deadline, step
from spotty_gateway.executor import supersedes
from spotty_gateway.loop import LOOK_AT_CLOCK_EVERY_US, LOOK_FOR_TRUST_EVERY_US, Rejoin
from spotty_gateway.performer import Performer
from spotty_gateway.ports import Gate, Player
from spotty_gateway.residents import Resident
from spotty_gateway.settings import Settings
from spotty_gateway.speakers import Speakers
from spotty_gateway.spotify import READY_S
from spotty_gateway.store import Store

from .agenda import Agenda
from .disk import Disk
from .engine_promises import EnginePromises
from .music_promises import MusicPromises
from .story import Story
from .truth import Truth

INTENT_WITHIN_US = SECOND // 2
PLAYER_STOPS_WITHIN_US = 5 * SECOND // 2
"""As app.py has them."""


class EndedError(BaseException):
    """The process has ended in the middle of what it was doing. Nothing in it may catch this: it is not there."""


class Timed(Protocol):
    """What the year asks of a player besides."""

    def close(self) -> None:
        """Give the connection up."""


class YearPlayer(Player, Timed, Protocol):
    """A Player that can be closed."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every run has around it."""

    agenda: Agenda
    rng: random.Random
    story: Story
    disk: Disk
    settings: Settings
    truth: Truth
    music: MusicPromises
    engine: EnginePromises


@dataclass(frozen=True, slots=True)
class Makers:
    """What a run is made of; tests make it of broken pieces."""

    player: Callable[["Run", Gate], YearPlayer]
    performer: Callable[["Run", Player, Speakers], Performer]


class Run:
    """From a start to an end. `begins` is called before each command, `ended` when it has stopped by itself."""

    def __init__(
        self,
        around: Surroundings,
        makers: Makers,
        name: str,
        boot_id: str,
        begins: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        """`name` tells this run from all others."""
        self.around = around
        self.command: PlayerCommand | None = None
        self.asked_at = 0
        self.is_closing = False
        self.boot_id = boot_id
        self._agenda = around.agenda
        self._clock = around.agenda.clock
        self._name = name
        self._begins = begins
        self._ended = ended
        self._is_over = False
        self._is_busy = False
        self._queue: list[PlayerCommand] = []
        self._wake_at = NEVER
        self._is_short: bool | None = None
        self._back_at = NEVER
        self._ready_again_at = 0
        store = cast("Store", around.disk)  # as much of one as an account needs
        self.account = Account(self._clock, boot_id, store, around.settings, self._say)
        self.player = makers.player(self, self.account.guard)
        self._performer = makers.performer(self, self.player, self.account.speakers_of(self.player))
        self._chronicle: Chronicle | None = None
        self._house: House | None = None
        self._rejoin: Rejoin | None = None

    # As a Gateway, of which promises are made.

    @property
    def house(self) -> House | None:
        """None once it is over, or about to be."""
        return None if self._is_over or self.is_closing else self._house

    @property
    def hindrance(self) -> str:
        """What keeps it from acting."""
        if self._rejoin is not None:
            return "the time is awaited"
        return "the guard is closed" if self.account.guard.view().opens_in_us else ""

    # Life.

    def start(self, residents: Iterable[Resident], before: Before | None) -> None:
        """Go on from where the last run stopped."""
        rooms = list(residents)
        names = {one.wiring.id: one.wiring.name for one in rooms}
        disk, seed = self.around.disk, self.around.rng.randrange(1, 2**32)
        self._chronicle = Chronicle(disk, self.boot_id, names, self._put, self._say, self._record)
        morning = awake(before, rooms, self._tick(), self._name, self._say, seed)
        self._rejoin = morning.rejoin
        self._house = morning.house
        self._listen(morning.house, self._tick(), morning.effects)
        self._wake_later()
        self._agenda.after(0, self._work)

    def stop(self, *, pause: bool) -> None:
        """SIGTERM: what waits is carried out but for starts, the exact state is written, and it ends."""
        self.take(Stopping(*self.now(), pause=pause))
        self.is_closing = True
        if self._is_busy:
            self._agenda.after(PLAYER_STOPS_WITHIN_US, self._abandon)
        else:
            self._work()

    def end(self) -> None:
        """The process is no more. Raises EndedError where it was in the middle of something."""
        self._is_over = True
        self.player.close()
        if self._is_busy:
            raise EndedError

    def look_at_clock(self) -> None:
        """The computer has been told the time."""
        self._agenda.after(0, self._work)

    def account_changed(self) -> None:
        """Somebody has connected the account anew, and the gateway has heard of it."""
        self._ready_again_at = 0
        self.take(PlayerReady(*self.now()))
        self._agenda.after(0, self._work)

    def now(self) -> tuple[int, int, bool]:
        """The instant as events have it."""
        mono = self._clock.mono()
        return mono, mono + self._clock.offset(), self._clock.trusted()

    def report(self, sensor_id: str, input_id: str, *, active: bool, initial: bool = False) -> None:
        """A pin has changed, or was found so."""
        if not self.is_closing:
            self.take(Report(*self.now(), sensor_id, input_id, active, initial))

    def take(self, event: Event) -> None:
        """As the loop does it."""
        if self._is_over or self._house is None:
            return
        if self._rejoin is not None:
            self._join_if_due(event)
        before = self._house
        effects: list[Effect] = []
        try:
            self._house, effects = step(before, event)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the year was made to find
            self.around.engine.went_wrong(event, error)
        self.around.engine.stepped(before, event, self._house, effects)
        self._listen(self._house, event, effects)
        self._wake_later()

    def _join_if_due(self, event: Event) -> None:
        rejoin, house = self._rejoin, self._house
        if rejoin is None or house is None:
            return
        if not (event.trusted or event.mono >= rejoin.until or isinstance(event, Stopping)):
            return
        self._rejoin = None
        tick = Tick(event.mono, event.wall, event.trusted)
        self._house, effects = rejoin.join(house, tick)
        self.around.engine.stepped(house, tick, self._house, effects)
        self._listen(self._house, tick, effects)

    def _listen(self, house: House, event: Event, effects: Iterable[Effect]) -> None:
        if self._chronicle is not None:
            self._chronicle(house, event, effects)

    def _record(self, facts: SessionFacts) -> None:
        if facts.motions == 1 and facts.ended_by is None and facts.duration_us == 0:
            self.around.music.session_began(facts)

    def _tick(self) -> Tick:
        return Tick(*self.now())

    # Deadlines, as the loop waits for them.

    def _wake_later(self) -> None:
        at = self._patience_until()
        if at < self._wake_at:
            self._wake_at = at
            self._agenda.after(max(0, at - self._clock.mono()), lambda: self._wake(at))

    def _wake(self, at: int) -> None:
        if self._is_over or at != self._wake_at:
            return
        self._wake_at = NEVER
        if self._patience_until() <= self._clock.mono():
            self.take(self._tick())
        else:
            self._wake_later()

    def _patience_until(self) -> int:
        if self._house is None:
            return NEVER
        due, mono = [next_deadline(self._house) or NEVER], self._house.mono
        if self._rejoin is not None:
            due += [self._rejoin.until, mono + LOOK_FOR_TRUST_EVERY_US]
        elif not self._house.trusted:
            due.append(mono + LOOK_AT_CLOCK_EVERY_US)
        return min(due)

    # Commands, as the executor carries them out.

    def _put(self, command: PlayerCommand) -> None:
        self._queue.append(command)
        self._agenda.after(0, self._work)

    def _work(self) -> None:
        """The player's thread awakes. While a command is under way, what comes waits for its end."""
        if self._is_busy or self._is_over:
            return
        self._is_busy = True
        try:
            self._carry_out()
            if self.is_closing and not self._is_over:
                self._write_and_end()
            self._look_around()
            self._get_ready()
            self._carry_out()
        except EndedError:
            pass
        finally:
            self._is_busy = False
            self.command = None

    def _carry_out(self) -> None:
        while self._queue and not self._is_over and not self._agenda.is_over:
            self._leave_out_superseded()
            command = self._queue.pop(0)
            if not (isinstance(command, StartMusic) and self.is_closing):
                self._finish(command, self._perform(command))
            self._ready_again_at = 0
            self._look_around()

    def _look_around(self) -> None:
        """As the executor tells the loop what has changed for all rooms at once."""
        seen = self.account.guard.look()
        if seen.is_short is not self._is_short:
            self._is_short = seen.is_short
            self.take(CallsShort(*self.now(), seen.is_short))
        mono = self._clock.mono()
        if seen.opens_in_us:
            self._back_at = mono + seen.opens_in_us + self.around.rng.randrange(BACK_WITHIN_US)
            self._agenda.after(self._back_at - mono, self._work)
        elif self._back_at < NEVER and self._back_at <= mono:
            self._back_at = NEVER
            self.take(PlayerReady(*self.now()))

    def _get_ready(self) -> None:
        """As the executor uses its leisure."""
        mono = self._clock.mono()
        if self.is_closing or self._ready_again_at > mono or self.account.guard.look().opens_in_us:
            return
        self.player.within(READY_S)
        readiness = self.player.get_ready()
        self.account.look_at_consent()
        self._ready_again_at = NEVER
        if readiness.again_in_s is not None:
            wait_us = max(SECOND, round(readiness.again_in_s * SECOND))
            self._ready_again_at = self._clock.mono() + wait_us
            self._agenda.after(wait_us, self._work)

    def wait(self, seconds: float) -> None:
        """As the executor waits for a speaker: no longer once it is closing."""
        self._agenda.pass_until(self._clock.at + round(seconds * SECOND), lambda: self.is_closing)

    def await_intent(self) -> None:
        """As app.py waits for the disk."""
        self.around.disk.flush(INTENT_WITHIN_US)

    def _perform(self, command: PlayerCommand) -> Outcome:
        self.command, self.asked_at = command, self._clock.at
        self._begins()
        outcome = self._performer.perform(command)
        self.command = None
        self.around.story.note("player", f"{type(command).__name__} {command.token} of {command.sensor_id}: {outcome}")
        self.around.music.answered(command, outcome, self._clock.at - self.asked_at)
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
        self.take(PlayerAnswered(*self.now(), command.sensor_id, command.token, outcome))

    def _abandon(self) -> None:
        """The player has not come to its end in time: it is left behind."""
        if not self._is_over:
            self._write_and_end()

    def _write_and_end(self) -> None:
        if self._house is not None:
            self.around.disk.save_at_once(self._house, self.boot_id)
        self._is_over = True
        self._ended()
        self.player.close()
        if self._is_busy:
            raise EndedError

    def _say(self, line: str) -> None:
        self.around.story.note("gateway", line)
