"""What a caller is told when something cannot be done. Each class is one reaction: what to do next differs."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import ValidationError

from spotty_contract.faults import faults_in

__all__ = [
    "CannotCarryOutError",
    "ConflictError",
    "MalformedError",
    "NotFoundError",
    "NotSignedInError",
    "RefusedError",
    "TooLargeError",
    "TooManyTriesError",
    "UnavailableError",
    "UnfitError",
    "UnsupportedError",
    "unfit",
]

_MOST_LINES = 3
_MOST_FAULTS = 50


class RefusedError(Exception):
    """A request is refused: `status`, a `code` for programs, a message for people, `details` where there are any."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "refused"
    retry_after_s: ClassVar[int | None] = None
    """Where the same request may well be answered later: how much later."""

    def __init__(self, message: str, details: object = None) -> None:
        super().__init__(message)
        self.message, self.details = message, details


class MalformedError(RefusedError):
    """Not readable at all: no JSON, or a cursor that is not ours. Build the request anew."""

    code = "malformed"


class NotSignedInError(RefusedError):
    """Sign in and come again."""

    status, code = 401, "unauthorized"


class NotFoundError(RefusedError):
    """There is none, or it is somebody else's: the two are told the same."""

    status, code = 404, "not_found"


class ConflictError(RefusedError):
    """It has changed meanwhile, or is there already: `details` hold what is there now. Look and decide."""

    status, code = 409, "conflict"


class TooLargeError(RefusedError):
    """Send less."""

    status, code = 413, "too_large"


class UnsupportedError(RefusedError):
    """Send JSON, and say so."""

    status, code = 415, "unsupported_media_type"


class UnfitError(RefusedError):
    """Readable and wrong: `details` name each field with what is allowed. Correct it."""

    status, code = 422, "invalid"


class TooManyTriesError(RefusedError):
    """Wrong too often: `details` say after how many seconds it may be tried again. Wait."""

    status, code = 429, "locked"


class CannotCarryOutError(RefusedError):
    """The gateway that would have to do it is not there. Look after it."""

    status, code = 409, "gateway_offline"


class UnavailableError(RefusedError):
    """AWS did not do its part. Try again in a while."""

    status, code = 503, "unavailable"
    retry_after_s = 5


def unfit(error: ValidationError, what: str, within: Sequence[str] = (), *, secret: bool = False) -> RefusedError:
    """What is wrong with a body, field by field; no value is repeated where any may be `secret`."""
    faults = faults_in(error, what)[:_MOST_FAULTS]
    if any(detail["type"] == "json_invalid" for detail in error.errors(include_url=False, include_input=False)):
        return MalformedError(f"{what} is not JSON" if secret else faults[0].line)
    prefix = "".join(f"{part}." for part in within)
    details = [
        {"field": f"{prefix}{one.field}", "value": None if secret else one.value, "bound": one.bound} for one in faults
    ]
    if secret:
        lines = [f"{prefix}{one.field}: {one.bound}" for one in faults]
    else:
        lines = [f"{prefix}{one.line}" for one in faults]
    return UnfitError("; ".join(lines[:_MOST_LINES]), details)
