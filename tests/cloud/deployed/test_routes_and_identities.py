"""Every deployed route, asked about Ada's home by everybody who is not Ada, and at last by her."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.cloud.deployed import tokens
from tests.cloud.deployed.edge import Edge
from tests.cloud.deployed.home import Answer, Deployed, Home
from tests.cloud.deployed.left_behind import items
from tests.cloud.deployed.lived_in import CANARY, lives_in
from tests.cloud.deployed.routes import Operation, operations

STRANGERS = (
    "the neighbour",
    "nobody",
    "her own access token",
    "her own refresh token",
    "her expired token",
    "her address in another pool",
    "the neighbour's token, changed to say that it is she",
    "a token signed by nothing",
    "a token signed with the pool's public key",
    "a token signed by a stranger",
    "garbage",
    "an empty token",
)
NOT_DONE = {
    "DELETE /users/me": requests.codes.conflict,  # there is still a gateway
    "POST /devices/register": requests.codes.conflict,  # the key is Ada's gateway's
    "GET /devices/claims/{claim_id}": requests.codes.not_found,  # its secret, which counts alone, is not sent
}
"""What a stranger is refused for a reason of its own."""
LAST = ("DELETE /sensors/{sensor_id}", "DELETE /gateways/{gateway_id}", "DELETE /users/me")
"""What Ada does last, in this order."""


@dataclass(frozen=True)
class Scene:
    """Ada's home with a life in it, Bob's, and the token of each identity."""

    ada: Home
    bob: Home
    edge: Edge
    tokens: dict[str, str | None]
    operations: tuple[Operation, ...]
    hers: tuple[str, ...]
    """What nobody else may read."""


@pytest.fixture(scope="module")
def document(deployed: Deployed) -> Any:  # noqa: ANN401 - JSON
    """The OpenAPI document as it is served."""
    return deployed.ask("GET", "/openapi.json").body


@pytest.fixture(scope="module")
def scene(ada: Home, bob: Home, document: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:  # noqa: ANN401 - JSON
    """All is there before anybody asks."""
    with ada.edge() as edge:
        edge.listens()
        known = lives_in(ada, edge)
        edge.heard.clear()
        yield Scene(
            ada,
            bob,
            edge,
            dict(zip(STRANGERS, _tokens(ada, bob, tmp_path_factory.mktemp("keys")), strict=True)),
            tuple(operations(document, known)),
            (CANARY, ada.person.sub, ada.person.email),
        )


def _tokens(ada: Home, bob: Home, folder: Path) -> Iterator[str | None]:
    hers, deployed = ada.person, ada.deployed
    claims, kid = tokens.claims_of(hers.id_token), str(tokens.header_of(hers.id_token)["kid"])
    pool_key = deployed.signing_key()
    stranger = tokens.own_key(folder)
    # So that the expired token is refused for its age alone.
    assert deployed.ask("GET", "/users/me", token=tokens.signed(claims, kid, pool_key)).status == requests.codes.ok
    yield bob.person.id_token
    yield None
    yield hers.access_token
    yield hers.refresh_token
    yield tokens.signed(tokens.expired(claims), kid, pool_key)
    yield deployed.in_another_pool(hers.email).id_token
    yield tokens.saying(bob.person.id_token, claims)
    yield tokens.unsigned(claims, kid)
    yield tokens.signed_with_what_is_public(claims, kid, tokens.public_half(pool_key))
    yield tokens.signed(claims, kid, stranger)
    yield "garbage"
    yield ""


def expected(operation: Operation, identity: str) -> set[int]:
    """What this identity is answered."""
    if not operation.is_open and identity not in {"Ada", "the neighbour"}:
        return {requests.codes.unauthorized}
    if operation.name in NOT_DONE and (identity != "Ada" or operation.is_open):
        return {NOT_DONE[operation.name]}
    if identity == "the neighbour" and operation.is_named and not operation.is_open:
        return {requests.codes.not_found}
    return set(operation.successes)


def faults(scene: Scene, operation: Operation, answer: Answer, identity: str) -> Iterator[str]:
    """What is wrong with an answer."""
    if answer.status not in expected(operation, identity):
        yield f"it is answered {answer.status}, not {expected(operation, identity)}: {answer.text[:200]}"
    if identity != "Ada":
        yield from (f"it tells {one}" for one in scene.hers if one in answer.everything)
    if answer.status >= requests.codes.bad_request and not _in_form(answer):
        yield f"it is not in our form: {answer.text[:200]}"


def _in_form(answer: Answer) -> bool:
    if answer.body == {"message": "Unauthorized"}:  # the local AWS' own; the template's form is not taken there
        return bool(answer.status == requests.codes.unauthorized)
    error: dict[str, str] = answer.body["error"]
    named = error["request_id"] == answer.headers["X-Request-ID"]
    return named and error.keys() == {"code", "message", "details", "request_id"}


@pytest.mark.parametrize("identity", STRANGERS)
def test_nothing_of_ada_s_is_told_or_changed(scene: Scene, identity: str) -> None:
    """No route tells a stranger anything of hers, changes anything of hers, or reaches her gateway."""
    scene.edge.heard.clear()
    before = items(scene.ada.deployed.aws, scene.ada.gateway_id, scene.ada.person.sub)
    for_all = [
        f"{operation.name}: {fault}"
        for operation in scene.operations
        for fault in faults(
            scene,
            operation,
            scene.ada.deployed.ask(operation.method, operation.path, operation.body, scene.tokens[identity]),
            identity,
        )
    ]
    assert for_all == []
    assert items(scene.ada.deployed.aws, scene.ada.gateway_id, scene.ada.person.sub) == before
    assert scene.edge.heard == []


def test_ada_can_do_all_of_it(scene: Scene) -> None:
    """The very same requests are carried out for her: what refused the others was not the request."""
    in_order = sorted(scene.operations, key=lambda one: LAST.index(one.name) if one.name in LAST else -1)
    answers = [(one, scene.ada.ask(one.method, one.path, one.body)) for one in in_order]
    for_all = [
        f"{operation.name}: {fault}"
        for operation, answer in answers
        for fault in faults(scene, operation, answer, "Ada")
    ]
    assert for_all == []
    assert sum(CANARY in answer.text for _, answer in answers) > 6
