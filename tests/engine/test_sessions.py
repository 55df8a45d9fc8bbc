from dataclasses import replace

import pytest
from tests.engine.stage import PLAIN, Stage

from spotty_gateway.engine.commands import FaultCleared, FaultRaised, SessionFacts
from spotty_gateway.engine.rules import SECOND, InputKind, Rules, Window

MICRO = 1e-6
TEN_PAST = Window(frozenset(), 12 * 60 + 10, 13 * 60)
DOORS = (("pir", InputKind.PIR), ("door", InputKind.CONTACT), ("window", InputKind.CONTACT))


def endless(**changes: int) -> Rules:
    """Rules under which only `changes` end a session."""
    return replace(PLAIN, **({"max_session_us": 0, "vacancy_delay_us": 7200 * SECOND} | changes))  # type: ignore[arg-type] # the fields are named by the rows


@pytest.mark.parametrize(
    "rules,motions,ends",
    [
        (PLAIN, (0,), [(0, 60, "timeout")]),
        (PLAIN, (0, 60 - MICRO), [(0, 120 - MICRO, "timeout")]),
        (PLAIN, (0, 60), [(0, 60, "timeout"), (60, 120, "timeout")]),
        (endless(max_session_us=100 * SECOND), (0,), [(0, 100, "max_session")]),
        (replace(PLAIN, max_session_us=60 * SECOND), (0,), [(0, 60, "timeout")]),  # a tie: the first listed
        (replace(endless(quiet_grace_us=0), quiet_windows=(TEN_PAST,)), (0,), [(0, 600, "quiet_hours")]),
        (replace(endless(quiet_grace_us=300 * SECOND), quiet_windows=(TEN_PAST,)), (0,), [(0, 900, "quiet_hours")]),
        (  # quiet ends exactly with the grace: not before, so the session ends
            replace(endless(quiet_grace_us=3000 * SECOND), quiet_windows=(TEN_PAST,)),
            (0,),
            [(0, 3600, "quiet_hours")],
        ),
        (  # quiet is over before the grace is: the session goes on
            replace(endless(quiet_grace_us=3001 * SECOND), quiet_windows=(TEN_PAST,)),
            (0,),
            [(0, 7200, "timeout")],
        ),
        (
            replace(endless(quiet_grace_us=0, max_session_us=600 * SECOND), quiet_windows=(TEN_PAST,)),
            (0,),
            [(0, 600, "max_session")],
        ),
    ],
)
def test_a_session_ends_at_the_earliest_of_its_ends(
    rules: Rules, motions: tuple[float, ...], ends: list[tuple[float, float, str]]
) -> None:
    """Each end has its instant, which is exclusive, and between equals the first listed in the design wins."""
    stage = Stage({"bath": rules})
    stage.motion(*motions)
    stage.until(20_000)
    assert stage.ends() == ends


def test_a_session_never_ends_while_an_input_is_evidence() -> None:
    """The vacancy delay begins when the last input lets go."""
    stage = Stage(kinds=(("pir", InputKind.PIR), ("pir2", InputKind.PIR)))
    stage.level(0, "pir", True)
    stage.level(10, "pir2", True)
    stage.level(500, "pir", False)
    stage.level(1000, "pir2", False)
    stage.until(2000)
    assert stage.ends() == [(0, 1060, "timeout")]


def test_a_stuck_input_is_evidence_no_longer_and_told_once() -> None:
    """Held longer than believable, an input is a fault until its next inactive; new reports are evidence anew."""
    stage = Stage({"bath": replace(PLAIN, stuck_after_us=100 * SECOND)})
    stage.level(0, "pir", True)
    stage.until(500)
    stage.level(500, "pir", True)
    stage.until(900)
    stage.level(900, "pir", False)
    stage.level(901, "pir", True)
    stage.level(1001, "pir", False)
    faults = [
        ((effect.at - stage.offset) / SECOND, isinstance(effect, FaultRaised))
        for effect in stage.effects
        if isinstance(effect, FaultRaised | FaultCleared) and effect.fault == "input_stuck"
    ]
    assert faults == [(100, True), (900, False), (1001, True), (1001, False)]
    assert stage.ends() == [(0, 160, "timeout"), (500, 660, "timeout")]


def test_an_input_that_is_taken_away_is_evidence_and_stuck_no_longer() -> None:
    """Removing an input ends its evidence there, and its fault."""
    stage = Stage({"bath": replace(PLAIN, stuck_after_us=100 * SECOND)})
    stage.level(0, "pir", True)
    stage.level(90, "other", True)
    stage.until(120)
    stage.configure(150, PLAIN)
    stage.kinds = (("new", InputKind.PIR),)
    stage.configure(160, PLAIN)
    stage.until(400)
    assert stage.ends() == [(0, 210, "timeout")]
    assert sum(isinstance(effect, FaultCleared) for effect in stage.effects) == 1


def test_the_level_found_at_start_up_is_evidence_and_no_motion() -> None:
    """It starts nothing and counts nothing, but it keeps a session that a motion starts."""
    stage = Stage(kinds=(("pir", InputKind.PIR), ("pir2", InputKind.PIR)))
    stage.level(0, "pir", True, initial=True)
    assert (stage.judged(), stage.room().session) == ([], None)
    stage.motion(10, pir="pir2")
    stage.level(300, "pir", False)
    stage.until(1000)
    assert stage.ends() == [(10, 360, "timeout")]


