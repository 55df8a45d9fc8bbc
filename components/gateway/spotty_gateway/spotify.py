"""Spotify's Web API through spotipy: the one place that knows it. Its errors are translated here and nowhere else."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import spotipy
from spotipy.exceptions import SpotifyException

from spotty_gateway.engine.events import Position
from spotty_gateway.engine.rules import Device, Repeat
from spotty_gateway.errors import PlayerError, PlayerUnavailableError
from spotty_gateway.ports import Look, SeenDevice
from spotty_gateway.refusals import AlreadyError, TokenRefusedError, refusal, unreachable
from spotty_gateway.tokens import DeviceAuth, TokenFile

CONNECT_S, READ_S = 3.0, 10.0
"""To connect, and for each read of an answer."""

NO_CONTENT, BAD_REQUEST = 204, 400

logging.getLogger("spotipy").setLevel(logging.CRITICAL)  # it logs every error that we report, and tokens at DEBUG


class SpotifyPlayer:
    """A Player. Not for use by more than one thread at a time."""

    def __init__(
        self,
        client_id: str,
        tokens: Path,
        api_url: str = "https://api.spotify.com",
        accounts_url: str = "https://accounts.spotify.com",
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`tokens` is the token file; the URLs are roots, without `/v1`; `now_s` gives seconds since 1970."""
        session = requests.Session()  # ours: with its own, spotipy would sleep through Retry-After inside the call
        session.trust_env = False  # no .netrc lookup per request, no proxy from whoever started us
        session.max_redirects = 0  # Spotify's API sends nobody elsewhere, the login page of a hotel's network does
        session.hooks["response"].append(self._note_answer)
        self._auth = DeviceAuth(client_id, accounts_url, TokenFile(tokens), session, now_s)
        self._spotify = spotipy.Spotify(auth_manager=self._auth, requests_session=session)
        self._spotify.prefix = f"{api_url}/v1/"
        self._session = session
        self._answer: requests.Response | None = None
        self._until_s = float("inf")

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()

    def within(self, seconds: float) -> None:
        """Let all calls from now until the next `within` take no longer than this together."""
        self._until_s = time.monotonic() + seconds

    def look(self) -> Look | None:
        """What plays; None where nothing is active. Raises PlayerError."""
        found = self._call(self._spotify.current_playback)
        answer = self._last_answer()
        if found is None and answer is not None and answer.status_code == NO_CONTENT:
            return None
        try:
            return _look(found)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlayerUnavailableError("Spotify's answer about what plays cannot be read") from error

    def devices(self) -> list[SeenDevice]:
        """The devices that are there now. Raises PlayerError."""
        found = self._call(self._spotify.devices)
        try:
            return [_seen(one) for one in found["devices"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise PlayerUnavailableError("Spotify's list of devices cannot be read") from error

    def play(self, device_id: str, context_uri: str, position: Position | None) -> None:
        """Play a context. Raises PlayerError."""
        offset = {"uri": position.track_uri} if position else None
        progress_ms = position.progress_ms if position else None
        self._call(self._spotify.start_playback, device_id, context_uri, None, offset, progress_ms)

    def transfer(self, device_id: str) -> None:
        """Make this the active device. Raises PlayerError."""
        self._call(self._spotify.transfer_playback, device_id, False)

    def pause(self, device_id: str | None) -> None:
        """Pause. Raises PlayerError; none where it was paused already."""
        try:
            self._call(self._spotify.pause_playback, device_id)
        except AlreadyError:
            return

    def set_volume(self, device_id: str | None, volume_pct: int) -> None:
        """Set the volume. Raises PlayerError, VolumeRefusedError where the device has none."""
        self._call(self._spotify.volume, volume_pct, device_id)

    def set_shuffle(self, device_id: str, on: bool) -> None:
        """Shuffle or not. Raises PlayerError."""
        self._call(self._spotify.shuffle, on, device_id)

    def set_repeat(self, device_id: str, repeat: Repeat) -> None:
        """Repeat or not. Raises PlayerError."""
        self._call(self._spotify.repeat, repeat.value, device_id)

    def _note_answer(self, response: requests.Response, **_: object) -> None:
        """The answer that spotipy keeps to itself: it returns None for 204, for HTML and for no request at all."""
        if response.url.startswith(self._spotify.prefix):
            self._answer = response

    def _call(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - Spotify's own JSON
        try:
            return self._once(function, *arguments)
        except TokenRefusedError:
            self._auth.distrust()
            return self._once(function, *arguments)

    def _once(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - Spotify's own JSON
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise PlayerUnavailableError("Spotify took too long to answer; it is tried again")
        self._spotify.requests_timeout = self._auth.requests_timeout = min(CONNECT_S, left_s), min(READ_S, left_s)
        self._answer = None
        found, error = self._tried(function, *arguments)
        if error is not None:
            raise error
        answer = self._last_answer()
        if answer is None:  # spotipy takes a request that cannot be built for an answer without JSON
            raise PlayerUnavailableError("a request to Spotify could not be made; please report this")
        if found is None and answer.content.lstrip().startswith(b"<"):
            raise PlayerUnavailableError(
                "something answers in Spotify's place, perhaps the login page of this network: open a web page there"
            )
        return found

    def _tried(self, function: Callable[..., Any], *arguments: object) -> tuple[Any, PlayerError | None]:
        """What came of it. The error is raised by the caller, outside: what it is made of may quote anything."""
        try:
            return function(*arguments), None
        except SpotifyException as error:
            answer = self._last_answer()
            is_json = answer is not None and "json" in answer.headers.get("content-type", "")
            return None, refusal(error.http_status, error.reason, str(error.msg) if is_json else "", error.headers)
        except requests.RequestException as error:
            return None, unreachable(error)
        except AttributeError:
            answer = self._last_answer()
            if answer is None or answer.status_code < BAD_REQUEST:  # not an error's answer: a fault of ours
                raise
            # {"error": "text"} instead of an object: spotipy stumbles over it
            return None, refusal(answer.status_code, None, "", answer.headers)

    def _last_answer(self) -> requests.Response | None:
        return self._answer


def _look(found: dict[str, Any]) -> Look:
    device, context, track = found.get("device"), found.get("context"), found.get("item")
    return Look(
        is_playing=bool(found["is_playing"]),
        device=None if device is None else _seen(device),
        context_uri=context["uri"] if context else None,
        track_uri=track["uri"] if track else None,
        progress_ms=found.get("progress_ms") or 0,
        shuffle=bool(found.get("shuffle_state")),
        repeat=Repeat(found.get("repeat_state", "off")),
    )


def _seen(found: dict[str, Any]) -> SeenDevice:
    has_volume = found.get("supports_volume", True) and found.get("volume_percent") is not None
    return SeenDevice(
        device=Device(found["name"], found["type"], found["id"]),
        is_active=bool(found["is_active"]),
        is_restricted=bool(found["is_restricted"]),
        volume_pct=found["volume_percent"] if has_volume else None,
    )
