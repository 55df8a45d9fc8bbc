import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.cloud.world import World

from spotty_cloud.api.app import create_app
from spotty_cloud.api.asking import ASKED


@pytest.fixture(scope="module")
def document(world: World) -> dict[str, Any]:
    """The OpenAPI document as it is served."""
    served = world.ask("GET", "/openapi.json", user=None)
    assert served.status == 200
    assert served.body == json.loads(json.dumps(create_app(world.parts).openapi()))
    found: dict[str, Any] = served.body
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every route with its description."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(value: object) -> Iterator[str]:
    """Everything that the document refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_nothing_is_referred_to_that_is_not_there(document: dict[str, Any]) -> None:
    """Every reference leads to a schema of the document."""
    known = {f"#/components/{kind}/{name}" for kind, named in document["components"].items() for name in named}
    assert set(references(document)) <= known


def test_every_route_says_what_it_answers(document: dict[str, Any]) -> None:
    """A sentence, a success, and the refusals that all may get, in our form and not in FastAPI's."""
    for name, operation in operations(document):
        if name == "GET /health":
            assert operation["security"] == []
            continue
        assert operation["description"], name
        signed = {"401"} if operation.get("security") != [] else set()
        assert {"413", "503", *signed} <= operation["responses"].keys(), name
        assert ("requestBody" in operation) == ("415" in operation["responses"]), name
        assert any(status.startswith("2") for status in operation["responses"]), name
    assert "HTTPValidationError" not in str(document["paths"])
    assert document["security"] == [{"idToken": []}]
    assert document["servers"] == [{"url": "."}]  # wherever the document was found, the API is


def test_every_body_is_told_with_examples_that_are_good(document: dict[str, Any]) -> None:
    """The examples pass their own schema, and the reader that the route uses."""
    shapes = {shape.__name__: shape for shape in ASKED}
    told = 0
    for name, operation in operations(document):
        if name.split()[0] not in {"POST", "PUT"}:
            continue
        content = operation["requestBody"]["content"]["application/json"]
        schema = {**content["schema"], "components": document["components"]}
        assert content["examples"], name
        for example in content["examples"].values():
            Draft202012Validator(schema).validate(example["value"])
            shapes[content["schema"]["$ref"].rpartition("/")[2]].from_json(json.dumps(example["value"]).encode())
            told += 1
    assert told >= 20
