"""The template's routes and the code's own OpenAPI are one list: a route in one of them alone is dead or shut."""

import re
from typing import Any

import pytest
from tests.cloud.stack import TEMPLATE, Made, names_in, of_type, parsed, template

from spotty_cloud.api.app import create_app

Routes = dict[tuple[str, str], bool]
"""(method, path with its parameters unnamed) and whether it asks for a token."""

UNDOCUMENTED: Routes = {("GET", "/openapi.json"): False, ("GET", "/docs"): False, ("GET", "/docs/{}"): False}
"""The document itself is not in the document, nor the page that shows it."""


def opened(stack: Made, function: str) -> Routes:
    """What API Gateway lets through to a function."""
    (api,) = of_type(stack, "Serverless::Api").values()
    return {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path)): operation.get("security", []) == [{"Owner": []}]
        for path, item in api["DefinitionBody"]["paths"].items()
        for method, operation in item.items()
        if method != "options" and function in names_in(operation)
    }


def documented(*, by_registration: bool = False) -> Routes:
    """What the document tells, of the api's own routes or of registration's."""
    nothing: Any = None  # nobody will ask the app anything: only its document is read
    document = create_app(nothing).openapi()
    for_all = document.get("security", [])
    return {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path)): operation.get("security", for_all) != []
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if ("registration" in operation["tags"]) == by_registration
    }


def preflights(stack: Made) -> dict[str, bool]:
    """Of each path, whether a browser may ask before it asks: without a token, since it sends none then."""
    (api,) = of_type(stack, "Serverless::Api").values()
    return {
        path: "ApiFunction" in names_in(item.get("options", {})) and "security" not in item["options"]
        for path, item in api["DefinitionBody"]["paths"].items()
        if not path.startswith("/docs")
    }


def test_every_route_of_the_api_is_open_and_no_other() -> None:
    """Method, path, and whether a token is asked for; each leads to the function that answers it."""
    assert opened(template(), "ApiFunction") == documented() | UNDOCUMENTED
    assert opened(template(), "RegistrationFunction") == documented(by_registration=True)


def test_a_browser_may_ask_of_every_route_whether_it_may() -> None:
    """One function answers for all; what it answers is in test_origin.py."""
    assert all(preflights(template()).values())
    planted = TEMPLATE.read_text().replace("/analytics: {get: *api, options: *preflight}", "/analytics: {get: *api}")
    assert [path for path, can in preflights(parsed(planted)).items() if not can] == ["/analytics"]


@pytest.mark.parametrize(
    "there, planted",
    [
        ("/analytics: {get: *api,", "/analytics: {post: *api,"),
        ("/sensors/{sensorId}/snooze:", "/sensors/{sensorId}/sleep:"),
        ("          /commands/{commandId}: {get: *api, options: *preflight}\n", ""),
        ("/sessions: {get: *api,", "/sessions: {get: {x-amazon-apigateway-integration: *api_function},"),
    ],
)
def test_a_route_that_differs_is_found(there: str, planted: str) -> None:
    """In its method, its path, its being there, its token."""
    text = TEMPLATE.read_text()
    assert there in text
    assert opened(parsed(text.replace(there, planted)), "ApiFunction") != documented() | UNDOCUMENTED


def test_who_has_no_account_may_only_claim_poll_and_look_whether_we_live() -> None:
    """Everything else asks for a token before any code of ours runs."""
    stack = template()
    every = opened(stack, "ApiFunction") | opened(stack, "RegistrationFunction")
    assert {route for route, token in every.items() if not token} == {
        ("GET", "/health"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/docs/{}"),
        ("POST", "/devices/claims"),
        ("GET", "/devices/claims/{}"),
    }
    (api,) = of_type(stack, "Serverless::Api").values()
    # As CloudFormation names a route's settings: `~1` for each slash but the one before it all.
    throttled = {(one["HttpMethod"], one["ResourcePath"]) for one in api["MethodSettings"]}
    assert throttled == {("*", "/*"), ("POST", "/~1devices~1claims"), ("GET", "/~1devices~1claims~1{claimId}")}
    (scheme,) = api["DefinitionBody"]["components"]["securitySchemes"].values()
    assert scheme["x-amazon-apigateway-authorizer"]["providerARNs"] == [{"Fn::GetAtt": ["UserPool", "Arn"]}]
