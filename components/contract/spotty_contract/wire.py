"""What every shape on the wire has in common, and how it is read from JSON."""

import codecs
import json
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

from spotty_contract.faults import MISFIT, faults_of

__all__ = ["Percent", "Seconds", "Wire", "faults_of", "misfit"]


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


def _short(value: float) -> float:
    """300.0 is written 300."""
    return int(value) if value == int(value) else value


Seconds = Annotated[float, PlainSerializer(_short)]
"""A duration; a field says its bounds."""

Percent = Annotated[int, Field(ge=0, le=100)]
