from dataclasses import replace

import pytest
from tests.engine.stage import (
    APART,
    DOWN,
    LONG,
    OTHER_SPEAKER,
    PLAIN,
    SHARED,
    SPEAKER,
    STARTED,
    STARTED_IN_HALL,
    TARGET,
    Stage,
    decided,
    playing,
)

from spotty_gateway.engine.commands import SessionFacts, StartMusic
from spotty_gateway.engine.events import NotOurs, Paused
from spotty_gateway.engine.rules import SECOND, Rules


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


def crashed_in_mid_start(rules: dict[str, Rules]) -> Stage:
    """The bath's start was lost in a crash, and is not tried again: somebody is still there."""
    stage = Stage({**rules, "bath": replace(LONG, start_retry_us=0)})
    stage.motion(0)
    stage.restart(40)
    return stage


HALL_SKIPS = replace(LONG, target=replace(TARGET, device=OTHER_SPEAKER))


def test_a_start_lost_in_a_crash_keeps_no_other_room_from_the_account() -> None:
    """The next room asks; if the lost start is heard after all, its look finds that and leaves it alone."""
    stage = crashed_in_mid_start({"hall": HALL_SKIPS})
    stage.motion(50, room="hall")
    start = stage.commands()[-1]
    assert isinstance(start, StartMusic)
    assert (start.sensor_id, start.others, start.take_over) == ("hall", (), False)
    stage.answer(51, STARTED_IN_HALL)
    assert stage.room().music.owed_pause is None


def test_a_start_lost_in_a_crash_is_still_ours_to_one_that_may_transfer() -> None:
    """The newcomer whose policy takes music from other rooms takes that, too."""
    stage = crashed_in_mid_start({"hall": replace(HALL_SKIPS, target=APART["hall"].target)})
    stage.motion(50, room="hall")
    start = stage.commands()[-1]
    assert isinstance(start, StartMusic)
    assert [claim.device for claim in start.others] == [SPEAKER]


def test_a_start_lost_in_a_crash_is_taken_over_on_the_same_speaker() -> None:
    """What may play there is the newcomer's to go on with and to stop, and both rooms have the music then."""
    stage = crashed_in_mid_start({"kitchen": LONG})
    stage.motion(50, room="kitchen")
    start = stage.commands()[-1]
    assert isinstance(start, StartMusic)
    assert start.ours is not None
    assert stage.room().music.owed_pause is None
    stage.answer(51, STARTED)
    assert [stage.room(room).music.playback.kind for room in ("bath", "kitchen")] == ["playing", "playing"]


def test_a_room_that_waits_asks_when_another_gives_up() -> None:
    """A start that failed without a proof is retried first; with the last retry over, the account is free."""
    stage = Stage({"bath": replace(LONG, start_retry_us=20 * SECOND), "hall": HALL_SKIPS})
    stage.motion(0)
    stage.answer(1, replace(DOWN, started_anyway=True))
    stage.motion(2, room="hall")
    assert decided(stage)[-1] == ("silent", "account_busy")
    stage.until(16)
    stage.answer(17, replace(DOWN, started_anyway=True))
    assert stage.commands()[-1].sensor_id == "hall"


def test_facts_of_shared_music_say_that_it_was_heard() -> None:
    """A session whose music another room had started counts as one with music."""
    stage = playing(Stage(SHARED))
    stage.motion(10, room="kitchen")
    stage.until(500)
    heard = [one.playback_started for one in stage.effects if isinstance(one, SessionFacts) and one.ended_by]
    assert heard == [True, True]
