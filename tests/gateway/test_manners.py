from dataclasses import replace

import pytest
from tests.gateway.account import BATHROOM, KITCHEN, Household

from spotty_gateway.engine.commands import Claim, PauseMusic, SetVolume
from spotty_gateway.engine.events import Declined, Failed, NotOurs, Paused, Position, Started, VolumeSet
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND, Device, Repeat, Target
from spotty_gateway.manners import Manners
from spotty_sandbox.spotify import Fault, SpotifyWorld, json_answer, refused

OURS, THEIRS = "Steam and Soap", "Washing Up"


@pytest.fixture
def target(home: Household) -> Target:
    """The bathroom's music: as loud as it is, in the order and repetition that the account has already."""
    return Target(Device(BATHROOM, "Speaker"), home.uri(OURS), shuffle=False, repeat=Repeat.OFF)


def known(home: Household, target: Target) -> Target:
    """The same with the id that Spotify gives the speaker today."""
    return replace(target, device=home.device(BATHROOM))


def pause(claim: Claim, *, even_if_taken_over: bool = False, restore_volume_pct: int | None = None) -> PauseMusic:
    """The command to stop what the claim stands for."""
    return PauseMusic("bath", 2, claim, even_if_taken_over, restore_volume_pct)


# Starting.


def test_a_known_speaker_costs_one_round_trip_before_the_music(home: Household, target: Target) -> None:
    """In silence, with the id known and no volume wanted: look, play, verify, and nothing else."""
    outcome = home.do(home.start(known(home, target)))
    assert isinstance(outcome, Started)
    assert home.asked() == ["look", "play", "look"]
    assert home.plays() == (BATHROOM, OURS)


def test_a_speaker_is_found_by_name_and_remembered(home: Household, target: Target) -> None:
    """Without an id the list is asked once; the next start needs it no more."""
    home.do(home.start(target))
    assert home.asked() == ["look", "devices", "play", "look"]
    home.call(lambda world: world.hand().unplug(world.device(BATHROOM)))
    home.call(lambda world: world.hand().plug_in(world.device(BATHROOM)))
    home.do(home.start(target))
    assert home.asked() == ["look", "play", "look"]


def test_a_changed_id_is_found_again_under_the_name(home: Household, target: Target) -> None:
    """A speaker that came back with another id plays all the same."""
    stale = replace(target, device=replace(target.device, id="id-of-last-week"))
    outcome = home.do(home.start(stale))
    assert isinstance(outcome, Started)
    assert outcome.device.id == home.device(BATHROOM).id
    assert home.asked() == ["look", "play", "devices", "play", "look"]


def test_music_on_our_speaker_is_left_alone(home: Household, target: Target) -> None:
    """Somebody's music on our speaker: declined after one look, and it plays on."""
    home.somebody_plays(BATHROOM, THEIRS)
    assert home.do(home.start(known(home, target))) == Declined("already_playing")
    assert home.asked() == ["look"]
    assert home.plays() == (BATHROOM, THEIRS)


def test_our_own_record_put_on_by_somebody_is_theirs(home: Household, target: Target) -> None:
    """The same playlist on the same speaker, with no claim of ours: found playing, so not ours."""
    home.somebody_plays(BATHROOM, OURS)
    assert home.do(home.start(known(home, target))) == Declined("already_playing")


def test_music_elsewhere_is_not_cut_off(home: Household, target: Target) -> None:
    """Somebody's music in another room: declined after one look."""
    home.somebody_plays(KITCHEN, THEIRS)
    assert home.do(home.start(known(home, target))) == Declined("playing_elsewhere")
    assert home.asked() == ["look"]
    assert home.plays() == (KITCHEN, THEIRS)


def test_music_elsewhere_is_taken_over_where_the_policy_says_so(home: Household, target: Target) -> None:
    """With `transfer`, ours plays here and theirs no longer there."""
    home.somebody_plays(KITCHEN, THEIRS)
    assert isinstance(home.do(home.start(known(home, target), take_over=True)), Started)
    assert home.plays() == (BATHROOM, OURS)


def test_another_room_of_ours_is_not_somebody_else(home: Household, target: Target) -> None:
    """What our kitchen plays may be moved: the engine has decided that already."""
    home.somebody_plays(KITCHEN, THEIRS)
    command = home.start(known(home, target), others=(home.claim(KITCHEN, THEIRS),))
    assert isinstance(home.do(command), Started)


