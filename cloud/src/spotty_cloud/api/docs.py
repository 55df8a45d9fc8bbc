"""Swagger UI over our own OpenAPI document. Everything that the page loads comes from here."""

import importlib.util
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response

from spotty_cloud.errors import NotFoundError

router = APIRouter(include_in_schema=False)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For who comes without the site before us; behind it the site's own holds."""

_BUNDLE = "fastapi_standalone_docs"
_A_DAY = "public, max-age=86400"

# Relative throughout: behind the site this is /api/docs, at the API's own address it stands behind the stage.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SpottyPottySense: the API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"""
_KINDS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}


@router.get("/docs")
def read_page() -> Response:
    """The page itself."""
    return Response(_PAGE, media_type="text/html", headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


@router.get("/docs/{name}")
def read_file(name: str) -> Response:
    """What the page loads."""
    if name == "start.js":
        return Response(_START, media_type="text/javascript")
    if name not in _KINDS:
        raise NotFoundError("there is no such file")
    return Response(_bundled(name), media_type=_KINDS[name], headers={"Cache-Control": _A_DAY})


@cache
def _bundled(name: str) -> bytes:
    """A file of the package that brings Swagger UI; its code is never run."""
    spec = importlib.util.find_spec(_BUNDLE)
    if spec is None or spec.submodule_search_locations is None:
        raise RuntimeError(f"{_BUNDLE} is not installed")
    return (Path(spec.submodule_search_locations[0]) / "static" / "swagger" / name).read_bytes()
