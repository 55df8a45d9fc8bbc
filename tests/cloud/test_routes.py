"""Every route, by whom and with what: nothing leaks to anybody but its owner."""

from dataclasses import dataclass

import pytest
from tests.cloud.world import ADA, BOB, HOME, World

from spotty_cloud.api.app import create_app
from spotty_cloud.tables import Change, apply

SENSOR = f"{HOME}.bath"


@dataclass(frozen=True)
class Case:
    """A request that its owner is answered well."""

    method: str
    route: str
    path: str
    good: int
    body: object = None
    query: dict[str, str] | None = None
    foreign: int = 404
    """What somebody else is answered: for a list of their own, their own."""


CASES = (
    Case("GET", "/sensors", "/sensors", 200, foreign=200),
    Case(
        "POST",
        "/sensors",
        "/sensors",
        201,
        {"gatewayId": HOME, "id": "hall", "name": "Hall", "inputs": [{"id": "pir", "pin": 20}]},
    ),
    Case("GET", "/sensors/{sensor_id}", f"/sensors/{SENSOR}", 200),
    Case("PUT", "/sensors/{sensor_id}", f"/sensors/{SENSOR}", 200, {"name": "Bath"}),
    Case("GET", "/sensors/{sensor_id}/decisions", f"/sensors/{SENSOR}/decisions", 200),
    Case("POST", "/sensors/{sensor_id}/snooze", f"/sensors/{SENSOR}/snooze", 202, {"forS": 60}),
    Case("POST", "/sensors/{sensor_id}/pause", f"/sensors/{SENSOR}/pause", 202, {}),
    Case("POST", "/sensors/{sensor_id}/resume", f"/sensors/{SENSOR}/resume", 202, {}),
    Case("POST", "/sensors/{sensor_id}/volume", f"/sensors/{SENSOR}/volume", 202, {"volumePct": 30}),
    Case("POST", "/sensors/{sensor_id}/what-if", f"/sensors/{SENSOR}/what-if", 202, {"policy": {}, "days": 3}),
    Case("GET", "/users/me", "/users/me", 200, foreign=200),
    Case("PUT", "/users/me", "/users/me", 200, {"displayName": "Ada"}, foreign=200),
    Case("GET", "/users/me/export", "/users/me/export", 200, foreign=200),
    Case("DELETE", "/users/me", "/users/me", 409, foreign=409),
    Case("GET", "/sessions", "/sessions", 200, query={"sensorId": SENSOR}),
    Case("GET", "/analytics", "/analytics", 200, query={"sensorId": SENSOR}),
    Case("GET", "/gateways", "/gateways", 200, foreign=200),
    Case("GET", "/gateways/{gateway_id}", f"/gateways/{HOME}", 200),
    Case("PUT", "/gateways/{gateway_id}", f"/gateways/{HOME}", 200, {"name": "Flat"}),
    Case("GET", "/spotify/devices", "/spotify/devices", 200, query={"gatewayId": HOME}),
    Case("POST", "/spotify/devices", "/spotify/devices", 202, {"gatewayId": HOME}),
    Case("POST", "/spotify/test", "/spotify/test", 202, {"sensorId": SENSOR, "volumePct": 10}),
    Case(
        "POST",
        "/spotify/connect",
        "/spotify/connect",
        202,
        {"gatewayId": HOME, "redirectUri": "https://dashboard.example/spotify"},
    ),
    Case("POST", "/spotify/disconnect", "/spotify/disconnect", 202, {"gatewayId": HOME}),
    Case("POST", "/live/tickets", "/live/tickets", 201, {}, foreign=201),
    Case("GET", "/commands/{command_id}", "/commands/c-1", 200),
    Case("DELETE", "/sensors/{sensor_id}", f"/sensors/{SENSOR}", 204),
)
OPEN = {("GET", "/health")}
"""For anybody."""

_EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method} {case.route}")
_WITH_BODY = pytest.mark.parametrize(
    "case", [case for case in CASES if case.body is not None], ids=lambda case: f"{case.method} {case.route}"
)


@pytest.fixture(scope="module", autouse=True)
def ada_s_bath(world: World) -> None:
    """A sensor and a command of Ada's."""
    made = {"gatewayId": HOME, "id": "bath", "name": "Bath", "inputs": [{"id": "pir", "pin": 17}]}
    assert world.ask("POST", "/sensors", made).status == 201
    item = {"userId": ADA, "gatewayId": HOME, "command": "pause", "issuedAt": 0, "expiresAt": 1}
    apply(Change(world.parts.store.commands, "c-1", item, {}))


def test_the_table_has_every_route(world: World) -> None:
    """A route that is not in this table is not looked at: there is none."""
    paths = create_app(world.parts).openapi()["paths"]
    routes = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "registration" not in operation["tags"]
    }
    assert routes == {(case.method, case.route) for case in CASES} | OPEN


@_EACH
def test_without_a_token_nothing_is_told(world: World, case: Case) -> None:
    """No token is a 401, even where there is no such thing and the body is no JSON."""
    refused = world.ask(
        case.method, case.path, user=None, query=case.query, raw=b"{" if case.body is not None else None
    )
    assert (refused.status, refused.error["code"]) == (401, "unauthorized")


@_EACH
@pytest.mark.parametrize(
    "claims", [{"sub": ADA, "token_use": "access"}, {"sub": ADA}, {"token_use": "id"}, {"sub": "", "token_use": "id"}]
)
def test_only_an_id_token_is_taken(world: World, case: Case, claims: dict[str, str]) -> None:
    """An access token proves an app, not that a person may see this."""
    assert world.ask(case.method, case.path, case.body, claims=claims, query=case.query).status == 401


@_EACH
def test_somebody_else_finds_nothing(world: World, case: Case) -> None:
    """Another owner's ids are answered as ids that there are not."""
    foreign = world.ask(case.method, case.path, case.body, user=BOB, query=case.query)
    assert foreign.status == case.foreign
    if case.foreign in {404, 409}:
        assert HOME not in str(foreign.error["details"])
    else:
        assert HOME not in str(foreign.body)


@_WITH_BODY
@pytest.mark.parametrize(
    "raw, status",
    [(b"{", 400), (b"", 400), (b"\xff\xfe", 400), (b"[]", 422), (b'{"nobodyKnows": 1}', 422), (b'{"a":1,"a":1}', 422)],
)
def test_a_bad_body_is_refused_in_form(world: World, case: Case, raw: bytes, status: int) -> None:
    """What cannot be read is malformed, what is read and wrong is invalid; nothing is done."""
    refused = world.ask(case.method, case.path, raw=raw, query=case.query)
    assert refused.status == status
    assert set(refused.error) == {"code", "message", "details", "request_id"}


@_EACH
def test_the_owner_is_answered(world: World, case: Case) -> None:
    """What is well asked for is done, in the order of the table."""
    answer = world.ask(case.method, case.path, case.body, query=case.query)
    assert answer.status == case.good
    assert answer.body is None or ("error" in answer.body) == (case.good >= 400)
