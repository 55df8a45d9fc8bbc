"""cloud/template.yaml as data: `!Ref x` is `{"Ref": x}`, and each function has what Globals says of all."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spotty_sandbox.aws import template as templates

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "cloud/template.yaml"

Made = dict[str, Any]
"""A resource, or a part of one."""


def parsed(text: str) -> Made:
    """The template that this text is."""
    found: Made = templates.parsed(text)
    return found


@functools.cache
def template() -> Made:
    """The stack's own; nobody changes it."""
    return parsed(TEMPLATE.read_text())


def of_type(stack: Made, kind: str) -> dict[str, Made]:
    """The properties of all resources of one type, by name."""
    return {name: one["Properties"] for name, one in stack["Resources"].items() if one["Type"] == f"AWS::{kind}"}


def functions(stack: Made) -> dict[str, Made]:
    """Every function as it will be."""
    for_all = stack["Globals"]["Function"]
    shared = for_all["Environment"]["Variables"]
    return {
        name: {
            **for_all,
            **own,
            "Environment": {"Variables": shared | own.get("Environment", {}).get("Variables", {})},
        }
        for name, own in of_type(stack, "Serverless::Function").items()
    }


def statements(role: Made) -> list[Made]:
    """What a role may do, one grant after the other."""
    return [one for policy in role.get("Policies", ()) for one in policy["PolicyDocument"]["Statement"]]


def listed(value: object) -> list[Any]:
    """One or many, as IAM writes them, as many."""
    return value if isinstance(value, list) else [value]


def names_in(part: object) -> Iterator[str]:
    """The resources and parameters that a part of the template refers to."""
    match part:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [name, *_]}:
            yield name
        case {"Fn::Sub": [str(text), Mapping() as given]}:
            yield from (name for name in _placeholders(text) if name not in given)
            yield from names_in(given)
        case {"Fn::Sub": str(text)}:
            yield from _placeholders(text)
        case Mapping():
            for inner in part.values():
                yield from names_in(inner)
        case list():
            for inner in part:
                yield from names_in(inner)


def _placeholders(text: str) -> Iterator[str]:
    for piece in text.split("${")[1:]:
        name = piece.split("}")[0]
        if not name.startswith(("!", "AWS::")):
            yield name.split(".")[0]
