from dataclasses import replace

import pytest
from tests.engine.stage import PLAIN, Stage

from spotty_gateway.engine.rules import SECOND, Rules, Window

AFTERNOON = Window(frozenset(), 12 * 60 + 10, 13 * 60)
"""From second 600 to second 3600 of a stage."""

MICRO = 1e-6


@pytest.mark.parametrize(
    "rules,before,refused_at,reason,free_at",
    [
        (replace(PLAIN, warm_up_us=1060 * SECOND), (), 60 - MICRO, "warming_up", 60),
        (replace(PLAIN, quiet_windows=(AFTERNOON,)), (), 600, "quiet_hours", 600 - MICRO),
        (replace(PLAIN, quiet_windows=(AFTERNOON,)), (), 3600 - MICRO, "quiet_hours", 3600),
        (replace(PLAIN, cooldown_us=30 * SECOND), (0,), 90 - MICRO, "cooldown", 90),
        (replace(PLAIN, hold_off_us=59 * SECOND), (0,), 59 - MICRO, "debounced", 59),
    ],
)
def test_a_reason_holds_up_to_its_last_microsecond(
    rules: Rules, before: tuple[float, ...], refused_at: float, reason: str, free_at: float
) -> None:
    """A motion one microsecond inside a reason is refused with it; at its edge it is free."""
    for at_s, expected in ((refused_at, reason), (free_at, "accepted")):
        stage = Stage({"bath": rules})
        stage.motion(*before, at_s)
        assert stage.judged()[-1] == expected


def test_a_snooze_holds_to_its_last_microsecond() -> None:
    """A motion is `snoozed` before the instant a person named, and free at it."""
    stage = Stage()
    stage.snooze(0, 100)
    stage.motion(100 - MICRO, 100)
    assert stage.judged() == ["snoozed", "accepted"]


def test_an_unknown_time_is_a_reason_only_where_there_are_quiet_hours() -> None:
    """`clock_untrusted` holds exactly where it might be quiet."""
    for windows, expected in (((AFTERNOON,), "clock_untrusted"), ((), "accepted")):
        stage = Stage({"bath": replace(PLAIN, quiet_windows=windows)}, trusted=False)
        stage.motion(0)
        assert stage.judged() == [expected]


def test_the_first_reason_in_order_is_told() -> None:
    """Where several reasons hold, the one that stands first in the design is the one."""
    rules = replace(
        PLAIN,
        enabled=False,
        warm_up_us=1010 * SECOND,
        quiet_windows=(Window(frozenset(), 0, 1440),),
        cooldown_us=3600 * SECOND,
        max_session_us=60 * SECOND,
        confirm_us=60 * SECOND,
        vacancy_delay_us=120 * SECOND,
        hold_off_us=119 * SECOND,
    )
    told = []
    stage = Stage({"bath": replace(rules, enabled=True, warm_up_us=0, quiet_windows=(), confirm_us=0)})
    stage.motion(-100, -50)  # accepted, and ended by max_session at -40
    stage.snooze(-30, 50)
    stage.trusted = False
    lifted = [
        {},
        {"warm_up_us": 0},
        {"enabled": True},
        "resume",
        "trust",
        {"quiet_windows": ()},
        {"max_session_us": 0},
    ]
    for number, change in enumerate(lifted):
        if change == "resume":
            stage.resume(number)
        elif change == "trust":
            stage.trusted = True
        elif isinstance(change, dict):
            rules = replace(rules, **change)
            stage.configure(number, rules)
        stage.motion(number)
        told.append(stage.judged()[-1])
    assert told == [
        "warming_up",
        "disabled",
        "snoozed",
        "clock_untrusted",
        "quiet_hours",
        "max_session",
        "max_session",
    ]
    stage.until(127)
    for confirm_us, at_s, reason in ((0, 130, "cooldown"), (0, 3560, "accepted")):
        stage.configure(at_s, replace(rules, confirm_us=confirm_us, enabled=True))
        stage.motion(at_s)
        assert stage.judged()[-1] == reason


