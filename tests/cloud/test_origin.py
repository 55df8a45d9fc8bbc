from dataclasses import replace

import pytest
from mangum import Mangum
from tests.cloud.world import World

from spotty_cloud.api.app import create_app

DEVELOPING = "http://localhost:5173"
ASKED = {"Origin": DEVELOPING, "Access-Control-Request-Method": "PUT"}
OTHERS = ("http://localhost:51730", "https://localhost:5173", "http://evil.example", "null", "*", "")


@pytest.fixture
def opened(world: World) -> World:
    """The same deployment with `AllowedOrigin` set."""
    made = replace(world)
    made.answerer = Mangum(create_app(world.parts, DEVELOPING), lifespan="off")
    return made


def cors_of(headers: object) -> set[str]:
    """What is said of origins."""
    return {name for name in dict(headers) if name.startswith("access-control-")}  # type: ignore[call-overload]


def test_the_origin_s_pages_may_ask(opened: World) -> None:
    """Asked before, it is told what it may: methods, and the headers that we take. No token is needed for that."""
    told = opened.ask("OPTIONS", "/sensors/x", user=None, headers=ASKED)
    assert (told.status, told.body) == (204, None)
    assert told.headers["access-control-allow-origin"] == DEVELOPING
    assert told.headers["access-control-allow-methods"] == "DELETE, GET, POST, PUT"
    assert told.headers["access-control-allow-headers"] == "Authorization, Content-Type, X-Request-ID"
    assert "access-control-allow-credentials" not in told.headers


@pytest.mark.parametrize(
    "method, path, user, raw, status",
    [
        ("GET", "/users/me", "ada", None, 200),
        ("GET", "/users/me", None, None, 401),
        ("GET", "/nowhere", "ada", None, 404),
        ("PATCH", "/sensors", "ada", None, 405),
        ("POST", "/sensors", "ada", b" " * 20_000, 413),
        ("POST", "/sensors", "ada", b"{", 400),
    ],
)
def test_its_pages_can_read_every_answer(
    opened: World, method: str, path: str, user: str | None, raw: bytes | None, status: int
) -> None:
    """A refusal too, or a developer sees no more than that something failed; and caches keep origins apart."""
    told = opened.ask(method, path, user=user, raw=raw, headers={"Origin": DEVELOPING})
    assert told.status == status
    assert (told.headers["access-control-allow-origin"], told.headers["vary"]) == (DEVELOPING, "Origin")
    assert "X-Request-ID" in told.headers["access-control-expose-headers"]


@pytest.mark.parametrize("other", OTHERS)
def test_no_other_origin_s_may(opened: World, other: str) -> None:
    """One that is nearly the same is another."""
    before = opened.ask("OPTIONS", "/sensors", user=None, headers=ASKED | {"Origin": other})
    assert (before.status, cors_of(before.headers)) == (405, set())
    after = opened.ask("GET", "/users/me", headers={"Origin": other})
    assert (after.headers["vary"], cors_of(after.headers)) == ("Origin", set())


def test_without_such_an_origin_nothing_is_said(world: World) -> None:
    """The site's own pages need none of it."""
    for origin in (DEVELOPING, *OTHERS):
        told = world.ask("OPTIONS", "/sensors", user=None, headers=ASKED | {"Origin": origin})
        assert (told.status, told.headers["allow"]) == (405, "GET, POST")
        answered = world.ask("GET", "/users/me", headers={"Origin": origin})
        assert cors_of(answered.headers) | ({"vary"} & answered.headers.keys()) == set()
