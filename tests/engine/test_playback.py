from dataclasses import replace
from itertools import pairwise

import pytest
from tests.engine.stage import OTHER_SPEAKER, PLAIN, SPEAKER, STARTED, TARGET, Stage

from spotty_gateway.engine.commands import (
    Effect,
    FaultCleared,
    FaultRaised,
    MusicDecided,
    PauseMusic,
    SessionFacts,
    SetVolume,
    StartMusic,
)
from spotty_gateway.engine.events import (
    Declined,
    Failed,
    NotOurs,
    Outcome,
    Paused,
    Position,
    Superseded,
    VolumeSet,
)
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND, Window
from spotty_gateway.engine.state import Playing

DOWN = Failed(SilentReason.PLAYER_UNAVAILABLE, "down")
LONG = replace(PLAIN, vacancy_delay_us=7200 * SECOND)
SHARED = {"bath": PLAIN, "kitchen": PLAIN}
APART = {"bath": PLAIN, "hall": replace(PLAIN, target=replace(TARGET, device=OTHER_SPEAKER, transfer_if_busy=True))}
STARTED_IN_HALL = replace(STARTED, device=OTHER_SPEAKER)


def playing(stage: Stage | None = None) -> Stage:
    """Somebody is in the bath, and music plays."""
    stage = stage or Stage()
    stage.motion(0)
    stage.answer(1, STARTED)
    return stage


def decided(stage: Stage) -> list[tuple[str, str]]:
    """What was told about the music."""
    return [(one.action, str(one.reason)) for one in stage.effects if isinstance(one, MusicDecided)]


def told(stage: Stage, kind: type[Effect]) -> int:
    """How often this was told."""
    return sum(isinstance(one, kind) for one in stage.effects)


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


@pytest.mark.parametrize("reason", ["manual_stop", "taken_over", "finished"])
def test_the_look_before_the_pause_corrects_the_record(reason: str) -> None:
    """What had really ended the music ends up in the closed session's record, and nothing is paused."""
    stage = playing()
    stage.until(60)
    stage.answer(61, NotOurs(reason))  # type: ignore[arg-type] # pytest hands a plain string
    assert [why for _, _, why in stage.ends()] == ["timeout", reason]
    assert stage.room().music.owed_pause is None


def test_silence_after_a_failed_pause_is_not_put_down_to_a_person() -> None:
    """A pause that may have been obeyed leaves silence of our own making."""
    stage = playing()
    stage.until(60)
    stage.answer(61, DOWN)
    stage.until(70)
    stage.answer(71, NotOurs("manual_stop"))
    assert [why for _, _, why in stage.ends()] == ["timeout"]


def test_an_owed_pause_backs_off_to_a_minute_and_never_gives_up() -> None:
    """1, 2, 4, ... 60 s between attempts, for as long as it takes."""
    stage = playing()
    asked_at: list[int] = []
    for at_s in range(60, 700):
        stage.until(at_s)
        if stage.asked().count("PauseMusic") > len(asked_at):
            asked_at.append(at_s)
            stage.answer(at_s, DOWN)
    assert [later - one for one, later in pairwise(asked_at)][:8] == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("outcome", [Superseded(), VolumeSet(), STARTED])
def test_a_pause_that_comes_to_nothing_is_tried_again(outcome: Outcome) -> None:
    """Whatever the player says but "paused" or "not ours", the pause stays owed."""
    stage = playing()
    stage.until(60)
    stage.answer(61, outcome)
    stage.until(65)
    assert stage.asked() == ["StartMusic", "PauseMusic", "PauseMusic"]


def test_music_that_cannot_be_stopped_is_a_fault_until_it_is() -> None:
    """A long `Retry-After` on a pause raises a fault; the next session that takes the music over clears it."""
    stage = playing()
    stage.until(60)
    stage.answer(61, replace(DOWN, retry_after_us=7200 * SECOND))
    assert told(stage, FaultRaised) == 1
    stage.motion(70)
    start = stage.commands()[-1]
    assert isinstance(start, StartMusic)
    assert start.ours is not None
    stage.answer(71, replace(STARTED, adopted=True))
    assert (told(stage, FaultCleared), stage.room().music.owed_pause) == (1, None)


def test_a_start_that_comes_too_late_is_paused() -> None:
    """A start answered after its session ended becomes an owed pause."""
    stage = Stage()
    stage.motion(0)
    stage.until(61)
    assert stage.asked() == ["StartMusic"]
    stage.answer(62, STARTED)
    assert stage.asked() == ["StartMusic", "PauseMusic"]


