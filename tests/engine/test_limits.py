from dataclasses import replace

import pytest
from tests.engine.stage import OTHER_SPEAKER, PLAIN, STARTED, TARGET, Stage

from spotty_gateway.engine.commands import FaultCleared, FaultRaised, PauseMusic, SetVolume, StartMusic
from spotty_gateway.engine.events import Failed, Paused, VolumeSet
from spotty_gateway.engine.fades import FADE_STEPS
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND, Device
from spotty_gateway.engine.state import Silent
from spotty_gateway.engine.waits import EARLIER_AT_MOST, LATER_AT_MOST_US, spread_us

FADING = replace(PLAIN, target=replace(TARGET, fade_in_us=10 * SECOND, fade_out_us=10 * SECOND))
LONG = replace(PLAIN, vacancy_delay_us=7200 * SECOND)
SHUT = Failed(SilentReason.GUARD_CLOSED, "Spotify asked us to wait", 120 * SECOND)
DOWN = Failed(SilentReason.PLAYER_UNAVAILABLE, "down")


def volumes(stage: Stage) -> list[int]:
    """The volumes that were asked for."""
    return [one.volume_pct for one in stage.commands() if isinstance(one, SetVolume)]


# Calls are short.


def test_with_few_calls_left_nothing_fades() -> None:
    """The start is asked for at its final volume, and the pause comes at the session's end, with no volume command."""
    stage = Stage({"bath": FADING})
    stage.calls_short(-1)
    stage.motion(0)
    start = stage.commands()[-1]
    assert isinstance(start, StartMusic)
    assert start.target.fade_in_us == 0
    stage.answer(1, STARTED)
    stage.until(60)
    assert stage.asked() == ["StartMusic", "PauseMusic"]
    assert stage.commands()[-1].restore_volume_pct is None  # type: ignore[union-attr]  # a PauseMusic, see above


def test_with_enough_calls_again_music_fades_again() -> None:
    """Short is no state for ever."""
    stage = Stage({"bath": FADING})
    stage.calls_short(-2)
    stage.calls_short(-1, short=False)
    stage.motion(0)
    stage.answer(1, STARTED)
    stage.until(12)
    assert len(volumes(stage)) == FADE_STEPS - 1


def test_a_fade_in_that_runs_ends_at_its_volume_at_once() -> None:
    """One command instead of those still to come, and it is owed like any last step."""
    stage = Stage({"bath": FADING})
    stage.motion(0)
    stage.answer(1, STARTED)
    stage.until(3.5)
    assert volumes(stage) == [20]
    stage.calls_short(4)
    assert volumes(stage) == [20, 60]
    stage.answer(5, DOWN)
    stage.until(7)
    assert volumes(stage) == [20, 60, 60]
    stage.answer(7, VolumeSet())
    stage.until(50)
    assert volumes(stage) == [20, 60, 60]


def test_a_start_under_way_with_a_fade_ends_at_its_volume() -> None:
    """Asked for while there were calls enough, answered when there are not: it does not stay at its first step."""
    stage = Stage({"bath": FADING})
    stage.motion(0)
    stage.calls_short(0.5)
    stage.answer(1, STARTED)
    assert volumes(stage) == [60]


def test_a_fade_out_that_runs_becomes_the_pause_at_once() -> None:
    """The speaker's own volume is put back by the pause, as after the whole fade."""
    stage = Stage({"bath": FADING})
    stage.calls_short(-1)
    stage.motion(0)
    stage.answer(1, STARTED)
    stage.calls_short(2, short=False)
    stage.until(63)
    assert stage.asked() == ["StartMusic", "SetVolume", "SetVolume"]
    stage.calls_short(63.5)
    pause = stage.commands()[-1]
    assert isinstance(pause, PauseMusic)
    assert pause.restore_volume_pct == 60
    stage.answer(64, Paused(None))
    stage.until(80)
    assert stage.asked() == ["StartMusic", "SetVolume", "SetVolume", "PauseMusic"]


def test_a_pause_that_waits_is_not_hurried_by_short_calls() -> None:
    """Only fades are cut: what failed and backs off costs no call more than before."""
    stage = Stage()
    stage.motion(0)
    stage.answer(1, STARTED)
    stage.until(60)
    stage.answer(61, replace(DOWN, retry_after_us=30 * SECOND))
    stage.calls_short(62)
    stage.until(90)
    assert stage.asked() == ["StartMusic", "PauseMusic"]


# The guard closes and opens.


def test_a_closed_guard_leaves_the_session_silent_and_its_opening_plays() -> None:
    """`guard_closed` is no fault; nothing is asked before the wait is over, and the opening is enough to try."""
    stage = Stage({"bath": LONG})
    stage.motion(0)
    stage.answer(1, SHUT)
    playback = stage.room().music.playback
    assert isinstance(playback, Silent)
    assert playback.reason is SilentReason.GUARD_CLOSED
    stage.until(120.9)
    assert stage.asked() == ["StartMusic"]
    stage.ready(120.95)
    assert stage.asked() == ["StartMusic", "StartMusic"]
    assert not [one for one in stage.effects if isinstance(one, FaultRaised)]


