"""The page of the speakers and what a person does on it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

from spotty_sandbox.spotify import (
    FaultPlan,
    ManualClock,
    Request,
    RunningClock,
    Service,
    SpotifySimulator,
    SpotifyWorld,
    deed,
    demo_world,
)
from spotty_sandbox.spotify import page as page_of
from spotty_sandbox.spotify.journal import Entry, Journal
from spotty_sandbox.spotify.words import outcome, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spotty_sandbox.spotify import Device


def pictures(session: requests.Session, sim: SpotifySimulator) -> Iterator[Any]:
    """The pictures that the page is sent, one after the other."""
    with session.get(sim.page_url + "events", stream=True, timeout=5) as stream:
        for line in stream.iter_lines():
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


@pytest.mark.parametrize("path,kind", [("", "text/html"), ("page.css", "text/css"), ("page.js", "text/javascript")])
def test_the_page_needs_nobody_else(sim: SpotifySimulator, session: requests.Session, path: str, kind: str) -> None:
    """Every file is served under a policy that allows this origin alone, and names no other host."""
    answer = session.get(sim.page_url + path, timeout=3)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://", answer.text)
    assert not re.search(r"<script>|<style|\sstyle=|\son\w+=|innerHTML|eval\(", answer.text)


def test_a_change_reaches_the_page_at_once(sim: SpotifySimulator, session: requests.Session, steam: str) -> None:
    """The page is told the present, and again when something happens, without asking."""
    told = pictures(session, sim)
    first = next(told)
    assert [speaker["name"] for speaker in first["accounts"][0]["speakers"]] == ["Bathroom", "Kitchen", "Bedroom"]
    assert first["speed"] == 0
    context = sim.call(lambda world: world.catalogue.context(steam))
    assert context is not None
    sim.call(lambda world: world.hand().play(world.device("Kitchen"), context))
    kitchen = next(told)["accounts"][0]["speakers"][1]
    assert kitchen["playing"]
    assert kitchen["by"]["name"] == "by hand"
    assert kitchen["now"]["context"] == "Steam and Soap"
    told.close()  # type: ignore[attr-defined]


def test_a_request_reaches_the_page_at_once(sim: SpotifySimulator, spotify: Callable[..., Any]) -> None:
    """What an app asks is on the page as soon as it was answered."""
    client = spotify()
    with requests.Session() as watching:
        watching.trust_env = False
        told = pictures(watching, sim)
        assert next(told)["requests"] == []
        client.devices()
        assert [line["wanted"] for line in next(told)["requests"]] == ["list the speakers"]
        told.close()  # type: ignore[attr-defined]


def test_a_song_that_ends_reaches_the_page_by_itself(session: requests.Session, steam: str) -> None:
    """What changes only because time passes is shown when it happens."""
    world = demo_world(RunningClock(speed=5_000))
    context = world.catalogue.context(steam)
    assert context is not None
    with SpotifySimulator(world) as sim:
        sim.call(lambda w: w.hand().play(w.device("Kitchen"), context))
        told = pictures(session, sim)
        heard = {
            (now["now"] or {}).get("track") for now in (next(told)["accounts"][0]["speakers"][1] for _ in range(3))
        }
        told.close()  # type: ignore[attr-defined]
    assert len(heard) > 1


@pytest.mark.parametrize(
    "order,expected",
    [
        ({"do": "play"}, {"playing": True, "active": True}),
        ({"do": "resume"}, {"playing": True}),
        ({"do": "pause"}, {"playing": False}),
        ({"do": "volume", "value": 17}, {"volume_pct": 17}),
        ({"do": "unplug"}, {"presence": "unplugged", "active": False}),
        ({"do": "plug_in"}, {"presence": "present"}),
        ({"do": "skip"}, {"active": False}),
    ],
)
def test_a_person_acts_on_the_page(
    sim: SpotifySimulator, session: requests.Session, steam: str, order: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Each button does at the speaker what it says, by hand."""
    if order["do"] == "play":
        order = order | {"value": steam}
    key = sim.call(lambda world: world.device("Bathroom").key)
    answer = session.post(sim.page_url + "act", json={"account": "owner", "speaker": key, **order}, timeout=3)
    assert answer.status_code == 204, answer.text
    told = pictures(session, sim)
    bathroom = next(told)["accounts"][0]["speakers"][0]
    told.close()  # type: ignore[attr-defined]
    assert bathroom | expected == bathroom
    assert sim.requests() == (), "what a person does is no request to Spotify"


