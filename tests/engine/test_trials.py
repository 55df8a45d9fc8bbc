from dataclasses import replace

import pytest
from tests.engine.stage import OTHER_SPEAKER, PLAIN, SPEAKER, STARTED, TARGET, Stage

from spotty_gateway.engine.commands import MusicDecided, PauseMusic, SetVolume, StartMusic
from spotty_gateway.engine.events import Declined, Failed, Paused, Superseded, TrialAsked, VolumeAsked, VolumeSet
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND, Target, Window
from spotty_gateway.engine.state import Hold, Playing

OTHER = Target(OTHER_SPEAKER, "spotify:playlist:q")
FOR_S = 15
NIGHT = (Window(frozenset(), 0, 24 * 60),)


def ask(stage: Stage, at_s: float, target: Target = TARGET, room: str = "bath") -> None:
    """Somebody wants to hear the speaker."""
    stage.happens(TrialAsked(*stage.now(at_s), room, target, FOR_S * SECOND))


def told(stage: Stage) -> list[tuple[str, str]]:
    """What was told of trials."""
    return [
        (one.action, one.reason) for one in stage.effects if isinstance(one, MusicDecided) and "trial" in one.action
    ]


def pauses_at(stage: Stage) -> list[float]:
    """When a pause was asked for."""
    stage.effects.clear()
    found = []
    for tenths in range(1000):
        stage.until(tenths / 10)
        if any(isinstance(one, PauseMusic) for one in stage.effects):
            found.append(tenths / 10)
            stage.effects.clear()
    return found


def test_a_trial_is_heard_for_its_time_and_then_paused() -> None:
    """In a vacant room: started with our manners, no session, and paused when its time is over."""
    stage = Stage()
    ask(stage, 0)
    (start,) = stage.commands()
    assert isinstance(start, StartMusic)
    assert (start.target, start.take_over, start.ours) == (TARGET, False, None)
    stage.answer(2, STARTED)
    assert told(stage) == [("trial_started", "asked")]
    assert stage.room().session is None
    assert pauses_at(stage)[0] == pytest.approx(17, abs=0.2)


def test_a_trial_survives_a_restart_as_a_pause_that_is_owed() -> None:
    """Killed while it is heard, or while it is asked for: whoever comes up again stops it."""
    for is_answered in (False, True):
        stage = Stage()
        ask(stage, 0)
        if is_answered:
            stage.answer(2, STARTED)
        stage.restart(5)
        stage.until(6)
        assert isinstance(stage.commands()[-1], PauseMusic)


@pytest.mark.parametrize(
    "outcome, reason",
    [
        (Declined("playing_elsewhere"), "playing_elsewhere"),
        (Failed(SilentReason.NO_DEVICE, "it is not there"), "no_device"),
        (Superseded(), "superseded"),
    ],
)
def test_a_trial_that_comes_to_nothing_is_told_and_leaves_nothing(
    outcome: Declined | Failed | Superseded, reason: str
) -> None:
    """The reason is the player's; nothing is owed."""
    stage = Stage()
    ask(stage, 0)
    stage.answer(2, outcome)
    assert told(stage) == [("trial_failed", reason)]
    assert stage.room().music.owed_pause is None
    assert not stage.room().music.awaited


def test_a_trial_that_may_play_unseen_is_paused_at_once() -> None:
    """Nobody saw it start: it is not left to play for its time."""
    stage = Stage()
    ask(stage, 0)
    stage.answer(2, Failed(SilentReason.PLAYER_UNAVAILABLE, "?", started_anyway=True))
    assert isinstance(stage.commands()[-1], PauseMusic)


def test_a_trial_makes_room_for_everything() -> None:
    """Quiet hours, a snooze, our own music, a trial under way, another room's music: each refuses it by name."""
    quiet = Stage({"bath": replace(PLAIN, quiet_windows=NIGHT)})
    ask(quiet, 0)
    snoozed = Stage()
    snoozed.snooze(0, 100)
    ask(snoozed, 1)
    playing = Stage()
    playing.motion(0)
    ask(playing, 1)
    twice = Stage()
    ask(twice, 0)
    ask(twice, 1)
    busy = Stage({"bath": PLAIN, "hall": replace(PLAIN, target=OTHER)})
    busy.motion(0, room="hall")
    ask(busy, 1)
    unknown = Stage({"bath": replace(PLAIN, quiet_windows=NIGHT)}, trusted=False)
    ask(unknown, 0)
    assert [told(one)[-1:] for one in (quiet, snoozed, playing, twice, busy, unknown)] == [
        [("trial_refused", reason)]
        for reason in ("quiet_hours", "snoozed", "already_playing", "account_busy", "account_busy", "clock_untrusted")
    ]


