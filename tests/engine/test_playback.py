from dataclasses import replace

import pytest
from tests.engine.stage import DOWN, LONG, PLAIN, STARTED, TARGET, Stage, decided, playing

from spotty_gateway.engine.commands import StartMusic
from spotty_gateway.engine.events import Declined, Outcome, Paused, Position
from spotty_gateway.engine.rules import SECOND, Window


@pytest.mark.parametrize(
    "outcome,playback,at_the_end",
    [
        (STARTED, "playing", ["StartMusic", "PauseMusic"]),
        (replace(STARTED, adopted=True), "playing", ["StartMusic", "PauseMusic"]),
        (Declined("already_playing"), "playing", ["StartMusic"]),
        (replace(DOWN, retry_after_us=3600 * SECOND), "silent", ["StartMusic"]),
        (replace(DOWN, retry_after_us=3600 * SECOND, started_anyway=True), "silent", ["StartMusic", "PauseMusic"]),
    ],
)
def test_what_a_start_comes_to(outcome: Outcome, playback: str, at_the_end: list[str]) -> None:
    """Each answer to a start has its state, and at the session's end only what may be ours is paused."""
    stage = Stage()
    stage.motion(0)
    stage.answer(1, outcome)
    assert stage.room().music.playback.kind == playback
    stage.until(61)
    assert stage.asked() == at_the_end


def test_a_start_is_tried_again_after_15_30_60_and_every_120_seconds() -> None:
    """A silent session tries again, further and further apart, until `start_retry_s` after its start."""
    stage = Stage({"bath": LONG})
    stage.motion(0)
    asked_at: list[int] = []
    for at_s in range(1500):
        stage.until(at_s)
        if len(stage.asked()) > len(asked_at):
            asked_at.append(at_s)
            stage.answer(at_s, DOWN)
    assert asked_at == [0, 15, 45, 105, 225, 345, 465, 585]
    assert decided(stage) == [("silent", "player_unavailable")]


def test_a_silent_session_tries_at_once_when_the_cause_goes() -> None:
    """The guard opens: the start is asked for again without waiting."""
    stage = Stage({"bath": LONG})
    stage.motion(0)
    stage.answer(1, DOWN)
    stage.ready(2)
    assert stage.asked() == ["StartMusic", "StartMusic"]


def test_no_retry_starts_music_in_quiet_hours() -> None:
    """Within the grace a silent session stays silent, and when quiet hours are over it tries again."""
    quiet = Window(frozenset(), 12 * 60, 12 * 60 + 2)
    stage = Stage({"bath": LONG})
    stage.motion(0)
    stage.answer(1, DOWN)
    stage.configure(2, replace(LONG, quiet_windows=(quiet,)))
    stage.until(119.9)
    assert stage.asked() == ["StartMusic"]
    stage.until(120)
    assert stage.asked() == ["StartMusic", "StartMusic"]


def test_a_session_decided_late_asks_for_music_only_if_it_is_still_wanted() -> None:
    """A loop held up past a confirmation does not make music in the quiet hours that have begun meanwhile."""
    rules = replace(LONG, confirm_us=30 * SECOND, quiet_windows=(Window(frozenset(), 12 * 60 + 10, 13 * 60),))
    for woken_at, expected in ((500, ["StartMusic"]), (700, [])):
        stage = Stage({"bath": rules})
        stage.level(0, "pir", True)
        stage.level(woken_at, "pir", False)
        assert (stage.judged(), stage.asked()) == (["accepted"], expected)


@pytest.mark.parametrize("end", ["pause", "snooze", "disable"])
def test_no_retry_outlives_what_silences_the_room(end: str) -> None:
    """Paused, snoozed or disabled, a silent session never asks again."""
    stage = Stage({"bath": LONG})
    stage.motion(0)
    stage.answer(1, DOWN)
    if end == "pause":
        stage.pause(2)
    elif end == "snooze":
        stage.snooze(2, 1000)
    else:
        stage.configure(2, replace(LONG, enabled=False))
    stage.ready(3)
    stage.motion(20)
    stage.until(500)
    assert stage.asked() == ["StartMusic"]


def test_a_person_s_pause_holds_for_the_session_and_names_its_end() -> None:
    """Motion never restarts what a person stopped; the next session plays again."""
    stage = playing()
    stage.pause(2)
    stage.answer(3, Paused(None))
    stage.motion(30)
    stage.until(91)
    assert stage.ends() == [(0, 90, "manual_stop")]
    stage.motion(92)
    assert stage.asked() == ["StartMusic", "PauseMusic", "StartMusic"]


def test_resume_lifts_a_mute_in_the_same_session() -> None:
    """A person who wants music again gets it."""
    stage = playing()
    stage.pause(2)
    stage.answer(3, Paused(None))
    stage.resume(4)
    stage.answer(5, STARTED)
    assert stage.room().music.playback.kind == "playing"


def test_a_snooze_until_an_instant_gone_by_is_none() -> None:
    """It mutes nothing."""
    stage = playing()
    stage.snooze(10, 5)
    assert stage.asked() == ["StartMusic"]


def test_an_album_goes_on_where_it_was_left() -> None:
    """With `where_left`, the next session of the same context starts at the position of the last pause."""
    left_at = Position(TARGET.context_uri, "spotify:track:t", 4711)
    stage = playing(Stage({"bath": replace(PLAIN, target=replace(TARGET, resume_where_left=True))}))
    stage.until(60)
    stage.answer(61, Paused(left_at))
    stage.motion(70)
    start = stage.commands()[-1]
    assert isinstance(start, StartMusic)
    assert start.position == left_at


@pytest.mark.parametrize("held_s,expected", [(0.5, ["StartMusic", "PauseMusic"]), (1, ["StartMusic", "PauseMusic"])])
def test_the_button_stops_music(held_s: float, expected: list[str]) -> None:
    """A short press pauses the room, a long one snoozes it until the morning."""
    stage = playing()
    stage.level(10, "button", True)
    stage.level(10 + held_s, "button", False)
    assert stage.asked() == expected
    morning = stage.room().snoozed_until
    assert (morning is not None) == (held_s >= 1)
    assert morning is None or (morning - stage.offset) / SECOND == 18 * 3600


def test_a_short_press_in_silence_brings_the_music_back() -> None:
    """The same button resumes."""
    stage = playing()
    for at_s in (10, 20):
        stage.level(at_s, "button", True)
        stage.level(at_s + 0.2, "button", False)
    assert stage.asked() == ["StartMusic", "PauseMusic", "StartMusic"]


def test_a_morning_nobody_could_name_is_reckoned_when_the_time_is_known() -> None:
    """A long press without a clock snoozes until the true morning, not until one in 1970."""
    stage = Stage(offset=0, trusted=False)
    stage.level(10, "button", True)
    stage.level(12, "button", False)
    stage.trusted, stage.offset = True, Stage().offset
    stage.until(20)
    snoozed_until = stage.room().snoozed_until
    assert snoozed_until is not None
    assert (snoozed_until - stage.offset) / SECOND == 18 * 3600
