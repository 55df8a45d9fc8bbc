"""Spotify's Web API through spotipy: the one place that knows it. Its errors are translated here and nowhere else."""

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import spotipy
from requests.adapters import HTTPAdapter
from spotipy.exceptions import SpotifyException

from spotty_gateway.connection import REQUEST_S, Backoff, Connection, OpenGate
from spotty_gateway.engine.events import Position
from spotty_gateway.engine.rules import Device, Repeat
from spotty_gateway.errors import (
    NoActiveDeviceError,
    PlayerAuthError,
    PlayerError,
    PlayerRefusedError,
    PlayerUnavailableError,
    PremiumNeededError,
    VolumeRefusedError,
)
from spotty_gateway.ports import Gate, Look, Readiness, SeenDevice
from spotty_gateway.refusals import AlreadyError, DoubtfulRefusalError, TokenRefusedError, refusal, unreachable
from spotty_gateway.sockets import CONNECT_S, READ_S
from spotty_gateway.token_file import TokenFile
from spotty_gateway.tokens import DeviceAuth

READY_S = 5.0
"""For what is done in idle time: a command that comes meanwhile has to wait for it."""

SECOND_LOOK_S = 1.0
"""After a refusal that Spotify may not mean."""

NO_CONTENT, BAD_REQUEST = 204, 400