def test_a_visit_goes_on_with_the_trial_s_music() -> None:
    """Somebody comes in while it is heard: their start takes it over as ours, and it is not paused under them."""
    stage = Stage()
    ask(stage, 0)
    stage.answer(2, STARTED)
    stage.motion(5)
    start = stage.commands()[-1]
    assert isinstance(start, StartMusic)
    assert start.ours is not None
    stage.answer(6, replace(STARTED, adopted=True))
    stage.effects.clear()
    stage.until(30)
    assert stage.commands() == []
    assert isinstance(stage.room().music.playback, Playing)


def test_a_pause_ends_a_trial_heard_or_on_its_way() -> None:
    """Silence is silence: at once, in a room with or without somebody in it."""
    heard = Stage()
    ask(heard, 0)
    heard.answer(2, STARTED)
    heard.pause(3)
    assert isinstance(heard.commands()[-1], PauseMusic)
    on_its_way = Stage()
    ask(on_its_way, 0)
    on_its_way.pause(1)
    on_its_way.answer(2, STARTED, on_its_way.commands()[0])
    assert isinstance(on_its_way.commands()[-1], PauseMusic)
    on_its_way.answer(3, Paused(None))
    assert on_its_way.room().music.owed_pause is None


def playing_stage(volume_cap_pct: int = 100) -> Stage:
    """A room in which our music plays at 60 %."""
    stage = Stage({"bath": replace(PLAIN, target=replace(TARGET, volume_cap_pct=volume_cap_pct))})
    stage.motion(0)
    stage.answer(1, STARTED)
    stage.effects.clear()
    return stage


def volume(stage: Stage, at_s: float, volume_pct: int, room: str = "bath") -> list[int]:
    """Somebody wants this volume; the volumes that were asked of the player."""
    stage.happens(VolumeAsked(*stage.now(at_s), room, volume_pct))
    return [one.volume_pct for one in stage.commands() if isinstance(one, SetVolume)]


def test_the_volume_is_set_within_the_cap_and_only_if_ours() -> None:
    """What was asked for, or the cap; with a look first."""
    assert volume(playing_stage(), 2, 30) == [30]
    stage = playing_stage(40)
    assert volume(stage, 2, 90)[-1] == 40
    commands = [one for one in stage.commands() if isinstance(one, SetVolume)]
    assert commands[-1].only_if_ours
    stage.answer(3, VolumeSet(60))
    assert stage.room().music.owed_volume is None


def test_there_is_no_volume_where_no_music_of_ours_is() -> None:
    """A vacant room, somebody else's music, a speaker without volume: nothing is asked."""
    assert volume(Stage(), 0, 30) == []
    theirs = Stage()
    theirs.motion(0)
    theirs.answer(1, Declined("already_playing"))
    assert volume(theirs, 2, 30) == []
    without = Stage()
    without.motion(0)
    without.answer(1, replace(STARTED, volume_pct=None))
    assert volume(without, 2, 30) == []


def test_on_a_shared_speaker_both_rooms_caps_hold() -> None:
    """Asked in the room that only hears it, the room that has started it sets it."""
    quiet = replace(PLAIN, target=replace(TARGET, volume_cap_pct=50))
    stage = Stage({"bath": PLAIN, "hall": quiet})
    stage.motion(0)
    stage.answer(1, STARTED)
    stage.motion(2, room="hall")
    hearing = stage.room("hall").music.playback
    assert isinstance(hearing, Playing)
    assert hearing.hold is Hold.SHARED
    stage.effects.clear()
    assert volume(stage, 3, 80, room="hall")[-1] == 50
    assert SPEAKER.is_same_as(stage.commands()[-1].claim.device)  # type: ignore[union-attr]  # a volume, as just seen