def test_a_long_session_blocks_until_the_room_was_empty_and_refused_motion_renews_it() -> None:
    """After `max_session` nothing starts before the vacancy delay has passed without evidence, and then for good."""
    stage = Stage({"bath": replace(PLAIN, max_session_us=60 * SECOND, hold_off_us=0)})
    stage.motion(0, 30, 61, 120, 179.999999, 239.999999)
    assert stage.judged()[2:] == ["max_session", "max_session", "max_session", "accepted"]
    assert stage.ends() == [(0, 60, "max_session")]


def test_a_block_is_lifted_for_good() -> None:
    """A longer vacancy delay that comes after the room was empty does not bring the block back."""
    rules = replace(PLAIN, max_session_us=60 * SECOND, hold_off_us=0)
    stage = Stage({"bath": rules})
    stage.motion(0, 30)
    stage.until(120)
    stage.configure(130, replace(rules, vacancy_delay_us=7200 * SECOND))
    stage.motion(140)
    assert stage.judged()[-1] == "accepted"


def test_evidence_that_outlasts_a_reason_starts_nothing() -> None:
    """Only a new active report starts a session, not a level that has stood since before."""
    stage = Stage()
    stage.snooze(0, 100)
    stage.level(50, "pir", True)
    stage.until(200)
    assert stage.room().session is None
    stage.level(200, "pir", True)
    assert stage.room().session is not None


def test_suppressed_motions_of_one_reason_are_recorded_once_per_hold_off() -> None:
    """Every suppressed motion is told, but marked for the record at most once per `hold_off_s`, at least 1 s apart."""
    for hold_off_s, recorded in ((10, [True, False, True, False]), (0, [True, True, True, True])):
        stage = Stage({"bath": replace(PLAIN, enabled=False, hold_off_us=hold_off_s * SECOND)})
        stage.motion(0, 9, 10, 19)
        assert [effect.recorded for effect in stage.effects if hasattr(effect, "recorded")] == recorded


@pytest.mark.parametrize(
    "pulses,held_until,told,starts_at",
    [
        ((0, 29.999999), None, ["unconfirmed", "accepted"], 29.999999),  # the next motion in time confirms
        ((0, 30), None, ["unconfirmed", "unconfirmed"], None),  # at the end of the time it is a new candidate
        ((), 30, ["accepted"], 30),  # evidence to the end of the time confirms
        ((), 29.999999, ["unconfirmed"], None),  # evidence that breaks one microsecond before does not
    ],
)
def test_a_candidate_is_confirmed_by_motion_or_lasting_evidence(
    pulses: tuple[float, ...], held_until: float | None, told: list[str], starts_at: float | None
) -> None:
    """`confirm_s` lets no stray pulse start music."""
    stage = Stage({"bath": replace(PLAIN, confirm_us=30 * SECOND)})
    stage.motion(*pulses)
    if held_until is not None:
        stage.level(0, "pir", True)
        stage.level(held_until, "pir", False)
    stage.until(1000)
    assert stage.judged() == told
    assert [start for start, _, _ in stage.ends()] == ([] if starts_at is None else [starts_at])


def test_an_input_that_is_stuck_exactly_at_the_end_of_the_time_confirms() -> None:
    """Evidence from the candidate to the end of its time is unbroken, although it ends in that very instant."""
    stage = Stage({"bath": replace(PLAIN, confirm_us=60 * SECOND, stuck_after_us=60 * SECOND)})
    stage.level(0, "pir", True)
    stage.until(1000)
    assert (stage.judged(), stage.ends()) == (["accepted"], [(60, 120, "timeout")])


@pytest.mark.parametrize("held", [False, True])
def test_a_confirmation_is_judged_again(held: bool) -> None:
    """At the confirming instant the reasons are asked anew, and the one found there counts."""
    stage = Stage({"bath": replace(PLAIN, confirm_us=30 * SECOND, quiet_windows=(AFTERNOON,))})
    stage.level(599, "pir", True)
    if not held:
        stage.level(600, "pir", True)
    stage.until(700)
    assert stage.judged() == (["quiet_hours"] if held else ["unconfirmed", "quiet_hours"])


def test_a_removed_room_leaves_no_motion_unjudged() -> None:
    """A candidate of a room that goes counts as unconfirmed."""
    stage = Stage({"bath": replace(PLAIN, confirm_us=30 * SECOND)})
    stage.motion(0)
    stage.remove(10)
    assert stage.judged() == ["unconfirmed"]
