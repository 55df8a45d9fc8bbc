"""Conditional writes in DynamoDB's words, put together in one place."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from spotty_cloud.attributes import attribute, attributes_of

_NAME = re.compile(r"#(\w+)")

TableName = Literal["sensors", "sessions", "events", "gateways", "commands"]
KEYS: Mapping[TableName, str] = {
    "sensors": "sensorId",
    "sessions": "sessionId",
    "events": "eventId",
    "gateways": "gatewayId",
    "commands": "commandId",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What the client is asked, its table's name excepted."""

    operation: Literal["put_item", "update_item"]
    arguments: Mapping[str, Any]


def put(item: Mapping[str, object], condition: str, values: Mapping[str, object] | None = None) -> Request:
    """Write a whole item where the condition holds: `#name` is an attribute, `:name` a value given here."""
    return Request("put_item", {"Item": attributes_of(item), **_conditional(condition, condition, values or {})})


def update(
    key: Mapping[str, str],
    sets: Mapping[str, object],
    condition: str,
    values: Mapping[str, object],
    removes: Sequence[str] = (),
) -> Request:
    """Change some attributes where the condition holds; it says what they were before."""
    words = f"SET {', '.join(f'#{name} = :new_{name}' for name in sets)}"
    if removes:
        words += f" REMOVE {', '.join(f'#{name}' for name in removes)}"
    new = {f"new_{name}": value for name, value in sets.items()}
    return Request(
        "update_item",
        {
            "Key": attributes_of(key),
            "UpdateExpression": words,
            "ReturnValues": "UPDATED_OLD",
            **_conditional(condition, words + condition, {**values, **new}),
        },
    )


def _conditional(condition: str, words: str, values: Mapping[str, object]) -> dict[str, Any]:
    return {
        "ConditionExpression": condition,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ExpressionAttributeNames": {f"#{name}": name for name in _NAME.findall(words)},
        **(
            {"ExpressionAttributeValues": {f":{name}": attribute(one) for name, one in values.items()}}
            if values
            else {}
        ),
    }
