from dataclasses import replace

import pytest
from tests.engine.stage import DOWN, LONG, OTHER_SPEAKER, PLAIN, SPEAKER, STARTED, TARGET, Stage, playing

from spotty_gateway.engine.commands import PauseMusic, SetVolume
from spotty_gateway.engine.events import Declined, Failed, OwnVolume, VolumeSet
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.engine.state import Playing


def test_a_fade_is_six_volumes_at_most() -> None:
    """In: the start's own and five more. Out: five, the pause, and the speaker's volume put back with it."""
    target = replace(TARGET, fade_in_us=10 * SECOND, fade_out_us=10 * SECOND)
    stage = playing(Stage({"bath": replace(PLAIN, target=target)}))
    for at_s in range(2, 100):
        stage.until(at_s)
        for command in stage.commands():
            if isinstance(command, SetVolume):
                stage.answer(at_s, VolumeSet(), command)
    volumes = [one.volume_pct for one in stage.commands() if isinstance(one, SetVolume)]
    assert volumes == [20, 30, 40, 50, 60, 50, 40, 30, 20, 10]
    pause = stage.commands()[-1]
    assert isinstance(pause, PauseMusic)
    assert pause.restore_volume_pct == 60


def test_a_closing_in_the_past_does_not_fade() -> None:
    """A loop that was held up pauses at once instead of sending every step of a fade together."""
    stage = playing(Stage({"bath": replace(PLAIN, target=replace(TARGET, fade_out_us=10 * SECOND))}))
    stage.level(500, "pir", False)
    assert stage.asked() == ["StartMusic", "PauseMusic"]
    pause = stage.commands()[-1]
    assert isinstance(pause, PauseMusic)
    assert pause.restore_volume_pct is None  # nothing was lowered, so nothing is put back


def test_a_session_that_begins_in_a_fade_gets_the_speaker_s_volume_back() -> None:
    """Music taken over half faded is brought back to the volume it had."""
    stage = playing(Stage({"bath": replace(PLAIN, target=replace(TARGET, fade_out_us=10 * SECOND))}))
    stage.until(65)
    stage.motion(65)
    stage.answer(66, replace(STARTED, adopted=True, volume_pct=30))
    last = stage.commands()[-1]
    assert isinstance(last, SetVolume)
    assert last.volume_pct == 60
    playback = stage.room().music.playback
    assert isinstance(playback, Playing)
    assert playback.volume_pct == 60


def test_a_fade_starts_from_the_volume_a_person_has_set() -> None:
    """The look before a fade finds the volume: nothing gets louder on the way out, and that volume is put back."""
    stage = playing(Stage({"bath": replace(PLAIN, target=replace(TARGET, fade_out_us=10 * SECOND))}))
    stage.until(60)
    stage.answer(60.5, VolumeSet(before_pct=25))
    stage.until(100)
    volumes = [one.volume_pct for one in stage.commands() if isinstance(one, SetVolume)]
    assert volumes == [50, 25, 25, 20, 10]
    pause = stage.commands()[-1]
    assert isinstance(pause, PauseMusic)
    assert pause.restore_volume_pct == 25


@pytest.mark.parametrize("cap_pct,volumes", [(60, []), (59, [59]), (0, [0])])
def test_a_lower_cap_is_kept_at_once(cap_pct: int, volumes: list[int]) -> None:
    """A policy change keeps device and context of the running session, but never leaves it louder than allowed."""
    stage = playing()
    elsewhere = replace(TARGET, device=OTHER_SPEAKER, context_uri="spotify:album:x", volume_cap_pct=cap_pct)
    stage.configure(10, replace(PLAIN, target=elsewhere))
    assert [one.volume_pct for one in stage.commands() if isinstance(one, SetVolume)] == volumes
    stage.until(61)
    pauses = [one.claim for one in stage.commands() if isinstance(one, PauseMusic)]
    assert [(one.device, one.context_uri) for one in pauses] == [(SPEAKER, TARGET.context_uri)]


def test_a_cap_that_a_speaker_ignores_is_asked_for_again() -> None:
    """It must hold, so it is looked at, and tried ever more rarely while the session runs; a fade's steps are not."""
    stage = playing(Stage({"bath": replace(PLAIN, target=replace(TARGET, fade_out_us=10 * SECOND))}))
    stage.configure(5, replace(PLAIN, target=replace(TARGET, fade_out_us=10 * SECOND, volume_cap_pct=40)))
    ignored = Failed(SilentReason.PLAYER_UNAVAILABLE, "stays at 60 %")
    for at_s in (6, 8, 12):
        asked = stage.commands()[-1]
        assert isinstance(asked, SetVolume)
        assert (asked.volume_pct, asked.only_if_ours, asked.must_hold) == (40, True, True)
        stage.answer(at_s, ignored, asked)
        stage.until(at_s + 5)
    stage.until(100)
    fade = [one for one in stage.commands() if isinstance(one, SetVolume) and one.volume_pct < 40]
    assert len(fade) >= 3
    assert not any(one.must_hold for one in fade)


def test_an_interrupted_fade_ends_at_its_volume() -> None:
    """After a restart in the middle of a fade-in the speaker gets its final volume, if the music is still ours."""
    stage = playing(Stage({"bath": replace(PLAIN, target=replace(TARGET, fade_in_us=30 * SECOND))}))
    stage.until(10)
    stage.restart(20)
    last = stage.commands()[-1]
    assert isinstance(last, SetVolume)
    assert (last.volume_pct, last.only_if_ours) == (60, True)


