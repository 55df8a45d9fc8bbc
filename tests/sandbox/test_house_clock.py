"""The house's clock: exact instants at any speed."""

import threading
import time

from spotty_gateway.engine.rules import SECOND
from spotty_sandbox.house_clock import AT_ONCE, HouseClock

START = 1_770_000_000 * SECOND


def test_it_stands_still_at_each_instant_it_was_run_to() -> None:
    """Until the next run the clock shows exactly the instant it was run to, however late it is looked at."""
    clock = HouseClock(START, speed=100_000)
    assert clock.run_to(START + 60 * SECOND)
    assert clock.mono() == START + 60 * SECOND
    threading.Event().wait(0.01)
    assert clock.mono() == START + 60 * SECOND


def test_it_never_passes_the_instant_that_it_runs_to() -> None:
    """Whoever looks while time passes sees it between start and goal, never beyond, never going back."""
    clock = HouseClock(START, speed=1_000_000)
    goal = START + 50_000 * SECOND
    seen: list[int] = []
    runner = threading.Thread(target=clock.run_to, args=(goal,))
    runner.start()
    while runner.is_alive():
        seen.append(clock.mono())
    runner.join()
    seen.append(clock.mono())
    assert seen == sorted(seen)
    assert START <= seen[0] <= seen[-1] == goal


def test_at_once_does_not_wait() -> None:
    """At speed AT_ONCE a year passes in no time, and the simulator is told that nothing moves by itself."""
    clock = HouseClock(START, AT_ONCE)
    began = time.monotonic()
    assert clock.run_to(START + 365 * 86_400 * SECOND)
    assert clock.mono() == START + 365 * 86_400 * SECOND
    assert time.monotonic() - began < 60
    assert clock.speed == 0


def test_stopping_wakes_whoever_lets_time_pass() -> None:
    """A stopped house does not run to its goal."""
    clock = HouseClock(START, speed=1)
    clock.stop()
    assert not clock.run_to(START + 3600 * SECOND)


def test_running_free_time_passes_without_a_goal() -> None:
    """After run_free the clock goes on by itself."""
    clock = HouseClock(START, speed=1_000_000)
    clock.run_free()
    deadline = time.monotonic() + 30
    while clock.mono() == START and time.monotonic() < deadline:
        pass
    assert clock.mono() > START
