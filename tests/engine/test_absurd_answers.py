"""Answers that no player of ours would give: the engine is total, so they must not hold it up."""

import pytest

from spotty_gateway.engine.commands import StartMusic
from spotty_gateway.engine.events import Failed, PlayerAnswered, Report, RoomConfigured, Tick
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND, Device, InputKind, Rules, Target
from spotty_gateway.engine.state import House, new_house
from spotty_gateway.engine.step import next_deadline, step

RULES = Rules(target=Target(Device("Bathroom", "Speaker"), "spotify:album:a"), warm_up_us=0)
ROOM = "bath"


def asked() -> tuple[House, int]:
    """A house that has just asked for music, and the token of the question."""
    house, _ = step(new_house("run", 0, 0, True), RoomConfigured(0, 0, True, ROOM, RULES, (("pir", InputKind.PIR),)))
    house, effects = step(house, Report(SECOND, SECOND, True, ROOM, "pir", True))
    (start,) = (one for one in effects if isinstance(one, StartMusic))
    return house, start.token


@pytest.mark.parametrize("reason", SilentReason)
def test_whatever_a_start_fails_with_every_deadline_passes(reason: SilentReason) -> None:
    """A reason that only the engine itself gives, given by the player: no deadline falls due for ever."""
    house, token = asked()
    house, _ = step(house, PlayerAnswered(2 * SECOND, 2 * SECOND, True, ROOM, token, Failed(reason, "absurd")))
    for _ in range(100):
        at = next_deadline(house)
        if at is None:
            break
        house, _ = step(house, Tick(at, at, True))
        assert (next_deadline(house) or at + 1) > at
    else:
        pytest.fail("the house never came to rest")
