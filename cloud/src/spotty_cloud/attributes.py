"""DynamoDB's own notation of values. boto3 has it too, but importing boto3 for it takes a fifth of a cold start."""

from collections.abc import Mapping
from typing import Any

Attributes = dict[str, Any]
"""An item, or a part of one, as DynamoDB writes it: `{"seq": {"N": "3"}}`."""


def attributes_of(item: Mapping[str, object]) -> Attributes:
    """An item; what is None is not in it."""
    return {name: attribute(value) for name, value in item.items() if value is not None}


def attribute(value: object) -> dict[str, Any]:
    """One value: of those that JSON knows, null excepted."""
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case Mapping():
            return {"M": attributes_of(value)}
        case list() | tuple():
            return {"L": [attribute(inner) for inner in value]}
    raise TypeError(f"a {type(value).__name__} stands in none of our items")


def item_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The item that this is."""
    return {name: _value(found) for name, found in attributes.items()}


def _value(found: Mapping[str, Any]) -> Any:  # noqa: ANN401  # whatever an item holds
    ((kind, value),) = found.items()
    match kind:
        case "N":
            return _number(value)
        case "M":
            return item_of(value)
        case "L":
            return [_value(inner) for inner in value]
    return value


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        return int(number) if number.is_integer() else number
