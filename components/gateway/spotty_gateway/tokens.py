"""Spotify's tokens at work: renewed ahead of need, by one owner, and left alone for a while where they are refused."""

import re
from collections.abc import Callable

import requests
from spotipy.oauth2 import SpotifyOauthError, SpotifyPKCE

from spotty_gateway.connection import Backoff
from spotty_gateway.errors import PlayerAuthError, PlayerError, PlayerLimitError, PlayerUnavailableError
from spotty_gateway.quarantine import Quarantine, Strikes
from spotty_gateway.refusals import RATE_WINDOW_S, TOO_MANY_REQUESTS, retry_after_s, unreachable
from spotty_gateway.token_file import CONNECT, SupersededError, TokenFile, TokenInfo, is_token

SCOPES = ["user-read-playback-state", "user-modify-playback-state"]
"""All that motion-to-music needs; spotipy wants a list."""

EARLY_S = 120.0
"""A call renews a token that has only this long to live: longer than any command may take."""
READY_EARLY_S = 600.0
"""Idle time renews it when it has this long to live, so that calls need not."""
SAVE_AGAIN_S = 60.0
LEAST_WAIT_S = 60.0
"""Between two renewals in idle time, however soon a token ends: what a call needs before is renewed by the call."""

NO_APP = "none"

ACCOUNTS = "Spotify's accounts service"

_ERROR_WORD = re.compile(r"[a-z_]{1,40}")


