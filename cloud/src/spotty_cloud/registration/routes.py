"""A gateway is registered, with a code that its owner enters or in one step, and deregistered."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Request
from pydantic import ValidationError

from spotty_cloud.api.asking import ASKED, Signed, asks, body_of, check_is_json, problems
from spotty_cloud.errors import unfit
from spotty_cloud.registration.desk import Desk
from spotty_contract.registering import (
    CLAIM_SECRET_HEADER,
    ClaimAsked,
    ClaimConfirmed,
    ClaimOpened,
    ClaimSeen,
    ClaimStanding,
    Registered,
    RegistrationAsked,
)

router = APIRouter(tags=["registration"])

_REQUEST: Final = "-----BEGIN CERTIFICATE REQUEST-----\nMIHm...\n-----END CERTIFICATE REQUEST-----\n"
_BY_ANYBODY: Final = {status: told for status, told in problems(400).items() if status != 401}  # noqa: PLR2004
_WITH_SECRET: Final = {status: told for status, told in problems(404, 409).items() if status != 401}  # noqa: PLR2004

ASKED.append(ClaimAsked)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.parts
    return desk


async def _claim_asked(request: Request) -> ClaimAsked:
    """As `body_of` reads, but of somebody who has no token."""
    check_is_json(request)
    try:
        return ClaimAsked.from_json(await request.body())
    except ValidationError as error:
        raise unfit(error, "body") from error


TheDesk = Annotated[Desk, Depends(_desk)]


@router.post(
    "/devices/claims",
    status_code=201,
    responses=_BY_ANYBODY,
    openapi_extra={"security": [], **asks(ClaimAsked, ordinary={"csr": _REQUEST})},
)
def open_claim(desk: TheDesk, asked: Annotated[ClaimAsked, Depends(_claim_asked)]) -> ClaimOpened:
    """Ask for a certificate, as a gateway that nobody owns yet. Show the code and the fingerprint, keep the secret."""
    return desk.open_claim(asked.csr)


@router.get("/devices/claims/{claim_id}", responses=_WITH_SECRET, openapi_extra={"security": []})
def read_claim(
    desk: TheDesk,
    claim_id: str,
    secret: Annotated[str, Header(alias=CLAIM_SECRET_HEADER, max_length=128)] = "",
) -> ClaimStanding:
    """How far your claim has come. Without its secret there is none (404), and after ten minutes neither."""
    return desk.standing(claim_id, secret)


@router.post(
    "/devices/claims/confirm",
    responses=problems(400, 404, 409),
    openapi_extra=asks(
        ClaimConfirmed,
        look={"code": "BCDF-2345"},
        confirm={
            "code": "BCDF-2345",
            "fingerprint": "0123:4567:89ab:cdef:0123:4567:89ab:cdef",
            "name": "The flat",
        },
    ),
)
def confirm_claim(
    desk: TheDesk, caller: Signed, wanted: Annotated[ClaimConfirmed, Depends(body_of(ClaimConfirmed, secret=True))]
) -> ClaimSeen:
    """Enter the code that your gateway shows: you are told which key asks, and nothing happens.

    With that key's `fingerprint`, compared with the one that the gateway shows, it becomes yours. Five wrong codes lock
    you out for ten minutes (429).
    """
    return desk.confirm(caller.user_id, wanted.code, wanted.fingerprint, wanted.name)


@router.post(
    "/devices/register",
    responses=problems(400, 409),
    openapi_extra=asks(RegistrationAsked, ordinary={"csr": _REQUEST, "name": "The flat"}),
)
def register_gateway(
    desk: TheDesk, caller: Signed, wanted: Annotated[RegistrationAsked, Depends(body_of(RegistrationAsked))]
) -> Registered:
    """Register a gateway in one step, where you are signed in and have its signing request.

    The same key again is the same gateway: the answer is the same, and `name` counts the first time.
    """
    return desk.register(caller.user_id, wanted.csr, wanted.name)


@router.delete("/gateways/{gateway_id}", status_code=204, responses=problems(404))
def deregister_gateway(desk: TheDesk, caller: Signed, gateway_id: str) -> None:
    """Remove a gateway: its certificate, its settings, its sensors. What it has recorded stays yours.

    Where it breaks off (503), repeat it: it goes on. Once all is done there is no such gateway (404).
    """
    desk.deregister(caller.user_id, gateway_id)
