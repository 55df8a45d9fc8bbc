"""An unmodified spotipy against the simulator over real HTTP."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import requests
import spotipy
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyOauthError, SpotifyPKCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotty_sandbox.spotify import ManualClock, SpotifySimulator

BACK = "http://127.0.0.1:8400/callback"


def test_a_song_is_started_watched_and_stopped(
    sim: SpotifySimulator, spotify: Callable[..., Any], steam: str, clock: ManualClock
) -> None:
    """The whole way of a session: devices, volume, play, look, pause."""
    client = spotify()
    assert client.current_playback() is None
    device = client.devices()["devices"][0]
    client.volume(30, device["id"])
    client.start_playback(device["id"], context_uri=steam)
    clock.advance_ms(12_345)
    now = client.current_playback()
    assert (now["is_playing"], now["progress_ms"], now["item"]["name"]) == (True, 12_345, "Warm Tiles")
    assert (now["context"]["uri"], now["device"]["name"], now["device"]["volume_percent"]) == (steam, "Bathroom", 30)
    client.pause_playback(device["id"])
    clock.advance_ms(60_000)
    paused = client.currently_playing()
    assert (paused["is_playing"], paused["progress_ms"]) == (False, 12_345)
    asked_by = sim.call(lambda world: world.player().asked_by)
    assert (asked_by.kind, asked_by.client_id) == ("app", "spottypottysense")
    assert asked_by.user_agent is not None
    assert asked_by.user_agent.startswith("python-requests/")


def test_every_other_command(sim: SpotifySimulator, spotify: Callable[..., Any], steam: str) -> None:
    """Shuffle, repeat, seek, skip and transfer do what they say."""
    client = spotify()
    bathroom, kitchen, _ = (device["id"] for device in client.devices()["devices"])
    client.start_playback(bathroom, context_uri=steam, offset={"position": 1}, position_ms=4_000)
    client.shuffle(True)
    client.repeat("context")
    client.seek_track(9_000)
    now = client.current_playback()
    assert (now["shuffle_state"], now["repeat_state"], now["progress_ms"]) == (True, "context", 9_000)
    client.next_track()
    assert client.current_playback()["progress_ms"] == 0
    client.previous_track()
    assert client.current_playback()["item"]["name"] == "Bubbles, Mostly"
    client.transfer_playback(kitchen, force_play=False)
    assert client.current_playback()["device"]["name"] == "Kitchen"
    assert sim.call(lambda world: world.player().is_playing)


def test_the_library_can_be_walked(spotify: Callable[..., Any], steam: str) -> None:
    """Account, playlists, search and pages lead where their addresses say."""
    client = spotify()
    assert client.me()["display_name"] == "The household"
    assert client.playlist(steam)["name"] == "Steam and Soap"
    page = client._get("playlists/" + steam.split(":")[2] + "/items", limit=2)
    names = [item["item"]["name"] for item in page["items"]]
    while page["next"]:
        page = client.next(page)
        names += [item["item"]["name"] for item in page["items"]]
    assert names == ["Warm Tiles", "Bubbles, Mostly", "Rubber Duck Regatta", "Fogged Mirror", "Towel Flag"]
    found = client.search("steam", type="playlist,album")
    assert [hit["uri"] for hit in found["playlists"]["items"]] == [steam]
    assert found["albums"]["items"] == []
    assert client.album(client.search("Splash", type="album")["albums"]["items"][0]["id"])["name"] == "Splash"


@pytest.mark.parametrize(
    "token,message",
    [("made-up", "Invalid access token"), ("", "No token provided")],
)
def test_a_stranger_is_turned_away(sim: SpotifySimulator, session: requests.Session, token: str, message: str) -> None:
    """Without a token, or with one that was never issued, it is 401 in Spotify's words."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = session.get(f"{sim.api_url}me/player", headers=headers, timeout=3)
    assert (answer.status_code, answer.json()) == (401, {"error": {"status": 401, "message": message}})


def test_an_hour_is_an_hour(spotify: Callable[..., Any], clock: ManualClock) -> None:
    """An access token expires 3600 s after it was issued, by the simulator's clock."""
    client = spotify()
    clock.advance_ms(3_599_999)
    client.devices()
    clock.advance_ms(1)
    with pytest.raises(spotipy.SpotifyException, match="The access token expired") as refusal:
        client.devices()
    assert refusal.value.http_status == 401