def test_our_own_music_on_the_room_s_last_speaker_moves_with_it(home: Household, target: Target) -> None:
    """The policy has named another speaker meanwhile: what still plays on the old one is ours to move."""
    home.somebody_plays(KITCHEN, OURS)
    assert isinstance(home.do(home.start(known(home, target), ours=home.claim(KITCHEN, OURS))), Started)
    assert home.plays() == (BATHROOM, OURS)


def test_what_still_plays_from_before_is_adopted(home: Household, target: Target) -> None:
    """Our claim found playing goes on: no second start, the song is not restarted."""
    home.somebody_plays(BATHROOM, OURS)
    outcome = home.do(home.start(known(home, target), ours=home.claim(BATHROOM, OURS, confirmed=False)))
    assert isinstance(outcome, Started)
    assert outcome.adopted
    assert home.asked() == ["look"]


def test_adopted_music_comes_under_the_cap(home: Household, target: Target) -> None:
    """What is adopted above the cap is lowered to it at once."""
    home.somebody_plays(BATHROOM, OURS)
    capped = replace(known(home, target), volume_cap_pct=30)
    outcome = home.do(home.start(capped, ours=home.claim(BATHROOM, OURS)))
    assert isinstance(outcome, Started)
    assert (outcome.adopted, outcome.volume_pct, home.volume(BATHROOM)) == (True, 30, 30)


def test_a_speaker_without_volume_is_adopted_too(home: Household, target: Target) -> None:
    """VOLUME_CONTROL_DISALLOW is no reason to give up music that plays."""
    home.somebody_plays(BATHROOM, OURS)
    home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW"))
    loud = replace(known(home, target), volume_pct=20)
    outcome = home.do(home.start(loud, ours=home.claim(BATHROOM, OURS)))
    assert isinstance(outcome, Started)
    assert (outcome.adopted, outcome.volume_pct) == (True, None)


# Volume.


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


# What a start may meet.


def test_a_late_speaker_is_waited_for(home: Household, target: Target) -> None:
    """A speaker that says yes and plays three seconds later has started."""
    home.call(lambda world: setattr(world.device(BATHROOM), "start_delay_ms", 3000))
    assert isinstance(home.do(home.start(known(home, target))), Started)
    assert sum(home.waited_s) == pytest.approx(5.5)


def test_a_speaker_that_never_plays_is_a_failure_that_may_have_started(home: Household, target: Target) -> None:
    """Accepted and not heard: said so, and what may play later is still known to be ours."""
    home.call(lambda world: setattr(world.device(BATHROOM), "ignores_play", True))
    outcome = home.do(home.start(known(home, target)))
    assert isinstance(outcome, Failed)
    assert outcome.started_anyway
    assert BATHROOM in outcome.detail


@pytest.mark.parametrize("ending", ["reset", "truncate"])
def test_an_answer_that_got_lost_is_looked_after(home: Household, target: Target, ending: str) -> None:
    """The start worked and its answer was lost: a look finds the music, and it is ours."""
    home.simulator.inject(Fault("lost", "PUT */play", times=1, ending=ending, performed=True))  # type: ignore[arg-type]  # one of two literals
    assert isinstance(home.do(home.start(known(home, target))), Started)


def test_a_server_s_error_after_the_deed_is_looked_after(home: Household, target: Target) -> None:
    """A 502 to a start that was obeyed: a look finds the music."""
    fault = refused("PUT */play", 502, "Bad gateway")
    home.simulator.inject(replace(fault, performed=True))
    assert isinstance(home.do(home.start(known(home, target))), Started)


def test_a_lost_start_with_no_proof_may_be_ours(home: Household, target: Target) -> None:
    """The request was lost and so is the look after it: nobody knows, and the engine is told so."""
    home.simulator.inject(Fault("lost", "PUT */play", times=1, ending="reset", performed=True))
    home.simulator.inject(Fault("lost", "GET /v1/me/player", skip=1, ending="reset"))
    outcome = home.do(home.start(known(home, target)))
    assert isinstance(outcome, Failed)
    assert (outcome.started_anyway, outcome.reason) == (True, SilentReason.PLAYER_UNAVAILABLE)


