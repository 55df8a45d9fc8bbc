from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from spotty_sandbox.spotify import Accounts, ManualClock, OAuthError
from spotty_sandbox.spotify.accounts import CODE_LIFETIME_MS, CONSENT_LIFETIME_MS, ConsentRefusedError, challenge_of

VERIFIER = "a-verifier-that-only-the-gateway-knows-0123456789"
BACK = "http://127.0.0.1:8400/callback"
LINK = {
    "client_id": "app",
    "response_type": "code",
    "redirect_uri": BACK,
    "code_challenge_method": "S256",
    "code_challenge": challenge_of(VERIFIER),
    "state": "st&te",
    "scope": "user-read-playback-state",
}


@pytest.fixture
def auth(clock: ManualClock) -> Accounts:
    """An accounts service without apps."""
    return Accounts(clock)


def code_from(auth: Accounts) -> str:
    """A code that a person has just allowed."""
    return parse_qs(urlsplit(auth.allow(auth.ask(LINK).id)).query)["code"][0]


def exchange(code: str) -> dict[str, str]:
    """The form that buys tokens for a code."""
    return {
        "grant_type": "authorization_code",
        "client_id": "app",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }


def refresh(token: str | None) -> dict[str, str]:
    """The form that buys a new access token."""
    return {"grant_type": "refresh_token", "client_id": "app", "refresh_token": token or ""}


def test_the_challenge_is_the_one_of_the_rfc() -> None:
    """S256 is computed as in RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_consent_leads_to_tokens(auth: Accounts, clock: ManualClock) -> None:
    """The code comes back with the state untouched and buys an hour of access and a refresh token."""
    answer = parse_qs(urlsplit(auth.allow(auth.ask(LINK).id)).query)
    assert answer["state"] == ["st&te"]
    tokens = auth.token(exchange(answer["code"][0]))
    assert (tokens.expires_in, tokens.scope) == (3600, "user-read-playback-state")
    assert tokens.refresh_token
    access = auth.access(tokens.access_token)
    assert access is not None
    assert access.expires_ms == clock.now_ms() + 3_600_000


def test_a_refusal_goes_back_too(auth: Accounts) -> None:
    """Saying no leads back with an error and the state, and without a code."""
    answer = parse_qs(urlsplit(auth.deny(auth.ask(LINK).id)).query)
    assert answer == {"error": ["access_denied"], "state": ["st&te"]}


@pytest.mark.parametrize(
    "wrong,error",
    [
        ({"code_verifier": VERIFIER + "x"}, "code_verifier was incorrect"),
        ({"redirect_uri": BACK + "/"}, "Invalid redirect URI"),
        ({"client_id": "another"}, "Invalid client"),
        ({"code": "made-up"}, "Invalid authorization code"),
    ],
)
def test_an_exchange_must_match_the_question(auth: Accounts, wrong: dict[str, str], error: str) -> None:
    """Verifier, redirect URI and client are those of the link, byte for byte, and one wrong try spends the code."""
    code = code_from(auth)
    with pytest.raises(OAuthError, match=error):
        auth.token(exchange(code) | wrong)
    if "code" not in wrong:
        with pytest.raises(OAuthError, match="Invalid authorization code"):
            auth.token(exchange(code))


def test_a_code_is_used_once_and_soon(auth: Accounts, clock: ManualClock) -> None:
    """A code works once, and not after ten minutes."""
    code, late = code_from(auth), code_from(auth)
    auth.token(exchange(code))
    with pytest.raises(OAuthError, match="Invalid authorization code"):
        auth.token(exchange(code))
    clock.advance_ms(CODE_LIFETIME_MS)
    with pytest.raises(OAuthError, match="Authorization code expired"):
        auth.token(exchange(late))


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "http://localhost:8400/callback"},
        {"redirect_uri": "http://house.example/callback"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://127.0.0.1:notaport/"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"client_id": ""},
    ],
)
def test_a_bad_link_is_not_shown(auth: Accounts, change: dict[str, str]) -> None:
    """A link without PKCE, or back to an address that Spotify would not register, asks nobody."""
    with pytest.raises(ConsentRefusedError):
        auth.ask(LINK | change)


def test_a_registered_app_goes_back_only_where_it_said(auth: Accounts) -> None:
    """With registered addresses even a slash too many is another address."""
    auth.register("app", redirect_uris=(BACK,))
    auth.ask(LINK)
    with pytest.raises(ConsentRefusedError, match="redirect"):
        auth.ask(LINK | {"redirect_uri": BACK + "/"})


def test_refreshing_in_the_three_styles(auth: Accounts) -> None:
    """A refresh leaves the refresh token out, repeats it, or replaces it; a replaced one is worthless."""
    first = auth.token(exchange(code_from(auth))).refresh_token
    assert auth.token(refresh(first)).refresh_token is None
    auth.refresh_style = "same"
    assert auth.token(refresh(first)).refresh_token == first
    auth.refresh_style = "rotate"
    second = auth.token(refresh(first)).refresh_token
    assert second not in (None, first)
    with pytest.raises(OAuthError, match="Invalid refresh token"):
        auth.token(refresh(first))


def test_consent_ends(auth: Accounts, clock: ManualClock) -> None:
    """Half a year after the consent, however often one refreshed, or once it is revoked, it is invalid_grant."""
    tokens = auth.token(exchange(code_from(auth)))
    clock.advance_ms(CONSENT_LIFETIME_MS - 1)
    auth.token(refresh(tokens.refresh_token))
    clock.advance_ms(1)
    with pytest.raises(OAuthError, match="invalid_grant: Refresh token expired"):
        auth.token(refresh(tokens.refresh_token))
    other = auth.token(exchange(code_from(auth)))
    auth.revoke("owner")
    with pytest.raises(OAuthError, match="invalid_grant: Refresh token revoked"):
        auth.token(refresh(other.refresh_token))
