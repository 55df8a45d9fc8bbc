"""The REST API as an app of its owner speaks to it."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from .errors import HomeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATIENCE_S = 60.0
"""Of one request; the cold start of a function on a busy laptop is in it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    """Read as JSON; None where there is none."""

    @property
    def is_good(self) -> bool:
        """Whether it was done."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


@dataclass(frozen=True, slots=True)
class Api:
    """Where it is, and who asks: `token()` is their ID token as it is now."""

    url: str
    token: Callable[[], str]

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, whatever the answer. `headers` instead of the token: as nobody. Raises HomeError: none came."""
        where = urlsplit(self.url)
        sent = {"Authorization": self.token()} if headers is None else dict(headers)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE_S)
        target = f"{where.path}{path}{f'?{urlencode(query)}' if query else ''}"
        data = None if body is None else json.dumps(body)
        try:
            connection.request(method, target, data, {"Content-Type": "application/json", **sent})
            answer = connection.getresponse()
            text = answer.read()
            return Answer(answer.status, json.loads(text) if text else None)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HomeError(f"{method} {path}: the API does not answer ({type(error).__name__}: {error})") from None
        finally:
            connection.close()

    def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - whatever JSON there is
        """What stands there. Raises HomeError for a refusal."""
        return self._done("GET", path, self.ask("GET", path, query=query))

    def ask_after(self, path: str) -> Answer:
        """What stands there, or a 404. Raises HomeError for any other refusal: it says nothing about what is there."""
        answer = self.ask("GET", path)
        if answer.status != HTTPStatus.NOT_FOUND:
            self._done("GET", path, answer)
        return answer

    def change(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - as above
        """What has become of it. Raises HomeError for a refusal."""
        return self._done(method, path, self.ask(method, path, body))

    def _done(self, method: str, path: str, answer: Answer) -> Any:  # noqa: ANN401 - as above
        if not answer.is_good:
            raise HomeError(f"{method} {path}: {answer.status}, {_why(answer.body)}")
        return answer.body


def _why(body: object) -> str:
    match body:
        case {"error": {"message": str(message)}} | {"message": str(message)}:
            return message
    return "without a word why"
