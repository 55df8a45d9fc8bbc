"""How a policy travels: `desired` down, `reported` up, in a named shadow.

desired  = {v, policy}: the cloud's version, and the whole policy as ONE string of compact JSON.
reported = {v, outcome, rejection}: what became of that version; `rejection` is one string of JSON too, or null.

As strings, because the answer to a `get` repeats every field in `desired`, in `delta` and once more as metadata, and
the lite nucleus silently loses an answer above 4.9 kB.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from spotty_contract.faults import Fault, faults_in
from spotty_contract.policy import MAX_POLICY_BYTES
from spotty_contract.records import Part
from spotty_contract.wire import Wire, fit, told

MAX_ANSWER_BYTES = 4_900
MAX_WRITTEN_POLICY_BYTES = 2_000
"""A policy's bytes inside the string, where each of its quotes takes two: it stands in an answer twice."""
MAX_WRITTEN_REJECTION_BYTES = 380
MAX_CLIENT_TOKEN_BYTES = 64
MAX_VERSION = 2**31 - 1

_MAX_DOCUMENT_BYTES = 64 * 1024
"""Of what is read: a document's 8 kB with its metadata, and some."""

ShapeT = TypeVar("ShapeT", bound=Wire)


class ShadowError(Exception):
    """This cannot be a shadow's document of ours. `v` is the version it is about, where that can be told."""

    def __init__(self, what: str, v: int | None = None) -> None:
        super().__init__(what)
        self.v = v


@dataclass(frozen=True, slots=True)
class Desired:
    """A version of a policy, as text that nobody has checked yet."""

    v: int
    policy: str


class Rejection(Part):
    """One fault of a policy: the field, the value found (where it says something), and what is allowed."""

    field: Annotated[str, told(60)]
    value: Annotated[str, told(60)] | None = None
    bound: Annotated[str, told(160)]


_REJECTIONS: TypeAdapter[tuple[Rejection, ...]] = TypeAdapter(
    Annotated[tuple[Rejection, ...], Field(strict=False, max_length=16)]
)


@dataclass(frozen=True, slots=True)
class Reported:
    """What a gateway made of a version. Some of many rejections: a person mends those and hears of the rest."""

    v: int
    outcome: Literal["applied", "rejected"]
    rejections: tuple[Rejection, ...] = ()


class Order(StrEnum):
    """What to do with a version that has come."""

    SAME = "same"
    """It has been answered: say nothing, or deltas and reports go round for ever."""
    OLDER = "older"
    """Drop it."""
    NEWER = "newer"
    """Take it."""


def order_of(incoming_v: int, answered_v: int | None) -> Order:
    """How an incoming version stands to the last one that was answered, with whatever outcome."""
    if answered_v is None or incoming_v > answered_v:
        return Order.NEWER
    return Order.SAME if incoming_v == answered_v else Order.OLDER


def encode_desired(policy: Wire, v: int, client_token: str | None = None) -> bytes:
    """The update that asks a gateway for this policy. Raises ShadowError where it does not fit."""
    text = policy.to_json()
    if len(text.encode()) > MAX_POLICY_BYTES:
        raise ShadowError(f"it is {len(text.encode())} bytes as compact JSON; at most {MAX_POLICY_BYTES} fit", v)
    written = _written_bytes(text)
    if written > MAX_WRITTEN_POLICY_BYTES:
        raise ShadowError(
            f"it takes {written} bytes in a shadow; at most {MAX_WRITTEN_POLICY_BYTES} fit: "
            "shorten names or leave out windows",
            v,
        )
    return _update("desired", {"v": _version(v), "policy": text}, client_token)


def encode_reported(reported: Reported, client_token: str | None = None) -> bytes:
    """The update that answers a version. Of many rejections the first are told, as there is room: one at least."""
    return _update(
        "reported",
        {"v": _version(reported.v), "outcome": reported.outcome, "rejection": _rejection_text(reported.rejections)},
        client_token,
    )


def encode_get(client_token: str | None = None) -> bytes:
    """The request for a whole shadow."""
    return _document({}, client_token)


def read_desired(data: bytes) -> Desired | None:
    """What a whole document (the answer to a get, or AWS's API) asks for; None for nothing. Raises ShadowError."""
    desired = _object(_state(data).get("desired", {}), "state.desired")
    return _desired(desired) if desired else None


