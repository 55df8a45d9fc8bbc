"""Spotify's tokens: kept on this computer only; a power cut while writing leaves the old or the new, never neither."""

import json
import logging
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from spotipy.cache_handler import CacheHandler
from spotipy.oauth2 import SpotifyOauthError, SpotifyPKCE

from spotty_gateway.errors import PlayerAuthError, PlayerError, PlayerLimitError, PlayerUnavailableError
from spotty_gateway.refusals import RATE_WINDOW_S, TOO_MANY_REQUESTS, retry_after_s, unreachable

log = logging.getLogger(__name__)

SCOPES = ["user-read-playback-state", "user-modify-playback-state"]
"""All that motion-to-music needs; spotipy wants a list."""

EARLY_S = 120
"""A token is renewed when it has this long to live: longer than any command may take."""

NO_APP = "none"

CONNECT = "connect the household's Spotify account with 'spotty login'"
ACCOUNTS = "Spotify's accounts service"

TokenInfo = dict[str, Any]
"""A token answer of Spotify's accounts service, with `expires_at` (seconds since 1970)."""

_ERROR_WORD = re.compile(r"[a-z_]{1,40}")


class TokenFile(CacheHandler):  # type: ignore[misc]  # spotipy is untyped
    """spotipy's cache as a file of ours: atomic, durable, for its owner's eyes only.

    What was saved is what is read: from disk, or from memory while the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        """`path` need not exist yet; its folder must."""
        self._path = path
        self._unsaved: TokenInfo | None = None

    def get_cached_token(self) -> TokenInfo:
        """The tokens. Raises PlayerAuthError, one line that says what to do, where there are none to be used."""
        if self._unsaved is not None:
            self.save_token_to_cache(self._unsaved)
        if self._unsaved is not None:
            return self._unsaved
        try:
            found = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            raise PlayerAuthError(f"Spotify is not connected, {self._path} is missing: {CONNECT}") from None
        except OSError as error:
            raise PlayerAuthError(f"{self._path} cannot be read ({error.strerror}): give it to this user") from None
        except (ValueError, RecursionError):  # what stands there is nobody's business: the error would quote it
            found = None
        if not isinstance(found, dict) or not _is_token(found.get("refresh_token")):
            raise PlayerAuthError(f"{self._path} holds no Spotify tokens: {CONNECT} again")
        return found

    @property
    def version(self) -> tuple[int, int] | None:
        """Differs whenever the file does: somebody else may connect or disconnect the account while we run."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def save_token_to_cache(self, token_info: TokenInfo) -> None:
        """Replace the tokens durably. A disk that refuses is tried again at the next read, and said once."""
        try:
            _write_durably(self._path, json.dumps(token_info).encode())
        except OSError as error:
            if self._unsaved is None:
                log.warning("%s cannot be written (%s): free some space", self._path, error.strerror)
            self._unsaved = token_info
        else:
            self._unsaved = None


