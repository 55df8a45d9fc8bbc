"""One command of the engine, carried out against the player within its time, and said how it ended. Never raises.

No threads here: the executor gives it one, a simulated year does without.
"""

import logging
import time
from collections.abc import Callable

from spotty_gateway.engine.commands import PauseMusic, PlayerCommand, SetVolume, StartMusic
from spotty_gateway.engine.events import Failed, Outcome
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.errors import PlayerError
from spotty_gateway.guard import Purpose
from spotty_gateway.manners import Manners, failed
from spotty_gateway.ports import Player
from spotty_gateway.speakers import Speakers

log = logging.getLogger(__name__)

BUDGET_S = 20.0
"""Real seconds for one command, its looks and waits included."""


class Performer:
    """For one thread."""

    def __init__(
        self,
        player: Player,
        wait: Callable[[float], object],
        await_intent: Callable[[], object] = lambda: None,
        monotonic_s: Callable[[], float] = time.monotonic,
        *,
        speakers: Speakers | None = None,
        serve: Callable[[Purpose], object] = lambda _: None,
    ) -> None:
        """`wait` waits so many seconds, or less where it has to; `await_intent` is called before music is asked for.

        `speakers` remember what an earlier run knew; `serve` is told what the calls that follow are for.
        """
        self._player = player
        self._serve = serve
        self._manners = Manners(player, self._wait_within_budget, await_intent, speakers)
        self._wait = wait
        self._monotonic_s = monotonic_s
        self._until_s = 0.0

    def perform(self, command: PlayerCommand) -> Outcome:
        """Carry it out; at most BUDGET_S, then it has failed."""
        self._until_s = self._monotonic_s() + BUDGET_S
        self._player.within(BUDGET_S)
        self._serve(Purpose.MUSIC if isinstance(command, StartMusic) else Purpose.STOPPING)
        try:
            match command:
                case StartMusic():
                    return self._manners.start(command)
                case PauseMusic():
                    return self._manners.pause(command)
                case SetVolume():
                    return self._manners.set_volume(command)
        except PlayerError as error:
            return failed(error)
        except Exception as error:  # a room waits for this answer: a bug must not leave it without one
            log.critical("a fault in the gateway itself, please report it", exc_info=error)
            detail = f"a fault in the gateway: {type(error).__name__}"
            return Failed(SilentReason.PLAYER_UNAVAILABLE, detail, started_anyway=isinstance(command, StartMusic))
        finally:
            self._serve(Purpose.STOPPING)  # whatever comes between two commands makes no music

    def _wait_within_budget(self, seconds: float) -> None:
        self._wait(min(seconds, max(0.0, self._until_s - self._monotonic_s())))
