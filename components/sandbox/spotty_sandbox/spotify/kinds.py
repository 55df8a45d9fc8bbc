"""Every kind of trouble by name: what it is, where it belongs and how it looks. For files and for chance."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import SpotifyError
from .faults import Fault
from .messages import Answer, error_answer, json_answer, text_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

API = "* /v1/*"
TOKENS = "POST /api/token"
ANYWHERE = "* *"
DAY_S = 86_400

_PORTAL = "<!doctype html><title>Welcome</title><h1>Accept the terms of this network to go online</h1>"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of trouble. `on` is what it can strike, `fields` are the fault's, `draw` makes some anew at random."""

    meaning: str
    on: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    draw: Callable[[random.Random], Mapping[str, Any]] | None = None


def _refusal(meaning: str, status: int, message: str, reason: str | None = None) -> Kind:
    return Kind(meaning, API, {"answer": error_answer(SpotifyError(status, message, reason))})


def _forbidden(reason: str, meaning: str, message: str = "Restriction violated") -> Kind:
    return _refusal(f"403 {reason}: {meaning}", 403, f"Player command failed: {message}", reason)


def _wait(least_s: int, most_s: int, answer: Answer) -> Callable[[random.Random], Mapping[str, Any]]:
    """A Retry-After between the two, each order of magnitude as likely as the other."""

    def draw(rng: random.Random) -> Mapping[str, Any]:
        wait_s = round(least_s * (most_s / least_s) ** rng.random())
        return {"answer": answer, "headers": {"retry-after": str(wait_s)}}

    return draw


def _limit(meaning: str, wait_s: int, least_s: int, most_s: int, reason: str | None = None) -> Kind:
    answer = too_many(reason)
    fields = {"answer": answer, "headers": {"retry-after": str(wait_s)}}
    return Kind(meaning, API, fields, _wait(least_s, most_s, answer))


def too_many(reason: str | None = None) -> Answer:
    """A 429 as Spotify words it, without its Retry-After; `reason` is QUOTA_EXCEEDED where the day's quota is gone."""
    message = "API rate limit exceeded" if reason is None else "Too many requests"
    return error_answer(SpotifyError(429, message, reason))


def _oauth(meaning: str, error: str, description: str) -> Kind:
    return Kind(meaning, TOKENS, {"answer": json_answer({"error": error, "error_description": description}, 400)})


def _page(status: int) -> Answer:
    return text_answer(f"<html><body><h1>{status}</h1>upstream connect error</body></html>", "text/html", status)