def test_a_scope_that_was_not_asked_for_is_missing(sim: SpotifySimulator, spotify: Callable[..., Any]) -> None:
    """A token that may only look cannot play."""
    client = spotify(sim.call(lambda world: world.auth.grant(scopes=("user-read-playback-state",)).access_token))
    client.devices()
    with pytest.raises(spotipy.SpotifyException, match="Insufficient client scope"):
        client.pause_playback()


@pytest.mark.parametrize(
    "method,path,body,message",
    [
        ("PUT", "me/player/play", "{", "Error parsing JSON."),
        ("PUT", "me/player/play", '{"context_uri": 7}', "Malformed json: context_uri"),
        ("PUT", "me/player", "{}", "Required field device_ids missing"),
        ("PUT", "me/player", '{"device_ids": ["a", "b"]}', "Only one device_id"),
        ("PUT", "me/player/volume", "", "Required parameter volume_percent missing"),
        ("PUT", "me/player/volume?volume_percent=loud", "", "Invalid volume_percent"),
        ("PUT", "me/player/shuffle?state=maybe", "", "state must be one of"),
        ("GET", "me/player/nonsense", "", "Service not found"),
        ("GET", "playlists/none", "", "Resource not found"),
        ("GET", "me/playlists?limit=0", "", "Invalid limit"),
    ],
)
def test_nonsense_is_named(
    sim: SpotifySimulator, session: requests.Session, method: str, path: str, body: str, message: str
) -> None:
    """A request that cannot be read is refused in Spotify's shape, naming what is wrong."""
    token = sim.call(lambda world: world.auth.grant().access_token)
    headers = {"Authorization": f"Bearer {token}"}
    answer = session.request(method, sim.api_url + path, data=body, headers=headers, timeout=3)
    assert answer.status_code in (400, 404)
    assert message in answer.json()["error"]["message"]


def test_signing_in_with_pkce(sim: SpotifySimulator, session: requests.Session, clock: ManualClock) -> None:
    """The PKCE flow of spotipy itself: link, consent page, code, tokens, refresh, and a revoked consent."""
    logging.getLogger("spotipy").setLevel(logging.CRITICAL)
    cache = MemoryCacheHandler()
    flow = SpotifyPKCE(
        "house", BACK, state="s t/te", scope=["user-read-playback-state"], requests_session=session,
        open_browser=False, cache_handler=cache, requests_timeout=3,
    )  # fmt: skip
    flow.OAUTH_AUTHORIZE_URL = f"{sim.accounts_url}/authorize"
    flow.OAUTH_TOKEN_URL = f"{sim.accounts_url}/api/token"
    page = session.get(flow.get_authorize_url(), timeout=3)
    assert page.status_code == 200
    question = page.text.split('name="question" value="')[1].split('"')[0]
    form = {"question": question, "account": "owner", "answer": "allow"}
    back = session.post(f"{sim.accounts_url}/authorize", data=form, allow_redirects=False, timeout=3)
    state, code = flow.parse_auth_response_url(back.headers["Location"])
    assert state == "s t/te"
    first = flow.get_access_token(code, check_cache=False)
    clock.advance_ms(10)
    second = flow.refresh_access_token(cache.get_cached_token()["refresh_token"])
    assert second["access_token"] != first
    assert second["expires_in"] == 3600
    sim.call(lambda world: world.auth.revoke())
    with pytest.raises(SpotifyOauthError, match="invalid_grant"):
        flow.refresh_access_token(second["refresh_token"])


def test_two_accounts_do_not_hear_each_other(sim: SpotifySimulator, spotify: Callable[..., Any], steam: str) -> None:
    """Each account has its own devices and its own music."""
    sim.call(lambda world: world.add_account("guest", "A guest"))
    sim.call(lambda world: world.add_device("Guest room", "guest"))
    guest = spotify(sim.call(lambda world: world.auth.grant("guest").access_token))
    assert [device["name"] for device in guest.devices()["devices"]] == ["Guest room"]
    guest.start_playback(guest.devices()["devices"][0]["id"], context_uri=steam)
    assert spotify().current_playback() is None