def read_delta(data: bytes) -> Desired | None:
    """What a delta asks for; None where it leaves `v` out: then it is the one reported already. Raises ShadowError."""
    state = _state(data)
    return _desired(state) if "v" in state else None


def read_reported(data: bytes) -> Reported | None:
    """What a whole document says of the gateway's last answer; None before the first. Raises ShadowError."""
    reported = _object(_state(data).get("reported", {}), "state.reported")
    if not reported:
        return None
    v, outcome, text = _v_in(reported, "reported"), reported.get("outcome"), reported.get("rejection")
    if outcome not in ("applied", "rejected"):
        raise ShadowError("reported.outcome: it should be applied or rejected", v)
    if text is None:
        return Reported(v, outcome)
    try:
        return Reported(v, outcome, _REJECTIONS.validate_json(text if isinstance(text, str) else b""))
    except ValidationError as error:
        raise ShadowError("reported.rejection: it should be the faults as a string of JSON", v) from error


@dataclass(frozen=True, slots=True)
class Refused:
    """AWS's answer to a get or an update that it did not carry out; 404 says that there is no such shadow."""

    code: int
    message: str


def read_rejected(data: bytes) -> Refused:
    """What `get/rejected` or `update/rejected` says. Raises ShadowError."""
    found = _object(_json(data), "the document")
    code, message = found.get("code"), found.get("message", "")
    if not isinstance(code, int) or isinstance(code, bool) or not isinstance(message, str):
        raise ShadowError("code and message: a refusal has a number and a text")
    return Refused(code, message[:200])


def judge(desired: Desired, shape: type[ShapeT]) -> ShapeT | tuple[Rejection, ...]:
    """The policy in it, or all that is wrong with it."""
    try:
        return shape.from_json(desired.policy.encode(errors="replace"))
    except ValidationError as error:
        return tuple(_rejection(fault) for fault in faults_in(error, "policy"))


def _rejection(fault: Fault) -> Rejection:
    return Rejection(field=fault.field, value=fault.value, bound=fault.bound)


def _rejection_text(rejections: tuple[Rejection, ...]) -> str | None:
    for count in range(len(rejections), 0, -1):
        text = _as_list(rejections[:count])
        if _written_bytes(text) <= MAX_WRITTEN_REJECTION_BYTES:
            return text
    if not rejections:
        return None
    field, bound = fit(rejections[0].field, 40), fit(rejections[0].bound, 80)
    return _as_list((Rejection(field=field, bound=bound),))  # one that is all quotes


def _as_list(rejections: tuple[Rejection, ...]) -> str:
    return f"[{','.join(one.to_json() for one in rejections)}]"


def _update(part: str, content: dict[str, Any], client_token: str | None) -> bytes:
    return _document({"state": {part: content}}, client_token)


def _document(content: dict[str, Any], client_token: str | None) -> bytes:
    if client_token is not None:
        if not client_token or len(client_token.encode()) > MAX_CLIENT_TOKEN_BYTES:
            raise ShadowError(f"a client token has 1 to {MAX_CLIENT_TOKEN_BYTES} bytes")
        content = {**content, "clientToken": client_token}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _written_bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


def _version(v: int) -> int:
    if not 0 <= v <= MAX_VERSION:
        raise ShadowError(f"v: {v} is no version; they go from 0 to {MAX_VERSION}")
    return v


def _desired(state: dict[str, Any]) -> Desired:
    v, policy = _v_in(state, "desired"), state.get("policy")
    if not isinstance(policy, str):
        raise ShadowError("desired.policy: it should be the whole policy as one string of JSON", v)
    return Desired(v, policy)


def _v_in(state: dict[str, Any], part: str) -> int:
    v = state.get("v")
    if not isinstance(v, int) or isinstance(v, bool) or not 0 <= v <= MAX_VERSION:
        raise ShadowError(f"{part}.v: it should be a version, a whole number from 0 to {MAX_VERSION}")
    return v


def _state(data: bytes) -> dict[str, Any]:
    return _object(_object(_json(data), "the document").get("state", {}), "state")


def _json(data: bytes) -> object:
    if len(data) > _MAX_DOCUMENT_BYTES:
        raise ShadowError(f"{len(data)} bytes are no shadow: at most {_MAX_DOCUMENT_BYTES} are read")
    try:
        return from_json(data)
    except ValueError as error:
        raise ShadowError(f"it is not JSON: {error}") from error


def _object(found: object, what: str) -> dict[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ShadowError(f"{what}: it should be an object with named fields")
    return found
