"""Who asks, what stands in the body, and how both are told in the OpenAPI document."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from spotty_cloud.api.envelope import ProblemBody
from spotty_cloud.cursors import Cursors
from spotty_cloud.errors import NotSignedInError, unfit
from spotty_cloud.orders import Orders
from spotty_cloud.rooms import Rooms
from spotty_cloud.store import Store
from spotty_contract.wire import Wire

WireT = TypeVar("WireT", bound=Wire)

ASKED: list[type[Wire]] = []
"""Every shape that a body may have."""

_PROBLEMS = {
    400: "Unreadable: no JSON, or a cursor that is not of this list",
    401: "No ID token of this pool",
    404: "There is none, or it is not yours",
    409: "Changed meanwhile, there already, or the gateway is offline",
    413: "The body is too large",
    422: "Readable and wrong; details name the fields",
    503: "AWS did not do its part; try again in a while",
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    store: Store
    rooms: Rooms
    orders: Orders
    cursors: Cursors
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Caller:
    """The person whose ID token came with the request."""

    user_id: str
    email: str


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _caller(request: Request) -> Caller:
    """By what API Gateway has verified; never by anything in the request itself."""
    context = request.scope.get("aws.event", {}).get("requestContext", {})
    claims = (context.get("authorizer") or {}).get("claims") or {}
    if not claims.get("sub") or claims.get("token_use") != "id":
        raise NotSignedInError("sign in and send the ID token as Authorization: Bearer ...")
    return Caller(claims["sub"], claims.get("email", ""))


AllParts = Annotated[Parts, Depends(_parts)]
Signed = Annotated[Caller, Depends(_caller)]


def body_of(shape: type[WireT], *, secret: bool = False) -> Callable[[Request, Caller], Awaitable[WireT]]:
    """Reads the body as strictly as the contract does; of a `secret` one no refusal repeats a value."""
    ASKED.append(shape)

    async def read(request: Request, _: Signed) -> WireT:
        try:
            return shape.from_json(await request.body())
        except ValidationError as error:
            raise unfit(error, "body", secret=secret) from None if secret else error

    return read


def asks(shape: type[Wire], **examples: Mapping[str, object]) -> dict[str, Any]:
    """How a body is told in the OpenAPI document."""
    content = {
        "schema": {"$ref": f"#/components/schemas/{shape.__name__}"},
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What else a route may answer; every route may say 401, 413, 422 and 503."""
    told = sorted({401, 413, 422, 503, *statuses})
    return {status: {"model": ProblemBody, "description": _PROBLEMS[status]} for status in told}


class Asked(BaseModel):
    """Parameters of a query; an unknown one is refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class PageAsked(Asked):
    """A page of a list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, Field(max_length=1024)] | None = None
