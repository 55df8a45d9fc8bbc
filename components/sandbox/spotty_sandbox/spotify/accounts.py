"""The accounts service: apps, consent with PKCE, tokens and how they end. Times by the injected clock, no I/O."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .clock import Clock

RefreshStyle = Literal["omit", "same", "rotate"]

CODE_LIFETIME_MS = 10 * 60 * 1000
CONSENT_LIFETIME_MS = 182 * 24 * 3600 * 1000
PLAYER_SCOPES = ("user-read-playback-state", "user-modify-playback-state", "user-read-currently-playing")


class OAuthError(Exception):
    """What the token endpoint says when it refuses: HTTP 400, `error` and `error_description` as in RFC 6749."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


class ConsentRefusedError(Exception):
    """An authorize link that cannot be shown as a consent page; its text is what Spotify prints."""


@dataclass(frozen=True, slots=True)
class TokenSet:
    """An answer of the token endpoint. `expires_in` is in seconds; `refresh_token` may be left out of a refresh."""

    access_token: str
    expires_in: int
    scope: str
    refresh_token: str | None = None


@dataclass(slots=True)
class Consent:
    """One consent of one account to one app: what the refresh tokens stand on."""

    account_id: str
    client_id: str
    scope: str
    given_ms: int
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token opens, and until when."""

    consent: Consent
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Question:
    """An authorize link waiting for a person: may this app do that?"""

    id: str
    client_id: str
    redirect_uri: str
    scope: str
    state: str | None
    challenge: str
    asked_ms: int


@dataclass(slots=True)
class App:
    """An app as its owner registered it. No redirect URIs means: any that Spotify would let one register."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...] = ()


