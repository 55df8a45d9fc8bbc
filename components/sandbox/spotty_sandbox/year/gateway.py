"""One run of the component without its threads: the same engine, chronicle, performer, manners, guard and client.

What differs is who calls whom: here one thread does it all, in the year's time. Motions go on being decided while a
command is under way, because a request lets time pass (agenda.py). This is the loop's half, worker.py the executor's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, cast

from spotty_gateway.account import Account
from spotty_gateway.awakening import Before, awake
from spotty_gateway.chronicle import Chronicle
from spotty_gateway.engine.commands import Effect, PlayerCommand, SessionFacts
from spotty_gateway.engine.events import Event, PlayerReady, Report, Stopping, Tick
from spotty_gateway.engine.rules import NEVER, SECOND
from spotty_gateway.engine.state import House
from spotty_gateway.engine.step import next_deadline, step
from spotty_gateway.loop import LOOK_AT_CLOCK_EVERY_US, LOOK_FOR_TRUST_EVERY_US, Rejoin
from spotty_gateway.performer import Performer
from spotty_gateway.ports import Gate, Player
from spotty_gateway.residents import Resident
from spotty_gateway.speakers import Speakers
from spotty_gateway.store import Store

from .surroundings import Surroundings
from .worker import EndedError, Worker

INTENT_WITHIN_US = SECOND // 2
"""As app.py has it."""


class Timed(Protocol):
    """What the year asks of a player besides."""

    def close(self) -> None:
        """Give the connection up."""


class YearPlayer(Player, Timed, Protocol):
    """A Player that can be closed."""


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
        self.is_closing = self.is_over = False
        self.boot_id = boot_id
        self._agenda = around.agenda
        self._clock = around.agenda.clock
        self._name = name
        self._ended = ended
        self._wake_at = NEVER
        store = cast("Store", around.disk)  # as much of one as an account needs
        self.account = Account(self._clock, boot_id, store, around.settings, self._say)
        self.player = makers.player(self, self.account.guard)
        performer = makers.performer(self, self.player, self.account.speakers_of(self.player))
        self._worker = Worker(self, performer, begins)
        self._chronicle: Chronicle | None = None
        self._house: House | None = None
        self._rejoin: Rejoin | None = None

    # As a Gateway, of which promises are made.

    @property
    def house(self) -> House | None:
        """None once it is over, or about to be."""
        return None if self.is_over or self.is_closing else self._house

    @property
    def command(self) -> PlayerCommand | None:
        """What it asks Spotify for now."""
        return self._worker.command

    @property
    def asked_at(self) -> int:
        """When the command under way was begun."""
        return self._worker.asked_at

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
        self.around.engine.awoken(morning.effects)
        self._listen(morning.house, self._tick(), morning.effects)
        self._wake_later()
        self._worker.wake()

    def stop(self, *, pause: bool) -> None:
        """SIGTERM: what waits is carried out but for starts, the exact state is written, and it ends."""
        self.take(Stopping(*self.now(), pause=pause))
        self.is_closing = True
        self._worker.stop()

    def end(self) -> None:
        """The process is no more. Raises EndedError where it was in the middle of something."""
        self.is_over = True
        self.player.close()
        if self._worker.is_busy:
            raise EndedError

    def look_at_clock(self) -> None:
        """The computer has been told the time."""
        self._worker.wake()

    def account_changed(self) -> None:
        """Somebody has connected the account anew, and the gateway has heard of it."""
        self.take(PlayerReady(*self.now()))
        self._worker.wake(has_something_new=True)

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
        if self.is_over or self._house is None:
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
        if self.is_over or at != self._wake_at:
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

    # What it is called for.

    def _put(self, command: PlayerCommand) -> None:
        self._worker.put(command)

    def wait(self, seconds: float) -> None:
        """As the executor waits for a speaker: no longer once it is closing."""
        self._agenda.pass_until(self._clock.at + round(seconds * SECOND), lambda: self.is_closing)

    def await_intent(self) -> None:
        """As app.py waits for the disk."""
        self.around.disk.flush(INTENT_WITHIN_US)

    def write_and_end(self) -> None:
        """The exact state is on disk, and it has ended by itself. Raises EndedError where it was busy."""
        if self._house is not None:
            self.around.disk.save_at_once(self._house, self.boot_id)
        self.is_over = True
        self._ended()
        self.player.close()
        if self._worker.is_busy:
            raise EndedError

    def _say(self, line: str) -> None:
        self.around.story.note("gateway", line)
