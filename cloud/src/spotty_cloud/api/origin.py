"""One other origin whose pages may ask, such as a dashboard in development; the site's own needs none of this."""

from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Scope

_METHODS = "DELETE, GET, POST, PUT"
_HEADERS = "Authorization, Content-Type, X-Request-ID"
_TOLD = "Retry-After, X-Request-ID"
_LASTS_S = 600


@dataclass(frozen=True, slots=True)
class Origin:
    """Exactly this origin, never any; empty for none."""

    name: str = ""

    def preflight(self, scope: Scope) -> Response | None:
        """What a browser is answered that asks whether it may ask; None where it is not that, or not from there."""
        if scope["method"] != "OPTIONS" or not self._is_asking(scope):
            return None
        if "access-control-request-method" not in Headers(scope=scope):
            return None
        headers = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": str(_LASTS_S),
        }
        return Response(status_code=204, headers=headers)

    def mark(self, scope: Scope, headers: MutableHeaders) -> None:
        """Say on an answer that this origin's pages may read it; nothing where there is none, or another one asks."""
        if not self.name:
            return
        headers.add_vary_header("Origin")
        if self._is_asking(scope):
            headers["Access-Control-Allow-Origin"] = self.name
            headers["Access-Control-Expose-Headers"] = _TOLD

    def _is_asking(self, scope: Scope) -> bool:
        return bool(self.name) and Headers(scope=scope).getlist("origin") == [self.name]
