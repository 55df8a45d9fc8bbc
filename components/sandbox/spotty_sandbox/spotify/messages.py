"""A request and an answer as plain data, so that everything but the socket can be used and tested without one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from .errors import SpotifyError, bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `path` has no query, header names are lower case, `body` is raw."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def user_agent(self) -> str:
        """What the client calls itself, or an empty string."""
        return self.headers.get("user-agent", "")

    def json(self) -> Json:
        """The body as a JSON object, {} when empty. Raises SpotifyError 400 for anything else."""
        if not self.body:
            return {}
        try:
            parsed = json.loads(self.body)
        except ValueError:
            raise bad_request("Error parsing JSON.") from None
        if not isinstance(parsed, dict):
            raise bad_request("Error parsing JSON.")
        return parsed

    def form(self) -> dict[str, str]:
        """The body as a form; of a repeated field the last value counts. Bytes that are no text give no field."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, with all of its headers but length, date and connection."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


NO_CONTENT = Answer(204)


def json_answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """`content` as compact JSON."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return Answer(status, body, {"content-type": "application/json; charset=utf-8", **(headers or {})})


def text_answer(
    text: str, kind: str = "text/plain", status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """`text` as UTF-8 of the media type `kind`."""
    return Answer(status, text.encode(), {"content-type": f"{kind}; charset=utf-8", **(headers or {})})


def error_answer(error: SpotifyError) -> Answer:
    """`{"error": {"status", "message", "reason"?}}`, the shape of every refusal of the Web API."""
    content: Json = {"status": error.status, "message": error.message}
    if error.reason is not None:
        content["reason"] = error.reason
    return json_answer({"error": content}, error.status)
