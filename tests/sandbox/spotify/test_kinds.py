"""Every kind of trouble as a client meets it: over real HTTP, with its effect on the house."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.exceptions import ChunkedEncodingError

from spotty_sandbox.spotify import KINDS, ManualClock, SpotifySimulator, fault_of
from spotty_sandbox.spotify.kinds import TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable

Outcome = int | type[Exception]

PLAY: dict[str, tuple[Outcome, bool, str]] = {
    "rate_limited": (429, False, "API rate limit exceeded"),
    "rate_limited_long": (429, False, "API rate limit exceeded"),
    "rate_limited_bare": (429, False, "API rate limit exceeded"),
    "rate_limited_odd": (429, False, "API rate limit exceeded"),
    "quota_exceeded": (429, False, "QUOTA_EXCEEDED"),
    "accepted": (202, True, ""),
    "accepted_ignored": (202, False, ""),
    "ok_ignored": (204, False, ""),
    "error_obeyed": (500, True, "upstream connect error"),
    "unauthorized": (401, False, "Invalid access token"),
    "token_expired": (401, False, "The access token expired"),
    "forbidden": (403, False, "Forbidden"),
    "forbidden_empty": (403, False, ""),
    "premium_required": (403, False, "PREMIUM_REQUIRED"),
    "volume_disallowed": (403, False, "VOLUME_CONTROL_DISALLOW"),
    "not_controllable": (403, False, "DEVICE_NOT_CONTROLLABLE"),
    "remote_disallowed": (403, False, "REMOTE_CONTROL_DISALLOW"),
    "context_disallowed": (403, False, "CONTEXT_DISALLOW"),
    "already_paused": (403, False, "ALREADY_PAUSED"),
    "not_paused": (403, False, "NOT_PAUSED"),
    "already_playing": (403, False, "ALREADY_PLAYING"),
    "forbidden_limited": (403, False, "RATE_LIMITED"),
    "restricted": (403, False, "UNKNOWN"),
    "no_active_device": (404, False, "NO_ACTIVE_DEVICE"),
    "device_not_found": (404, False, "Device not found"),
    "not_found_empty": (404, False, ""),
    "server_error": (500, False, "Internal server error"),
    "bad_gateway": (502, False, "<h1>502</h1>"),
    "unavailable": (503, False, ""),
    "unavailable_wait": (503, False, ""),
    "gateway_timeout": (504, True, "<h1>504</h1>"),
    "slow": (requests.ReadTimeout, True, ""),
    "hang": (requests.ReadTimeout, False, ""),
    "hang_obeyed": (requests.ReadTimeout, True, ""),
    "reset": (requests.ConnectionError, False, ""),
    "reset_obeyed": (requests.ConnectionError, True, ""),
    "truncated": (requests.ConnectionError, True, ""),
    "portal": (200, False, "Accept the terms"),
    "portal_redirect": (200, False, "This is not Spotify"),
    "empty": (200, True, ""),
    "not_an_object": (200, True, "[]"),
    "error_text": (500, False, '{"error":"server_error"}'),
    "wrong_type": (204, True, ""),
    "date_off": (204, True, ""),
}
"""How a client that starts music fares: status or exception, whether music plays, and what the body says."""

LOOKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "no_context": ("me/player", lambda told: told["context"] is None and told["is_playing"]),
    "no_item": ("me/player", lambda told: told["item"] is None and told["currently_playing_type"] == "unknown"),
    "no_device": ("me/player", lambda told: "device" not in told and told["is_playing"]),
    "no_devices": ("me/player/devices", lambda told: told == {"devices": []}),
}
"""What a client is told that looks while music plays."""

REFRESHED: dict[str, tuple[Outcome, Callable[[Any], bool]]] = {
    "invalid_grant": (400, lambda told: told["error"] == "invalid_grant"),
    "invalid_client": (400, lambda told: told["error"] == "invalid_client"),
    "token_error": (500, lambda told: told["error"] == "server_error"),
    "token_limited": (429, lambda told: told is None),
    "rotated": (200, lambda told: told["refresh_token"].startswith("AQ")),
    "rotated_lost": (requests.ConnectionError, lambda told: told is None),
    "no_refresh_token": (200, lambda told: "refresh_token" not in told),
    "no_access_token": (200, lambda told: "access_token" not in told and told["expires_in"] == 3600),
    "expires_late": (200, lambda told: told["expires_in"] == 36_000),
    "expires_soon": (200, lambda told: told["expires_in"] == 1),
    "expires_oddly": (200, lambda told: told["expires_in"] == "soon"),
}
"""What a client is answered that refreshes its token."""


@dataclass
class App:
    """A raw client of the Web API and the accounts service: what spotipy would hide is seen."""

    sim: SpotifySimulator
    session: requests.Session
    steam: str

    def __post_init__(self) -> None:
        self.tokens = self.sim.call(lambda world: world.auth.grant())
        self.device_id = self.sim.call(lambda world: world.device("Bathroom").id)

    def ask(self, method: str, path: str, **body: Any) -> requests.Response:  # noqa: ANN401 - requests' arguments
        """One request of the Web API, with very little patience."""
        headers = {"Authorization": f"Bearer {self.tokens.access_token}"}
        return self.session.request(method, self.sim.api_url + path, headers=headers, timeout=(1, 0.3), **body)

    def play(self) -> requests.Response:
        """Start music in the bathroom."""
        return self.ask("PUT", f"me/player/play?device_id={self.device_id}", json={"context_uri": self.steam})

    def refresh(self) -> requests.Response:
        """Refresh with the refresh token of the beginning."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self.tokens.refresh_token,
            "client_id": "spottypottysense",
        }
        return self.session.post(f"{self.sim.accounts_url}/api/token", data=form, timeout=(1, 0.3))

    def is_playing(self) -> bool:
        """Whether music plays, whatever anybody was told."""
        return self.sim.call(lambda world: world.player().is_playing)


