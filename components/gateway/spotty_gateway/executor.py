"""The one thread that talks to the player. Commands come in from the loop, answers go back to it as events.

A newer command of a room supersedes older ones that have not begun, and is itself never held up by more than the
one command under way. While nothing is to be done the player gets ready for what comes, and then the thread sleeps:
until a command comes, the connection goes stale, a token grows old, or the guard opens.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import TypeVar

from spotty_gateway.asking import Question
from spotty_gateway.engine.commands import PlayerCommand, SetVolume, StartMusic
from spotty_gateway.engine.events import CallsShort, Event, Outcome, PlayerAnswered, PlayerReady, Superseded
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.guard import Guard
from spotty_gateway.idling import Idling
from spotty_gateway.performer import Performer
from spotty_gateway.ports import Clock, Player
from spotty_gateway.speakers import Speakers

log = logging.getLogger(__name__)

T = TypeVar("T")

Work = PlayerCommand | Question[object] | None
"""What waits for the player; None is the end."""


class Executor:
    """Owns the player. `post` is called on its thread with the event that ends each command, and with the guard's."""

    def __init__(
        self,
        player: Player,
        clock: Clock,
        post: Callable[[Event], None],
        guard: Guard,
        *,
        await_intent: Callable[[], object] = lambda: None,
        speakers: Speakers | None = None,
        after_getting_ready: Callable[[], object] = lambda: None,
        spread_us: Callable[[], int] = lambda: 0,
        give_up: Callable[[], object] = lambda: None,
    ) -> None:
        """Nothing is asked of the player before `start`. `await_intent` is called before any music is asked for.

        `after_getting_ready` is called whenever the player has got ready; `spread_us` says how much later than the
        guard's opening we come back, so that not every gateway does at one instant. `give_up` is called when the
        player's thread has come to its end without being told to: rooms would wait for it for ever.
        """
        self._player = player
        self._performer = Performer(player, self.wait, await_intent, speakers=speakers, serve=guard.serve)
        self._clock = clock
        self._post = post
        self._idling = Idling(player, clock, guard, after_getting_ready, spread_us)
        self._give_up = give_up
        self._is_short: bool | None = None
        self._has_changed = False
        self._closing = threading.Event()
        self._abandoned = threading.Event()
        self._inbox: SimpleQueue[Work] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="player", daemon=True)

    def start(self) -> None:
        """Begin to carry out commands."""
        self._thread.start()

    def put(self, command: PlayerCommand) -> None:
        """Take a command; returns at once."""
        self._inbox.put(command)
        self._idling.wake()

    def ask(self, question: Callable[[Player], T], within_s: float) -> T:
        """Ask the player something between two commands, and wait. Raises PlayerError, and what `question` raises.

        PlayerUnavailableError at once where nobody will ask it any more.
        """
        asked = Question(question, within_s)
        self._inbox.put(asked)
        if self._abandoned.is_set():
            self._refuse_questions()
        self._idling.wake()
        return asked.answer()

    def account_changed(self) -> None:
        """Somebody has connected or disconnected the account: what waited for consent is tried again; from anywhere."""
        self._has_changed = True
        self._idling.wake()

    def look_at_clock(self) -> None:
        """The clock was set by whoever runs a simulated house; from anywhere."""
        self._idling.wake()

    def wait(self, seconds: float) -> None:
        """Wait so long in the house's time, but not while we are to close; for what the player's thread does."""
        self._closing.wait(self._clock.real_s(round(seconds * SECOND)))

    def close(self, timeout_s: float) -> bool:
        """Make the pauses and volumes that wait, start nothing more, and end; False if that takes longer than this.

        A call that hangs is left behind on its daemon thread: no answer comes from there any more, and what it was
        about stands in the snapshot as under way.
        """
        self._closing.set()  # nobody waits for a speaker to wake up any more
        self._inbox.put(None)
        self._idling.wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        elif self._thread.ident is None:
            self._idling.close()
        self._abandoned.set()
        self._refuse_questions()
        return not self._thread.is_alive()

    def _run(self) -> None:
        waiting: list[Work] = []
        try:
            self._live(waiting)
        except Exception as error:  # there is nobody above to see it, and without this thread no music ever stops
            log.critical("a fault in the gateway itself, please report it", exc_info=error)
            self._give_up()
        finally:
            self._abandoned.set()
            self._refuse_questions(waiting)
            self._idling.close()

    def _refuse_questions(self, waiting: Iterable[Work] = ()) -> None:
        """Nothing is asked any more. Whoever puts a question looks after that whether it has come too late."""
        late: list[Work] = []
        self._take_all_into(late)
        for work in (*waiting, *late):
            if isinstance(work, Question):
                work.refuse()

    def _live(self, waiting: list[Work]) -> None:
        while not self._abandoned.is_set():
            self._take_all_into(waiting)
            if not waiting:
                self._look_around()
                self._idling.until_woken(self._inbox.empty)
                continue
            waiting[:] = self._without_superseded(waiting)
            command = waiting.pop(0)
            if command is None:
                return
            if isinstance(command, Question):
                command.put_to(self._player)
            elif not (isinstance(command, StartMusic) and self._closing.is_set()):
                self._finish(command, self._performer.perform(command))
            self._idling.has_worked()

    def _look_around(self) -> None:
        """Tell the loop what has changed for all rooms at once."""
        is_short = self._idling.look()
        if is_short is not self._is_short:
            self._is_short = is_short
            self._tell(CallsShort(*self._now(), is_short))
        if self._idling.has_opened():
            self._tell(PlayerReady(*self._now()))
        if self._has_changed:
            self._has_changed = False
            self._idling.has_worked()
            self._tell(PlayerReady(*self._now()))

    def _take_all_into(self, waiting: list[Work]) -> None:
        while True:
            try:
                waiting.append(self._inbox.get_nowait())
            except Empty:
                return

    def _without_superseded(self, waiting: list[Work]) -> list[Work]:
        kept: list[Work] = []
        for number, command in enumerate(waiting):
            if isinstance(command, PlayerCommand) and any(
                isinstance(newer, PlayerCommand) and supersedes(newer, command) for newer in waiting[number + 1 :]
            ):
                self._finish(command, Superseded())
            else:
                kept.append(command)
        return kept

    def _finish(self, command: PlayerCommand, outcome: Outcome) -> None:
        self._tell(PlayerAnswered(*self._now(), command.sensor_id, command.token, outcome))

    def _tell(self, event: Event) -> None:
        if not self._abandoned.is_set():
            self._post(event)

    def _now(self) -> tuple[int, int, bool]:
        mono = self._clock.mono()
        return mono, mono + self._clock.offset(), self._clock.trusted()


def supersedes(newer: PlayerCommand, older: PlayerCommand) -> bool:
    """Whether `newer` makes `older` pointless: they are of one room, and the newer decides the same thing again."""
    if newer.sensor_id != older.sensor_id:
        return False
    if isinstance(older, SetVolume):
        return True
    return not isinstance(newer, SetVolume)