def test_a_speaker_that_is_not_there_is_named(home: Household, target: Target) -> None:
    """The failure names the speaker, those that are there, and what to do."""
    home.call(lambda world: world.hand().unplug(world.device(BATHROOM)))
    outcome = home.do(home.start(target))
    assert isinstance(outcome, Failed)
    assert outcome.reason is SilentReason.NO_DEVICE
    assert "Bathroom is not there (present: Bedroom, Kitchen); switch it on" in outcome.detail


def test_a_sleeping_speaker_is_woken_for_the_next_attempt(home: Household, target: Target) -> None:
    """It is named once although it is not listed, and plays at the next attempt."""

    def doze(world: SpotifyWorld) -> None:
        world.device(BATHROOM).wake_ms = 2000
        world.hand().put_to_sleep(world.device(BATHROOM))

    sleepy = replace(known(home, target), volume_cap_pct=40)
    home.call(doze)
    assert isinstance(home.do(home.start(sleepy)), Failed)
    home.clock.advance_ms(15_000)
    assert isinstance(home.do(home.start(sleepy)), Started)


def test_a_restricted_speaker_is_refused_with_the_cure(home: Household, target: Target) -> None:
    """A device that takes no commands says so, and that another must be chosen."""
    home.call(lambda world: setattr(world.device(BATHROOM), "is_restricted", True))
    outcome = home.do(home.start(target))
    assert isinstance(outcome, Failed)
    assert outcome.reason is SilentReason.DEVICE_REFUSES
    assert "restricted" in outcome.detail


def test_the_intent_is_on_disk_before_the_music_is_asked_for(home: Household, target: Target) -> None:
    """After the look and before the start somebody waits for the snapshot: a crash later knows whose music it is."""
    seen: list[str] = []
    manners = Manners(home.player, lambda _: None, lambda: seen.extend(home.asked()))
    manners.start(home.start(known(home, target)))
    assert seen == ["look"]
    assert home.asked() == ["play", "look"]


def test_where_it_was_left_is_gone_on_with(home: Household, target: Target) -> None:
    """The song and the second at which the room was left."""
    track = home.call(lambda world: world.catalogue.named(OURS).tracks[2].uri)
    position = Position(target.context_uri, track, 33_000)
    home.do(home.start(known(home, target), position=position))
    deck = home.call(lambda world: world.player().deck)
    assert (deck.track.uri, deck.progress_ms) == (track, 33_000)


def test_a_song_that_has_left_the_playlist_is_no_hindrance(home: Household, target: Target) -> None:
    """Where it was left is gone: the playlist begins at its start."""
    position = Position(target.context_uri, "spotify:track:nolongerthere", 33_000)
    assert isinstance(home.do(home.start(known(home, target), position=position)), Started)
    assert home.plays() == (BATHROOM, OURS)


def test_shuffle_and_repeat_come_after_the_music(home: Household, target: Target) -> None:
    """They are set once the music is heard, and only where they differ."""
    home.do(home.start(replace(known(home, target), shuffle=True, repeat=Repeat.CONTEXT)))
    assert home.asked() == ["look", "play", "look", "shuffle true", "repeat context"]


def test_a_refused_shuffle_spoils_nothing(home: Household, target: Target) -> None:
    """The music plays: a device that will not shuffle does not make that a fault."""
    home.simulator.inject(refused("PUT */shuffle", 403, "Restriction violated", "UNKNOWN"))
    assert isinstance(home.do(home.start(replace(known(home, target), shuffle=True))), Started)


# Pausing.


def test_ours_is_paused_and_its_place_kept(home: Household) -> None:
    """Look, pause, and where it was left."""
    home.somebody_plays(BATHROOM, OURS)
    home.clock.advance_ms(5000)
    outcome = home.do(pause(home.claim(BATHROOM, OURS)))
    assert isinstance(outcome, Paused)
    assert outcome.left_at is not None
    assert outcome.left_at.progress_ms == 5000
    assert home.asked() == ["look", "pause"]
    assert home.plays() is None


@pytest.mark.parametrize(
    "speaker, record", [(BATHROOM, THEIRS), (KITCHEN, OURS), (KITCHEN, THEIRS)], ids=["context", "device", "both"]
)
def test_what_is_not_ours_is_never_paused(home: Household, speaker: str, record: str) -> None:
    """Another record, another speaker: taken over, one look, and it plays on."""
    home.somebody_plays(speaker, record)
    assert home.do(pause(home.claim(BATHROOM, OURS))) == NotOurs("taken_over")
    assert home.asked() == ["look"]
    assert home.plays() == (speaker, record)


