import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cloud.deployed.edge import Edge
from tests.cloud.deployed.home import Home

from spotty_contract.gateway import RESERVED_SENSOR_ID
from spotty_contract.shadow import Rejection, Reported, encode_get, read_desired
from spotty_contract.topics import ShadowAction, ShadowTopic

LATE = Rejection(field="vacancyDelayS", value="90", bound="it should be at least 30")
WIRED = Rejection(field="playback.device", bound="there is no such speaker here")


@pytest.fixture
def edge(ada: Home) -> Iterator[Edge]:
    """Ada's gateway, which hears what it is sent."""
    with ada.edge() as made:
        yield made.listens()


def vacancy_delay_s(policy: str) -> Any:  # noqa: ANN401 - JSON
    """By which the policies of these tests are told apart."""
    return json.loads(policy)["vacancyDelayS"]


def told_once(home: Home, sensor_id: str, answered_v: int) -> Any:  # noqa: ANN401 - JSON
    """How the settings stand, once the API knows of the answer to this version."""

    def told() -> Any:  # noqa: ANN401 - JSON
        return home.gets(f"/sensors/{sensor_id}")["settings"]

    home.deployed.until(lambda: told().get("answeredVersion") == answered_v)
    return told()


def test_a_setting_goes_down_and_its_answer_comes_up(ada: Home, edge: Edge) -> None:
    """Saved by the API, brought by MQTT whole, answered by MQTT, told by the API with version and time."""
    made = ada.adds_sensor("bath", policy={"vacancyDelayS": 240})
    assert made["settings"]["state"] == "pending"
    assert vacancy_delay_s(edge.is_told("bath", made["version"]).policy) == 240
    changed = ada.ask("PUT", f"/sensors/{made['sensorId']}", {"policy": {"vacancyDelayS": 90}}).body
    assert (changed["version"], changed["settings"]["state"]) == (made["version"] + 1, "pending")
    assert vacancy_delay_s(edge.is_told("bath", changed["version"]).policy) == 90
    edge.reports("bath", Reported(changed["version"], "applied"))
    told = told_once(ada, made["sensorId"], changed["version"])
    assert (told["state"], told["version"], told["rejections"]) == ("applied", changed["version"], [])
    assert told["answeredAt"] // 1000 >= changed["updatedAt"] // 1000


@pytest.mark.parametrize(
    "answer, state",
    [
        (lambda v: Reported(v, "rejected", (LATE,)), "rejected"),
        (lambda v: Reported(v, "rejected", (LATE, WIRED)), "rejected"),
        (lambda v: Reported(v - 1, "applied"), "pending"),
        (lambda v: Reported(v - 1, "rejected", (WIRED,)), "pending"),
    ],
    ids=["rejected", "rejected for two reasons", "an older one was applied", "an older one was rejected"],
)
def test_what_the_gateway_makes_of_it_is_told(ada: Home, edge: Edge, answer: Any, state: str) -> None:  # noqa: ANN401 - a table's cell
    """Rejected with each field, value and bound; an answer to an older version leaves the newer one pending."""
    local_id = f"room-{next(ada.pins)}"
    sensor_id = ada.adds_sensor(local_id)["sensorId"]
    v = ada.ask("PUT", f"/sensors/{sensor_id}", {"policy": {"vacancyDelayS": 90}}).body["version"]
    edge.is_told(local_id, v)
    reported = answer(v)
    edge.reports(local_id, reported)
    told = told_once(ada, sensor_id, reported.v)
    assert (told["state"], told["version"]) == (state, v)
    assert told["rejections"] == [json.loads(one.to_json()) | {"value": one.value} for one in reported.rejections]


def test_a_gateway_that_was_away_asks_and_is_told(ada: Home) -> None:
    """What was changed meanwhile is the whole answer to its `get`."""
    made = ada.adds_sensor("attic", policy={"vacancyDelayS": 210})
    with ada.edge() as edge:
        edge.listens()
        assert edge.says(ShadowTopic(edge.thing, "attic", ShadowAction.GET), encode_get())
        topic = str(ShadowTopic(edge.thing, "attic", ShadowAction.GET_ACCEPTED))
        desired = read_desired(edge.hears(lambda found, _: found == topic)[1])
    assert desired is not None
    assert (desired.v, vacancy_delay_s(desired.policy)) == (made["version"], 210)


def test_the_list_of_rooms_goes_along(ada: Home, edge: Edge) -> None:
    """A room added is in the gateway's list; taken away, it is disabled and out of it."""
    made = ada.adds_sensor("hall", name="The hall")

    def rooms() -> dict[str, str]:
        v = ada.gets(f"/gateways/{ada.gateway_id}")["version"]
        wiring = json.loads(edge.is_told(RESERVED_SENSOR_ID, v).policy)
        return {one["id"]: one["name"] for one in wiring.get("sensors", ())}

    assert rooms()["hall"] == "The hall"
    assert ada.ask("DELETE", f"/sensors/{made['sensorId']}").status == 204
    assert json.loads(edge.is_told("hall", made["version"] + 1).policy)["enabled"] is False
    assert "hall" not in rooms()
    assert ada.ask("GET", f"/sensors/{made['sensorId']}").status == 404
