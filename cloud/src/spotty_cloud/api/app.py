"""The API as a whole: its routes, its form of refusing, its OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from spotty_cloud.api import analytics, commands, gateways, health, my_data, sensors, sessions, spotify, users
from spotty_cloud.api.asking import ASKED, Parts
from spotty_cloud.api.envelope import answer_in_form

_ROUTERS = (sensors, users, my_data, sessions, analytics, gateways, spotify, commands, health)
_SCHEMA = "#/components/schemas/{model}"


def create_app(parts: Parts) -> FastAPI:
    """The API over these parts."""
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
    answer_in_form(app)
    for part in _ROUTERS:
        app.include_router(part.router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    return app


def _name_of(route: APIRoute) -> str:
    return route.name


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, and what it cannot know: bodies that we read ourselves, and who may ask."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        _, bodies = models_json_schema([(shape, "validation") for shape in ASKED], ref_template=_SCHEMA)
        components = document.setdefault("components", {})
        components["schemas"] = bodies.get("$defs", {}) | components.get("schemas", {})
        components["securitySchemes"] = {"idToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
        document["security"] = [{"idToken": []}]
        app.openapi_schema = document
    return app.openapi_schema
