"""What Spotify lets an app do, and in which words it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from spotty_sandbox.spotify import Asker, Device, ManualClock, PlayRequest, Remote, SpotifyError, SpotifyWorld

if TYPE_CHECKING:
    from collections.abc import Callable

APP = Asker("app", "A test")


@pytest.fixture
def remote(world: SpotifyWorld) -> Remote:
    """An app's remote control of the household's account."""
    return world.remote(APP)


def play(remote: Remote, uri: str, device: Device) -> None:
    """Start a context on a device."""
    remote.play(PlayRequest(context_uri=uri), device.id)


def id_of(device: Device) -> str:
    """The id of a device that has one."""
    assert device.id is not None
    return device.id


REFUSALS: list[tuple[dict[str, Any], Callable[[Remote, str], None], tuple[int, str | None]]] = [
    ({}, lambda r, _: r.pause(), (404, "NO_ACTIVE_DEVICE")),
    ({}, lambda r, _: r.play(PlayRequest()), (404, "NO_ACTIVE_DEVICE")),
    ({}, lambda r, _: r.play(PlayRequest(), "nobody"), (404, None)),
    ({}, lambda r, d: r.play(PlayRequest(), d), (403, "UNKNOWN")),
    ({}, lambda r, d: r.pause(d), (403, "UNKNOWN")),
    ({}, lambda r, d: r.play(PlayRequest("spotify:playlist:none"), d), (404, None)),
    ({}, lambda r, d: r.play(PlayRequest(uris=("spotify:track:none",)), d), (400, None)),
    ({}, lambda r, d: r.volume(101, d), (400, None)),
    ({}, lambda r, d: r.shuffle(on=True, device_id=d), (404, "NO_ACTIVE_DEVICE")),
    ({"is_restricted": True}, lambda r, d: r.volume(10, d), (403, "DEVICE_NOT_CONTROLLABLE")),
    ({"supports_volume": False}, lambda r, d: r.volume(10, d), (403, "VOLUME_CONTROL_DISALLOW")),
    ({"volume_needs_active": True}, lambda r, d: r.volume(10, d), (404, "NO_ACTIVE_DEVICE")),
    ({"presence": "asleep"}, lambda r, d: r.transfer(d, play=True), (404, None)),
    ({"presence": "unplugged"}, lambda r, d: r.transfer(d, play=True), (404, None)),
]


@pytest.mark.parametrize("traits,command,expected", REFUSALS)
def test_refusals_carry_status_and_reason(
    world: SpotifyWorld,
    remote: Remote,
    traits: dict[str, Any],
    command: Callable[[Remote, str], None],
    expected: tuple[int, str | None],
) -> None:
    """Each impossible command is refused with Spotify's status and its reason, where it gives one."""
    device = world.add_device("Odd one", **traits)
    with pytest.raises(SpotifyError) as refusal:
        command(remote, id_of(device))
    assert (refusal.value.status, refusal.value.reason) == expected


def test_an_account_without_premium_may_look_but_not_touch(world: SpotifyWorld, bathroom: Device, steam: str) -> None:
    """Every command of a free account is refused with PREMIUM_REQUIRED."""
    world.accounts["owner"].is_premium = False
    with pytest.raises(SpotifyError) as refusal:
        play(world.remote(APP), steam, bathroom)
    assert refusal.value.reason == "PREMIUM_REQUIRED"
    assert world.player().active is None


def test_music_plays_on_and_ends(
    world: SpotifyWorld, remote: Remote, bathroom: Device, steam: str, clock: ManualClock
) -> None:
    """A context that does not repeat runs out, stops by itself and stays on the device, wound back."""
    play(remote, steam, bathroom)
    clock.advance_ms(196_000 + 5_000)
    player = world.player()
    assert player.deck is not None
    assert (player.deck.track.name, player.deck.progress_ms, player.is_playing) == ("Bubbles, Mostly", 5_000, True)
    whole_ms = sum(track.duration_ms for track in player.deck.tracks)
    clock.advance_ms(whole_ms)
    player = world.player()
    assert (player.is_playing, player.has_ended, player.asked_by.kind) == (False, True, "spotify")
    assert player.since_ms == clock.now_ms() - 201_000
    assert player.active is bathroom


def test_autoplay_goes_on_without_a_context(
    world: SpotifyWorld, remote: Remote, bathroom: Device, steam: str, clock: ManualClock
) -> None:
    """With autoplay something else follows the last track, under no context."""
    world.player().autoplay = world.catalogue.named("Suds").tracks
    play(remote, steam, bathroom)
    clock.advance_ms(904_000 + 3_000)
    deck = world.player().deck
    assert deck is not None
    assert (deck.context, deck.track.name, deck.progress_ms) == (None, "Elbow Grease", 3_000)


