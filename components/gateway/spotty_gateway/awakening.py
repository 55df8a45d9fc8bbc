"""Coming up again: the house of the last run, brought to now, with the rooms as they are configured today.

Pure but for `say`. Where the length of the gap is not known yet (another boot, a clock that nobody has set), the house
lives without the sessions from before, and they are joined to it when it is: engine/restart.py has the rules.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from spotty_gateway.engine.commands import Effect
from spotty_gateway.engine.events import RoomConfigured, Tick
from spotty_gateway.engine.restart import TRUST_WAIT_US, Restart, begin, is_decidable, rejoin, resume
from spotty_gateway.engine.state import House, new_house
from spotty_gateway.engine.step import step
from spotty_gateway.loop import Rejoin
from spotty_gateway.residents import Resident

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Before:
    """The last run's house, with the rules of today, and whether the computer has been on ever since."""

    house: House
    same_boot: bool


@dataclass(frozen=True, slots=True)
class Awake:
    """The house to begin with, what follows from that, and what is still to be joined to it."""

    house: House
    effects: list[Effect]
    rejoin: Rejoin | None = None


def awake(
    before: Before | None, residents: Iterable[Resident], now: Tick, run: str, say: Callable[[str], None], seed: int = 0
) -> Awake:
    """The house at `now`, in the run called `run`. A memory that turns out unusable is told and done without.

    `seed` makes this house's waits differ a little from those of others.
    """
    morning = Awake(new_house(run, now.mono, now.wall, now.trusted, seed), [])
    if before is not None:
        try:
            morning = _gone_on(before, Restart(run, now.mono, now.wall, now.trusted, before.same_boot, seed))
        except Exception as error:  # a gateway without its memory is better than none
            log.critical("a fault in the gateway itself, please report it", exc_info=error)
            say("what was going on before the restart cannot be gone on with; it is begun anew")
    house, effects = morning.house, morning.effects
    for one in residents:
        configured = RoomConfigured(now.mono, now.wall, now.trusted, one.wiring.id, one.rules, one.inputs)
        house, more = step(house, configured)
        effects += more
    return Awake(house, effects, morning.rejoin)


def _gone_on(before: Before, restart: Restart) -> Awake:
    if is_decidable(before.house, restart):
        return Awake(*resume(before.house, restart))

    def join(house: House, now: Tick) -> tuple[House, list[Effect]]:
        return rejoin(house, before.house, Restart(restart.run, now.mono, now.wall, now.trusted, before.same_boot))

    return Awake(*begin(before.house, restart), Rejoin(restart.mono + TRUST_WAIT_US, join))
