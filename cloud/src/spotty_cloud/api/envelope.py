"""Around every answer: a request id, a bound on what is read, and one form for everything that went wrong."""

import logging
import re
import secrets
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spotty_cloud.api.origin import Origin
from spotty_cloud.errors import RefusedError, TooLargeError, UnavailableError
from spotty_contract.records import Part

LOG = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 * 1024
"""A policy has 1.8 kB; nothing that we are sent is much longer."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WRONG_METHOD = 405
_CODES = {404: "not_found", _WRONG_METHOD: "method_not_allowed"}
_OUR_FAULTS = frozenset({"ValidationException", "SerializationException", "InvalidRequestException"})


class Problem(Part):
    """What went wrong: `code` for programs, `message` for people."""

    code: str
    message: str
    details: Any = Field(default=None, description="fields with what is allowed, or what is there now")
    request_id: str = Field(serialization_alias="request_id")


class ProblemBody(Part):
    """The form of every answer that is not a success."""

    error: Problem


class Envelope:
    """The outermost part of the app."""

    def __init__(self, app: ASGIApp, origin: Origin) -> None:
        self._app, self._origin = app, origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the request an id, and answer whatever nobody else has."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope.setdefault("state", {})["request_id"] = _request_id(scope)

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers.setdefault("Cache-Control", "no-store")
                self._origin.mark(scope, headers)
            await send(message)

        answer = self._origin.preflight(scope)
        try:
            if answer is None and (problem := _too_large(scope)) is not None:
                answer = _answer(request_id, problem)
            if answer is None:
                await self._app(scope, receive, send_named)
        except Exception as error:  # the last place: the caller is told by id, the log says what it was
            if _by_aws(error):
                LOG.exception("AWS did not answer request %s", request_id)
                answer = _answer(request_id, UnavailableError("it cannot be done just now; try again in a while"))
            else:
                LOG.exception("request %s failed", request_id)
                words = "something went wrong here; it is in the log by request_id"
                answer = _form(500, "internal", words, request_id)
        if answer is not None:
            await answer(scope, receive, send_named)


def answer_in_form(app: FastAPI, origin: str = "") -> None:
    """Everything that FastAPI and we refuse is answered in one form; pages of `origin` may read all answers."""

    async def refused(request: Request, error: Exception) -> JSONResponse:
        answer = _answer(request.state.request_id, error)
        if answer.status_code == _WRONG_METHOD:
            answer.headers["Allow"] = _methods_at(app, request.scope["path"])
        return answer

    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(RequestValidationError, refused)
    app.add_exception_handler(HTTPException, refused)
    app.add_middleware(Envelope, origin=Origin(origin))


def _methods_at(app: FastAPI, path: str) -> str:
    """Every method of a path: the document knows them all, the router names those of its first route there."""
    paths = app.openapi()["paths"]
    found = {method.upper() for one in paths if compile_path(one)[0].match(path) for method in paths[one]}
    return ", ".join(sorted(found)) or "GET"  # the document itself and its page are not in it


def _by_aws(error: Exception) -> bool:
    """Whether AWS may answer the same request later. A request that it cannot read is our own fault, for good."""
    match error:
        case ParamValidationError():
            return False
        case ClientError():
            return error.response.get("Error", {}).get("Code") not in _OUR_FAULTS
    return isinstance(error, BotoCoreError)


def _answer(request_id: str, error: Exception) -> JSONResponse:
    match error:
        case RefusedError():
            answer = _form(error.status, error.code, error.message, request_id, error.details)
            if error.retry_after_s is not None:
                answer.headers["Retry-After"] = str(error.retry_after_s)
            return answer
        case RequestValidationError():
            details = [
                {"field": str(one["loc"][-1]), "value": None, "bound": str(one["msg"])} for one in error.errors()
            ]
            words = "; ".join(f"{one['field']}: {one['bound']}" for one in details[:3])
            return _form(422, "invalid", words, request_id, details)
        case HTTPException():
            code = _CODES.get(error.status_code, "refused")
            answer = _form(error.status_code, code, error.detail, request_id)
            answer.headers.update(error.headers or {})
            return answer
    raise error


def _form(status: int, code: str, message: str, request_id: str, details: object = None) -> JSONResponse:
    content = {"error": {"code": code, "message": message, "details": details, "request_id": request_id}}
    return JSONResponse(content, status)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    if _REQUEST_ID.fullmatch(given):
        return given
    context = scope.get("aws.event", {}).get("requestContext", {})
    return str(context.get("requestId") or secrets.token_urlsafe(12))


def _too_large(scope: Scope) -> TooLargeError | None:
    """Mangum has the whole body before we have: what its event holds is what there is."""
    event = scope.get("aws.event", {})
    body = event.get("body") or ""
    size = len(body) * 3 // 4 - 2 if event.get("isBase64Encoded") else len(body.encode(errors="replace"))
    if size <= MAX_BODY_BYTES:
        return None
    return TooLargeError(f"a body of {size} bytes: at most {MAX_BODY_BYTES} are read")
