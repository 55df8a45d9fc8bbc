import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.cloud.deployed.edge import Edge
from tests.cloud.deployed.home import Home

from spotty_contract.commands import LASTS_MS
from spotty_contract.gateway import RESERVED_SENSOR_ID
from spotty_contract.results import CommandResult, ConnectLink
from spotty_contract.topics import Kind


@pytest.fixture
def edge(ada: Home) -> Iterator[Edge]:
    """Ada's gateway, which hears what it is asked."""
    with ada.edge() as made:
        yield made.listens()


@pytest.fixture(scope="module")
def bath(ada: Home) -> str:
    """A sensor of Ada's."""
    sensor_id: str = ada.adds_sensor("bath")["sensorId"]
    return sensor_id


def asks(home: Home, path: str, body: object) -> str:
    """The id of the command that this becomes."""
    answer = home.ask("POST", path, body)
    assert answer.status == requests.codes.accepted, answer
    command_id: str = answer.body["commandId"]
    return command_id


def result(home: Home, command_id: str, command: str, **more: object) -> CommandResult:
    """As a gateway would tell it."""
    told = {
        "gatewayId": home.gateway_id,
        "sensorId": RESERVED_SENSOR_ID,
        "clockTrusted": True,
        "commandId": command_id,
        "command": command,
        "timestamp": time.time_ns() // 1_000_000,
        "outcome": "done",
        **more,
    }
    return CommandResult.model_validate(told)


def standing(home: Home, command_id: str, state: str) -> Any:  # noqa: ANN401 - JSON
    """The command, once it stands so."""
    home.deployed.until(lambda: home.gets(f"/commands/{command_id}")["state"] == state)
    return home.gets(f"/commands/{command_id}")


def test_a_command_goes_down_and_its_result_comes_up(ada: Home, edge: Edge, bath: str) -> None:
    """202, the command at the gateway with what was asked, and its result under the command's id."""
    command_id = asks(ada, f"/sensors/{bath}/snooze", {"forS": 3600})
    assert ada.gets(f"/commands/{command_id}")["state"] == "waiting"
    command = edge.is_commanded("bath", command_id)
    assert (command["command"], command["forS"]) == ("snooze", 3600)
    assert command["expiresAt"] - command["issuedAt"] == LASTS_MS
    done = result(ada, command_id, "snooze", sensorId="bath", detail="silent until 20:00")
    edge.tells(Kind.RESULTS, done)
    told = standing(ada, command_id, "done")
    assert (told["gatewayId"], told["command"], told["result"]["detail"]) == (
        edge.thing,
        "snooze",
        "silent until 20:00",
    )


def test_the_first_result_holds(ada: Home, edge: Edge, bath: str) -> None:
    """A result that comes twice, or another after it, changes nothing."""
    command_id = asks(ada, f"/sensors/{bath}/pause", {})
    first = result(ada, command_id, "pause", sensorId="bath", outcome="refused", reason="nothing_plays")
    edge.tells(Kind.RESULTS, first)
    standing(ada, command_id, "refused")
    later = asks(ada, f"/sensors/{bath}/pause", {})
    edge.tells(Kind.RESULTS, first, result(ada, command_id, "pause", sensorId="bath"))
    edge.tells(Kind.RESULTS, result(ada, later, "pause", sensorId="bath"))
    standing(ada, later, "done")
    assert standing(ada, command_id, "refused")["result"]["reason"] == "nothing_plays"


def test_a_command_that_nobody_answered_has_expired(ada: Home, bath: str) -> None:
    """An audible one lasts 30 s; once they are over it is told as expired."""
    command_id = asks(ada, "/spotify/test", {"sensorId": bath})
    ada.lets_expire(command_id)
    assert ada.gets(f"/commands/{command_id}")["state"] == "expired"


def test_a_neighbour_s_gateway_answers_no_command_of_ours(ada: Home, bob: Home, edge: Edge, bath: str) -> None:
    """On a topic of its own it may name our command: the command waits on, and our own gateway's answer counts."""
    command_id = asks(ada, f"/sensors/{bath}/pause", {})
    with bob.edge() as foreign:
        assert foreign.is_in()
        foreign.tells(Kind.RESULTS, result(bob, command_id, "pause", sensorId="bath", detail="it was Bob"))
        own = asks(bob, "/spotify/devices", {"gatewayId": bob.gateway_id})
        foreign.tells(Kind.RESULTS, result(bob, own, "list_devices"))
    standing(bob, own, "done")
    assert ada.gets(f"/commands/{command_id}")["state"] == "waiting"
    edge.tells(Kind.RESULTS, result(ada, command_id, "pause", sensorId="bath", detail="it was Ada"))
    assert standing(ada, command_id, "done")["result"]["detail"] == "it was Ada"
    assert bob.ask("GET", f"/commands/{command_id}").status == requests.codes.not_found


def test_a_consent_is_carried_down_and_kept_nowhere(ada: Home, edge: Edge) -> None:
    """The link comes up for whoever asked; Spotify's code goes down once, and is in no table and no log."""
    code = "AQ-a-code-of-spotify-that-is-nobody-else-s"
    ada.deployed.secrets.add(code)
    redirect = "https://dashboard.example/spotify"
    asked = asks(ada, "/spotify/connect", {"gatewayId": ada.gateway_id, "redirectUri": redirect})
    edge.is_commanded(RESERVED_SENSOR_ID, asked)
    link = ConnectLink(
        link="https://accounts.spotify.com/authorize?state=s-1",
        redirect_uri=redirect,
        expires_at=time.time_ns() // 1_000_000 + LASTS_MS,
    )
    edge.tells(Kind.RESULTS, result(ada, asked, "connect_spotify", connect=link))
    standing(ada, asked, "done")
    answer = {"answer": {"commandId": asked, "state": "s-1", "code": code}}
    given = asks(ada, "/spotify/connect", answer)
    assert edge.is_commanded(RESERVED_SENSOR_ID, given)["answer"]["code"] == code
    assert ada.ask("POST", "/spotify/connect", answer).status == requests.codes.not_found