OPAQUE = re.compile(rb"[\w+/=.-]{16,128}")
"""What Spotify has answered commands with, instead of nothing, since the summer of 2024: 27 letters that mean nothing
to us."""

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
        *,
        gate: Gate | None = None,
        wait: Callable[[float], object] = time.sleep,
        monotonic_s: Callable[[], float] = time.monotonic,
        transport: HTTPAdapter | None = None,
        ca_file: str | None = None,
        renewals: Backoff | None = None,
    ) -> None:
        """`tokens` is the token file; the URLs are roots, without `/v1`; `now_s` gives seconds since 1970.

        Every request passes `gate`. `wait` waits so many seconds, or less where it has to. `transport` carries the
        requests instead of sockets, `ca_file` names the certificates to trust instead of the world's. `renewals` are
        the waits between renewals of the token that fail.
        """
        self._connection = Connection(
            api_url, gate or OpenGate(), transport=transport, monotonic_s=monotonic_s, ca_file=ca_file
        )
        session = self._connection.session  # with its own, spotipy would sleep through Retry-After inside the call
        session.hooks["response"].append(self._note_answer)
        self._auth = DeviceAuth(client_id, accounts_url, TokenFile(tokens), session, now_s, monotonic_s, renewals)
        self._spotify = spotipy.Spotify(auth_manager=self._auth, requests_session=session)
        self._spotify.prefix = f"{api_url}/v1/"
        self._spotify.requests_timeout = self._auth.requests_timeout = CONNECT_S, READ_S
        self._answer: requests.Response | None = None
        self._limit = self._connection.limit
        self._wait = wait

    def close(self) -> None:
        """Give up the connection."""
        self._connection.close()

    def within(self, seconds: float) -> None:
        """Let all calls from now until the next `within` take no longer than this together."""
        self._limit.within(seconds)

    def get_ready(self) -> Readiness:
        """Renew the token and the connection ahead of need. Raises nothing and asks the Web API nothing."""
        self._limit.within(READY_S)
        try:
            token_in_s = self._auth.get_ready()
        except PlayerAuthError:  # nothing to do before a person has done something, or a quarantine is over
            return Readiness(again_in_s=self._auth.barred_s() or None)
        except PlayerError as error:
            token_in_s = max(error.retry_after_s, self._auth.renewable_in_s())
        finally:
            self._limit.within(float("inf"))
        ready = self._connection.get_ready()
        again_in_s = token_in_s if ready.again_in_s is None else min(token_in_s, ready.again_in_s)
        return Readiness(ready.watch_fd, max(again_in_s, 1.0))

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
            return [seen for one in found["devices"] if (seen := _listed(one)) is not None]
        except (KeyError, TypeError) as error:
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
        """Call Spotify; once more after a second where its refusal may be a mistake of its own.

        A 401 renews the token meanwhile. A second one, or a second 403 that is about nothing but us, is a strike.
        """
        try:
            return self._heard(function, *arguments)
        except (TokenRefusedError, DoubtfulRefusalError) as error:
            doubted: PlayerError = error
        if self._limit.left_s() <= SECOND_LOOK_S:
            raise doubted
        self._wait(SECOND_LOOK_S)
        try:
            return self._heard(function, *arguments)
        except TokenRefusedError:
            self._auth.strike()
            raise
        except DoubtfulRefusalError as error:
            if error.is_about_token:
                self._auth.strike()
            raise

    def _heard(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - Spotify's own JSON
        """Call Spotify, and tell the token's owner what the answer says about the token."""
        try:
            with self._limit.at_most(REQUEST_S):
                found = self._once(function, *arguments)
        except TokenRefusedError:
            self._auth.distrust()
            raise
        except (NoActiveDeviceError, PlayerRefusedError, PremiumNeededError, VolumeRefusedError) as error:
            if not isinstance(error, DoubtfulRefusalError) or not error.is_about_token:
                self._auth.accepted()
            raise
        self._auth.accepted()
        return found

    def _once(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - Spotify's own JSON
        if self._limit.left_s() <= 0:
            raise PlayerUnavailableError("Spotify took too long to answer; it is tried again")
        self._answer = None
        found, error = self._tried(function, *arguments)
        if error is not None:
            raise error
        answer = self._last_answer()
        if answer is None:  # spotipy takes a request that cannot be built for an answer without JSON
            raise PlayerUnavailableError("a request to Spotify could not be made; please report this")
        if found is None and not _is_spotify_s(answer):
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


def _is_spotify_s(answer: requests.Response) -> bool:
    """Whether Spotify may have said yes so: with nothing, JSON, or a word that means nothing to us."""
    body = answer.content.strip()
    if not body or OPAQUE.fullmatch(body):
        return True
    try:
        answer.json()
    except ValueError:
        return False
    return True


def _look(found: dict[str, Any]) -> Look:
    device, context, track = found.get("device"), found.get("context"), found.get("item")
    is_playing, repeat = found["is_playing"], found.get("repeat_state")
    if not isinstance(is_playing, bool):  # on this word it hangs whether somebody's music is paused
        raise TypeError("neither playing nor not")
    return Look(
        is_playing=is_playing,
        device=None if device is None else _seen(device),
        context_uri=_text_or_none(context.get("uri")) if context else None,
        track_uri=_text_or_none(track.get("uri")) if track else None,
        progress_ms=round(found.get("progress_ms") or 0),
        shuffle=bool(found.get("shuffle_state")),
        # A word that is new to us: music that we could not look at could not be paused either.
        repeat=Repeat(repeat) if repeat in set(Repeat) else Repeat.OFF,
    )


def _listed(found: Any) -> SeenDevice | None:  # noqa: ANN401 - Spotify's own JSON
    """A device of the list; None for one that cannot be read: nobody can choose it, and it hides no other."""
    try:
        return _seen(found)
    except (KeyError, TypeError, ValueError):
        return None


def _seen(found: dict[str, Any]) -> SeenDevice:
    name, kind, volume_pct = found["name"], found["type"], found.get("volume_percent")
    if not isinstance(name, str) or not isinstance(kind, str):
        raise TypeError("a device without a name")
    if not found.get("supports_volume", True):
        volume_pct = None
    return SeenDevice(
        device=Device(name, kind, _text_or_none(found["id"])),
        is_active=bool(found["is_active"]),
        is_restricted=bool(found["is_restricted"]),
        volume_pct=None if volume_pct is None else round(volume_pct),
    )


def _text_or_none(found: object) -> str | None:
    if found is None or isinstance(found, str):
        return found
    raise TypeError("no text")
