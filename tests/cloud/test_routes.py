"""Every route, by whom and with what: nothing leaks, and everything that is refused is refused in one form."""

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
    routes = {(method.upper(), path) for path, methods in paths.items() for method in methods}
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


def test_a_request_keeps_its_id(world: World) -> None:
    """The caller's own id comes back, in the answer's header and in what went wrong; a bad one is replaced."""
    own = world.ask("GET", "/nowhere", headers={"X-Request-ID": "my-id_1"})
    assert (own.status, own.headers["x-request-id"], own.error["request_id"]) == (404, "my-id_1", "my-id_1")
    other = world.ask("GET", "/health", user=None, headers={"X-Request-ID": "no\tgood"})
    assert other.headers["x-request-id"] == "11111111-2222-3333-4444-555555555555"


def test_a_wrong_method_and_a_large_body_are_refused_in_form(world: World) -> None:
    """405 says what is allowed; 413 comes before anything is read."""
    wrong = world.ask("PATCH", "/sensors")
    assert (wrong.status, wrong.error["code"]) == (405, "method_not_allowed")
    assert set(wrong.headers["allow"].split(", ")) <= {"GET", "POST"}
    large = world.ask("POST", "/sensors", raw=b" " * 16_400)
    assert (large.status, large.error["code"]) == (413, "too_large")
    assert world.ask("POST", "/sensors", raw=b" " * 16_384).status == 400


@pytest.mark.parametrize(
    "path, query",
    [
        ("/sensors", {"limit": "0"}),
        ("/sensors", {"limit": "101"}),
        ("/sensors", {"limit": "many"}),
        ("/sensors", {"nobodyKnows": "1"}),
        ("/sessions", {"since": "2", "until": "1"}),
        ("/sessions", {"since": "-1"}),
        ("/analytics", {"since": "0"}),
        ("/analytics", {"timezone": "Europe/Atlantis"}),
        ("/spotify/devices", {}),
    ],
)
def test_a_bad_query_is_refused_in_form(world: World, path: str, query: dict[str, str]) -> None:
    """Parameters are as strict as bodies."""
    refused = world.ask("GET", path, query=query)
    assert (refused.status, refused.error["code"]) == (422, "invalid")
    assert refused.error["details"]


@pytest.mark.parametrize("kind", ["sensors", "gateways", "commands"])
@pytest.mark.parametrize("wrong", ["x" * 3000, "no such id", f"{HOME}.", "..", "\u00fc", "\x00"])
def test_what_can_be_no_id_is_not_found(world: World, kind: str, wrong: str) -> None:
    """An id that no key can be is one that there is not, and no failure."""
    assert world.ask("GET", f"/{kind}/{wrong}").status == 404


def test_a_failure_of_aws_is_told_as_one(world: World) -> None:
    """A table that is not there is no empty table: try again later, says the answer, by id."""
    gone = world.parts.store.users
    world.dynamo.delete_table(TableName=gone.name)
    refused = world.ask("GET", "/users/me")
    assert (refused.status, refused.error["code"]) == (503, "unavailable")
    assert gone.name not in str(refused.body)
    assert refused.error["request_id"] == refused.headers["x-request-id"]
