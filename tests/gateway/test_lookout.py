import sys
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.engine.stage import Stage

from spotty_gateway.engine.commands import Effect
from spotty_gateway.engine.events import Event, PauseAsked, Tick
from spotty_gateway.engine.state import House
from spotty_gateway.lookout import Asked, Lookout


class Theatre:
    """A house whose steps are shown, on this thread, as soon as something is posted; other steps may come first."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.lookout = Lookout(self.post)
        self.before: list[Tick] = []
        self.late_us = 0

    def post(self, asked: Asked) -> None:
        """What the loop would do."""
        for event in self.before:
            self.show(event)
        self.show(replace(asked, mono=asked.mono + self.late_us))

    def show(self, event: Event) -> None:
        """One step."""
        effects = self.stage.happens(event)
        self.lookout(self.stage.house, event, effects)


def mono(house: House, _: Sequence[Effect]) -> int:
    """The answer at once: when that step was."""
    return house.mono


def test_only_the_event_s_own_step_and_later_ones_are_looked_at() -> None:
    """What was in the inbox before it does not count, and an event that the loop has made later does."""
    theatre = Theatre()
    theatre.before = [Tick(*theatre.stage.now(1))]
    theatre.late_us = 500
    found = theatre.lookout.after(PauseAsked(*theatre.stage.now(2), "bath"), mono, 0.0)
    assert found == theatre.stage.now(2)[0] + 500


def test_nothing_found_in_time_is_none() -> None:
    """And whoever waited is forgotten: later steps find nobody."""
    theatre = Theatre()
    seen: list[House] = []

    def look(house: House, _: Sequence[Effect]) -> None:
        seen.append(house)

    assert theatre.lookout.after(PauseAsked(*theatre.stage.now(1), "bath"), look, 0.0) is None
    theatre.show(Tick(*theatre.stage.now(2)))
    assert len(seen) == 1


def test_a_fault_in_the_looking_is_the_asker_s() -> None:
    """The loop hears nothing of it."""
    theatre = Theatre()

    def look(house: House, effects: Sequence[Effect]) -> int:
        raise ValueError(f"a planted fault {house.run} {len(effects)}")

    with pytest.raises(ValueError, match="planted"):
        theatre.lookout.after(PauseAsked(*theatre.stage.now(1), "bath"), look, 0.0)


def test_orders_that_wait_at_once_do_not_undo_each_other() -> None:
    """Whoever begins or ends to wait while another does leaves nobody behind, and takes nobody off the list."""
    shown, interval = Stage(), sys.getswitchinterval()
    lookout = Lookout(lambda _: None)

    def ask() -> None:
        for _ in range(5_000):
            lookout.after(PauseAsked(*shown.now(1), "bath"), mono, 0.0)

    sys.setswitchinterval(1e-6)  # as if the computer had a thousand other things to do
    try:
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert lookout._watches == ()
