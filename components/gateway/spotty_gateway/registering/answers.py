"""What the cloud's answers mean: the shape that was asked for, or what went wrong, by what may help.

No message holds a value of an answer, but for words of the cloud's that do not repeat our secret.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar

import requests
from pydantic import ValidationError
from urllib3.exceptions import TimeoutError as NotInTimeError

from spotty_contract.wire import Wire, fit
from spotty_gateway.refusals import retry_after_s
from spotty_gateway.registering.errors import AwayError, CloudTroubleError

MOST_WORDS_BYTES = 200

Shape = TypeVar("Shape", bound=Wire)


@dataclass(frozen=True, slots=True)
class Answer:
    """One of HTTP's, whole."""

    status: int
    headers: requests.structures.CaseInsensitiveDict[str]
    body: bytes


def read(shape: type[Shape], answer: Answer) -> Shape:
    """The shape in it. Raises CloudTroubleError."""
    try:
        return shape.from_json(answer.body)
    except ValidationError as error:
        # Not the values: one of them is the secret.
        faults = error.errors(include_url=False, include_context=False, include_input=False)
    if any(one["type"] == "json_invalid" for one in faults):
        raise AwayError("what answers is not SpottyPottySense's API, or its answer was cut off: check the address")
    fields = ", ".join(sorted({".".join(map(str, one["loc"])) or "the whole" for one in faults}))
    raise CloudTroubleError(
        f"the cloud's answer cannot be used ({fit(fields, MOST_WORDS_BYTES)}): are gateway and cloud of one version?"
    )


def trouble(answer: Answer, secret: str = "") -> CloudTroubleError:
    """An answer that is not the one asked for; `secret` was in the question."""
    status, said = answer.status, _words(answer, secret)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = retry_after_s(answer.headers)
        when = f"in {wait_s:.0f} s" if wait_s else "in a few minutes"
        return AwayError(f"the cloud is asked too much just now: run this again {when}", wait_s)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return AwayError(
            f"the cloud has trouble of its own ({status}): run this again in a few minutes",
            retry_after_s(answer.headers),
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return AwayError(
            f"that address leads elsewhere ({status}), which is not followed: check it, or the network's login page"
        )
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return CloudTroubleError(
            f"nothing registers gateways at that address ({status}): it should be the API's own, often ending in /api"
        )
    return CloudTroubleError(
        f"the cloud refuses ({status}){f': {said}' if said else ': check the address, or its log'}"
    )


def _words(answer: Answer, secret: str) -> str:
    """What the cloud says of its refusal, in one line; empty where it says nothing, or what it must not."""
    try:
        found = json.loads(answer.body)["error"]["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    if not isinstance(found, str) or (secret and secret in found):
        return ""
    return fit(found, MOST_WORDS_BYTES)


def said_at(answer: Answer) -> float | None:
    """When the cloud said it, by its own clock, in seconds since 1970; None where it does not tell."""
    try:
        found = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, OverflowError):  # the second for a zone or a year of many digits
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def unreachable(error: requests.RequestException) -> CloudTroubleError:
    """For a question that has come back without an answer."""
    if isinstance(error, requests.exceptions.SSLError):
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        return AwayError(
            f"that address does not prove who it is: check it, the network, and this computer's date ({today})"
        )
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return AwayError("what answers is not SpottyPottySense's API: check the address")
    if isinstance(error, requests.exceptions.InvalidURL):
        return CloudTroubleError("that address cannot be asked: check it")
    inner = error.args[0] if error.args else None
    if isinstance(error, requests.Timeout) or isinstance(
        inner, NotInTimeError
    ):  # the second, in the midst of an answer
        return AwayError("the cloud does not answer in time: check the network, then run this again")
    cause = getattr(inner, "reason", None) or error
    return AwayError(f"the cloud cannot be reached ({type(cause).__name__}): check the network and the address")
