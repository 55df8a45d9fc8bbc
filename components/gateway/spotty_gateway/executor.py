"""The one thread that talks to the player. Commands come in from the loop, answers go back to it as events.

A newer command of a room supersedes older ones that have not begun, and is itself never held up by more than the
one command under way.
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from spotty_gateway.engine.commands import PlayerCommand, SetVolume, StartMusic
from spotty_gateway.engine.events import Outcome, PlayerAnswered, Superseded
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.performer import Performer
from spotty_gateway.ports import Clock, Player


class Executor:
    """Owns the player. `answer` is called on its thread with the event that ends each command."""

    def __init__(
        self,
        player: Player,
        clock: Clock,
        answer: Callable[[PlayerAnswered], None],
        await_intent: Callable[[], object] = lambda: None,
    ) -> None:
        """Nothing is asked of the player before `start`. `await_intent` is called before any music is asked for."""
        self._performer = Performer(player, self._wait, await_intent)
        self._clock = clock
        self._answer = answer
        self._closing = threading.Event()
        self._abandoned = threading.Event()
        self._inbox: SimpleQueue[PlayerCommand | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="player", daemon=True)

    def start(self) -> None:
        """Begin to carry out commands."""
        self._thread.start()

    def put(self, command: PlayerCommand) -> None:
        """Take a command; returns at once."""
        self._inbox.put(command)

    def close(self, timeout_s: float) -> bool:
        """Make the pauses and volumes that wait, start nothing more, and end; False if that takes longer than this.

        A call that hangs is left behind on its daemon thread: no answer comes from there any more, and what it was
        about stands in the snapshot as under way.
        """
        self._closing.set()  # nobody waits for a speaker to wake up any more
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._abandoned.set()
        return not self._thread.is_alive()

    def _wait(self, seconds: float) -> None:
        self._closing.wait(self._clock.real_s(round(seconds * SECOND)))

    def _run(self) -> None:
        waiting: list[PlayerCommand | None] = []
        while not self._abandoned.is_set():
            if not waiting:
                waiting.append(self._inbox.get())
            self._take_all_into(waiting)
            waiting = self._without_superseded(waiting)
            command = waiting.pop(0)
            if command is None:
                return
            if not (isinstance(command, StartMusic) and self._closing.is_set()):
                self._finish(command, self._performer.perform(command))

    def _take_all_into(self, waiting: list[PlayerCommand | None]) -> None:
        while True:
            try:
                waiting.append(self._inbox.get_nowait())
            except Empty:
                return

    def _without_superseded(self, waiting: list[PlayerCommand | None]) -> list[PlayerCommand | None]:
        kept: list[PlayerCommand | None] = []
        for number, command in enumerate(waiting):
            if command is not None and any(
                newer is not None and supersedes(newer, command) for newer in waiting[number + 1 :]
            ):
                self._finish(command, Superseded())
            else:
                kept.append(command)
        return kept

    def _finish(self, command: PlayerCommand, outcome: Outcome) -> None:
        if not self._abandoned.is_set():
            mono, offset, trusted = self._clock.mono(), self._clock.offset(), self._clock.trusted()
            self._answer(PlayerAnswered(mono, mono + offset, trusted, command.sensor_id, command.token, outcome))


def supersedes(newer: PlayerCommand, older: PlayerCommand) -> bool:
    """Whether `newer` makes `older` pointless: they are of one room, and the newer decides the same thing again."""
    if newer.sensor_id != older.sensor_id:
        return False
    if isinstance(older, SetVolume):
        return True
    return not isinstance(newer, SetVolume)