# A volume that a start has changed, and that could not be put back.

QUIETER = replace(DOWN, unrestored=OwnVolume(SPEAKER, 70))
LATER = replace(DOWN, retry_after_us=300 * SECOND)
CAPPED = replace(LONG, target=replace(TARGET, volume_cap_pct=40))


def volumes(stage: Stage) -> list[int]:
    """The volumes that were asked for."""
    return [one.volume_pct for one in stage.commands() if isinstance(one, SetVolume)]


def test_what_a_failed_start_has_changed_is_owed_at_once() -> None:
    """The speaker gets its own volume back, tried until it has it, although no music ever played."""
    stage = Stage({"bath": CAPPED})
    stage.motion(0)
    stage.answer(1, replace(QUIETER, retry_after_us=900 * SECOND))
    assert stage.asked() == ["StartMusic", "SetVolume"]
    assert volumes(stage) == [70]
    stage.answer(2, DOWN)
    stage.until(5)
    assert volumes(stage) == [70, 70]
    stage.answer(6, VolumeSet())
    stage.until(100)
    assert (volumes(stage), stage.room().music.owed_volume) == ([70, 70], None)


def test_the_debt_waits_for_a_start_that_came_first() -> None:
    """While music is asked for on the speaker nothing else touches its volume; when that fails it is due again."""
    stage = Stage({"bath": CAPPED})
    stage.motion(0)
    stage.answer(1, QUIETER)
    stage.answer(2, replace(DOWN, retry_after_us=20 * SECOND))
    stage.until(17)
    assert stage.asked() == ["StartMusic", "SetVolume", "StartMusic"]
    stage.ready(18)
    stage.until(30)
    assert stage.asked() == ["StartMusic", "SetVolume", "StartMusic"]
    stage.answer(31, replace(DOWN, unrestored=OwnVolume(SPEAKER, 10)))
    assert volumes(stage) == [70, 70]


@pytest.mark.parametrize("found_pct,expected", [(10, [70, 40]), (40, [70])])
def test_music_that_starts_there_takes_the_debt_over(found_pct: int, expected: list[int]) -> None:
    """The speaker's own volume under the cap, and never above it: the debt is gone."""
    stage = Stage({"bath": CAPPED})
    stage.motion(0)
    stage.answer(1, QUIETER)
    stage.answer(2, LATER)
    stage.until(20)
    stage.answer(21, replace(STARTED, volume_pct=found_pct))
    stage.until(60)
    assert volumes(stage) == expected


def test_a_debt_of_another_room_on_the_same_speaker_is_taken_over_too() -> None:
    """It would come in the middle of the other room's music, above its cap."""
    stage = Stage({"bath": replace(PLAIN, start_retry_us=0), "kitchen": CAPPED})
    stage.motion(0)
    stage.answer(1, QUIETER)
    stage.answer(2, LATER)
    stage.until(70)
    stage.motion(70, room="kitchen")
    stage.answer(71, replace(STARTED, volume_pct=10))
    stage.answer(72, VolumeSet())
    stage.until(900)
    assert volumes(stage) == [70, 40]
    assert stage.room().music.owed_volume is None


def test_music_that_is_somebody_elses_takes_it_over_as_well() -> None:
    """Whoever plays on the speaker has its volume, too."""
    stage = Stage({"bath": CAPPED})
    stage.motion(0)
    stage.answer(1, QUIETER)
    stage.answer(2, LATER)
    stage.until(20)
    stage.answer(21, Declined("already_playing"))
    stage.until(900)
    assert volumes(stage) == [70]


def test_a_start_that_may_have_been_obeyed_gives_the_volume_back_with_its_pause() -> None:
    """Not before: it could be heard, and be too loud."""
    stage = Stage({"bath": replace(CAPPED, vacancy_delay_us=60 * SECOND)})
    stage.motion(0)
    stage.answer(1, replace(QUIETER, started_anyway=True, retry_after_us=900 * SECOND))
    stage.until(61)
    assert stage.asked() == ["StartMusic", "PauseMusic"]
    pause = stage.commands()[-1]
    assert isinstance(pause, PauseMusic)
    assert pause.restore_volume_pct == 70


@pytest.mark.parametrize("anyway,expected", [(True, "PauseMusic"), (False, "SetVolume")])
def test_a_late_failure_leaves_it_owed(anyway: bool, expected: str) -> None:
    """The session that wanted the start is over when the answer comes."""
    stage = Stage()
    stage.motion(0)
    stage.until(61)
    stage.answer(62, replace(QUIETER, started_anyway=anyway))
    assert stage.asked() == ["StartMusic", expected]
    last = stage.commands()[-1]
    assert 70 in {getattr(last, "volume_pct", None), getattr(last, "restore_volume_pct", None)}


def test_an_older_debt_is_truer_than_what_a_start_has_found() -> None:
    """Half faded, the pause failed, and so did the next start: the volume of before the fade comes back."""
    stage = playing(Stage({"bath": replace(PLAIN, target=replace(TARGET, fade_out_us=10 * SECOND))}))
    stage.until(70)
    stage.answer(70.5, DOWN)
    stage.motion(71)
    stage.answer(72, replace(DOWN, unrestored=OwnVolume(SPEAKER, 10), started_anyway=True))
    owed = stage.room().music.owed_pause
    assert owed is not None
    assert owed.restore_volume_pct == 60