def test_an_opening_too_late_starts_nothing() -> None:
    """A session older than `start_retry_s` stays silent."""
    stage = Stage({"bath": LONG})
    stage.motion(0)
    stage.answer(1, replace(SHUT, retry_after_us=3600 * SECOND))
    stage.ready(3601)
    assert stage.asked() == ["StartMusic"]


def test_music_that_a_closed_guard_keeps_from_stopping_is_a_fault_until_it_opens() -> None:
    """More than a minute to wait: said; when the guard opens the pause is the first thing asked for."""
    stage = Stage()
    stage.motion(0)
    stage.answer(1, STARTED)
    stage.until(60)
    stage.answer(61, SHUT)
    assert [one.fault for one in stage.effects if isinstance(one, FaultRaised)] == ["music_cannot_be_stopped"]
    stage.ready(181)
    stage.answer(182, Paused(None))
    assert [one.fault for one in stage.effects if isinstance(one, FaultCleared)] == ["music_cannot_be_stopped"]


def test_a_short_wait_is_no_fault() -> None:
    """Half a minute of a rate window is not worth a line."""
    stage = Stage()
    stage.motion(0)
    stage.answer(1, STARTED)
    stage.until(60)
    stage.answer(61, replace(SHUT, retry_after_us=30 * SECOND))
    assert not [one for one in stage.effects if isinstance(one, FaultRaised)]


def test_the_opening_pays_pauses_then_volumes_then_starts_the_longest_waiting_first() -> None:
    """The order in which calls are worth making when it is not known how many there will be."""
    attic, cellar = Device("Attic", "Speaker", "a1"), Device("Cellar", "Speaker", "c1")
    in_turn = replace(TARGET, transfer_if_busy=True)
    stage = Stage(
        {
            "late": replace(LONG, target=in_turn),
            "early": replace(LONG, target=replace(in_turn, device=OTHER_SPEAKER)),
            "attic": replace(FADING, target=replace(FADING.target or TARGET, device=attic)),
            "cellar": replace(PLAIN, target=replace(TARGET, device=cellar)),
        }
    )
    stage.motion(0, room="attic")
    stage.answer(1, replace(STARTED, device=attic))
    stage.until(70)
    stage.answer(71, Paused(None, volume_restored=False))
    stage.answer(72, SHUT)  # the volume
    stage.motion(80, room="cellar")
    stage.answer(81, replace(STARTED, device=cellar))
    stage.until(140)
    stage.answer(141, SHUT)  # the pause
    stage.motion(142, room="early")
    stage.answer(143, SHUT)
    stage.motion(144, room="late")
    stage.answer(145, SHUT)
    before = len(stage.commands())
    stage.ready(150)
    assert [(type(one).__name__, one.sensor_id) for one in stage.commands()[before:]] == [
        ("PauseMusic", "cellar"),
        ("SetVolume", "attic"),
        ("StartMusic", "early"),
        ("StartMusic", "late"),
    ]


# Waits that differ.


@pytest.mark.parametrize("wait_s", [1, 15, 60, 3600])
def test_a_wait_of_our_own_is_shortened_by_a_fifth_at_most(wait_s: int) -> None:
    """Never longer than it was, never much shorter, and not the same for all."""
    found = {spread_us(wait_s * SECOND, 0, 7, number) for number in range(1000)}
    assert max(found) <= wait_s * SECOND
    assert min(found) >= wait_s * SECOND * (EARLIER_AT_MOST - 1) // EARLIER_AT_MOST
    assert len(found) > 900


@pytest.mark.parametrize("asked_s", [20, 300])
def test_what_spotify_asked_for_is_never_shortened(asked_s: int) -> None:
    """A few seconds are added, so that not all gateways come back at one instant."""
    found = {spread_us(15 * SECOND, asked_s * SECOND, seed, 1) for seed in range(1, 1000)}
    assert min(found) >= asked_s * SECOND
    assert max(found) <= asked_s * SECOND + LATER_AT_MOST_US
    assert len(found) > 900


def test_without_a_seed_waits_are_exact() -> None:
    """A replay and a table test see the design's own figures."""
    assert spread_us(15 * SECOND, 0, 0, 5) == 15 * SECOND
    assert spread_us(15 * SECOND, 20 * SECOND, 0, 5) == 20 * SECOND


def test_two_houses_do_not_come_back_together() -> None:
    """The same failure at the same instant, in houses with seeds of their own: each retries at its own time."""
    retries = set()
    for seed in (1, 2, 3):
        stage = Stage({"bath": LONG}, seed=seed)
        stage.motion(0)
        stage.answer(1, DOWN)
        playback = stage.room().music.playback
        assert isinstance(playback, Silent)
        assert 13 * SECOND <= playback.retry_at <= 16 * SECOND
        retries.add(playback.retry_at)
    assert len(retries) == 3
