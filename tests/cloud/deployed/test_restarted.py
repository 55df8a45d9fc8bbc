import time

import pytest
from tests.cloud.deployed.home import Home
from tests.cloud.deployed.lived_in import CANARY, a_session, lives_in
from tests.cloud.deployed.routes import Named

from spotty_contract.shadow import Reported
from spotty_contract.topics import Kind


@pytest.fixture(scope="module")
def known(ada: Home) -> Named:
    """Ada's home has a life in it, and then its AWS ends in order and starts again."""
    with ada.edge() as edge:
        known = lives_in(ada, edge.listens())
        edge.reports("bath", Reported(1, "applied"))
    before = ada.deployed.aws.pid
    ada.deployed.restart()
    assert ada.deployed.aws.pid != before
    return known


def test_what_was_there_is_there(ada: Home, known: Named) -> None:
    """Settings with their standing, sessions, decisions, devices, commands; for a token from before."""
    sensor = ada.gets(f"/sensors/{known.sensor_id}")
    assert (sensor["location"], sensor["settings"]["state"]) == (CANARY, "applied")
    assert [one["device"]["name"] for one in ada.gets("/sessions")["sessions"]] == [f"Speaker of {CANARY}"]
    assert [one["reason"] for one in ada.gets(f"/sensors/{known.sensor_id}/decisions")["decisions"]] == [CANARY]
    assert ada.gets(f"/spotify/devices?gatewayId={ada.gateway_id}")["devices"][0]["name"] == CANARY
    assert ada.gets(f"/commands/{known.command_id}")["state"] == "done"


def test_and_it_works(ada: Home, known: Named) -> None:
    """A certificate from before lets its gateway in; settings go down, and records come up."""
    with ada.edge() as edge:
        edge.listens()
        v = ada.ask("PUT", f"/sensors/{known.sensor_id}", {"policy": {"vacancyDelayS": 90}}).body["version"]
        edge.is_told("bath", v)
        edge.reports("bath", Reported(v, "applied"))
        edge.tells(Kind.SESSION, a_session(ada, time.time_ns() // 1_000_000, 2))
        until = ada.deployed.until
        until(lambda: ada.gets(f"/sensors/{known.sensor_id}")["settings"]["state"] == "applied")
        until(lambda: len(ada.gets("/sessions")["sessions"]) == 2)
