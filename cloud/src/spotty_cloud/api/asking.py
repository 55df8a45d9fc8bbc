"""Who asks, what stands in the body, and how both are told in the OpenAPI document."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from spotty_cloud.api.envelope import ProblemBody
from spotty_cloud.connections import Connections
from spotty_cloud.cursors import Cursors
from spotty_cloud.errors import NotSignedInError, UnfitError, UnsupportedError, unfit
from spotty_cloud.orders import Orders
from spotty_cloud.rooms import Rooms
from spotty_cloud.store import Store
from spotty_cloud.subscriptions import Subscriptions
from spotty_contract.faults import shorten
from spotty_contract.wire import Count, Wire, misfit

WireT = TypeVar("WireT", bound=Wire)

ASKED: list[type[Wire]] = []
"""Every shape that a body may have."""

_PROBLEMS: dict[int, str] = {
    400: "Unreadable: no JSON, or a cursor that is not of this list",
    401: "No ID token of this pool",
    404: "There is none, or it is not yours",
    409: "Changed meanwhile, there already, or the gateway is offline",
    413: "The body is too large",
    415: "The body is not said to be JSON",
    422: "Readable and wrong; details name the fields",
    429: "Too often; wait a moment, or as long as the details say",
    503: "AWS did not do its part; try again in a while",
}

_REFUSAL = {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}}}}
"""By name: of a model FastAPI would make a validator for each status of each route, a tenth of a cold start."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    store: Store
    rooms: Rooms
    orders: Orders
    cursors: Cursors
    connections: Connections
    live_endpoint: str
    subscriptions: Subscriptions
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Caller:
    """The person whose ID token came with the request."""

    user_id: str
    email: str
    """Only an address that they have shown to be theirs: who names another's would be told its mail, or end it."""


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _caller(request: Request) -> Caller:
    """By what API Gateway has verified; never by anything in the request itself."""
    context = request.scope.get("aws.event", {}).get("requestContext", {})
    claims = (context.get("authorizer") or {}).get("claims") or {}
    if not claims.get("sub") or claims.get("token_use") != "id":
        raise NotSignedInError("sign in and send the ID token in the header Authorization")
    _check_query(request)
    is_theirs = str(claims.get("email_verified")).lower() == "true"  # API Gateway makes text of it
    return Caller(claims["sub"], claims.get("email", "") if is_theirs else "")


def _check_query(request: Request) -> None:
    """That nothing is asked twice, and nothing of a route that has no parameters; each route reads its own."""
    asked = Counter(name for name, _ in parse_qsl(request.url.query, keep_blank_values=True))
    for name, times in asked.items():
        if times > 1:
            raise _strange(name, "it is given twice; keep one")
        if not request.scope["route"].dependant.query_params:
            raise _strange(name, "it is not known here; leave it out")


def _strange(name: str, words: str) -> UnfitError:
    field = shorten(name)
    return UnfitError(f"{field}: {words}", [{"field": field, "value": None, "bound": words}])


AllParts = Annotated[Parts, Depends(_parts)]
Signed = Annotated[Caller, Depends(_caller)]


def body_of(shape: type[WireT], *, secret: bool = False) -> Callable[[Request, Caller], Awaitable[WireT]]:
    """Reads the body as strictly as the contract does; of a `secret` one no refusal repeats a value."""
    ASKED.append(shape)

    async def read(request: Request, _: Signed) -> WireT:
        check_is_json(request)
        try:
            return shape.from_json(await request.body())
        except ValidationError as error:
            raise unfit(error, "body", secret=secret) from None if secret else error

    return read


def check_is_json(request: Request) -> None:
    """That the body is said to be JSON: no page of another origin can say so without being asked first."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedError("send the body as JSON, with Content-Type: application/json")


def asks(shape: type[Wire], **examples: Mapping[str, object]) -> dict[str, Any]:
    """How a body is told in the OpenAPI document."""
    content = {
        "schema": {"$ref": f"#/components/schemas/{shape.__name__}"},
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
    return {
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {"415": {"description": _PROBLEMS[415], **_REFUSAL}},
    }


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What else a route may answer; every route may say 401, 413, 422, 429 and 503."""
    told = sorted({401, 413, 422, 429, 503, *statuses})
    return {status: {"description": _PROBLEMS[status], **_REFUSAL} for status in told}


class ChangeAsked(Wire):
    """What to change; everything else stays. `version` is the one that the change was made from."""

    version: Count | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not any(value is not None for name, value in self if name in self.model_fields_set - {"version"}):
            raise misfit("it changes nothing: give a field to change")
        return self


class Asked(BaseModel):
    """Parameters of a query; an unknown one is refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class PageAsked(Asked):
    """A page of a list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, Field(max_length=1024)] | None = None
