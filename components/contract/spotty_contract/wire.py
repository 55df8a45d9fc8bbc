"""What every shape on the wire has in common, and how it is read from JSON."""

import codecs
import json
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

from spotty_contract.faults import MISFIT, faults_of

__all__ = ["Count", "Percent", "Seconds", "UtcMs", "Wire", "Word", "faults_of", "fit", "misfit", "told"]

_LAST_MS = 253_402_300_799_999
"""The end of the year 9999, after which dates cannot be written."""


class Wire(BaseModel):
    """A frozen value: camelCase in JSON, snake_case in Python; unknown fields and `false` for 0 are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
    )

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read JSON in UTF-8 as a person or a program wrote it: camelCase names only, nothing said twice.

        Raises ValidationError; `faults_of` puts it into words.
        """
        data = data.removeprefix(codecs.BOM_UTF8)
        value = cls.model_validate_json(data, by_alias=True, by_name=False)
        try:
            json.loads(data, object_pairs_hook=_refuse_twins, parse_int=float)
        except _TwinsError as twins:
            fault = InitErrorDetails(type=misfit("it is given twice; keep one"), loc=(twins.name,), input=twins.value)
            raise ValidationError.from_exception_data(cls.__name__, [fault]) from twins
        return value

    def to_json(self) -> str:
        """Compact JSON, with defaults left out: what is stored and sent."""
        return self.model_dump_json(exclude_defaults=True)


class _TwinsError(Exception):
    """An object has two members of one name, of which JSON parsers silently drop one."""

    def __init__(self, name: str, value: object) -> None:
        super().__init__(name)
        self.name, self.value = name, value


def _refuse_twins(members: list[tuple[str, object]]) -> dict[str, object]:
    seen: dict[str, object] = {}
    for name, value in members:
        if name in seen:
            raise _TwinsError(name, value)
        seen[name] = value
    return seen


def misfit(what: str) -> PydanticCustomError:
    """For a validator to raise where single fields are good and do not fit together: `what` is told as it stands."""
    return PydanticCustomError(MISFIT, "{what}", {"what": what})


def _short(value: float) -> int | float:
    """300.0 is written 300: a policy has room for so many bytes. The union is what pydantic goes by."""
    return int(value) if value == int(value) else value


Seconds = Annotated[float, PlainSerializer(_short)]
"""A duration; a field says its bounds."""

Percent = Annotated[int, Field(ge=0, le=100)]

Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""How many there are; every JSON parser reads so much exactly."""

UtcMs = Annotated[int, Field(ge=0, le=_LAST_MS)]
"""An instant: milliseconds since 1970, UTC."""

Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A word of a vocabulary that may grow, such as a reason: whoever does not know it shows it as it is."""


def fit(text: str, most_bytes: int) -> str:
    """The text in one line of at most `most_bytes` as JSON in UTF-8, its quotes not counted; what is cut shows as …."""
    signs = [sign if sign.isprintable() else "\ufffd" for sign in text[: most_bytes + 1]]
    if sum(map(_written_bytes, signs)) <= most_bytes:
        return "".join(signs)
    left, kept = most_bytes - _written_bytes("…"), ""
    for sign in signs:
        left -= _written_bytes(sign)
        if left < 0:
            break
        kept += sign
    return f"{kept}…"


def _written_bytes(sign: str) -> int:
    return 2 if sign in '"\\' else len(sign.encode())


def told(most_bytes: int) -> BeforeValidator:
    """For text that only people read: it is cut where it is too long. A record is not lost for its prose."""
    return BeforeValidator(lambda text: fit(text, most_bytes) if isinstance(text, str) else text)
