"""Every answer against the facts of `facts.py`, and against Spotify's own document where one is given."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from tests.sandbox.spotify import facts

from spotty_sandbox.spotify import KINDS, Request, Service, advertisement

if TYPE_CHECKING:
    from spotty_sandbox.spotify import Answer, Device, SpotifyWorld

DOCUMENT = os.environ.get("SPOTIFY_OPENAPI")
"""Path of Spotify's public OpenAPI document; it is not part of this project."""

ANSWERS: list[tuple[str, str, int, facts.Schema]] = [
    ("/me", "", 200, facts.USER),
    ("/me/player", "", 200, facts.PLAYBACK),
    ("/me/player/currently-playing", "", 200, facts.CURRENTLY_PLAYING),
    ("/me/player/devices", "", 200, facts.DEVICES),
    ("/me/playlists", "", 200, facts.PLAYLISTS),
    ("/playlists/{playlist_id}", "", 200, facts.PLAYLIST),
    ("/playlists/{playlist_id}/items", "", 200, facts.paging(facts.PLAYLIST_ITEM)),
    ("/search", "q=s&type=playlist,album,artist", 200, facts.SEARCH),
    ("/search", "q=&type=album", 400, facts.ERROR),
]


STATES = ("playing", "ended", "autoplay", "nothing loaded", "podcast", "advertisement", "forgetful", "dozing", "stale")

NOT_SIMULATED = {
    ("GET", "/me/player/queue"),
    ("POST", "/me/player/queue"),
    ("GET", "/me/player/recently-played"),
    ("POST", "/me/playlists"),
    ("PUT", "/playlists/{playlist_id}"),
    ("POST", "/playlists/{playlist_id}/items"),
    ("PUT", "/playlists/{playlist_id}/items"),
    ("DELETE", "/playlists/{playlist_id}/items"),
}
"""What Spotify has and the simulator has not, as its README says."""


@pytest.fixture(params=STATES)
def service(request: pytest.FixtureRequest, world: SpotifyWorld, bathroom: Device) -> Service:
    """The house in each of the states that an answer can be about."""
    world.add_device("No id", id=None, volume_pct=None, supports_volume=False)
    steam = world.catalogue.named("Steam and Soap")
    if request.param == "nothing loaded":
        world.player().move(bathroom, world.player().asked_by)
    elif request.param == "podcast":
        world.hand().play(bathroom, world.catalogue.named("Two People and a Kettle"))
    elif request.param == "advertisement":
        world.hand().play(bathroom, replace(steam, tracks=(advertisement(),)))
    else:
        world.hand().play(bathroom, steam)
    bathroom.forgets_context = request.param == "forgetful"
    world.device("Kitchen").presence = "dozing" if request.param == "dozing" else "present"
    if request.param == "stale":
        bathroom.report_lag_ms = 5_000
    if request.param == "autoplay":
        world.player().autoplay = world.catalogue.named("Suds").tracks
    if request.param in ("ended", "autoplay"):
        world.clock.advance_ms(sum(track.duration_ms for track in steam.tracks) + 5)  # type: ignore[attr-defined]
    service = Service(world, api_url="http://127.0.0.1:1/v1/")
    if request.param == "stale":
        assert ask(service, "/me/player/pause", method="PUT").status == 204
        assert not world.player().is_playing
    return service


def ask(service: Service, path: str, query: str = "", *, method: str = "GET") -> Answer:
    """The answer to a request under /v1, by an app that may do everything."""
    token = service.world.auth.grant().access_token
    path = "/v1" + path.replace("{playlist_id}", service.world.catalogue.named("Steam and Soap").id)
    parameters = dict(pair.split("=") for pair in query.split("&")) if query else {}
    answer = service.respond(Request(method, path, parameters, {"authorization": f"Bearer {token}"}))
    assert answer is not None
    return answer


@pytest.mark.parametrize("path,query,status,schema", ANSWERS)
def test_answers_hold_what_a_client_counts_on(
    service: Service, path: str, query: str, status: int, schema: facts.Schema
) -> None:
    """Every field of the facts is there, with its type, in every state of the house."""
    answer = ask(service, path, query)
    assert answer.status == status
    Draft202012Validator(schema).validate(json.loads(answer.body))


def test_the_facts_are_not_empty() -> None:
    """A device without a name would be noticed."""
    assert not Draft202012Validator(facts.DEVICES).is_valid({"devices": [{"id": "x"}]})


@pytest.mark.skipif(not DOCUMENT, reason="SPOTIFY_OPENAPI names no document; the facts are checked all the same")
def test_answers_fit_the_public_document(service: Service) -> None:
    """Every answer is valid by Spotify's OpenAPI document, with its nulls made explicit."""
    document = json_schema(json.loads(Path(DOCUMENT or "").read_text(encoding="utf-8")))
    for path, query, status, _ in ANSWERS:
        if status == 200:
            wanted = document["paths"][path]["get"]["responses"]["200"]["$ref"] + "/content/application~1json/schema"
        else:
            wanted = "#/components/responses/Unauthorized/content/application~1json/schema"
        answer = json.loads(ask(service, path, query).body)
        Draft202012Validator({"$ref": wanted, "components": document["components"]}).validate(answer)


@pytest.mark.skipif(not DOCUMENT, reason="SPOTIFY_OPENAPI names no document")
def test_refusals_fit_the_public_document() -> None:
    """Every kind of refusal whose status the document knows is valid by it."""
    document = json_schema(json.loads(Path(DOCUMENT or "").read_text(encoding="utf-8")))
    names = {401: "Unauthorized", 403: "Forbidden", 429: "TooManyRequests"}
    checked = set()
    for kind, each in KINDS.items():
        answer = each.fields.get("answer")
        if answer is None or answer.status not in names or not answer.body:
            continue
        wanted = f"#/components/responses/{names[answer.status]}/content/application~1json/schema"
        Draft202012Validator({"$ref": wanted, "components": document["components"]}).validate(json.loads(answer.body))
        checked.add(kind)
    assert {"rate_limited", "quota_exceeded", "unauthorized", "forbidden", "restricted"} <= checked


@pytest.mark.skipif(not DOCUMENT, reason="SPOTIFY_OPENAPI names no document")
def test_every_endpoint_of_the_public_document_is_there_or_named_as_missing(world: SpotifyWorld) -> None:
    """No endpoint is forgotten, and none that is there is called missing."""
    document = json.loads(Path(DOCUMENT or "").read_text(encoding="utf-8"))
    service = Service(world)
    missing = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if b"Service not found" in ask(service, path, method=method.upper()).body
    }
    assert missing == NOT_SIMULATED


def json_schema(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """OpenAPI 3.0 as JSON Schema: `nullable`, and "can be null" in the words of a description, become null."""
    if isinstance(node, list):
        return [json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: json_schema(value) for key, value in node.items() if key not in ("discriminator", "nullable")}
    if node.get("nullable") is True or "can be `null`" in str(node.get("description", "")).lower():
        return {"anyOf": [made, {"type": "null"}]}
    return made
