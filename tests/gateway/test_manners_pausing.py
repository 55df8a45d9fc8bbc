from dataclasses import replace

import pytest
from tests.gateway.account import BATHROOM, KITCHEN, OURS, THEIRS, Household

from spotty_gateway.engine.commands import Claim, PauseMusic, SetVolume
from spotty_gateway.engine.events import Failed, NotOurs, Paused
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.manners import NOWHERE_AGAIN_AFTER_S, PAUSED_WITHIN_S
from spotty_sandbox.spotify import Answer, Fault, json_answer, refused


def pause(claim: Claim, *, even_if_taken_over: bool = False, restore_volume_pct: int | None = None) -> PauseMusic:
    """The command to stop what the claim stands for."""
    return PauseMusic("bath", 2, claim, even_if_taken_over, restore_volume_pct)


def test_ours_is_paused_and_its_place_kept(home: Household) -> None:
    """Look, pause, and where it was left."""
    home.somebody_plays(BATHROOM, OURS)
    home.clock.advance_ms(5000)
    outcome = home.do(pause(home.claim(BATHROOM, OURS)))
    assert isinstance(outcome, Paused)
    assert outcome.left_at is not None
    assert outcome.left_at.progress_ms == 5000
    assert home.asked() == ["look", "pause", "look"]
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
    assert home.asked() == ["look", "pause", "look", "volume 70"]


def test_a_volume_that_cannot_be_restored_is_still_owed(home: Household) -> None:
    """The pause succeeded; the engine hears that the volume did not."""
    home.somebody_plays(BATHROOM, OURS)
    home.simulator.inject(refused("PUT */volume", 502, "Bad gateway", times=None))
    outcome = home.do(pause(home.claim(BATHROOM, OURS), restore_volume_pct=70))
    assert isinstance(outcome, Paused)
    assert not outcome.volume_restored


# What a pause may meet.


LIES = {
    "204": Fault("204", "PUT */pause", answer=Answer(204), times=None),
    "202": Fault("202", "PUT */pause", answer=Answer(202), times=None),
    "already": refused("PUT */pause", 403, "no", "ALREADY_PAUSED", times=None),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_pause_that_nobody_heard_has_failed(home: Household, lie: Fault) -> None:
    """Spotify says yes, or that it is done already, and it plays on: looked at twice, and the volume stays down."""
    home.somebody_plays(BATHROOM, OURS)
    home.simulator.inject(lie)
    outcome = home.do(pause(home.claim(BATHROOM, OURS), restore_volume_pct=70))
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.started_anyway) == (SilentReason.DEVICE_REFUSES, False)
    assert home.asked() == ["look", "pause", "look", "look"]
    assert home.waited_s == [PAUSED_WITHIN_S]


def test_an_intruder_that_plays_on_is_not_paused_either(home: Household) -> None:
    """What the policy wants to stop on our speaker is looked for there, too."""
    home.somebody_plays(BATHROOM, THEIRS)
    home.simulator.inject(LIES["204"])
    assert isinstance(home.do(pause(home.claim(BATHROOM, OURS), even_if_taken_over=True)), Failed)


def test_a_speaker_that_reports_late_has_paused(home: Household) -> None:
    """The first look still shows music, a moment later there is none: paused, and its place is known."""
    home.somebody_plays(BATHROOM, OURS)
    speaker = {"id": home.device(BATHROOM).id, "name": BATHROOM, "type": "Speaker", "volume_percent": 50}
    seen = {
        "is_playing": True,
        "device": {**speaker, "is_active": True, "is_restricted": False},
        "context": {"uri": home.uri(OURS)},
    }
    home.simulator.inject(Fault("of before", "GET /v1/me/player", answer=json_answer(seen), times=2))
    assert home.do(pause(home.claim(BATHROOM, OURS))) == Paused(None)
    assert home.asked() == ["look", "pause", "look", "look"]


def nowhere(times: int | None) -> Fault:
    """Something plays, and Spotify names no device."""
    answer = {"is_playing": True, "device": None, "context": None, "item": None}
    return Fault("nowhere", "GET /v1/me/player", answer=json_answer(answer), times=times)


@pytest.mark.parametrize("only_if_ours", [True, False], ids=["volume", "pause"])
def test_music_nobody_knows_where_is_not_ours(home: Household, only_if_ours: bool) -> None:
    """Spotify names no device, however often it is asked: nobody paused it by hand, and nobody may touch it."""
    home.simulator.inject(nowhere(None))
    claim = home.claim(BATHROOM, OURS)
    command = SetVolume("bath", 1, claim, 15, only_if_ours=True) if only_if_ours else pause(claim)
    assert home.do(command) == NotOurs("taken_over")
    assert home.asked() == ["look"] * (1 + len(NOWHERE_AGAIN_AFTER_S))


def test_music_nobody_knows_where_may_be_ours_a_moment_later(home: Household) -> None:
    """A look that names no device ends nothing: the next one does, and ours is paused."""
    home.somebody_plays(BATHROOM, OURS)
    home.simulator.inject(nowhere(2))
    assert isinstance(home.do(pause(home.claim(BATHROOM, OURS))), Paused)
    assert home.plays() is None