@pytest.fixture
def app(sim: SpotifySimulator, session: requests.Session, steam: str) -> App:
    """A client with consent."""
    return App(sim, session, steam)


def test_every_kind_is_tried() -> None:
    """No kind of trouble without a client that meets it."""
    assert PLAY.keys() | LOOKS.keys() | REFRESHED.keys() == KINDS.keys()


def outcome(ask: Callable[[], requests.Response]) -> tuple[Outcome, requests.Response | None]:
    """What became of a request: status or exception, and the answer if there was one."""
    try:
        answer = ask()
    except (requests.ConnectionError, requests.ReadTimeout, ChunkedEncodingError) as error:
        return type(error), None
    return answer.status_code, answer


@pytest.mark.parametrize("kind", PLAY)
def test_starting_music_in_trouble(app: App, kind: str) -> None:
    """Each kind is answered as what it is, takes effect or not, is written down, and lasts as long as it says."""
    expected, is_obeyed, body = PLAY[kind]
    app.sim.inject(fault_of(kind, times=1))
    ended, answer = outcome(app.play)
    assert ended == expected
    assert body in (answer.text if answer is not None else "")
    if kind == "slow":
        app.sim.wait_until(lambda world: world.player().is_playing)  # who gave up waiting has asked all the same
    assert app.is_playing() is is_obeyed
    assert [each.fault for each in app.sim.requests() if each.path.endswith("/play")] == [kind]
    assert app.play().status_code == 204
    assert app.is_playing()


def test_headers_tell_what_they_tell(app: App, clock: ManualClock) -> None:
    """Retry-After as text, none where none is meant, another media type, and a Date that is a day off."""
    kinds = ("rate_limited", "rate_limited_long", "rate_limited_odd", "rate_limited_bare", "quota_exceeded")
    for kind in (*kinds, "unavailable_wait", "wrong_type", "date_off"):
        app.sim.inject(fault_of(kind, on="* *", times=1))
    said = [app.ask("GET", "me").headers for _ in range(8)]
    assert [each.get("Retry-After") for each in said[:6]] == ["5", "86400", "soon", None, "48925", "20"]
    assert said[6]["Content-Type"] == "text/plain"
    assert round(parsedate_to_datetime(said[7]["Date"]).timestamp() - clock.now_ms() / 1000) == 86_400


@pytest.mark.parametrize("kind", LOOKS)
def test_looking_in_trouble(app: App, kind: str) -> None:
    """What is bent in an answer is bent there alone: the next look tells the truth."""
    path, holds = LOOKS[kind]
    app.play()
    truth = app.ask("GET", path).json()
    app.sim.inject(fault_of(kind, times=1))
    assert holds(app.ask("GET", path).json())
    assert app.ask("GET", path).json() == truth


@pytest.mark.parametrize("kind", REFRESHED)
def test_refreshing_in_trouble(app: App, kind: str) -> None:
    """The accounts service's troubles, and whether the old refresh token is still good afterwards."""
    expected, holds = REFRESHED[kind]
    app.sim.inject(fault_of(kind, times=1))
    ended, answer = outcome(app.refresh)
    assert ended == expected
    assert holds(answer.json() if answer is not None and answer.content else None)
    assert app.refresh().status_code == (400 if kind in ("rotated", "rotated_lost") else 200)


def test_kinds_strike_only_where_they_belong() -> None:
    """The accounts service's troubles are about its token endpoint alone."""
    for kind in REFRESHED:
        assert KINDS[kind].on == TOKENS


def test_a_command_is_not_obeyed_by_what_answers_in_its_place(app: App) -> None:
    """A yes that is none is for commands: a look is never answered 204 by it."""
    app.play()
    app.sim.inject(fault_of("ok_ignored"), fault_of("accepted"))
    assert app.ask("GET", "me/player").status_code == 200


def test_spotipy_takes_a_portal_for_a_yes(sim: SpotifySimulator, spotify: Callable[..., Any], steam: str) -> None:
    """Behind a captive portal spotipy reports success without an error: whoever uses it has to look for itself."""
    client = spotify()
    device_id = client.devices()["devices"][0]["id"]
    sim.inject(fault_of("portal", times=1))
    assert client.start_playback(device_id, context_uri=steam) is None
    assert not sim.call(lambda world: world.player().is_playing)


def test_edits_and_drops_lead_into_objects(app: App) -> None:
    """A dot reaches the inside of an answer; what is not there is left alone."""
    app.play()
    app.sim.inject(
        fault_of(
            "no_item", times=1, drops=("device.id", "nothing.here"), edits={"device.volume_percent": 7, "item.x": 1}
        )
    )
    told = app.ask("GET", "me/player").json()
    assert "id" not in told["device"]
    assert (told["device"]["volume_percent"], told["item"]["x"], told["device"]["name"]) == (7, 1, "Bathroom")


@pytest.mark.parametrize("kind,text", [("not_an_object", "[]"), ("portal", "<!doctype html>")])
def test_what_is_no_object_is_not_bent(app: App, kind: str, text: str) -> None:
    """A list or a page of HTML goes through as it is."""
    app.sim.inject(fault_of(kind, times=1, edits={"a": 1}, drops=("b",)))
    assert app.ask("GET", "me").text.startswith(text)
