from dataclasses import replace

import pytest
from tests.gateway.account import BATHROOM, KITCHEN, OURS, THEIRS, Household, known

from spotty_gateway.engine.commands import Claim, SetVolume
from spotty_gateway.engine.events import Failed, NotOurs, OwnVolume, Started, VolumeSet
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND, Device, Target
from spotty_gateway.manners import LOWERED_WITHIN_S
from spotty_sandbox.spotify import Answer, Fault, rate_limited, refused


def test_the_policy_s_volume_is_set_before_the_first_sound(home: Household, target: Target) -> None:
    """Volume first, then music."""
    outcome = home.do(home.start(replace(known(home, target), volume_pct=20)))
    assert isinstance(outcome, Started)
    assert outcome.volume_pct == 20
    assert home.asked() == ["look", "volume 20", "play", "look"]


def test_the_cap_holds_for_a_volume_nobody_chose(home: Household, target: Target) -> None:
    """Nothing active, no volume in the policy, a knob left at 90: the cap is applied before the first sound."""
    home.call(lambda world: world.hand().turn_volume(world.device(BATHROOM), 90))
    outcome = home.do(home.start(replace(known(home, target), volume_cap_pct=40)))
    assert isinstance(outcome, Started)
    assert outcome.volume_pct == 40
    assert home.asked() == ["look", "devices", "volume 40", "play", "look"]


def test_a_quiet_speaker_stays_quiet_under_a_cap(home: Household, target: Target) -> None:
    """A cap above the speaker's own volume changes nothing."""
    home.do(home.start(replace(known(home, target), volume_cap_pct=80)))
    assert home.asked() == ["look", "devices", "play", "look"]
    assert home.volume(BATHROOM) == 50


def test_a_fade_begins_at_a_sixth(home: Household, target: Target) -> None:
    """The first of six volume commands comes before the music; the engine is told the volume at the fade's end."""
    outcome = home.do(home.start(replace(known(home, target), volume_pct=60, fade_in_us=10 * SECOND)))
    assert isinstance(outcome, Started)
    assert (outcome.volume_pct, home.volume(BATHROOM)) == (60, 10)


def test_a_fade_ends_right_where_the_knob_stood_at_its_beginning(home: Household, target: Target) -> None:
    """A speaker that happens to stand at the fade's first volume still fades up to its last."""
    home.call(lambda world: world.hand().turn_volume(world.device(BATHROOM), 10))
    home.call(lambda world: world.hand().play(world.device(BATHROOM), world.catalogue.named(OURS)))
    home.call(lambda world: world.hand().pause(world.device(BATHROOM)))
    outcome = home.do(home.start(replace(known(home, target), volume_pct=60, fade_in_us=10 * SECOND)))
    assert isinstance(outcome, Started)
    assert outcome.volume_pct == 60


def test_a_start_that_is_refused_gives_the_volume_back(home: Household, target: Target) -> None:
    """Lowered for a fade that never came: the speaker has its own volume again."""
    home.simulator.inject(refused("PUT */play", 403, "Player command failed: no", "CONTEXT_DISALLOW"))
    outcome = home.do(home.start(replace(known(home, target), fade_in_us=10 * SECOND)))
    assert isinstance(outcome, Failed)
    assert outcome.reason is SilentReason.DEVICE_REFUSES
    assert home.volume(BATHROOM) == 50


@pytest.mark.parametrize("error", [refused("PUT */play", 404, "Device not found"), rate_limited(60, "PUT */play")])
def test_a_volume_that_a_failed_start_could_not_put_back_is_told(home: Household, target: Target, error: Fault) -> None:
    """The start comes to nothing, and so does the volume after it, or it may not be asked for: the engine owes it."""
    down = refused("PUT */volume", 502, "Bad gateway", times=None)
    home.simulator.inject(replace(error, times=None), replace(down, skip=1))
    outcome = home.do(home.start(replace(known(home, target), fade_in_us=10 * SECOND)))
    assert isinstance(outcome, Failed)
    assert (outcome.started_anyway, outcome.unrestored) == (False, OwnVolume(home.device(BATHROOM), 50))
    assert home.volume(BATHROOM) == 8
    assert home.plays() is None


def test_a_volume_that_may_have_been_set_is_told(home: Household, target: Target) -> None:
    """Its answer got lost: nothing is played, and the engine puts back what was found."""
    home.simulator.inject(Fault("lost", "PUT */volume", times=1, ending="reset", performed=True))
    outcome = home.do(home.start(replace(known(home, target), volume_cap_pct=30)))
    assert isinstance(outcome, Failed)
    assert outcome.unrestored == OwnVolume(home.device(BATHROOM), 50)
    assert home.plays() is None


