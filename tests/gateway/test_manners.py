from dataclasses import replace

import pytest
from tests.gateway.account import BATHROOM, KITCHEN, OURS, THEIRS, Household, known

from spotty_gateway.engine.events import Declined, Failed, Position, Started
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import Repeat, Target
from spotty_gateway.manners import Manners
from spotty_sandbox.spotify import Fault, SpotifyWorld, refused


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
    home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW", times=None))
    loud = replace(known(home, target), volume_pct=20)
    outcome = home.do(home.start(loud, ours=home.claim(BATHROOM, OURS)))
    assert isinstance(outcome, Started)
    assert (outcome.adopted, outcome.volume_pct) == (True, None)


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
