"""Whether the API is there at all; the one route for anybody."""

from typing import Literal

from fastapi import APIRouter

from spotty_contract.records import Part

router = APIRouter(tags=["health"])


class Health(Part):
    """It is."""

    status: Literal["ok"] = "ok"


@router.get("/health", openapi_extra={"security": []})
def read_health() -> Health:
    """Nothing is looked at but the API itself."""
    return Health()