@pytest.mark.parametrize("outcome", [DOWN, Superseded()])
def test_a_debt_that_slept_beside_a_start_wakes_when_that_comes_to_nothing(outcome: Outcome) -> None:
    """An owed pause a new session wanted to take over is due again when its start failed after the session."""
    stage = playing()
    stage.until(60)
    stage.answer(61, DOWN)
    stage.motion(61.5)
    start = stage.commands()[-1]
    stage.until(130)
    stage.answer(131, outcome, start)
    assert stage.asked() == ["StartMusic", "PauseMusic", "StartMusic", "PauseMusic"]


def test_rooms_with_one_speaker_share_and_hand_over() -> None:
    """The second room starts nothing; when the first is vacant the music goes on for the second."""
    stage = playing(Stage(SHARED))
    stage.motion(30, room="kitchen")
    stage.until(89)
    assert stage.asked() == ["StartMusic"]
    stage.until(91)
    assert stage.asked() == ["StartMusic", "PauseMusic"]
    assert stage.commands()[-1].sensor_id == "kitchen"


@pytest.mark.parametrize("asks", ["bath", "kitchen"])
def test_a_pause_mutes_every_room_that_hears_the_speaker(asks: str) -> None:
    """Whoever says stop, the speaker stops, once, for both."""
    stage = playing(Stage(SHARED))
    stage.motion(10, room="kitchen")
    stage.pause(20, room=asks)
    assert stage.asked() == ["StartMusic", "PauseMusic"]
    assert {stage.room(room).music.playback.kind for room in SHARED} == {"muted"}


def test_a_snoozed_room_hands_the_speaker_over() -> None:
    """Silence asked for one room does not take the other's music."""
    stage = playing(Stage(SHARED))
    stage.motion(10, room="kitchen")
    stage.snooze(20, 5000)
    assert stage.asked() == ["StartMusic"]
    assert stage.room("kitchen").music.playback.kind == "playing"


def test_a_newcomer_that_may_transfer_mutes_the_older_room() -> None:
    """The older session is muted as `transferred`, pays nothing, and never takes the music back."""
    stage = playing(Stage(APART))
    stage.motion(10, room="hall")
    stage.answer(11, STARTED_IN_HALL)
    stage.motion(30)
    stage.until(200)
    assert stage.asked() == ["StartMusic", "StartMusic", "PauseMusic"]
    assert (0, 90, "transferred") in stage.ends()


def test_a_silent_room_does_not_take_music_from_one_that_came_later() -> None:
    """The newcomer's policy decides, not that of a room whose start had failed before."""
    stage = Stage(APART)
    stage.motion(0, room="hall")
    stage.answer(1, DOWN)
    stage.motion(2)
    stage.answer(3, STARTED)
    stage.until(40)
    assert stage.asked() == ["StartMusic", "StartMusic"]
    assert decided(stage)[-1] == ("silent", "account_busy")


def test_a_busy_account_is_waited_for() -> None:
    """With `skip` the second room is silent, and plays when the first one's music has stopped."""
    stage = playing(Stage({**APART, "hall": replace(LONG, target=replace(TARGET, device=OTHER_SPEAKER))}))
    stage.motion(10, room="hall")
    stage.until(60)
    stage.answer(61, Paused(None))
    assert stage.asked() == ["StartMusic", "PauseMusic", "StartMusic"]


@pytest.mark.parametrize("reason", ["manual_stop", "taken_over", "finished"])
def test_a_look_made_for_the_volume_mutes_and_frees_the_account(reason: str) -> None:
    """Music found lost by a look for another reason mutes its session, and the room that waited may start."""
    stage = playing(Stage({**APART, "hall": replace(LONG, target=replace(TARGET, device=OTHER_SPEAKER))}))
    stage.motion(10, room="hall")
    stage.configure(20, replace(PLAIN, target=replace(TARGET, volume_cap_pct=10)))
    stage.answer(21, NotOurs(reason))  # type: ignore[arg-type] # pytest hands a plain string
    assert stage.room().music.playback.kind == "muted"
    assert stage.asked() == ["StartMusic", "SetVolume", "StartMusic"]


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


def test_an_account_is_tried_again_when_the_room_that_asked_first_gets_nothing() -> None:
    """A room that waits for another's start asks at once when that comes to nothing."""
    stage = Stage({**APART, "hall": replace(LONG, target=replace(TARGET, device=OTHER_SPEAKER))})
    stage.motion(0)
    stage.motion(1, room="hall")
    stage.answer(2, DOWN, stage.commands()[0])
    assert [command.sensor_id for command in stage.commands()] == ["bath", "hall"]


