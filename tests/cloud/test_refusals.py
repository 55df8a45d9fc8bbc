"""Everything that is refused, or fails, is told in one form and by its request id; nothing is guessed."""

import json
import logging

import pytest
from botocore.stub import Stubber
from tests.cloud.world import ADA, HOME, World, event_of

LOFT = f"{HOME}.loft"


@pytest.fixture(scope="module", autouse=True)
def ada_s_loft(world: World) -> None:
    """A sensor."""
    made = {"gatewayId": HOME, "id": "loft", "name": "Loft", "inputs": [{"id": "pir", "pin": 21}]}
    assert world.ask("POST", "/sensors", made).status == 201


def test_a_request_keeps_its_id(world: World) -> None:
    """The caller's own id comes back, in the answer's header and in what went wrong; a bad one is replaced."""
    own = world.ask("GET", "/nowhere", headers={"X-Request-ID": "my-id_1"})
    assert (own.status, own.headers["x-request-id"], own.error["request_id"]) == (404, "my-id_1", "my-id_1")
    other = world.ask("GET", "/health", user=None, headers={"X-Request-ID": "no\tgood"})
    assert other.headers["x-request-id"] == "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("PATCH", "/sensors", "GET, POST"),
        ("POST", "/users/me", "DELETE, GET, PUT"),
        ("DELETE", "/sensors/x/pause", "POST"),
        ("OPTIONS", "/sensors/x", "DELETE, GET, PUT"),
        ("OPTIONS", f"/gateways/{HOME}", "DELETE, GET, PUT"),  # one of them is registration's
        ("HEAD", "/health", "GET"),
        ("PUT", "/docs", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(world: World, method: str, path: str, allowed: str) -> None:
    """All of them, also where they stand in the code apart."""
    wrong = world.ask(method, path)
    assert (wrong.status, wrong.error["code"], wrong.headers["allow"]) == (405, "method_not_allowed", allowed)


def test_a_large_body_is_refused_in_form(world: World) -> None:
    """413 comes before anything is read."""
    large = world.ask("POST", "/sensors", raw=b" " * 16_400)
    assert (large.status, large.error["code"]) == (413, "too_large")
    assert world.ask("POST", "/sensors", raw=b" " * 16_384).status == 400


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"])
def test_a_body_is_said_to_be_json(world: World, kind: str) -> None:
    """What a page of another origin may send without being asked first is not taken; a charset does not matter."""
    refused = world.ask("PUT", "/users/me", {"displayName": "Ada"}, headers={"Content-Type": kind})
    assert (refused.status, refused.error["code"]) == (415, "unsupported_media_type")
    taken = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert world.ask("PUT", "/users/me", {"displayName": "Ada"}, headers=taken).status == 200


@pytest.mark.parametrize(
    "method, path, asked",
    [
        ("GET", "/sensors", {"limit": ["1", "2"]}),
        ("GET", "/sensors", {"limit": ["", ""]}),
        ("GET", "/users/me", {"verbose": ["1"]}),
        ("POST", f"/sensors/{LOFT}/pause", {"forS": ["1"]}),
    ],
)
def test_a_parameter_twice_or_of_nobody_s_is_refused(
    world: World, method: str, path: str, asked: dict[str, list[str]]
) -> None:
    """Neither the first nor the last of two is picked, and what does nothing is not passed over."""
    event = event_of(method, path, b"{}" if method == "POST" else None, {"sub": ADA, "token_use": "id"})
    event["multiValueQueryStringParameters"] = asked
    answer = world.answered(event)
    (detail,) = json.loads(answer["body"])["error"]["details"]
    assert (answer["statusCode"], detail["field"]) == (422, f'"{next(iter(asked))}"')


@pytest.mark.parametrize(
    "path", ["/%ff", "/sensors/%zz", "/sensors/%00", "/%2e%2e/health", "//health", "/health/", "/sensors/"]
)
def test_a_path_that_is_none_is_not_found(world: World, path: str) -> None:
    """However it is written; nothing is guessed."""
    refused = world.ask("GET", path)
    assert (refused.status, refused.error["code"]) == (404, "not_found")


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


@pytest.mark.parametrize("path", [f"/sensors/{LOFT}", f"/gateways/{HOME}", "/users/me"])
@pytest.mark.parametrize("body", [{}, {"version": 1}, {"name": None}, {"timezone": None, "version": 1}])
def test_a_change_of_nothing_is_refused(world: World, path: str, body: dict[str, object]) -> None:
    """No version is made of it, and no gateway asked to take it."""
    before = world.ask("GET", path).body["version"]
    assert world.ask("PUT", path, body).status == 422
    assert world.ask("GET", path).body["version"] == before


def test_what_fits_field_by_field_may_not_fit_together(world: World) -> None:
    """Refused as any other wrong body, though it is the command's own shape that knows it."""
    refused = world.ask("POST", f"/sensors/{LOFT}/snooze", {"until": 4_000_000_000_000, "forS": 60})
    assert (refused.status, refused.error["code"]) == (422, "invalid")
    assert "two ways to say one thing" in refused.error["message"]


@pytest.mark.parametrize("kind", ["sensors", "gateways", "commands"])
@pytest.mark.parametrize("wrong", ["x" * 3000, "no such id", f"{HOME}.", "..", "\u00fc", "\x00"])
def test_what_can_be_no_id_is_not_found(world: World, kind: str, wrong: str) -> None:
    """An id that no key can be is one that there is not, and no failure."""
    assert world.ask("GET", f"/{kind}/{wrong}").status == 404


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError"]
)
def test_what_aws_cannot_do_just_now_may_be_tried_again(world: World, code: str) -> None:
    """503, and when to come again; what AWS said stays here."""
    with Stubber(world.parts.store.users.client) as aws:
        aws.add_client_error("get_item", code, "the table users of account 123", http_status_code=400)
        refused = world.ask("GET", "/users/me")
    assert (refused.status, refused.error["code"], refused.headers["retry-after"]) == (503, "unavailable", "5")
    assert "account" not in str(refused.body)


def test_a_fault_of_ours_is_told_by_its_id_alone(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """500 in the form: what happened is in the log under the id that the caller has, and nowhere else."""
    with Stubber(world.parts.store.users.client) as aws, caplog.at_level(logging.ERROR):
        aws.add_client_error("get_item", "ValidationException", "a key of account 123")
        refused = world.ask("GET", "/users/me", headers={"X-Request-ID": "seen-0001"})
    assert (refused.status, refused.error["code"], refused.error["request_id"]) == (500, "internal", "seen-0001")
    assert "account" not in str(refused.body)
    assert "retry-after" not in refused.headers
    assert any("seen-0001" in record.message and record.exc_info for record in caplog.records)


def test_a_failure_of_aws_is_told_as_one(world: World) -> None:
    """A table that is not there is no empty table: try again later, says the answer, by id."""
    gone = world.parts.store.users
    world.dynamo.delete_table(TableName=gone.name)
    refused = world.ask("GET", "/users/me")
    assert (refused.status, refused.error["code"]) == (503, "unavailable")
    assert gone.name not in str(refused.body)
    assert refused.error["request_id"] == refused.headers["x-request-id"]
