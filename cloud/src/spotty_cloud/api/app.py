"""The API as a whole: its routes, its form of refusing, its OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from spotty_cloud.api import (
    analytics,
    commands,
    docs,
    gateways,
    health,
    live,
    my_data,
    sensors,
    sessions,
    spotify,
    users,
)
from spotty_cloud.api.asking import ASKED, Parts
from spotty_cloud.api.envelope import ProblemBody, answer_in_form

_ROUTERS = (sensors, users, my_data, sessions, analytics, gateways, spotify, commands, live, health, docs)
_SCHEMA = "#/components/schemas/{model}"
_ID_TOKEN = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "The ID token of somebody who has signed in, as it is; an access token is refused.",
}
"""What the authorizer before us takes."""


def create_app(parts: Parts, origin: str = "") -> FastAPI:
    """The API over these parts; pages of `origin` may ask too. Its document tells registration's routes as well."""
    app = FastAPI(
        title="SpottyPottySense",
        version="1",
        summary="What a household sets and sees; the gateway decides.",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        generate_unique_id_function=_name_of,
    )
    app.state.parts = parts
    answer_in_form(app, origin)
    for part in _ROUTERS:
        app.include_router(part.router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    return app


def _name_of(route: APIRoute) -> str:
    return route.name


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, and what it cannot know: registration's routes, bodies that we read, and who may ask."""
    if app.openapi_schema is None:
        from spotty_cloud.registration.routes import router as registration  # noqa: PLC0415 - nothing else here needs it

        whole = FastAPI(generate_unique_id_function=_name_of, separate_input_output_schemas=False)
        for router in (*(part.router for part in _ROUTERS), registration):
            whole.include_router(router)
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=whole.routes, servers=[{"url": "."}]
        )
        told: list[tuple[type[BaseModel], JsonSchemaMode]] = [(shape, "validation") for shape in ASKED]
        _, bodies = models_json_schema([*told, (ProblemBody, "serialization")], ref_template=_SCHEMA)
        components = document.setdefault("components", {})
        components["schemas"] = bodies.get("$defs", {}) | components.get("schemas", {})
        components["securitySchemes"] = {"idToken": _ID_TOKEN}
        document["security"] = [{"idToken": []}]
        _name_headers(document)
        app.openapi_schema = document
    return app.openapi_schema


def _name_headers(document: dict[str, Any]) -> None:
    """Every answer has an id, and some say when to come again."""
    components, wait = document["components"], {"429", "503"}
    components["headers"] = {
        "RequestId": {"description": "names this request in our logs", "schema": {"type": "string"}},
        "RetryAfter": {"description": "seconds to wait, where it is known", "schema": {"type": "integer"}},
    }
    for item in document["paths"].values():
        for operation in item.values():
            for status, response in operation["responses"].items():
                headers = response.setdefault("headers", {})
                headers["X-Request-ID"] = {"$ref": "#/components/headers/RequestId"}
                if status in wait:
                    headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
