"""What is wrong with a shape, in words for the person who wrote it: the field, the value found, and what is allowed.

Pydantic names the one bound that was missed ("greater than or equal to 30"). A person wants both, and gets them from
the same JSON schema that the API publishes: what it says of a field is what the message says is allowed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, LiteralString

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

MISFIT: LiteralString = "misfit"
"""The type of an error whose message is told as it stands."""

_LONGEST_VALUE = 60
"""Characters of a value that a line repeats."""

_KINDS = {
    "number": "a number",
    "integer": "a whole number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object with named fields",
}
_BOUNDS = (
    ("minimum", "maximum", "from {} to {}"),
    ("minLength", "maxLength", "of {} to {} characters"),
    ("minItems", "maxItems", "of {} to {}"),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: the field as it was written, the value found (None where it says nothing) and what is allowed."""

    field: str
    value: str | None
    bound: str
    line: str
    """All of it, for a person."""


def faults_of(error: ValidationError, what: str) -> list[str]:
    """One line for each fault in a `what`: the field as it was written, the value found and what is allowed."""
    return [fault.line for fault in faults_in(error, what)]


def faults_in(error: ValidationError, what: str) -> list[Fault]:
    """The same, taken apart."""
    root = next((shape for shape in _shapes(BaseModel) if shape.__name__ == error.title), None)
    schema = {} if root is None else root.model_json_schema()
    details = error.errors(include_url=False)
    return [_fault(detail, what, schema) for detail in details if not _only_follows(detail, details)]


def _only_follows(detail: ErrorDetails, others: Sequence[ErrorDetails]) -> bool:
    """A list is too short for pydantic as soon as one thing in it is wrong; that thing is told already."""
    path = detail["loc"]
    return detail["type"] == "too_short" and any(
        len(one["loc"]) > len(path) and one["loc"][: len(path)] == path for one in others
    )


def shorten(value: object) -> str:
    """A value as it would be written in JSON, in one short line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)


def _shapes(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for shape in base.__subclasses__():
        yield shape
        yield from _shapes(shape)


def _fault(detail: ErrorDetails, what: str, root: Mapping[str, Any]) -> Fault:
    path = detail["loc"]
    field = _written(path) or what
    value = shorten(detail["input"])
    match detail["type"]:
        case "json_invalid":
            bound = f"is not JSON: {detail.get('ctx', {}).get('error', detail['msg'])}"
            return Fault(what, None, bound, f"{what} {bound}")
        case "extra_forbidden":
            bound = _meant(str(path[-1]), _at(root, path[:-1]))
            return Fault(field, value, bound, f"{field}: unknown field with the value {value}; {bound}")
        case "missing":
            bound = f"it should be {_allowed(_at(root, path))}"
            return Fault(field, None, bound, f"{field}: missing; {bound}")
        case "misfit":
            return Fault(field, None, detail["msg"], f"{field}: {detail['msg']}")
        case "value_error":
            bound = f"it should be {detail['msg'].removeprefix('Value error, ')}"
            return Fault(field, value, bound, f"{field}: {value} is not allowed: {bound}")
    allowed = _allowed(_at(root, path))
    bound = f"it should be {allowed}" if allowed else detail["msg"][:1].lower() + detail["msg"][1:]
    return Fault(field, value, bound, f"{field}: {value} is not allowed: {bound}")


def _written(path: Sequence[int | str]) -> str:
    """A field's name with the fields around it. An unknown one may be anything at all: it is kept to one short line."""
    name = ".".join(str(part) for part in path)
    return name if name.isprintable() and len(name) <= _LONGEST_VALUE else shorten(name)


def _meant(name: str, schema: Mapping[str, Any]) -> str:
    known = list(schema.get("properties", ()))
    close = get_close_matches(to_camel(name), known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known are {', '.join(known)}" if known else "remove it or correct its name"


def _at(root: Mapping[str, Any], path: Sequence[int | str]) -> Mapping[str, Any]:
    """What the schema says of the field at `path`; empty where it says nothing."""
    schema = _plain(root, root)
    for part in path:
        inner = schema.get("items", {}) if isinstance(part, int) else schema.get("properties", {}).get(to_camel(part))
        schema = _plain(inner or {}, root)
    return schema


def _plain(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself where it is only referred to, or where null is the alternative."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _plain(choice, root)
    if "$ref" in schema:
        return _plain(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    return schema


def _allowed(schema: Mapping[str, Any]) -> str:
    """In words; a field's own description says it best, where it has one."""
    kind = schema.get("type", "")
    if "description" in schema and kind != "object":
        return str(schema["description"])
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    words = _KINDS.get(kind, "")
    for least, most, phrase in _BOUNDS:
        if most in schema:
            return f"{words} {phrase.format(schema.get(least, 0), schema[most])}"
    return f"{words} like {schema['pattern']}" if "pattern" in schema else words
