"""How a person lets this gateway use their Spotify: authorization code with PKCE, and no secret anywhere but here.

The gateway makes a verifier and keeps it. The link carries only the verifier's hash, so the code that a browser brings
back is worth nothing to whoever sees it on the way: not to the cloud that relays it, not to a reader of logs. The
gateway alone exchanges it. `spotty login` and the dashboard's `connect_spotify` go the same way, with different
redirect URIs.

The exchange is one POST of five fields, made by hand. spotipy's PKCE class could make it, but it writes
verifier and code to its debug log, asks on the terminal when the code is empty, goes on using one verifier, and saves
the tokens before the date of consent can stand beside them.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import requests

from spotty_gateway.connection import REQUEST_S, Connection, OpenGate
from spotty_gateway.errors import PlayerAuthError
from spotty_gateway.token_file import TokenFile, TokenInfo, alone_in, sync_folder
from spotty_gateway.tokens import SCOPES

LINK_LASTS_S = 600.0
"""How long a link can be answered; Spotify's codes live as long."""

DAY_S = 86_400
CONSENT_LASTS_S = 181 * DAY_S
"""Spotify says six months from consent, whatever is refreshed in between. These are the shortest there are."""

WARN_BEFORE_DAYS = (1, 7, 30)

_ERROR_WORD = re.compile(r"[a-z_]{1,40}")


class ConsentError(Exception):
    """This question came to nothing: ask again, with a new link. The message is for a person and holds no secret."""


class NotTheAnswerError(ConsentError):
    """What came is no answer to this question, which stays open: go on waiting."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser brings back from Spotify. Exactly one of `code` and `error` is set in an honest one."""

    state: str = field(default="", repr=False)
    code: str = field(default="", repr=False)
    error: str = ""


def read_answer(address: str) -> Answer:
    """The answer in the address that a browser ended up at; an empty one where there is none in it."""
    query = address.strip().partition("?")[2].partition("#")[0]
    found = dict(parse_qsl(query))
    return Answer(found.get("state", ""), found.get("code", ""), found.get("error", ""))


class PendingConsent:
    """One question to a person: a link, and a verifier that the link's own answer unlocks once, within ten minutes.

    Not for use by more than one thread at a time.
    """

    def __init__(self, client_id: str, accounts_url: str, redirect_uri: str, mono_s: Callable[[], float]) -> None:
        """`accounts_url` is the accounts service's root; `mono_s` gives monotonic seconds."""
        self.redirect_uri = redirect_uri
        self._mono_s = mono_s
        self._until_s = mono_s() + LINK_LASTS_S
        self._state = secrets.token_urlsafe(32)
        verifier = secrets.token_urlsafe(64)
        self._verifier: str | None = verifier
        question = {
            "client_id": client_id,
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "code_challenge_method": "S256",
            "code_challenge": challenge_of(verifier),
            "state": self._state,
            "scope": " ".join(SCOPES),
        }
        self.link = f"{accounts_url}/authorize?{urlencode(question)}"
        """The address to open in a browser. It holds the state, so it is for the person who asked and for no log."""

    def left_s(self) -> float:
        """Seconds in which it can still be answered; 0 where it cannot."""
        return max(self._until_s - self._mono_s(), 0.0)

    def unlock(self, answer: Answer) -> str:
        """The verifier for the answer's code. Raises ConsentError, or NotTheAnswerError where the state is not ours.

        Only an answer with the right state uses the question up: a stranger who guesses must not close it.
        """
        if self._verifier is None:
            raise ConsentError("this link has been answered already: connect again with a new one")
        if not self.left_s():
            self._verifier = None
            raise ConsentError("this link's ten minutes are over: connect again with a new one")
        if not answer.state:
            raise NotTheAnswerError(
                "that holds no answer of Spotify: it takes the whole address the browser ended up at"
            )
        if not hmac.compare_digest(answer.state.encode(), self._state.encode()):
            raise NotTheAnswerError("that is not the answer to this link: open the link shown here, not an earlier one")
        verifier, self._verifier = self._verifier, None
        if answer.error == "access_denied":
            raise ConsentError("Spotify was told not to allow it: connect again and choose to agree")
        if answer.error or not answer.code:
            raise ConsentError(f"Spotify gave no consent ({_plain(answer.error)}): connect again with a new link")
        return verifier


