"""The template's routes and the code's own OpenAPI are one list: a route in one of them alone is dead or shut."""

import re
from typing import Any

import pytest
from fastapi import FastAPI
from tests.cloud.stack import TEMPLATE, Made, names_in, of_type, parsed, template

from spotty_cloud.api.app import create_app

Routes = dict[tuple[str, str], bool]
"""(method, path with its parameters unnamed) and whether it asks for a token."""

UNDOCUMENTED: Routes = {("GET", "/openapi.json"): False}
"""The document itself is not in the document."""


def opened(stack: Made, function: str) -> Routes:
    """What API Gateway lets through to a function."""
    (api,) = of_type(stack, "Serverless::Api").values()
    return {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path)): operation.get("security", []) == [{"Owner": []}]
        for path, item in api["DefinitionBody"]["paths"].items()
        for method, operation in item.items()
        if function in names_in(operation)
    }


def answered(app: FastAPI) -> Routes:
    """What the code answers."""
    document = app.openapi()
    for_all = document.get("security", [])
    return {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path)): operation.get("security", for_all) != []
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def api_app() -> FastAPI:
    """The api, which nobody will ask anything: only its routes are read."""
    nothing: Any = None
    return create_app(nothing)


def test_every_route_of_the_api_is_open_and_no_other() -> None:
    """Method, path, and whether a token is asked for."""
    assert opened(template(), "ApiFunction") == answered(api_app()) | UNDOCUMENTED


@pytest.mark.parametrize(
    "there, planted",
    [
        ("/analytics: {get: *api}", "/analytics: {post: *api}"),
        ("/sensors/{sensorId}/snooze:", "/sensors/{sensorId}/sleep:"),
        ("          /commands/{commandId}: {get: *api}\n", ""),
        ("/sessions: {get: *api}", "/sessions: {get: {x-amazon-apigateway-integration: *api_function}}"),
    ],
)
def test_a_route_that_differs_is_found(there: str, planted: str) -> None:
    """In its method, its path, its being there, its token."""
    text = TEMPLATE.read_text()
    assert there in text
    assert opened(parsed(text.replace(there, planted)), "ApiFunction") != answered(api_app()) | UNDOCUMENTED


def test_who_has_no_account_may_only_claim_poll_and_look_whether_we_live() -> None:
    """Everything else asks for a token before any code of ours runs."""
    stack = template()
    every = opened(stack, "ApiFunction") | opened(stack, "RegistrationFunction")
    assert {route for route, token in every.items() if not token} == {
        ("GET", "/health"),
        ("GET", "/openapi.json"),
        ("POST", "/devices/claims"),
        ("GET", "/devices/claims/{}"),
    }
    (api,) = of_type(stack, "Serverless::Api").values()
    throttled = {(one["HttpMethod"], one["ResourcePath"]) for one in api["MethodSettings"]}
    assert throttled == {("*", "/*"), ("POST", "/devices/claims"), ("GET", "/devices/claims/{claimId}")}
    (scheme,) = api["DefinitionBody"]["components"]["securitySchemes"].values()
    assert scheme["x-amazon-apigateway-authorizer"]["providerARNs"] == [{"Fn::GetAtt": ["UserPool", "Arn"]}]
