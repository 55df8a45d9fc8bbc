"""Devices with moods of their own, as an app meets them over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import spotipy

from spotty_sandbox.spotify import Context, Device, SpotifySimulator, SpotifyWorld, advertisement

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotty_sandbox.spotify import ManualClock


def mood(sim: SpotifySimulator, name: str = "Bathroom", **fields: Any) -> str:  # noqa: ANN401 - Device's fields
    """Give a speaker a mood; its id."""

    def change(world: SpotifyWorld) -> str:
        device = world.device(name)
        for field, value in fields.items():
            setattr(device, field, value)
        return device.id or ""

    return sim.call(change)


def status_of(command: Callable[[], object]) -> tuple[int, str | None]:
    """Status and reason of a refusal; 0 where there was none."""
    try:
        command()
    except spotipy.SpotifyException as refusal:
        return refusal.http_status, refusal.reason
    return 0, None


def test_a_dozing_speaker_is_listed_and_wakes_by_a_transfer(
    sim: SpotifySimulator, spotify: Callable[..., Any], steam: str
) -> None:
    """It stands in the list and is not found by any command, until the music is transferred to it."""
    client, device_id = spotify(), mood(sim, presence="dozing")
    assert device_id in [device["id"] for device in client.devices()["devices"]]
    assert status_of(lambda: client.start_playback(device_id, context_uri=steam)) == (404, None)
    assert status_of(lambda: client.volume(20, device_id)) == (404, None)
    client.transfer_playback(device_id, force_play=False)
    client.start_playback(device_id, context_uri=steam)
    assert client.current_playback()["is_playing"]


def test_a_sleeping_speaker_is_not_listed_until_woken(
    sim: SpotifySimulator, spotify: Callable[..., Any], steam: str, clock: ManualClock
) -> None:
    """Asleep it is neither listed nor found; named once, it is there some seconds later."""
    client, device_id = spotify(), mood(sim, presence="asleep", wake_ms=4_000)
    assert len(client.devices()["devices"]) == 2
    assert status_of(lambda: client.start_playback(device_id, context_uri=steam)) == (404, None)
    clock.advance_ms(3_999)
    assert len(client.devices()["devices"]) == 2
    clock.advance_ms(1)
    assert len(client.devices()["devices"]) == 3
    client.start_playback(device_id, context_uri=steam)


@pytest.mark.parametrize("presence,listed", [("dozing", 3), ("asleep", 2)])
def test_an_idle_speaker_goes_away_by_itself(
    sim: SpotifySimulator, spotify: Callable[..., Any], steam: str, clock: ManualClock, presence: str, listed: int
) -> None:
    """Half an hour after its music was paused it dozes or sleeps, and nothing is active any more."""
    client, device_id = spotify(), mood(sim, idles_into=presence)
    client.start_playback(device_id, context_uri=steam)
    client.pause_playback()
    clock.advance_ms(30 * 60_000)
    assert client.current_playback() is None
    assert len(client.devices()["devices"]) == listed
    assert status_of(lambda: client.start_playback(device_id, context_uri=steam)) == (404, None)


def test_a_new_id_makes_the_old_one_unknown(sim: SpotifySimulator, spotify: Callable[..., Any], steam: str) -> None:
    """Spotify renames a device while it plays: the music goes on, the old id is found no more."""
    client, old = spotify(), mood(sim)
    client.start_playback(old, context_uri=steam)
    sim.call(lambda world: world.renew_id(world.device("Bathroom")))
    now = client.current_playback()
    assert now["is_playing"]
    assert now["device"]["id"] != old
    assert status_of(lambda: client.pause_playback(old)) == (404, None)
    client.pause_playback(now["device"]["id"])


def test_volume_refused_though_it_is_said_to_be_supported(sim: SpotifySimulator, spotify: Callable[..., Any]) -> None:
    """`supports_volume` is true, and the answer is 403 VOLUME_CONTROL_DISALLOW all the same."""
    client, device_id = spotify(), mood(sim, refuses_volume=True)
    assert client.devices()["devices"][0]["supports_volume"]
    assert status_of(lambda: client.volume(20, device_id)) == (403, "VOLUME_CONTROL_DISALLOW")


def test_volume_before_play_needs_a_transfer(sim: SpotifySimulator, spotify: Callable[..., Any]) -> None:
    """A speaker that is not active answers 404 to its volume, until the music is moved to it."""
    client, device_id = spotify(), mood(sim, volume_needs_active=True)
    assert status_of(lambda: client.volume(20, device_id)) == (404, "NO_ACTIVE_DEVICE")
    client.transfer_playback(device_id, force_play=False)
    client.volume(20, device_id)
    assert client.devices()["devices"][0]["volume_percent"] == 20


@pytest.mark.parametrize("told,taken", [(33, 32), (35, 36), (0, 0), (100, 100), (2, 0), (50, 48)])
def test_a_speaker_with_few_volumes_takes_the_nearest(
    sim: SpotifySimulator, spotify: Callable[..., Any], told: int, taken: int
) -> None:
    """With 25 steps, what it reports is what it made of what it was told."""
    client, device_id = spotify(), mood(sim, volume_steps=25)
    client.volume(told, device_id)
    assert client.devices()["devices"][0]["volume_percent"] == taken


def test_what_was_is_still_told_for_a_while(
    sim: SpotifySimulator, spotify: Callable[..., Any], steam: str, clock: ManualClock
) -> None:
    """After each command all looks answer with the state before it, for exactly as long as the lag."""
    client, device_id = spotify(), mood(sim, report_lag_ms=3_000)
    client.start_playback(device_id, context_uri=steam)
    assert client.current_playback() is None
    assert client.currently_playing() is None
    assert not client.devices()["devices"][0]["is_active"]
    clock.advance_ms(2_000)
    client.pause_playback(device_id)
    clock.advance_ms(999)
    assert client.current_playback() is None
    clock.advance_ms(1)
    assert client.current_playback()["is_playing"]
    clock.advance_ms(1_999)
    assert client.current_playback()["is_playing"]
    clock.advance_ms(1)
    assert not client.current_playback()["is_playing"]


def test_a_refused_command_leaves_no_stale_state(
    sim: SpotifySimulator, spotify: Callable[..., Any], steam: str
) -> None:
    """Only what changed something can be told late."""
    client, device_id = spotify(), mood(sim, report_lag_ms=3_000)
    assert status_of(lambda: client.pause_playback(device_id))[0] == 403
    context = sim.call(lambda world: world.catalogue.context(steam))
    assert context is not None
    sim.call(lambda world: world.hand().play(world.device("Bathroom"), context))
    assert client.current_playback()["is_playing"]


def test_a_speaker_that_forgets_its_context(sim: SpotifySimulator, spotify: Callable[..., Any], steam: str) -> None:
    """It plays what it was told, and says that it knows no context."""
    client, device_id = spotify(), mood(sim, forgets_context=True)
    client.start_playback(device_id, context_uri=steam)
    now = client.current_playback()
    assert (now["is_playing"], now["context"], now["item"]["name"]) == (True, None, "Warm Tiles")
    client.transfer_playback(mood(sim, "Kitchen"), force_play=True)
    assert client.current_playback()["context"]["uri"] == steam


def test_two_speakers_of_one_name(sim: SpotifySimulator, spotify: Callable[..., Any], steam: str) -> None:
    """They are told apart by their ids alone."""
    sim.call(lambda world: world.add_device("Bathroom", type="TV"))
    client = spotify()
    twins = [device for device in client.devices()["devices"] if device["name"] == "Bathroom"]
    assert len({device["id"] for device in twins}) == 2
    client.start_playback(twins[1]["id"], context_uri=steam)
    assert client.current_playback()["device"]["type"] == "TV"


@pytest.mark.parametrize("named", [None, "Washing Up"])
def test_other_songs_go_on_after_the_end(
    sim: SpotifySimulator, spotify: Callable[..., Any], steam: str, clock: ManualClock, named: str | None
) -> None:
    """When what does not repeat runs out, recommended songs play: without a context, or under another one."""

    def recommend(world: SpotifyWorld) -> str | None:
        other = world.catalogue.named("Washing Up")
        world.player().autoplay = other.tracks
        world.player().autoplay_context = other if named else None
        return other.uri if named else None

    uri, client, device_id = sim.call(recommend), spotify(), mood(sim)
    client.start_playback(device_id, context_uri=steam)
    clock.advance_ms(904_000)
    now = client.current_playback()
    assert (now["is_playing"], now["item"]["name"]) == (True, "Elbow Grease")
    assert (now["context"] and now["context"]["uri"]) == uri


def test_a_podcast_has_no_item(sim: SpotifySimulator, spotify: Callable[..., Any]) -> None:
    """Who does not ask for episodes is told of a show without what plays in it."""
    show = sim.call(lambda world: world.catalogue.named("Two People and a Kettle"))
    sim.call(lambda world: world.hand().play(world.device("Kitchen"), show))
    now = spotify().current_playback()
    assert (now["item"], now["currently_playing_type"], now["context"]["uri"]) == (None, "episode", show.uri)
    assert show.tracks[0].uri.startswith("spotify:episode:")


def test_an_advertisement_has_no_item(
    sim: SpotifySimulator, spotify: Callable[..., Any], steam: str, clock: ManualClock
) -> None:
    """Between two songs an account that does not pay hears something that has no name."""

    def interrupt(world: SpotifyWorld) -> Context:
        found = world.catalogue.context(steam)
        assert found is not None
        return world.catalogue.add(replace(found, tracks=(found.tracks[0], advertisement(30), found.tracks[1])))

    sim.call(interrupt)
    client = spotify()
    client.start_playback(mood(sim), context_uri=steam)
    clock.advance_ms(196_000)
    now = client.current_playback()
    assert (now["item"], now["currently_playing_type"], now["is_playing"]) == (None, "ad", True)
    clock.advance_ms(30_000)
    assert client.current_playback()["currently_playing_type"] == "track"


def test_a_person_wakes_a_dozing_speaker(world: SpotifyWorld, bathroom: Device, steam: str) -> None:
    """At the speaker itself one just presses play."""
    context = world.catalogue.context(steam)
    assert context is not None
    world.hand().doze(bathroom)
    world.hand().play(bathroom, context)
    assert (bathroom.presence, world.player().is_playing) == ("present", True)
    world.hand().doze(bathroom)
    assert not world.player().is_playing
    assert world.player().active is None
