"""The way in to live updates: a ticket, since a browser's WebSocket can carry no token."""

from typing import Annotated

from fastapi import APIRouter, Depends

from spotty_cloud.api.asking import AllParts, Signed, asks, body_of, problems
from spotty_cloud.api.commands import Nothing
from spotty_contract.records import Part
from spotty_contract.wire import UtcMs

router = APIRouter(tags=["live"])


class LiveTicket(Part):
    """Connect to `url` with `?ticket=...` before it expires: it is good for one connection, of two hours at most."""

    ticket: str
    url: str
    expires_at: UtcMs


@router.post("/live/tickets", status_code=201, responses=problems(400), openapi_extra=asks(Nothing, ordinary={}))
def make_ticket(parts: AllParts, caller: Signed, _: Annotated[Nothing, Depends(body_of(Nothing))]) -> LiveTicket:
    """Let a dashboard of yours hear what happens as it happens."""
    made = parts.connections.issue(caller.user_id, parts.now_ms())
    url = f"ws{parts.live_endpoint.removeprefix('http')}"
    return LiveTicket(ticket=made.ticket, url=url, expires_at=made.expires_at)
