"""One request through the simulated Spotify: struck by a fault or not, answered, written down. No sockets.

This is the seam where everything goes wrong. `server` adds what only a connection can do: waiting, hanging, breaking.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from . import consent, web_api
from .answers import Shapes
from .errors import SpotifyError, not_found
from .faults import FaultPlan
from .journal import Entry, Journal
from .limits import Patience
from .messages import Answer, error_answer, text_answer

if TYPE_CHECKING:
    from .accounts import Access
    from .faults import Fault
    from .limits import Limits
    from .messages import Json, Request
    from .world import SpotifyWorld


class Service:
    """The world behind its HTTP face. `api_url` (with trailing slash) is what `href`s in answers begin with.

    With `limits` an app is held to them, and to every Retry-After that it was told; without, its impatience is only
    written down.
    """

    def __init__(
        self,
        world: SpotifyWorld,
        faults: FaultPlan | None = None,
        api_url: str = "http://127.0.0.1/v1/",
        limits: Limits | None = None,
    ) -> None:
        self.world = world
        self.faults = faults if faults is not None else FaultPlan()
        self.journal = Journal()
        self.patience = Patience(limits)
        self.shapes = Shapes(api_url)
        self._started_ms = world.clock.now_ms()

    def strike(self, request: Request) -> Fault | None:
        """The fault that this request meets, if any; to be asked once a request."""
        if not self.faults:
            return None
        since_start_s = (self.world.clock.now_ms() - self._started_ms) / 1000
        return self.faults.strike(request.method, request.path, since_start_s)

    def respond(self, request: Request, fault: Fault | None = None) -> Answer | None:
        """Perform the request unless `fault` prevents it, and write it down; None where no answer is to be sent."""
        self.world.catch_up()
        at_ms = self.world.clock.now_ms()
        access = self._access(request)
        client_id = access.consent.client_id if access is not None else ""
        is_rude = self.patience.is_closed(client_id, at_ms) if request.path.startswith(web_api.PREFIX) else False
        answer = self._perform(request, client_id, at_ms, fault) if fault is None or fault.lets_through else None
        if fault is not None:
            answer = fault.changed(answer, at_ms) if fault.ending in ("complete", "truncate") else None
            if answer is not None and request.path.startswith(web_api.PREFIX):
                self.patience.note(client_id, answer, at_ms)
        self._write_down(request, answer, at_ms, fault, access, is_rude=is_rude)
        return answer

    def _access(self, request: Request) -> Access | None:
        if not request.path.startswith(web_api.PREFIX):
            return None
        return self.world.auth.access(request.headers.get("authorization", "").rpartition(" ")[2])

    def _perform(self, request: Request, client_id: str, at_ms: int, fault: Fault | None) -> Answer:
        match request.method, request.path:
            case _, path if path.startswith(web_api.PREFIX):
                refusal = self.patience.refusal(client_id, at_ms)
                return refusal or web_api.answer(self.world, self.shapes, request)
            case "POST", "/api/token":
                return consent.token_endpoint(self.world, request, fault.refresh_style if fault else None)
            case "GET" | "POST", "/authorize":
                return consent.authorize(self.world, request)
            case _, "/portal":
                return text_answer("<h1>This is not Spotify</h1>", "text/html")
            case _:
                return error_answer(not_found("Service not found"))

    def _write_down(
        self,
        request: Request,
        answer: Answer | None,
        at_ms: int,
        fault: Fault | None,
        access: Access | None,
        *,
        is_rude: bool,
    ) -> None:
        is_command = request.path.startswith(web_api.PREFIX)
        entry = Entry(
            request.method,
            request.path,
            # An authorize link carries the app's state and challenge, which are nobody else's business.
            request.query if is_command else {},
            answer.status if answer is not None else None,
            at_ms,
            request.user_agent,
            self.world.auth.app_name(access.consent.client_id) if access else "",
            _json_or_nothing(request) if is_command else {},
            fault.name if fault else None,
            _refusal(answer) if answer is not None and answer.status >= HTTPStatus.BAD_REQUEST else "",
            is_rude,
        )
        self.journal.add(entry)


def _json_or_nothing(request: Request) -> Json:
    try:
        return request.json()
    except SpotifyError:
        return {}


def _refusal(answer: Answer) -> str:
    """The message in an error's body, whatever its shape; empty when there is none."""
    try:
        error = json.loads(answer.body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return ""