@pytest.mark.parametrize(
    "changes,motions,limit_s,end",
    [
        ([(0, "door", False)], (10,), 0, 10 + 14_400 + 60),  # held, to the limit of a policy without one
        ([(0, "door", False)], (4.999999,), 0, 4.999999 + 60),  # the one who left was seen leaving
        ([(0, "door", False)], (5,), 0, 5 + 14_400 + 60),
        ([(0, "door", False), (100, "door", True)], (10,), 0, 160),  # the door opens: a moment's evidence, hold over
        ([(0, "door", True)], (10,), 0, 70),  # an open door holds nothing
        ([(0, "door", False), (0, "window", True)], (10,), 0, 70),  # one way out is enough to be gone
        ([(0, "door", False), (0, "window", False), (99, "window", True)], (10,), 0, 159),
        ([(0, "door", False), (40, "door", False)], (41,), 0, 41 + 14_400 + 60),  # no change, so no new closing
        ([(0, "door", False)], (10, 1000), 0, 1000 + 14_400 + 60),  # each motion anew
    ],
)
def test_a_closed_door_holds_a_room(
    changes: list[tuple[float, str, bool]], motions: tuple[float, ...], limit_s: int, end: float
) -> None:
    """Motion 5 s or more behind closed doors holds the room until one of them changes, within a limit."""
    both = any(name == "window" for _, name, _ in changes)
    stage = Stage({"bath": replace(PLAIN, max_session_us=limit_s * SECOND)}, kinds=DOORS if both else DOORS[:2])
    for at_s, what in sorted([(at_s, (name, active)) for at_s, name, active in changes] + [(m, None) for m in motions]):
        if what is None:
            stage.motion(at_s)
        else:
            stage.level(at_s, *what)
    stage.until(40_000)
    assert [ended for _, ended, _ in stage.ends()] == [pytest.approx(end, abs=1e-7)]


@pytest.mark.parametrize("initial,end", [(True, 60), (False, 70)])
def test_the_door_s_level_at_start_up_is_no_change(initial: bool, end: float) -> None:
    """A door found in a position has not moved, and one nobody has heard of holds nothing."""
    stage = Stage(kinds=DOORS[:2])
    stage.motion(0)
    stage.level(10, "door", True, initial=initial)
    stage.until(1000)
    assert stage.ends() == [(0, end, "timeout")]


def test_a_door_starts_nothing() -> None:
    """Opening and closing is no motion, and the hold of a stray pulse confirms no session."""
    stage = Stage({"bath": replace(PLAIN, confirm_us=30 * SECOND)}, kinds=DOORS[:2])
    stage.level(0, "door", True)
    stage.level(1, "door", False)
    stage.motion(10)
    stage.until(100)
    assert (stage.judged(), stage.ends()) == (["unconfirmed"], [])


@pytest.mark.parametrize(
    "changed,end",
    [
        (replace(PLAIN, vacancy_delay_us=30 * SECOND), (0, 40, "timeout")),  # due before the change: ends at it
        (replace(PLAIN, vacancy_delay_us=50 * SECOND), (0, 50, "timeout")),
        (replace(PLAIN, vacancy_delay_us=300 * SECOND), (0, 300, "timeout")),
        (replace(PLAIN, enabled=False), (0, 40, "disabled")),
        (replace(PLAIN, max_session_us=20 * SECOND), (0, 40, "max_session")),
        (
            replace(PLAIN, quiet_windows=(Window(frozenset(), 0, 1440),), quiet_grace_us=5 * SECOND),
            (0, 45, "quiet_hours"),
        ),
    ],
)
def test_a_policy_change_takes_effect_in_the_running_session(changed: Rules, end: tuple[float, float, str]) -> None:
    """New rules count from their instant on, never before it, and the session is not lost."""
    stage = Stage()
    stage.motion(0)
    stage.configure(40, changed)
    stage.until(1000)
    assert stage.ends() == [end]


def test_a_clock_step_into_quiet_hours_begins_the_grace_there() -> None:
    """Membership is looked at when the clock is set; the session's own times do not move with it."""
    stage = Stage({"bath": replace(PLAIN, quiet_windows=(TEN_PAST,), vacancy_delay_us=7200 * SECOND)})
    stage.motion(0)
    stage.offset += 660 * SECOND
    stage.until(100)
    stage.until(5000)
    start, ended, why = stage.ends()[0]
    assert (start + 660, ended + 660, why) == (660, 100 + 1800 + 660, "quiet_hours")


def test_a_room_that_comes_back_gives_no_session_an_old_name() -> None:
    """Session ids are unique over a room's removal and return."""
    stage = Stage({"bath": replace(PLAIN, target=None)})
    stage.motion(0)
    stage.remove(10)
    stage.configure(20, PLAIN)
    stage.motion(30)
    assert len({effect.session_id for effect in stage.effects if isinstance(effect, SessionFacts)}) == 2


def test_a_removed_room_ends_its_session() -> None:
    """A room that goes ends as disabled, and is forgotten once nothing is owed."""
    stage = Stage({"bath": replace(PLAIN, target=None)})
    stage.motion(0)
    stage.remove(10)
    assert stage.ends() == [(0, 10, "disabled")]
    assert "bath" not in stage.house.rooms
