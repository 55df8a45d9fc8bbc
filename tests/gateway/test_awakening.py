from dataclasses import replace

import pytest
from tests.gateway.hand_clock import WALL

from spotty_contract.gateway import InputWiring, SensorWiring
from spotty_gateway.awakening import Awake, Before, awake
from spotty_gateway.engine.commands import SessionFacts
from spotty_gateway.engine.events import Report, RoomConfigured, Tick
from spotty_gateway.engine.reasons import EndedBy
from spotty_gateway.engine.restart import TRUST_WAIT_US
from spotty_gateway.engine.rules import SECOND, InputKind, Rules
from spotty_gateway.engine.state import House, new_house
from spotty_gateway.engine.step import step
from spotty_gateway.residents import Resident

RULES = Rules(warm_up_us=0, vacancy_delay_us=60 * SECOND)
BATH = Resident(SensorWiring(id="bath", name="Bath", inputs=(InputWiring(id="pir", pin=17),)), RULES)


@pytest.fixture
def occupied() -> House:
    """A house in whose bathroom somebody has been seen at instant 0, a second long, saved at ten seconds."""
    house = new_house("r1", 0, WALL, trusted=True)
    for event in (
        RoomConfigured(0, WALL, True, "bath", RULES, (("pir", InputKind.PIR),)),
        Report(0, WALL, True, "bath", "pir", active=True),
        Report(SECOND, WALL + SECOND, True, "bath", "pir", active=False),
        Tick(10 * SECOND, WALL + 10 * SECOND, True),
    ):
        house, _ = step(house, event)
    return house


def woken(before: Before | None, now: Tick, *residents: Resident) -> tuple[Awake, list[str]]:
    """The house in the morning, and what was said."""
    said: list[str] = []
    return awake(before, residents, now, "r2", said.append), said


def ends(effects: list[object]) -> list[tuple[EndedBy, int]]:
    """How sessions ended, and how long they were."""
    return [(one.ended_by, one.duration_us) for one in effects if isinstance(one, SessionFacts) and one.ended_by]


def test_the_first_morning_has_the_rooms_that_are_configured() -> None:
    """No memory: every room is there, empty, and nothing is said."""
    morning, said = woken(None, Tick(5, WALL, True), BATH)
    assert list(morning.house.rooms) == ["bath"]
    assert (said, morning.rejoin) == ([], None)


def test_within_a_boot_the_session_goes_on(occupied: House) -> None:
    """Twenty seconds later, on the same clock: the same session, nothing to wait for."""
    morning, _ = woken(Before(occupied, same_boot=True), Tick(30 * SECOND, WALL + 30 * SECOND, True), BATH)
    session = morning.house.rooms["bath"].session
    assert session is not None
    assert (session.id, session.started_at, morning.rejoin) == ("bath-r1-1", 0, None)


def test_a_room_that_is_gone_ends_as_disabled(occupied: House) -> None:
    """What nobody configures any more is closed, and forgotten once nothing is owed."""
    before = replace(occupied.rooms["bath"], rules=replace(RULES, enabled=False), removed=True)
    now = Tick(30 * SECOND, WALL + 30 * SECOND, True)
    morning, _ = woken(Before(replace(occupied, rooms={"bath": before}), same_boot=True), now)
    assert ends(list(morning.effects)) == [(EndedBy.DISABLED, 30 * SECOND)]
    assert "bath" not in morning.house.rooms


def test_after_a_boot_with_an_unset_clock_the_session_waits(occupied: House) -> None:
    """Nobody knows how long the power was off: the session is kept back, and joins the house when time is known."""
    morning, _ = woken(Before(occupied, same_boot=False), Tick(3 * SECOND, 1000, False), BATH)
    assert morning.house.rooms["bath"].session is None
    assert morning.rejoin is not None
    assert morning.rejoin.until == 3 * SECOND + TRUST_WAIT_US
    known = Tick(20 * SECOND, WALL + 40 * SECOND, True)
    house, _ = morning.rejoin.join(morning.house, known)
    session = house.rooms["bath"].session
    assert session is not None
    assert session.id == "bath-r1-1"


def test_after_the_wait_the_session_is_closed_at_the_snapshot(occupied: House) -> None:
    """The clock was never set: the session ended when it was last seen."""
    morning, _ = woken(Before(occupied, same_boot=False), Tick(3 * SECOND, 1000, False), BATH)
    assert morning.rejoin is not None
    over = Tick(morning.rejoin.until, 1000 + TRUST_WAIT_US, False)
    house, effects = morning.rejoin.join(morning.house, over)
    assert house.rooms["bath"].session is None
    assert ends(list(effects)) == [(EndedBy.TIMEOUT, 10 * SECOND)]


def test_a_memory_that_makes_no_sense_is_done_without(occupied: House, caplog: pytest.LogCaptureFixture) -> None:
    """A fault in going on is told in plain words; the rooms are there, empty."""
    nonsense = replace(occupied, rooms={"bath": replace(occupied.rooms["bath"], presence=None)})  # type: ignore[arg-type]  # the fault
    morning, said = woken(Before(nonsense, same_boot=True), Tick(30 * SECOND, WALL, True), BATH)
    assert morning.house.rooms["bath"].session is None
    assert said == ["what was going on before the restart cannot be gone on with; it is begun anew"]
    assert "please report" in caplog.text