KINDS: dict[str, Kind] = {
    # Too many calls.
    "rate_limited": _limit("429 with Retry-After of seconds", 5, 1, 60),
    "rate_limited_long": _limit("429 with Retry-After of minutes to 24 h", DAY_S, 60, DAY_S),
    "rate_limited_bare": Kind("429 without Retry-After", API, {"answer": too_many()}),
    "rate_limited_odd": Kind("429 whose Retry-After is no number", API,
                             {"answer": too_many(), "headers": {"retry-after": "soon"}}),
    "quota_exceeded": _limit("429 QUOTA_EXCEEDED: the day's quota is gone, for hours", 48_925, 3_600, DAY_S,
                             "QUOTA_EXCEEDED"),
    # A yes that is none, and a no that is one.
    "accepted": Kind("202 where 204 is usual; obeyed", "[!G]* /v1/*", {"answer": Answer(202), "performed": True}),
    "accepted_ignored": Kind("202, and nothing happens", "[!G]* /v1/*", {"answer": Answer(202)}),
    "ok_ignored": Kind("204, and nothing happens", "[!G]* /v1/*", {"answer": Answer(204)}),
    "error_obeyed": Kind("500, but the command took effect", API, {"answer": _page(500), "performed": True}),
    # Who are you.
    "unauthorized": _refusal("401 although the token is good", 401, "Invalid access token"),
    "token_expired": _refusal("401 as if the token had expired", 401, "The access token expired"),
    "forbidden": _refusal("403 without a reason", 403, "Forbidden"),
    "forbidden_empty": Kind("403 without a body", API, {"answer": Answer(403)}),
    "premium_required": _forbidden("PREMIUM_REQUIRED", "as if Premium had ended", "Premium required"),
    "volume_disallowed": _forbidden("VOLUME_CONTROL_DISALLOW", "this volume is not yours",
                                    "Cannot control device volume"),
    "not_controllable": _forbidden("DEVICE_NOT_CONTROLLABLE", "this device takes no command",
                                   "Device not controllable"),
    "remote_disallowed": _forbidden("REMOTE_CONTROL_DISALLOW", "no remote control now"),
    "context_disallowed": _forbidden("CONTEXT_DISALLOW", "not with this context"),
    "already_paused": _forbidden("ALREADY_PAUSED", "as the retired reference had it"),
    "not_paused": _forbidden("NOT_PAUSED", "as the retired reference had it"),
    "already_playing": _forbidden("ALREADY_PLAYING", "as the retired reference had it"),
    "forbidden_limited": _forbidden("RATE_LIMITED", "skipped too often", "Rate limited"),
    "restricted": _forbidden("UNKNOWN", "Spotify does not say why"),
    # Not there.
    "no_active_device": _refusal("404 NO_ACTIVE_DEVICE", 404, "Player command failed: No active device found",
                                 "NO_ACTIVE_DEVICE"),
    "device_not_found": _refusal("404 without a reason", 404, "Device not found"),
    "not_found_empty": Kind("404 without a body", API, {"answer": Answer(404)}),
    # Broken servers and networks.
    "server_error": _refusal("500 in Spotify's shape", 500, "Internal server error"),
    "bad_gateway": Kind("502 with a page of HTML", ANYWHERE, {"answer": _page(502)}),
    "unavailable": Kind("503 without a body", ANYWHERE, {"answer": Answer(503)}),
    "unavailable_wait": Kind("503 with Retry-After", ANYWHERE, {"answer": Answer(503, b"", {"retry-after": "20"})}),
    "gateway_timeout": Kind("504, too late to know", ANYWHERE, {"answer": _page(504), "performed": True}),
    "slow": Kind("the true answer, two seconds late", ANYWHERE, {"delay_ms": 2_000},
                 lambda rng: {"delay_ms": rng.randrange(200, 9_000)}),
    "hang": Kind("no answer at all; not obeyed", ANYWHERE, {"ending": "hang"}),
    "hang_obeyed": Kind("no answer at all; obeyed", ANYWHERE, {"ending": "hang", "performed": True}),
    "reset": Kind("the connection breaks before anything happened", ANYWHERE, {"ending": "reset"}),
    "reset_obeyed": Kind("the connection breaks after the request took effect", ANYWHERE,
                         {"ending": "reset", "performed": True}),
    "truncated": Kind("half of the true answer, then the connection breaks", ANYWHERE, {"ending": "truncate"}),
    # Answers that are none.
    "portal": Kind("200 with somebody else's HTML: a captive portal", ANYWHERE,
                   {"answer": text_answer(_PORTAL, "text/html")}),
    "portal_redirect": Kind("302 to such a page", ANYWHERE, {"answer": Answer(302, b"", {"location": "/portal"})}),
    "empty": Kind("200 with nothing in it", ANYWHERE, {"answer": Answer(200), "performed": True}),
    "not_an_object": Kind("200 with a JSON list", ANYWHERE, {"answer": json_answer([]), "performed": True}),
    "error_text": Kind('500 with {"error": "…"}, a text where an object should be', ANYWHERE,
                       {"answer": json_answer({"error": "server_error"}, 500)}),
    "wrong_type": Kind("the true answer, as text/plain", ANYWHERE, {"headers": {"content-type": "text/plain"}}),
    # What plays, wrongly told.
    "no_context": Kind("what plays, without its context", "GET /v1/me/player", {"edits": {"context": None}}),
    "no_item": Kind("what plays, without its song", "GET /v1/me/player",
                    {"edits": {"item": None, "currently_playing_type": "unknown"}}),
    "no_device": Kind("what plays, without the device", "GET /v1/me/player", {"drops": ("device",)}),
    "no_devices": Kind("an empty list of devices", "GET /v1/me/player/devices", {"edits": {"devices": []}}),
    # The accounts service.
    "invalid_grant": _oauth("400 invalid_grant although the consent stands", "invalid_grant", "Refresh token revoked"),
    "invalid_client": _oauth("400 invalid_client", "invalid_client", "Invalid client"),
    "token_error": Kind('500 {"error": "server_error"}', TOKENS,
                        {"answer": json_answer({"error": "server_error", "error_description": "Try later"}, 500)}),
    "token_limited": Kind("429 from the accounts service", TOKENS,
                          {"answer": Answer(429, b"", {"retry-after": "10"})}),
    "rotated": Kind("a new refresh token in place of the old, which is dead", TOKENS, {"refresh_style": "rotate"}),
    "rotated_lost": Kind("the refresh token was replaced, and the answer got lost", TOKENS,
                         {"refresh_style": "rotate", "ending": "reset", "performed": True}),
    "no_refresh_token": Kind("no refresh token in the answer, not even to a code", TOKENS,
                             {"drops": ("refresh_token",)}),
    "no_access_token": Kind("200 without an access token", TOKENS, {"drops": ("access_token",)}),
    "expires_late": Kind("expires_in says ten hours; it is one", TOKENS, {"edits": {"expires_in": 36_000}}),
    "expires_soon": Kind("expires_in says one second", TOKENS, {"edits": {"expires_in": 1}}),
    "expires_oddly": Kind("expires_in is no number", TOKENS, {"edits": {"expires_in": "soon"}}),
    "date_off": Kind("a Date header that is a day off", ANYWHERE, {"date_off_s": float(DAY_S)},
                     lambda rng: {"date_off_s": float(rng.randrange(-DAY_S, DAY_S))}),
}  # fmt: skip
"""Every kind, by the name that files and the page use."""


def fault_of(kind: str, *, rng: random.Random | None = None, **told: Any) -> Fault:  # noqa: ANN401 - Fault's fields
    """A fault of a kind; `told` are fields of `Fault` that replace the kind's, `rng` draws those that vary.

    Raises KeyError for an unknown kind and TypeError for an unknown field.
    """
    known = KINDS[kind]
    drawn = known.draw(rng) if rng is not None and known.draw is not None else {}
    return Fault(**{"name": kind, "on": known.on, **known.fields, **drawn, **told})
