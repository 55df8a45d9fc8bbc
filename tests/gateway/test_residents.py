import json
from pathlib import Path

import pytest

from spotty_contract.policy import Policy
from spotty_contract.shadow import Reported
from spotty_gateway.engine.rules import SECOND, Rules
from spotty_gateway.policies_on_disk import PoliciesOnDisk
from spotty_gateway.residents import read_residents
from spotty_gateway.rules_of import rules_of

WIRING = {
    "timezone": "Europe/Berlin",
    "sensors": [
        {"id": "bath", "name": "Bath", "inputs": [{"id": "pir", "pin": 17}]},
        {"id": "hall", "name": "Hall", "inputs": [{"id": "pir", "pin": 27}]},
    ],
}
DEFAULT = rules_of(Policy(), "Europe/Berlin")


def rules_in(folder: Path) -> tuple[dict[str, Rules], tuple[str, ...]]:
    """The rules by room, and the faults."""
    found = read_residents(folder)
    return {one.wiring.id: one.rules for one in found.sensors}, found.faults


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two sensors and no policies."""
    (tmp_path / "gateway.json").write_text(json.dumps(WIRING))
    return tmp_path


def test_a_room_without_a_policy_has_the_default_one(folder: Path) -> None:
    """No file is no fault."""
    assert rules_in(folder) == ({"bath": DEFAULT, "hall": DEFAULT}, ())


def test_a_policy_lives_in_the_gateway_s_zone(folder: Path) -> None:
    """What the policy leaves out is the gateway's or the default."""
    (folder / "sensor-hall.json").write_text('{"vacancyDelayS": 60}')
    rules, faults = rules_in(folder)
    assert (str(rules["hall"].zone), rules["hall"].vacancy_delay_us, faults) == ("Europe/Berlin", 60 * SECOND, ())


@pytest.mark.parametrize(
    "content, fault",
    [
        (b"", "policy is not JSON"),
        (b"\xff\xfe", "policy is not JSON"),
        (b"[]", "policy"),
        (b'{"vacancyDelayS": 5}', "vacancyDelayS: 5"),
        (b'{"vacancyDelayS": "60"}', "vacancyDelayS: "),
        (b'{"vacancyDelaySeconds": 60}', "vacancyDelaySeconds: unknown field"),
        (b'{"timezone": "Mars/Olympus"}', "Mars/Olympus"),
        (b'{"holdOffS": 300}', "holdOffS"),
    ],
)
def test_a_bad_policy_is_one_line_and_the_room_lives_on(folder: Path, content: bytes, fault: str) -> None:
    """The line names file, field and what is used instead; the other room has its own policy."""
    path = folder / "sensor-bath.json"
    path.write_bytes(content)
    rules, faults = rules_in(folder)
    assert rules == {"bath": DEFAULT, "hall": DEFAULT}
    assert len(faults) == 1
    assert faults[0].startswith(f"{path}: ")
    assert fault in faults[0]
    assert faults[0].endswith("the default policy, without music, is used instead")
    assert "\n" not in faults[0]


@pytest.mark.parametrize("content", [None, b"{", b'{"sensors": [{"id": "Bath"}]}'])
def test_without_wiring_no_sensor_is_known_and_it_is_said(tmp_path: Path, content: bytes | None) -> None:
    """A gateway without its sensors starts, and says in one line what is missing."""
    if content is not None:
        (tmp_path / "gateway.json").write_bytes(content)
    rules, faults = rules_in(tmp_path)
    assert rules == {}
    assert len(faults) == 1
    assert "no sensor is known before" in faults[0]


def test_one_wrong_pin_does_not_switch_off_the_other_rooms(tmp_path: Path) -> None:
    """What can be understood is watched; one line says what is wrong, and nothing that only follows from it."""
    wiring = {
        "timezone": "Europe/Berlin",
        "sensors": [
            {"id": "bath", "name": "Bath", "inputs": [{"id": "pir", "pin": 17}]},
            {"id": "kitchen", "name": "Kitchen", "inputs": [{"id": "pir", "pin": 40}]},
            {
                "id": "hall",
                "name": "Hall",
                "inputs": [{"id": "pir", "pin": 17}, {"id": "door", "kind": "contact", "pin": 5}],
            },
        ],
    }
    (tmp_path / "gateway.json").write_text(json.dumps(wiring))
    residents = read_residents(tmp_path)
    watched = {one.wiring.id: [wire.id for wire in one.wiring.inputs] for one in residents.sensors}
    assert watched == {"bath": ["pir"], "hall": ["door"]}
    assert str(residents.sensors[0].rules.zone) == "Europe/Berlin"
    (fault,) = residents.faults
    assert "sensors.1.inputs.0.pin: 40 is not allowed" in fault
    assert "list of" not in fault
    assert fault.endswith("only Bath, Hall can be watched before that is mended")


def test_a_policy_has_the_cloud_s_version_while_nobody_has_touched_it(folder: Path) -> None:
    """Changed by hand it is a person's own, version 0; so is a file that the cloud has never sent."""
    disk = PoliciesOnDisk(folder)
    for of, text in (
        ("bath", '{"vacancyDelayS":60}'),
        ("hall", '{"vacancyDelayS":70}'),
        ("gateway", json.dumps(WIRING)),
    ):
        disk.keep(of, text)
        disk.answer(of, Reported(7, "applied"), text)
    assert [one.version for one in rules_in(folder)[0].values()] == [7, 7]
    assert read_residents(folder).version == 7
    (folder / "sensor-hall.json").write_text('{"vacancyDelayS": 71}')
    rules, faults = rules_in(folder)
    assert ([one.version for one in rules.values()], faults) == ([7, 0], ())