class DeviceAuth(SpotifyPKCE):  # type: ignore[misc]  # spotipy is untyped
    """PKCE for a thing without a screen: it renews tokens and never asks a person anything.

    Used by one thread only, the one that owns the player.
    """

    def __init__(
        self,
        client_id: str,
        accounts_url: str,
        token_file: TokenFile,
        session: requests.Session,
        now_s: Callable[[], float],
    ) -> None:
        """`accounts_url` is the accounts service's root; `now_s` gives seconds since 1970."""
        super().__init__(
            client_id=client_id or NO_APP,  # spotipy would look for one in the environment, and end us without
            redirect_uri="http://127.0.0.1:8888/callback",
            scope=SCOPES,
            cache_handler=token_file,
            requests_session=session,
            open_browser=False,
        )
        self.OAUTH_TOKEN_URL = f"{accounts_url}/api/token"
        self._has_app = bool(client_id)
        self._now_s = now_s
        self._tokens: TokenInfo | None = None
        self._version: tuple[int, int] | None = None
        self._refused: str | None = None

    def get_access_token(self, code: str | None = None, check_cache: bool = True, as_dict: bool = False) -> str:
        """A token that lives for a while yet. Raises PlayerAuthError without consent, PlayerUnavailableError."""
        del code, check_cache, as_dict  # spotipy's signature; a device has one way only
        if not self._has_app:
            raise PlayerAuthError("the settings have no spotifyClientId: 'spotty login --help' says how to get one")
        if self._tokens is None or self.cache_handler.version != self._version:
            self._version = self.cache_handler.version
            self._tokens = None  # also where reading it fails now
            self._tokens = self.cache_handler.get_cached_token()
        if self._tokens["refresh_token"] == self._refused:
            raise PlayerAuthError(f"Spotify's consent has ended: {CONNECT} again")
        if not _lives_at(self._tokens, self._now_s() + EARLY_S):
            self._tokens = self._renew(self._tokens["refresh_token"])
            self._version = self.cache_handler.version
        access_token: str = self._tokens["access_token"]
        return access_token

    def distrust(self) -> None:
        """Spotify did not accept the token: renew it before the next call."""
        if self._tokens is not None:
            self._tokens = {**self._tokens, "expires_at": 0}

    def _add_custom_values_to_token_info(self, token_info: TokenInfo) -> TokenInfo:
        """An answer on its way into the file: looked at before it replaces what is there, and timed by our clock.

        The date of consent stays beside the tokens: refreshing them does not make it later.
        """
        if not _is_token(token_info["access_token"]):
            raise ValueError("no access token in the answer")
        if not _is_token(token_info.get("refresh_token")):
            token_info.pop("refresh_token", None)  # spotipy keeps the old one only where none is named
        kept = {"consent_at": self._tokens["consent_at"]} if self._tokens and "consent_at" in self._tokens else {}
        return {**kept, **token_info, "expires_at": int(self._now_s()) + int(token_info["expires_in"])}

    def _renew(self, refresh_token: str) -> TokenInfo:
        renewed, error = self._tried(refresh_token)
        if error is not None:
            raise error
        if renewed is None:
            raise PlayerUnavailableError(f"{ACCOUNTS} answers what cannot be read; it is tried again")
        return renewed

    def _tried(self, refresh_token: str) -> tuple[TokenInfo | None, PlayerError | None]:
        """What came of it. The error is raised by the caller, outside: what it is made of may quote a token."""
        try:
            return self.refresh_access_token(refresh_token), None
        except SpotifyOauthError as error:
            if error.error == "invalid_grant":
                self._refused = refresh_token
            return None, _refusal(error)
        except requests.JSONDecodeError:
            return None, None
        except requests.RequestException as error:
            return None, unreachable(error, ACCOUNTS)
        except (ValueError, KeyError, TypeError, AttributeError):  # JSON, but no answer of a token endpoint
            return None, None


def _refusal(error: SpotifyOauthError) -> PlayerError:
    """What a refusal of the token endpoint means. Only its error word is repeated: the rest may be anything."""
    said = error.error if isinstance(error.error, str) and _ERROR_WORD.fullmatch(error.error) else ""
    response = getattr(error.__context__, "response", None)
    wait_s = 0.0 if response is None else retry_after_s(response.headers)
    if said == "invalid_grant":
        return PlayerAuthError(f"Spotify's consent has ended: {CONNECT} again")
    if said in ("invalid_client", "unauthorized_client"):
        return PlayerAuthError("Spotify does not know the app: check spotifyClientId in the settings")
    if response is not None and response.status_code == TOO_MANY_REQUESTS:
        wait_s = wait_s or RATE_WINDOW_S
        return PlayerLimitError(f"{ACCOUNTS} asks to wait {wait_s:.0f} s (too many requests)", wait_s)
    status = "nothing" if response is None else response.status_code
    return PlayerUnavailableError(f"{ACCOUNTS} answers {status} {said}".rstrip() + "; it is tried again", wait_s)


def _lives_at(tokens: TokenInfo, at_s: float) -> bool:
    expires_at = tokens.get("expires_at")
    return _is_token(tokens.get("access_token")) and isinstance(expires_at, int | float) and expires_at > at_s


def _is_token(found: object) -> bool:
    """Whether it can stand in a request: an HTTP library quotes in its error what cannot."""
    return isinstance(found, str) and found.isascii() and found.isprintable() and bool(found) and " " not in found


def _write_durably(path: Path, content: bytes) -> None:
    """New file, fsync, rename, fsync of the folder."""
    descriptor, name = tempfile.mkstemp(prefix=".tokens-", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