def test_a_late_speaker_says_yes_at_once(
    world: SpotifyWorld, remote: Remote, bathroom: Device, steam: str, clock: ManualClock
) -> None:
    """A late device is silent until its delay is over, and its song starts only then."""
    bathroom.start_delay_ms = 3_000
    play(remote, steam, bathroom)
    clock.advance_ms(2_999)
    assert not world.player().is_playing
    clock.advance_ms(1_001)
    player = world.player()
    assert player.is_playing
    assert player.deck is not None
    assert player.deck.progress_ms == 1_000


def test_a_late_speaker_that_is_paused_meanwhile_stays_silent(
    world: SpotifyWorld, remote: Remote, bathroom: Device, steam: str, clock: ManualClock
) -> None:
    """What has not begun is called off by a pause or by unplugging, and does not begin later."""
    bathroom.start_delay_ms = 3_000
    play(remote, steam, bathroom)
    remote.pause()
    clock.advance_ms(10_000)
    assert not world.player().is_playing
    play(remote, steam, bathroom)
    world.hand().unplug(bathroom)
    clock.advance_ms(10_000)
    assert not world.player().is_playing


def test_a_speaker_that_ignores_play_stays_silent(
    world: SpotifyWorld, remote: Remote, bathroom: Device, steam: str
) -> None:
    """Success is not music: such a device becomes active and does not play."""
    bathroom.ignores_play = True
    play(remote, steam, bathroom)
    assert world.player().active is bathroom
    assert not world.player().is_playing


def test_a_sleeper_wakes_some_time_after_it_was_named(
    world: SpotifyWorld, remote: Remote, steam: str, clock: ManualClock
) -> None:
    """The first command fails and wakes the device; the same command works later."""
    sleeper = world.add_device("Sleeper", presence="asleep", wake_ms=4_000)
    with pytest.raises(SpotifyError, match="Device not found"):
        play(remote, steam, sleeper)
    clock.advance_ms(4_000)
    play(remote, steam, sleeper)
    assert world.player().is_playing


def test_a_device_that_is_not_used_stops_being_active(
    world: SpotifyWorld, remote: Remote, bathroom: Device, steam: str, clock: ManualClock
) -> None:
    """Half an hour after a pause nothing is active any more, but the music is not forgotten."""
    play(remote, steam, bathroom)
    remote.pause()
    clock.advance_ms(30 * 60_000 - 1)
    assert world.player().active is bathroom
    clock.advance_ms(1)
    assert world.player().active is None
    remote.play(PlayRequest(), bathroom.id)
    assert world.player().is_playing


def test_transfer_takes_the_music_along(
    world: SpotifyWorld, remote: Remote, bathroom: Device, steam: str, clock: ManualClock
) -> None:
    """A transfer without play keeps playing on the new device, at the same place."""
    play(remote, steam, bathroom)
    clock.advance_ms(7_000)
    remote.transfer(id_of(world.device("Kitchen")), play=False)
    player = world.player()
    assert player.active is world.device("Kitchen")
    assert player.is_playing
    assert player.deck is not None
    assert player.deck.progress_ms == 7_000


def test_an_id_that_changed_is_a_stranger(world: SpotifyWorld, remote: Remote, bathroom: Device, steam: str) -> None:
    """A device answers to its present id only."""
    old = id_of(bathroom)
    bathroom.id = "somethingnew"
    with pytest.raises(SpotifyError, match="Device not found"):
        remote.play(PlayRequest(steam), old)
    remote.play(PlayRequest(steam), "somethingnew")
    assert world.player().active is bathroom


def test_seeking_beyond_the_end_is_skipping(world: SpotifyWorld, remote: Remote, bathroom: Device, steam: str) -> None:
    """A position past the track's end starts the next track, and skipping past the last one is refused."""
    play(remote, steam, bathroom)
    remote.seek(10_000_000)
    deck = world.player().deck
    assert deck is not None
    assert deck.track.name == "Bubbles, Mostly"
    for _ in range(3):
        remote.skip(1)
    with pytest.raises(SpotifyError) as refusal:
        remote.skip(1)
    assert refusal.value.reason == "NO_NEXT_TRACK"


def test_an_offset_chooses_the_first_track(world: SpotifyWorld, remote: Remote, bathroom: Device, steam: str) -> None:
    """A track may be named by number or by URI; an artist has no order to count in."""
    remote.play(PlayRequest(steam, offset_position=2, position_ms=1_500), bathroom.id)
    deck = world.player().deck
    assert deck is not None
    assert (deck.track.name, deck.progress_ms) == ("Rubber Duck Regatta", 1_500)
    remote.play(PlayRequest(steam, offset_uri=deck.tracks[4].uri), bathroom.id)
    again = world.player().deck
    assert again is not None
    assert again.track == deck.tracks[4]
    with pytest.raises(SpotifyError, match="ARTIST"):
        remote.play(PlayRequest(world.catalogue.named("Otto Lindenstep").uri, offset_position=1), bathroom.id)
