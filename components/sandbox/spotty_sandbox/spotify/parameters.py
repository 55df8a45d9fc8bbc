"""Reading what a request says: the body of PUT play, and the numbers and words of a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from . import errors
from .commands import PlayRequest

if TYPE_CHECKING:
    from .messages import Json, Request

_T = TypeVar("_T", str, int)


def play_request(body: Json) -> PlayRequest:
    """The body of PUT play. Raises SpotifyError 400 naming the field that cannot be read."""
    uris, offset = body.get("uris"), body.get("offset") or {}
    if uris is not None and not (isinstance(uris, list) and all(isinstance(uri, str) for uri in uris)):
        raise errors.bad_request("Malformed json: uris")
    if not isinstance(offset, dict):
        raise errors.bad_request("Malformed json: offset")
    return PlayRequest(
        context_uri=_field(body, "context_uri", str),
        uris=None if uris is None else tuple(uris),
        offset_position=_field(offset, "position", int),
        offset_uri=_field(offset, "uri", str),
        position_ms=max(0, _field(body, "position_ms", int) or 0),
    )


def _field(body: Json, name: str, kind: type[_T]) -> _T | None:
    value = body.get(name)
    if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
        return value
    raise errors.bad_request(f"Malformed json: {name}")


def integer(request: Request, name: str) -> int:
    """A required whole number of the query. Raises SpotifyError 400 naming it."""
    try:
        return int(request.query[name])
    except KeyError:
        raise errors.bad_request(f"Required parameter {name} missing") from None
    except ValueError:
        raise errors.bad_request(f"Invalid {name}") from None


def choice(request: Request, allowed: tuple[str, ...]) -> str:
    """The query's `state`, one of `allowed`. Raises SpotifyError 400 for any other."""
    state = request.query.get("state", "")
    if state not in allowed:
        raise errors.bad_request(f"state must be one of {', '.join(allowed)}")
    return state


def page(request: Request, limit: int, most: int) -> tuple[int, int]:
    """`limit` (default as given, 1..most) and `offset` (default 0) of the query. Raises SpotifyError 400."""
    limit = integer(request, "limit") if "limit" in request.query else limit
    offset = integer(request, "offset") if "offset" in request.query else 0
    if not 1 <= limit <= most:
        raise errors.bad_request("Invalid limit")
    if offset < 0:
        raise errors.bad_request("Invalid offset")
    return limit, offset
