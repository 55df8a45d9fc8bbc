from dataclasses import replace
from itertools import pairwise

import pytest
from tests.engine.stage import DOWN, PLAIN, STARTED, TARGET, Stage, decided, playing, told

from spotty_gateway.engine.commands import FaultCleared, FaultRaised, StartMusic
from spotty_gateway.engine.events import Failed, NotOurs, Outcome, Paused, Superseded, VolumeSet
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND


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
    assert decided(stage)[-1] == ("paused", "nobody_there")


@pytest.mark.parametrize("reason", ["taken_over", "finished"])
def test_what_a_later_look_finds_is_told_as_it_is(reason: str) -> None:
    """Only silence may be our own doing after a failed pause."""
    stage = playing()
    stage.until(60)
    stage.answer(61, DOWN)
    stage.until(70)
    stage.answer(71, NotOurs(reason))  # type: ignore[arg-type] # pytest hands a plain string
    assert decided(stage)[-1] == ("left_alone", reason)


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


@pytest.mark.parametrize("reason", [SilentReason.DEVICE_REFUSES, SilentReason.PREMIUM_NEEDED])
def test_who_refuses_a_pause_is_asked_less_and_less(reason: SilentReason) -> None:
    """Up to a quarter of an hour between attempts, and once it has been refused for a minute that is a fault."""
    stage = playing()
    asked_at: list[int] = []
    raised_after: list[int] = []
    for at_s in range(60, 8000):
        stage.until(at_s)
        if stage.asked().count("PauseMusic") > len(asked_at):
            asked_at.append(at_s)
            stage.answer(at_s, Failed(reason, "the speaker will not"))
            raised_after += [at_s] * (told(stage, FaultRaised) - len(raised_after))
    waits = [later - one for one, later in pairwise(asked_at)]
    assert waits[:13] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert raised_after == [60 + 63]
    stage.until(9000)
    stage.answer(9000, Paused(None))
    assert told(stage, FaultCleared) == 1


def test_one_refusal_after_an_outage_is_no_long_series() -> None:
    """However often Spotify was away before: the first refusal is asked again as soon as any other failure would be."""
    stage = playing()
    at_s, asked = 60, 0
    while asked < 12:
        stage.until(at_s)
        if stage.asked().count("PauseMusic") > asked:
            asked += 1
            stage.answer(at_s, DOWN if asked < 12 else Failed(SilentReason.DEVICE_REFUSES, "a whim"))
        at_s += 1
    stage.until(at_s + 60)
    assert stage.asked().count("PauseMusic") == 13
    assert told(stage, FaultRaised) == 0


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


def test_a_pause_cut_off_by_a_crash_is_not_put_down_to_a_person() -> None:
    """Silence found after a restart may be our own pause, whose answer died: the record stays a timeout."""
    stage = playing()
    stage.until(60)
    stage.restart(62)
    stage.answer(63, NotOurs("manual_stop"))
    assert [why for _, _, why in stage.ends()] == ["timeout"]


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


@pytest.mark.parametrize("at_s", [40, 4000])
def test_a_start_lost_in_a_crash_and_not_tried_again_is_told_once(at_s: float) -> None:
    """Where nothing is retried, a person reads why there is no music: while somebody is there, or at the end."""
    stage = Stage({"bath": replace(PLAIN, start_retry_us=0)})
    stage.motion(0)
    stage.restart(at_s)
    stage.restart(at_s + 1)
    stage.until(at_s + 200)
    assert decided(stage).count(("silent", "player_unavailable")) == 1


def test_a_room_that_is_configured_no_more_ends_as_disabled() -> None:
    """A room that went while nobody ran is closed now, or when default rules would have, and its debt is paid."""
    for at_s, end in ((40, (0, 40, "disabled")), (400, (0, 300, "timeout"))):
        stage = playing()
        stage.restart(at_s, rules={})
        assert (stage.ends(), stage.asked()) == ([end], ["StartMusic", "PauseMusic"])
        stage.answer(at_s + 1, Paused(None))
        assert "bath" not in stage.house.rooms