def test_music_that_may_have_started_is_not_taken_from_an_occupied_room() -> None:
    """A debt that sleeps beside its own session is no other room's to inherit, even on the same speaker."""
    stage = Stage(SHARED)
    stage.motion(0)
    stage.answer(1, replace(DOWN, started_anyway=True))
    stage.motion(2, room="kitchen")
    assert stage.asked() == ["StartMusic"]
    assert decided(stage)[-1] == ("silent", "account_busy")


def test_a_pause_cut_off_by_a_crash_is_not_put_down_to_a_person() -> None:
    """Silence found after a restart may be our own pause, whose answer died: the record stays a timeout."""
    stage = playing()
    stage.until(60)
    stage.restart(62)
    stage.answer(63, NotOurs("manual_stop"))
    assert [why for _, _, why in stage.ends()] == ["timeout"]


def test_a_snooze_until_an_instant_gone_by_is_none() -> None:
    """It mutes nothing."""
    stage = playing()
    stage.snooze(10, 5)
    assert stage.asked() == ["StartMusic"]


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


def test_the_music_stops_with_the_system_but_not_with_a_deployment() -> None:
    """`Stopping` pauses only where it says so."""
    for pause, expected in ((False, ["StartMusic"]), (True, ["StartMusic", "PauseMusic"])):
        stage = playing()
        stage.stop(10, pause=pause)
        assert stage.asked() == expected


def test_after_a_restart_the_song_goes_on() -> None:
    """Same boot, before the deadline: the session goes on, nothing is asked of the player, and it ends in time."""
    stage = playing()
    stage.restart(40)
    assert stage.asked() == ["StartMusic"]
    stage.until(61)
    assert (stage.ends(), stage.asked()) == ([(0, 60, "timeout")], ["StartMusic", "PauseMusic"])


def test_after_a_long_gap_the_session_has_ended_when_it_should_have() -> None:
    """Same boot, after the deadline: closed at its own instant, and paused at once without a fade."""
    stage = playing(Stage({"bath": replace(PLAIN, target=replace(TARGET, fade_out_us=10 * SECOND))}))
    stage.restart(4000)
    assert (stage.ends(), stage.asked()) == ([(0, 60, "timeout")], ["StartMusic", "PauseMusic"])


@pytest.mark.parametrize("at_s,expected", [(40, ["StartMusic", "StartMusic"]), (4000, ["StartMusic", "PauseMusic"])])
def test_an_intent_outlives_a_crash(at_s: float, expected: list[str]) -> None:
    """A start whose answer died is asked again with what is ours while the session goes on, and paused after it."""
    stage = Stage()
    stage.motion(0)
    stage.restart(at_s)
    assert stage.asked() == expected
    last = stage.commands()[-1]
    claim = last.ours if isinstance(last, StartMusic) else last.claim
    assert claim is not None
    assert (claim.context_uri, claim.confirmed) == (TARGET.context_uri, False)


def test_an_interrupted_fade_ends_at_its_volume() -> None:
    """After a restart in the middle of a fade-in the speaker gets its final volume, if the music is still ours."""
    stage = playing(Stage({"bath": replace(PLAIN, target=replace(TARGET, fade_in_us=30 * SECOND))}))
    stage.until(10)
    stage.restart(20)
    last = stage.commands()[-1]
    assert isinstance(last, SetVolume)
    assert (last.volume_pct, last.only_if_ours) == (60, True)


def test_a_room_that_is_configured_no_more_ends_as_disabled() -> None:
    """A room that went while nobody ran is closed now, or when default rules would have, and its debt is paid."""
    for at_s, end in ((40, (0, 40, "disabled")), (400, (0, 300, "timeout"))):
        stage = playing()
        stage.restart(at_s, rules={})
        assert (stage.ends(), stage.asked()) == ([end], ["StartMusic", "PauseMusic"])
        stage.answer(at_s + 1, Paused(None))
        assert "bath" not in stage.house.rooms


def test_facts_of_shared_music_say_that_it_was_heard() -> None:
    """A session whose music another room had started counts as one with music."""
    stage = playing(Stage(SHARED))
    stage.motion(10, room="kitchen")
    stage.until(500)
    heard = [one.playback_started for one in stage.effects if isinstance(one, SessionFacts) and one.ended_by]
    assert heard == [True, True]