class Consent:
    """Asks for consent to one Spotify app, and turns an answer into tokens in the token file."""

    def __init__(
        self,
        client_id: str,
        accounts_url: str,
        tokens: Path,
        mono_s: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`accounts_url` is the accounts service's root, `tokens` the token file; `now_s` is seconds since 1970."""
        self._client_id = client_id
        self._accounts_url = accounts_url
        self._tokens = tokens
        self._mono_s = mono_s
        self._now_s = now_s

    def ask(self, redirect_uri: str) -> PendingConsent:
        """A new question. `redirect_uri` must be registered in the household's Spotify app, byte for byte."""
        return PendingConsent(self._client_id, self._accounts_url, redirect_uri, self._mono_s)

    def finish(self, pending: PendingConsent, answer: Answer) -> float:
        """Exchange the answer's code and keep the tokens; when consent was given (seconds since 1970).

        Raises ConsentError; the tokens that were there before are then untouched. May take as long as the network does.
        """
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client_id,
            "code_verifier": pending.unlock(answer),
            "code": answer.code,
            "redirect_uri": pending.redirect_uri,
        }
        found = _tokens_in(self._post(form))
        consent_at = int(self._now_s())
        self._keep({**found, "expires_at": consent_at + found["expires_in"], "consent_at": consent_at})
        return consent_at

    def _keep(self, tokens: TokenInfo) -> None:
        TokenFile(self._tokens).save_token_to_cache(tokens)
        try:
            # A token file holds in memory what the disk refuses; that is no use to another process, or after this one.
            kept = TokenFile(self._tokens).get_cached_token()
        except PlayerAuthError:
            kept = None
        if kept != tokens:
            raise ConsentError(f"{self._tokens} could not be written: make room or mend the folder, then connect again")

    def _post(self, form: dict[str, str]) -> requests.Response:
        connection = Connection(self._accounts_url, OpenGate())
        connection.limit.within(REQUEST_S)
        try:
            return connection.session.post(f"{self._accounts_url}/api/token", data=form, allow_redirects=False)
        except requests.RequestException as error:
            why = type(error).__name__
        finally:
            connection.close()
        # Raised out here, so that it drags nothing along: the error's request holds verifier and code.
        raise ConsentError(
            f"Spotify's accounts service cannot be reached ({why}): look after the network, then connect again"
        )


def consent_warning(consent_at_s: float, now_s: float) -> str | None:
    """What to tell a person about a consent that lapses; changes 30, 7 and 1 days before and when it has lapsed."""
    ends_s = consent_at_s + CONSENT_LASTS_S
    if now_s >= ends_s:
        return f"Spotify's consent lapsed on {_day(ends_s)}: no music before it is given again ('spotty login')"
    for days in WARN_BEFORE_DAYS:
        if ends_s - now_s <= days * DAY_S:
            within = "a day" if days == 1 else f"{days} days"
            return f"Spotify's consent lapses on {_day(ends_s)}, within {within}: give it again with 'spotty login'"
    return None


def forget(tokens: Path) -> bool:
    """Delete the tokens at this path, durably, and what a save cut short may have left; False where there were none.

    Raises OSError.
    """
    try:
        with alone_in(tokens.parent):  # a renewal on its way finds them gone, and saves nothing
            left = [tokens, *tokens.parent.glob(f"{tokens.name}.*"), *tokens.parent.glob(".tokens-*")]
            there = [path for path in left if path.exists()]
            for path in there:
                path.unlink(missing_ok=True)
            if there:
                sync_folder(tokens.parent)
    except FileNotFoundError:  # no folder, no tokens
        return False
    return bool(there)


def challenge_of(verifier: str) -> str:
    """A verifier's S256 challenge: unpadded base64url of its SHA-256 (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _tokens_in(response: requests.Response) -> TokenInfo:
    """The tokens in an answer of the token endpoint. Raises ConsentError."""
    try:
        found = response.json()
    except ValueError:  # a proxy's web page, or cut off
        found = None
    if response.status_code == requests.codes.ok and _is_complete(found):
        tokens: TokenInfo = found
        return tokens
    refusal = found.get("error") if isinstance(found, dict) else None
    if refusal == "invalid_grant":
        raise ConsentError("Spotify refuses the code (too old, or used before): connect again with a new link")
    if refusal == "invalid_client":
        raise ConsentError(
            "Spotify does not know this app: correct spotifyClientId in the settings, then connect again"
        )
    raise ConsentError(
        f"Spotify's accounts service gave no tokens ({response.status_code}, {_plain(refusal)}): "
        "wait a few minutes, then connect again"
    )


def _is_complete(found: Any) -> bool:  # noqa: ANN401 - whatever JSON came
    return (
        isinstance(found, dict)
        and all(isinstance(found.get(name), str) and found[name] for name in ("access_token", "refresh_token"))
        and isinstance(found.get("expires_in"), int)
    )


def _plain(error: object) -> str:
    """An error's code as Spotify writes them; anything else may hold anything and is not repeated."""
    return error if isinstance(error, str) and _ERROR_WORD.fullmatch(error) else "no explanation"


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).date().isoformat()