@pytest.mark.parametrize(
    "order",
    [
        {"do": "explode"},
        {"do": "volume", "value": "loud"},
        {"do": "play", "value": "spotify:playlist:none"},
        {"do": "pause", "speaker": "nobody"},
        {"do": "pause", "account": "nobody"},
    ],
)
def test_a_strange_order_is_refused_in_a_sentence(world: SpotifyWorld, bathroom: Device, order: dict[str, Any]) -> None:
    """What cannot be done is told, and changes nothing."""
    content = {"account": "owner", "speaker": bathroom.key} | order
    headers = {"content-type": "application/json"}
    answer = page_of.act(world, Request("POST", "/act", headers=headers, body=json.dumps(content).encode()))
    assert answer.status == 400
    assert json.loads(answer.body)["error"].endswith(".")


def test_other_sites_cannot_press_the_buttons(sim: SpotifySimulator, session: requests.Session) -> None:
    """A foreign form or a foreign name for this address is turned away."""
    order = '{"account": "owner", "speaker": "Bathroom", "do": "resume"}'
    form = session.post(sim.page_url + "act", data=order, headers={"Content-Type": "text/plain"}, timeout=3)
    assert form.status_code == 400
    renamed = session.get(sim.page_url, headers={"Host": "evil.example"}, timeout=3)
    assert renamed.status_code == 421
    assert session.get(sim.page_url + "act", timeout=3).status_code == 405
    assert not sim.call(lambda world: world.player().is_playing)


def test_consent_is_asked_without_believing_the_app(world: SpotifyWorld) -> None:
    """Names from a link are shown as text, the answer may lead back to the app only, and a bad link leads nowhere."""
    link = {
        "client_id": "<script>x</script>", "response_type": "code", "redirect_uri": "http://127.0.0.1:8400/back",
        "code_challenge_method": "S256", "code_challenge": "x", "scope": '"><b>all',
    }  # fmt: skip
    answer = Service(world).respond(Request("GET", "/authorize", link))
    assert answer is not None
    assert b"<script>" not in answer.body
    assert b"<b>all" not in answer.body
    assert "form-action 'self' http://127.0.0.1:8400;" in answer.headers["content-security-policy"]
    refused = Service(world).respond(Request("GET", "/authorize", link | {"redirect_uri": "http://evil.example/"}))
    assert refused is not None
    assert (refused.status, "location" in refused.headers) == (400, False)


def entry(method: str, path: str, **more: Any) -> Entry:  # noqa: ANN401 - fields of Entry
    """A journal entry that was answered with 204 unless `more` says otherwise."""
    fields: dict[str, Any] = {"query": {}, "status": 204, "at_ms": 0} | more
    return Entry(method, path, **fields)


def test_requests_are_told_in_words(world: SpotifyWorld, bathroom: Device, steam: str) -> None:
    """A person who reads the list needs to know neither addresses nor ids."""
    at_bathroom = {"query": {"device_id": bathroom.id}}
    lines = {
        wanted(world, entry("PUT", "/v1/me/player/play", body={"context_uri": steam}, **at_bathroom)),
        wanted(world, entry("PUT", "/v1/me/player/play", body={"context_uri": "spotify:album:zzz"})),
        wanted(world, entry("PUT", "/v1/me/player/pause", **at_bathroom)),
        wanted(world, entry("PUT", "/v1/me/player", body={"device_ids": ["gone"]})),
        wanted(world, entry("PUT", "/v1/me/player/volume", query={"volume_percent": "30"})),
        wanted(world, entry("GET", "/v1/playlists/" + steam.split(":")[2])),
        wanted(world, entry("DELETE", "/v1/me")),
    }
    assert lines == {
        "start “Steam and Soap” on Bathroom",
        "start an unknown album on the active speaker",
        "pause Bathroom",
        "move the music to an unknown speaker",
        "set the volume of the active speaker to 30 %",
        "look up “Steam and Soap”",
        "send DELETE /v1/me",
    }


