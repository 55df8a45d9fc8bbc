from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.gateway.flat import PATIENCE_S, PIR, POLICY, WIRING, Flat

from spotty_contract.gateway import GatewayPolicy, SensorWiring
from spotty_contract.policy import Policy
from spotty_gateway.app import _specs
from spotty_gateway.engine.state import House
from spotty_gateway.in_force import InForce
from spotty_gateway.residents import Residents, settle
from spotty_sandbox.rig import Rig

HALL_PIN = 27
HALL = {"id": "hall", "name": "Hall", "inputs": [{"id": "pir", "pin": HALL_PIN}]}


@pytest.fixture
def flat(tmp_path: Path) -> Flat:
    """One room."""
    return Flat(tmp_path)


@pytest.fixture
def rig(flat: Flat) -> Iterator[Rig]:
    """Its gateway, on gpiozero's mock pins."""
    with flat.rig() as running:
        yield running


@pytest.fixture
def in_force(flat: Flat, rig: Rig) -> InForce:
    """What is in force there, with the pins as they are."""
    gateway = rig.gateway
    loop = gateway._loop
    assert loop is not None

    def watch(sensors: Sequence[SensorWiring]) -> Mapping[str, str]:
        specs = [spec for one in sensors for spec in _specs(one)]
        return {name: str(error) for name, error in gateway._inputs.watch(specs).items()}

    return InForce(gateway._residents, watch, loop.post, gateway._now, flat.heard.say)


def residents(*sensors: object, timezone: str = "UTC") -> Residents:
    """A list as it comes from the cloud, each room with the policy of the flat."""
    found = GatewayPolicy.model_validate({"timezone": timezone, "sensors": sensors})
    policy = Policy.model_validate(POLICY)
    return Residents(tuple(settle(one, policy, timezone, 1) for one in found.sensors), (), timezone, 1)


def house_of(rig: Rig) -> House:
    """The house, after all that was posted."""
    found: list[House] = []
    loop = rig.gateway._loop
    assert loop is not None
    assert loop.ask(found.append, PATIENCE_S)
    return found[0]


def test_a_new_sensor_s_level_is_evidence_from_the_start(in_force: InForce, rig: Rig) -> None:
    """Its pin is high when it begins to be watched: the room is there before its first level is told."""
    rig.factory.pin(HALL_PIN).drive_high()
    assert in_force.change(residents(*WIRING["sensors"], HALL)) == {}
    hall = house_of(rig).rooms["hall"]
    assert (hall.presence.evident, hall.session) == (1, None)


def test_the_other_rooms_go_on_undisturbed(in_force: InForce, flat: Flat, rig: Rig) -> None:
    """A session under way is the same one after a sensor has come and gone, and its pins are still watched."""
    flat.motion(rig)
    flat.heard.wait_for("music started")
    session = house_of(rig).rooms["bath"].session
    assert session is not None
    for sensors in ([*WIRING["sensors"], HALL], WIRING["sensors"]):
        assert in_force.change(residents(*sensors, timezone="Europe/Berlin")) == {}
    after = house_of(rig)
    assert set(after.rooms) == {"bath"}
    same = after.rooms["bath"].session
    assert same is not None
    assert replace(same, policy_version=0) == session
    flat.pass_s(rig, 50)
    flat.motion(rig)
    flat.pass_s(rig, 50)
    assert house_of(rig).rooms["bath"].session is not None


def test_two_inputs_on_one_pin_are_refused_by_the_pins_themselves(in_force: InForce, rig: Rig) -> None:
    """What the contract would not let through: the list is undone, the old pins are watched again."""
    moved = {"id": "bath", "name": "Bath", "inputs": [{"id": "pir", "pin": HALL_PIN}]}
    both = tuple(residents(one).sensors[0] for one in (moved, HALL))
    refused = in_force.change(Residents(both, (), "UTC", 2))
    assert list(refused) == ["hall/pir"]
    assert "on that pin" in refused["hall/pir"]
    assert set(house_of(rig).rooms) == {"bath"}
    assert (in_force.version, list(in_force.names)) == (0, ["bath"])
    rig.pins[PIR].drive_high()
    assert house_of(rig).rooms["bath"].session is not None