def test_on_our_speaker_a_takeover_is_paused_where_the_policy_says_so(home: Household) -> None:
    """`on_taken_over: pause` stops what plays on our speaker, and keeps no place in a record that was not playing."""
    home.somebody_plays(BATHROOM, THEIRS)
    assert home.do(pause(home.claim(BATHROOM, OURS), even_if_taken_over=True)) == Paused(None)


def test_even_then_nothing_elsewhere_is_touched(home: Household) -> None:
    """`on_taken_over: pause` is about our speaker only."""
    home.somebody_plays(KITCHEN, THEIRS)
    assert home.do(pause(home.claim(BATHROOM, OURS), even_if_taken_over=True)) == NotOurs("taken_over")


def test_silence_found_was_made_by_hand(home: Household) -> None:
    """Paused before we came: `manual_stop`, and nothing is asked but the look."""
    home.somebody_plays(BATHROOM, OURS)
    home.clock.advance_ms(5000)
    home.call(lambda world: world.hand().pause(world.device(BATHROOM)))
    assert home.do(pause(home.claim(BATHROOM, OURS))) == NotOurs("manual_stop")
    assert home.asked() == ["look"]


def test_a_record_that_ran_out_has_finished(home: Household) -> None:
    """A context that does not repeat and has come to its end was stopped by nobody."""
    home.somebody_plays(BATHROOM, OURS)
    home.clock.advance_ms(3_600_000 // 2)
    assert home.do(pause(home.claim(BATHROOM, OURS))) == NotOurs("finished")


def test_a_playlist_is_the_same_under_its_owner_s_name(home: Household) -> None:
    """spotify:user:NAME:playlist:ID is the playlist ID."""
    home.somebody_plays(BATHROOM, OURS)
    old_uri = home.uri(OURS).replace("spotify:", "spotify:user:somebody:")
    assert isinstance(home.do(pause(Claim(home.device(BATHROOM), old_uri, confirmed=True))), Paused)


@pytest.mark.parametrize("confirmed, expected", [(True, Paused), (False, NotOurs)])
def test_music_without_a_context_is_ours_only_if_it_was_heard(home: Household, confirmed: bool, expected: type) -> None:
    """Spotify sometimes names no context: then only a claim that a look has confirmed counts."""
    home.call(lambda world: world.hand().play(world.device(BATHROOM), world.catalogue.named(OURS)))
    deck = home.call(lambda world: world.player().deck)
    home.call(lambda world: setattr(world.player(), "deck", replace(deck, context=None)))
    outcome = home.do(pause(home.claim(BATHROOM, OURS, confirmed=confirmed)))
    assert type(outcome) is expected


def test_the_speaker_s_own_volume_comes_back_after_the_pause(home: Household) -> None:
    """First silence, then the volume."""
    home.somebody_plays(BATHROOM, OURS)
    outcome = home.do(pause(home.claim(BATHROOM, OURS), restore_volume_pct=70))
    assert isinstance(outcome, Paused)
    assert outcome.volume_restored
    assert home.asked() == ["look", "pause", "volume 70"]


def test_a_volume_that_cannot_be_restored_is_still_owed(home: Household) -> None:
    """The pause succeeded; the engine hears that the volume did not."""
    home.somebody_plays(BATHROOM, OURS)
    home.simulator.inject(refused("PUT */volume", 502, "Bad gateway", times=None))
    outcome = home.do(pause(home.claim(BATHROOM, OURS), restore_volume_pct=70))
    assert isinstance(outcome, Paused)
    assert not outcome.volume_restored


@pytest.mark.parametrize("only_if_ours", [True, False], ids=["volume", "pause"])
def test_music_nobody_knows_where_is_not_ours(home: Household, only_if_ours: bool) -> None:
    """Something plays and Spotify names no device: nobody paused it by hand, and nobody may touch it."""
    answer = {"is_playing": True, "device": None, "context": None, "item": None}
    home.simulator.inject(Fault("nowhere", "GET /v1/me/player", answer=json_answer(answer)))
    claim = home.claim(BATHROOM, OURS)
    command = SetVolume("bath", 1, claim, 15, only_if_ours=True) if only_if_ours else pause(claim)
    assert home.do(command) == NotOurs("taken_over")
    assert home.asked() == ["look"]


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