@pytest.mark.parametrize(
    "status,refusal,expected",
    [
        (204, "", "done"),
        (None, "", "no answer"),
        (502, "", "refused (502)"),
        (404, "Player command failed: No active device found", "refused: No active device found (404)"),
    ],
)
def test_outcomes_are_told_in_words(status: int | None, refusal: str, expected: str) -> None:
    """How a request went is said with Spotify's own message, where it gave one."""
    assert outcome(entry("PUT", "/", status=status, refusal=refusal)) == expected


def test_a_clock_by_hand_does_not_run_backwards() -> None:
    """Neither clock accepts to be turned back or stopped."""
    with pytest.raises(ValueError, match="backwards"):
        ManualClock().advance_ms(-1)
    with pytest.raises(ValueError, match="above 0"):
        RunningClock(speed=0)


def test_trouble_is_made_and_healed_on_the_page(sim: SpotifySimulator, session: requests.Session) -> None:
    """A kind of trouble strikes as often as chosen, is shown while it waits, and is gone when healed."""
    headers = {"Authorization": f"Bearer {sim.call(lambda world: world.auth.grant().access_token)}"}

    def press(order: dict[str, Any]) -> int:
        return session.post(f"{sim.page_url}trouble", json=order, timeout=3).status_code

    def ask() -> int:
        return session.get(f"{sim.api_url}me", headers=headers, timeout=3).status_code

    def standing() -> list[str]:
        told = pictures(session, sim)
        names = [each["name"] for each in next(told)["standing"]]
        told.close()  # type: ignore[attr-defined]
        return names

    assert press({"kind": "unavailable", "times": 1}) == 204
    assert standing() == ["unavailable"]
    assert [ask(), ask()] == [503, 200]
    assert standing() == []
    assert press({"kind": "bad_gateway", "times": None, "on": "GET *"}) == 204
    assert [ask(), ask()] == [502, 502]
    assert press({"heal": True}) == 204
    assert (ask(), standing()) == (200, [])


@pytest.mark.parametrize(
    "order",
    [{}, {"kind": "flood"}, {"kind": "reset", "times": 0}, {"kind": "reset", "times": "2"}, {"kind": "reset", "on": 3},
     {"kind": "reset", "delay": 3}, {"kind": ["reset"]}, {"heal": False}],
)  # fmt: skip
def test_strange_trouble_is_refused(order: dict[str, Any]) -> None:
    """What is no kind, or no number of times, makes no trouble."""
    plan = FaultPlan()
    request = Request("POST", "/trouble", headers={"content-type": "application/json"}, body=json.dumps(order).encode())
    assert page_of.trouble(plan, request).status == 400
    assert not plan


def test_other_sites_cannot_make_trouble(sim: SpotifySimulator, session: requests.Session) -> None:
    """A form of another site cannot send what makes trouble, and nobody can look at it."""
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": kind}
        answer = session.post(f"{sim.page_url}trouble", data='{"kind": "reset"}', headers=headers, timeout=3)
        assert answer.status_code == 400
    assert session.get(f"{sim.page_url}trouble", timeout=3).status_code == 405


def test_the_page_knows_every_mood(world: SpotifyWorld) -> None:
    """Every trait that is a manner can be chosen, each is told on the speaker, and good manners end them all."""
    shown = page_of.picture(world, Journal())
    good = shown["accounts"][0]["speakers"][0]["notes"]
    for trait in shown["traits"]:
        deed(world, {"do": "manner", "speaker": "Bathroom", "value": trait})()
        told = page_of.picture(world, Journal())["accounts"][0]["speakers"][0]["notes"]
        assert told != good or trait == "wakes"
        deed(world, {"do": "good_manners", "speaker": "Bathroom"})()
        assert page_of.picture(world, Journal())["accounts"][0]["speakers"][0]["notes"] == good