def test_a_start_without_proof_tells_the_volume_of_before(home: Household, target: Target) -> None:
    """Accepted and never heard, at a lowered volume: whoever pauses it later knows what to put back."""
    home.call(lambda world: setattr(world.device(BATHROOM), "ignores_play", True))
    outcome = home.do(home.start(replace(known(home, target), volume_cap_pct=30)))
    assert isinstance(outcome, Failed)
    assert (outcome.started_anyway, outcome.unrestored) == (True, OwnVolume(home.device(BATHROOM), 50))


def test_a_speaker_without_volume_plays_without(home: Household, target: Target) -> None:
    """VOLUME_CONTROL_DISALLOW is tolerated, and the engine hears that there is no volume."""
    home.call(lambda world: setattr(world.device(BATHROOM), "supports_volume", False))
    outcome = home.do(home.start(replace(known(home, target), volume_pct=20, fade_in_us=SECOND)))
    assert isinstance(outcome, Started)
    assert outcome.volume_pct is None


def test_a_speaker_whose_volume_needs_it_active_is_made_active_first(home: Household, target: Target) -> None:
    """The cap holds there too: made active in silence, lowered, and only then played on."""
    home.call(lambda world: setattr(world.device(BATHROOM), "volume_needs_active", True))
    outcome = home.do(home.start(replace(known(home, target), volume_pct=20)))
    assert isinstance(outcome, Started)
    assert home.volume(BATHROOM) == 20
    assert home.asked()[-4:] == ["transfer", "volume 20", "play", "look"]


def test_other_music_does_not_come_along_at_the_old_volume(home: Household, target: Target) -> None:
    """Taking over from elsewhere on such a speaker pauses what plays before the speaker becomes active."""
    home.somebody_plays(KITCHEN, THEIRS)
    home.call(lambda world: setattr(world.device(BATHROOM), "volume_needs_active", True))
    home.do(home.start(replace(known(home, target), volume_pct=20), take_over=True))
    assert home.asked()[-5:] == ["pause", "transfer", "volume 20", "play", "look"]


# Volume on its own.


def test_a_volume_goes_to_the_speaker_it_is_meant_for(home: Household) -> None:
    """A claim without an id is looked up by name: never a command that names no device."""
    home.somebody_plays(KITCHEN, THEIRS)
    home.do(SetVolume("bath", 1, Claim(Device(BATHROOM, "Speaker"), home.uri(OURS), True), 15, only_if_ours=False))
    assert (home.volume(BATHROOM), home.volume(KITCHEN)) == (15, 50)


def test_a_volume_only_for_ours_looks_first(home: Household) -> None:
    """Ours: set, and the volume found is told. Not ours: nothing but the look."""
    command = SetVolume("bath", 1, home.claim(BATHROOM, OURS), 15, only_if_ours=True)
    home.somebody_plays(BATHROOM, OURS)
    assert home.do(command) == VolumeSet(50)
    home.somebody_plays(BATHROOM, THEIRS)
    home.asked()
    assert home.do(command) == NotOurs("taken_over")
    assert home.asked() == ["look"]


def test_what_is_turned_down_is_looked_at_again(home: Household) -> None:
    """Accepted and ignored, a new cap is tried again; obeyed, it costs one look; made louder or in a fade, none."""
    command = SetVolume("bath", 1, home.claim(BATHROOM, OURS), 15, only_if_ours=True, must_hold=True)
    home.somebody_plays(BATHROOM, OURS)
    home.simulator.inject(Fault("ignored", "PUT */volume", times=1, answer=Answer(204)))
    outcome = home.do(command)
    assert isinstance(outcome, Failed)
    assert "accepts 15 % for Bathroom, which stays at 50 %; it is tried again" in outcome.detail
    assert home.asked() == ["look", "volume 15", "look", "look"]
    assert home.waited_s[-1] == LOWERED_WITHIN_S
    assert home.do(command) == VolumeSet(50)
    assert home.asked() == ["look", "volume 15", "look"]
    assert home.do(replace(command, volume_pct=40)) == VolumeSet(15)
    assert home.do(replace(command, volume_pct=30, must_hold=False)) == VolumeSet(40)
    assert home.asked() == ["look", "volume 40", "look", "volume 30"]


def test_a_speaker_that_is_turned_down_late_has_obeyed(home: Household) -> None:
    """It says so in the second look."""
    home.somebody_plays(BATHROOM, OURS)
    late = Fault("late", "GET */player", skip=1, times=1, edits={"device.volume_percent": 50})
    home.simulator.inject(late)
    command = SetVolume("bath", 1, home.claim(BATHROOM, OURS), 15, only_if_ours=True, must_hold=True)
    assert home.do(command) == VolumeSet(50)
    assert home.asked() == ["look", "volume 15", "look", "look"]