@dataclass(slots=True)
class Accounts:
    """Issues and checks tokens.

    `refresh_style`: a refresh answers without a refresh token (as Spotify does now), with the same, or with a new one
    that replaces the old. While `only_registered` is false an unknown client id is an app named after itself.
    """

    clock: Clock
    lifetime_s: int = 3600
    refresh_style: RefreshStyle = "omit"
    only_registered: bool = False
    apps: dict[str, App] = field(default_factory=dict)
    _questions: dict[str, Question] = field(default_factory=dict)
    _codes: dict[str, tuple[Question, str, int]] = field(default_factory=dict)
    _access: dict[str, Access] = field(default_factory=dict)
    _refresh: dict[str, Consent] = field(default_factory=dict)

    # Apps and direct grants.

    def register(self, client_id: str, name: str | None = None, redirect_uris: tuple[str, ...] = ()) -> App:
        """Register an app; with redirect URIs only these are accepted, byte for byte."""
        self.apps[client_id] = App(client_id, name or client_id, redirect_uris)
        return self.apps[client_id]

    def app_name(self, client_id: str) -> str:
        """What a person would call the app."""
        app = self.apps.get(client_id)
        return app.name if app else client_id

    def grant(
        self, account_id: str = "owner", client_id: str = "spottypottysense", scopes: tuple[str, ...] = PLAYER_SCOPES
    ) -> TokenSet:
        """A token set as if a person had just consented: for demos and tests."""
        consent = Consent(account_id, client_id, " ".join(scopes), self.clock.now_ms())
        return self._issue(consent, self._new_refresh(consent))

    def revoke(self, account_id: str | None = None) -> None:
        """The person removes the app from the account (None: from all): refreshing fails from now on.

        Access tokens already out live on until they expire, as Spotify's do.
        """
        for consent in self._refresh.values():
            if account_id in (None, consent.account_id):
                consent.is_revoked = True

    def expire_access_tokens(self) -> None:
        """Make every access token that is out an expired one; refreshing still works."""
        for token, access in self._access.items():
            self._access[token] = Access(access.consent, self.clock.now_ms())

    def access(self, token: str) -> Access | None:
        """What the access token opens, expired or not; None for a token that was never issued."""
        return self._access.get(token)

    # Consent.

    def ask(self, query: Mapping[str, str]) -> Question:
        """The question an authorize link puts. Raises ConsentRefusedError with Spotify's words when the link is bad."""
        client_id, redirect_uri = query.get("client_id", ""), query.get("redirect_uri", "")
        app = self.apps.get(client_id)
        if not client_id or (app is None and self.only_registered):
            raise ConsentRefusedError("INVALID_CLIENT: Invalid client")
        if not _redirect_fits(redirect_uri, app):
            raise ConsentRefusedError("INVALID_CLIENT: Invalid redirect URI")
        if query.get("response_type") != "code":
            raise ConsentRefusedError("response_type must be code")
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            raise ConsentRefusedError("code_challenge_method must be S256")
        question = Question(
            secrets.token_urlsafe(24), client_id, redirect_uri, query.get("scope", ""), query.get("state"),
            query["code_challenge"], self.clock.now_ms(),
        )  # fmt: skip
        self._questions[question.id] = question
        return question

    def allow(self, question_id: str, account_id: str = "owner") -> str:
        """The person says yes: the address to send the browser to, with `code` and the same `state`.

        Raises ConsentRefusedError when the question is unknown or was answered.
        """
        question = self._answered(question_id)
        code = secrets.token_urlsafe(48)
        self._codes[code] = (question, account_id, self.clock.now_ms() + CODE_LIFETIME_MS)
        return _redirect(question, {"code": code})

    def deny(self, question_id: str) -> str:
        """The person says no: the address to send the browser to, with `error=access_denied`."""
        return _redirect(self._answered(question_id), {"error": "access_denied"})

    # The token endpoint.

    def token(self, form: Mapping[str, str], refresh_style: RefreshStyle | None = None) -> TokenSet:
        """Exchange a code or refresh. Raises OAuthError as Spotify refuses; a code that was presented once is spent.

        `refresh_style` holds for this one refresh instead of the account service's own.
        """
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refreshed(form, refresh_style or self.refresh_style)
            case _:
                raise OAuthError("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")

    def _exchange(self, form: Mapping[str, str]) -> TokenSet:
        question, account_id, until_ms = self._codes.pop(form.get("code", ""), (None, "", 0))
        if question is None:
            raise OAuthError("invalid_grant", "Invalid authorization code")
        if self.clock.now_ms() >= until_ms:
            raise OAuthError("invalid_grant", "Authorization code expired")
        if form.get("client_id") != question.client_id:
            raise OAuthError("invalid_client", "Invalid client")
        if form.get("redirect_uri") != question.redirect_uri:
            raise OAuthError("invalid_grant", "Invalid redirect URI")
        if challenge_of(form.get("code_verifier", "")) != question.challenge:
            raise OAuthError("invalid_grant", "code_verifier was incorrect")
        consent = Consent(account_id, question.client_id, question.scope, self.clock.now_ms())
        return self._issue(consent, self._new_refresh(consent))

    def _refreshed(self, form: Mapping[str, str], style: RefreshStyle) -> TokenSet:
        presented = form.get("refresh_token", "")
        consent = self._refresh.get(presented)
        if consent is None or form.get("client_id", consent.client_id) != consent.client_id:
            raise OAuthError("invalid_grant", "Invalid refresh token")
        if consent.is_revoked:
            raise OAuthError("invalid_grant", "Refresh token revoked")
        if self.clock.now_ms() >= consent.given_ms + CONSENT_LIFETIME_MS:
            raise OAuthError("invalid_grant", "Refresh token expired")
        if style == "rotate":
            del self._refresh[presented]
            return self._issue(consent, self._new_refresh(consent))
        return self._issue(consent, presented if style == "same" else None)

    # Inside.

    def _answered(self, question_id: str) -> Question:
        question = self._questions.pop(question_id, None)
        if question is None:
            raise ConsentRefusedError("This question was already answered. Ask again from the start.")
        return question

    def _new_refresh(self, consent: Consent) -> str:
        token = f"AQ{secrets.token_urlsafe(64)}"
        self._refresh[token] = consent
        return token

    def _issue(self, consent: Consent, refresh_token: str | None) -> TokenSet:
        now_ms = self.clock.now_ms()
        # A day-old token would only be told from an unknown one by a client that is broken anyway; a simulated year
        # must not keep thousands of them.
        self._access = {
            token: access for token, access in self._access.items() if access.expires_ms > now_ms - 86_400_000
        }
        token = f"BQ{secrets.token_urlsafe(64)}"
        self._access[token] = Access(consent, now_ms + self.lifetime_s * 1000)
        return TokenSet(token, self.lifetime_s, consent.scope, refresh_token)


def challenge_of(verifier: str) -> str:
    """The PKCE S256 challenge of a verifier: unpadded base64url of its SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _redirect_fits(redirect_uri: str, app: App | None) -> bool:
    if app is not None and app.redirect_uris:
        return redirect_uri in app.redirect_uris
    try:
        parts = urlsplit(redirect_uri)
        _ = parts.port
    except ValueError:
        return False
    return (parts.scheme == "https" and bool(parts.hostname)) or (
        # The name "localhost" is refused on purpose: Spotify wants the loopback address itself.
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1")
    )


def _redirect(question: Question, answer: dict[str, str]) -> str:
    if question.state is not None:
        answer["state"] = question.state
    glue = "&" if "?" in question.redirect_uri else "?"
    return f"{question.redirect_uri}{glue}{urlencode(answer)}"
