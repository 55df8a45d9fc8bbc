"""The household's Spotify, which only the gateway holds: its speakers, and the relay of a person's consent."""

import hmac
from typing import Annotated, Any, Self
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict, Field, model_validator

from spotty_cloud.api.asking import AllParts, Asked, Caller, Parts, Signed, asks, body_of, problems
from spotty_cloud.api.commands import Accepted
from spotty_cloud.errors import CannotCarryOutError, NotFoundError, UnfitError
from spotty_cloud.orders import Given, result_of
from spotty_cloud.tables import Change, Item, StaleError, apply
from spotty_contract.commands import CommandId, RedirectUri, SpotifyAnswer
from spotty_contract.records import Part
from spotty_contract.results import FoundDevice
from spotty_contract.topics import GatewayId
from spotty_contract.wire import UtcMs, Wire, misfit

router = APIRouter(tags=["spotify"])

_SILENT_FOR_MS = 900_000
"""A gateway speaks every five minutes; after three it is not there."""


class DevicesAsked(Asked):
    """Of which gateway."""

    gateway_id: GatewayId


class Devices(Part):
    """The speakers that Spotify knew of when the gateway last looked."""

    gateway_id: str
    devices: tuple[FoundDevice, ...] = Field(strict=False)
    as_of: UtcMs | None


class OfGateway(Wire):
    """Which gateway."""

    gateway_id: GatewayId


class ConnectAnswered(SpotifyAnswer):
    """What came back to the redirect address; `commandId` is that of the connect which brought the link."""

    command_id: CommandId


class ConnectAsked(Wire):
    """Asks with `gatewayId` and `redirectUri`, as registered in the household's Spotify app; then hands on `answer`."""

    model_config = ConfigDict(hide_input_in_errors=True)

    gateway_id: GatewayId | None = None
    redirect_uri: RedirectUri | None = None
    answer: ConnectAnswered | None = None

    @model_validator(mode="after")
    def _asks_or_answers(self) -> Self:
        asks_wholly = self.gateway_id is not None and self.redirect_uri is not None
        asks_at_all = self.gateway_id is not None or self.redirect_uri is not None
        if not (asks_wholly if self.answer is None else not asks_at_all):
            raise misfit("it asks with gatewayId and redirectUri, or hands on answer: one of both")
        return self


@router.get("/spotify/devices", responses=problems(404))
def read_devices(parts: AllParts, caller: Signed, asked: Annotated[DevicesAsked, Query()]) -> Devices:
    """The last list; `asOf` is null before the first. `POST /spotify/devices` asks anew."""
    gateway = parts.rooms.gateway(caller.user_id, asked.gateway_id)
    found: list[dict[str, Any]] = gateway.get("devices", [])
    devices = tuple(map(FoundDevice.model_validate, found))
    return Devices(gateway_id=asked.gateway_id, devices=devices, as_of=gateway.get("devicesAt"))


@router.post(
    "/spotify/devices",
    status_code=202,
    responses=problems(400, 404),
    openapi_extra=asks(OfGateway, ordinary={"gatewayId": "spotty-0123456789ab"}),
)
def list_devices(parts: AllParts, caller: Signed, asked: Annotated[OfGateway, Depends(body_of(OfGateway))]) -> Accepted:
    """Let the gateway look which speakers there are."""
    return _ask(parts, caller, asked.gateway_id, "list_devices")


@router.post(
    "/spotify/connect",
    status_code=202,
    responses=problems(400, 404, 409),
    openapi_extra=asks(
        ConnectAsked,
        asks={"gatewayId": "spotty-0123456789ab", "redirectUri": "https://dashboard.example/spotify"},
        answers={"answer": {"commandId": "c-1", "state": "as-spotify-sent-it", "code": "as-spotify-sent-it"}},
    ),
)
def connect(
    parts: AllParts, caller: Signed, asked: Annotated[ConnectAsked, Depends(body_of(ConnectAsked, secret=True))]
) -> Accepted:
    """Let the gateway make a link to Spotify's consent; the command's result brings it.

    Then hand Spotify's answer on to the gateway: once, within ten minutes, and it is kept nowhere.
    """
    if asked.answer is not None:
        return _hand_on(parts, caller, asked.answer)
    return _ask(parts, caller, str(asked.gateway_id), "connect_spotify", redirect_uri=asked.redirect_uri)


@router.post(
    "/spotify/disconnect",
    status_code=202,
    responses=problems(400, 404),
    openapi_extra=asks(OfGateway, ordinary={"gatewayId": "spotty-0123456789ab"}),
)
def disconnect(parts: AllParts, caller: Signed, asked: Annotated[OfGateway, Depends(body_of(OfGateway))]) -> Accepted:
    """Let the gateway forget the household's tokens."""
    return _ask(parts, caller, asked.gateway_id, "disconnect_spotify")


def _hand_on(parts: Parts, caller: Caller, answered: ConnectAnswered) -> Accepted:
    asked = parts.orders.given(caller.user_id, answered.command_id)
    _fits(asked, answered, parts.now_ms())
    gateway = parts.rooms.gateway(caller.user_id, asked["gatewayId"])
    if parts.now_ms() - gateway.get("lastSeenAt", 0) > _SILENT_FOR_MS:
        raise CannotCarryOutError("the gateway is offline; look after its power and network and connect again")
    try:
        apply(Change(parts.store.commands, answered.command_id, {"usedAt": parts.now_ms()}, {"usedAt": None}))
    except StaleError as error:
        raise NotFoundError("this consent has been handed on already; begin again with /spotify/connect") from error
    answer = SpotifyAnswer(state=answered.state, code=answered.code, error=answered.error)
    return _ask(parts, caller, asked["gatewayId"], "connect_spotify", answer=answer)


def _ask(parts: Parts, caller: Caller, gateway_id: str, name: str, **said: object) -> Accepted:
    parts.rooms.gateway(caller.user_id, gateway_id)
    given: Given = parts.orders.to_gateway(caller.user_id, gateway_id, name, **said)
    return Accepted(command_id=given.command_id, expires_at=given.expires_at)


def _fits(asked: Item, answered: ConnectAnswered, now_ms: int) -> None:
    """That this is the answer to that link, in time."""
    result = result_of(asked)
    if result is None or result.connect is None or now_ms >= result.connect.expires_at:
        raise NotFoundError("there is no link that this could answer, or its time is over; begin with /spotify/connect")
    states = parse_qs(urlsplit(result.connect.link).query).get("state", [])
    if len(states) != 1 or not hmac.compare_digest(states[0].encode(), answered.state.encode()):
        words = "state: it is not that of the link; begin again with /spotify/connect"
        raise UnfitError(words, [{"field": "state", "value": None, "bound": words}])