class DeviceAuth(SpotifyPKCE):  # type: ignore[misc]  # spotipy is untyped
    """PKCE for a thing without a screen: it renews tokens and never asks a person anything.

    Used by one thread only, the one that owns the player.

    A token's end is known by the wall clock, which may be wrong. Where it makes a dead token look alive, Spotify's 401
    leads to a new one (`distrust`); where it makes a living one look dead, it is renewed too early, which does no harm.
    """

    def __init__(
        self,
        client_id: str,
        accounts_url: str,
        token_file: TokenFile,
        session: requests.Session,
        now_s: Callable[[], float],
        monotonic_s: Callable[[], float],
        renewals: Backoff | None = None,
    ) -> None:
        """`accounts_url` is the accounts service's root; `now_s` gives seconds since 1970.

        `renewals` are the waits after renewals that failed. A command does not wait: it asks once.
        """
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
        self._file = token_file
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._tokens: TokenInfo | None = None
        self._refused: str | None = None
        self._strikes = Strikes()
        self._barred_until_s = float("-inf")
        self._renewals = renewals or Backoff()
        self._renew_from_s = float("-inf")

    def get_access_token(self, code: str | None = None, check_cache: bool = True, as_dict: bool = False) -> str:
        """A token that lives for a while yet. Raises PlayerAuthError without consent, PlayerUnavailableError."""
        del code, check_cache, as_dict  # spotipy's signature; a device has one way only
        access_token: str = self._living(EARLY_S)["access_token"]
        return access_token

    def get_ready(self) -> float:
        """Renew the token ahead of need; in how many seconds that is due again. Raises as `get_access_token`.

        Not before the wait is over after a renewal that has failed, whoever had asked for that.
        """
        tokens = self._usable()
        if not self._lives(tokens, READY_EARLY_S):
            if wait_s := self.renewable_in_s():
                return wait_s
            tokens = self._renewed(tokens)
        self._file.save_again()
        due_s = max(LEAST_WAIT_S, self._left_s(tokens) - _early_s(tokens, READY_EARLY_S))
        return due_s if self._file.is_saved else min(due_s, SAVE_AGAIN_S)

    def renewable_in_s(self) -> float:
        """For how long yet idle time renews nothing, after renewals that have failed; 0 where it may."""
        return max(0.0, self._renew_from_s - self._monotonic_s())

    def barred_s(self) -> float:
        """For how long yet nothing is asked with this token; 0 where it may be used."""
        return max(0.0, self._barred_until_s - self._monotonic_s())

    def distrust(self) -> None:
        """Spotify does not know the token: renew it before the next call."""
        if self._tokens is not None:
            self._tokens = {**self._tokens, "expires_at": 0}

    def strike(self) -> None:
        """Spotify refused the token, and a second later again. Twice so, and it is put in quarantine."""
        if self._tokens is None:
            return
        earlier = Quarantine.read(self._tokens.get("quarantine"))
        if self._strikes.strike(self._monotonic_s()) or earlier is not None:
            quarantine = Quarantine.after(earlier, self._now_s())
            self._barred_until_s = self._monotonic_s() + quarantine.wait_s
            self._keep({**self._tokens, "quarantine": quarantine.written()})

    def accepted(self) -> None:
        """Spotify took the token."""
        self._strikes.forget()
        if self._tokens is not None and "quarantine" in self._tokens:
            self._keep({name: value for name, value in self._tokens.items() if name != "quarantine"})

    def _living(self, early_s: float) -> TokenInfo:
        tokens = self._usable()
        return tokens if self._lives(tokens, early_s) else self._renewed(tokens)

    def _usable(self) -> TokenInfo:
        """The tokens, whose access token may have ended. Raises PlayerAuthError."""
        if not self._has_app:
            raise PlayerAuthError("the settings have no spotifyClientId: 'spotty login --help' says how to get one")
        tokens = self._current()
        if self.barred_s():
            quarantine = Quarantine.read(tokens.get("quarantine"))
            pause = f" for {quarantine.wait_s / 60:.0f} min" if quarantine else ""
            raise PlayerAuthError(
                f"Spotify keeps refusing us and is left alone{pause}; if it stays so, {CONNECT} again"
            )
        if tokens["refresh_token"] == self._refused:
            raise PlayerAuthError(f"Spotify's consent has ended: {CONNECT} again")
        return tokens

    def _current(self) -> TokenInfo:
        """The tokens as they stand in the file, which another process may have written or deleted."""
        if self._tokens is None or not self._file.is_current:
            self._tokens = None  # also where reading it fails now
            self._tokens = self._file.get_cached_token()
            self._strikes.forget()
            quarantine = Quarantine.read(self._tokens.get("quarantine"))
            left_s = 0.0 if quarantine is None else quarantine.left_s(self._now_s())
            self._barred_until_s = self._monotonic_s() + left_s  # from here on no step of the wall clock matters
        return self._tokens

    def _keep(self, tokens: TokenInfo) -> None:
        try:
            self._file.save_token_to_cache(tokens)
        except SupersededError:  # a new consent: whatever was known of the old one is past
            self._tokens = None
        else:
            self._tokens = tokens

    def _left_s(self, tokens: TokenInfo) -> float:
        """How long a token lives by our clock; 0 where that cannot be: it would live longer than it ever was to."""
        expires_at, lives_s = tokens.get("expires_at"), tokens.get("expires_in")
        if not is_token(tokens.get("access_token")) or not isinstance(expires_at, int | float):
            return 0.0
        left_s = expires_at - self._now_s()
        return 0.0 if isinstance(lives_s, int | float) and left_s > lives_s + 1 else left_s

    def _lives(self, tokens: TokenInfo, early_s: float) -> bool:
        return self._left_s(tokens) > _early_s(tokens, early_s)

    def _add_custom_values_to_token_info(self, token_info: TokenInfo) -> TokenInfo:
        """An answer on its way into the file: looked at before it replaces what is there, and timed by our clock.

        What is kept beside the tokens stays: refreshing them makes the date of consent no later.
        """
        if not is_token(token_info["access_token"]):
            raise ValueError("no access token in the answer")
        if not is_token(token_info.get("refresh_token")):
            token_info.pop("refresh_token", None)  # spotipy keeps the old one only where none is named
        kept = {name: value for name, value in (self._tokens or {}).items() if name in ("consent_at", "quarantine")}
        return {**kept, **token_info, "expires_at": int(self._now_s()) + int(token_info["expires_in"])}

    def _renewed(self, tokens: TokenInfo) -> TokenInfo:
        try:
            renewed, error = self._tried(tokens["refresh_token"])
        except SupersededError:
            renewed, error = self._current(), None
        if renewed is None:
            error = error or PlayerUnavailableError(f"{ACCOUNTS} answers what cannot be read; it is tried again")
            if not isinstance(error, PlayerLimitError):  # that one the gate remembers
                wait_s = max(error.retry_after_s, self._renewals.next_s())
                self._renew_from_s = self._monotonic_s() + wait_s
            raise error
        self._renewals.reset()
        self._renew_from_s = float("-inf")
        self._tokens = renewed
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
        except (ValueError, OverflowError, KeyError, TypeError, AttributeError):  # JSON, but no token endpoint's answer
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


def _early_s(tokens: TokenInfo, early_s: float) -> float:
    """So long before its end a token is renewed: never before half of its life, or it would never be used."""
    lives_s = tokens.get("expires_in")
    return min(early_s, lives_s / 2) if isinstance(lives_s, int | float) else early_s
