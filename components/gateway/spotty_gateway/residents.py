"""The residents' wishes as they lie on disk: which sensors there are, and the policy of each. Last good ones."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spotty_contract.gateway import RESERVED_SENSOR_ID, GatewayPolicy, SensorWiring
from spotty_contract.policy import Policy
from spotty_contract.wire import faults_of
from spotty_gateway.engine.rules import InputKind, Rules
from spotty_gateway.policies_on_disk import PoliciesOnDisk
from spotty_gateway.rules_of import rules_of


@dataclass(frozen=True, slots=True)
class Resident:
    """One sensor with its rules, ready for the engine, and the policy they come from."""

    wiring: SensorWiring
    rules: Rules
    policy: Policy = field(default_factory=Policy)

    @property
    def inputs(self) -> tuple[tuple[str, InputKind], ...]:
        """The inputs as the engine wants them."""
        return tuple((one.id, InputKind(one.kind)) for one in self.wiring.inputs)


def settle(wiring: SensorWiring, policy: Policy, zone: str, version: int = 0) -> Resident:
    """The sensor under this policy; one without a zone lives in the gateway's. `version` is the cloud's."""
    return Resident(wiring, rules_of(policy, zone, version), policy)


@dataclass(frozen=True, slots=True)
class Residents:
    """All sensors, and a line for each file that could not be used."""

    sensors: tuple[Resident, ...]
    faults: tuple[str, ...]
    timezone: str = "UTC"
    version: int = 0
    """Of the list of sensors, the cloud's; 0 where it is a person's own."""


def read_residents(folder: Path) -> Residents:
    """Read `gateway.json` and `sensor-<id>.json`.

    A sensor without a policy file has the default policy; so has one whose file cannot be used, and a line says so:
    its motion is decided and recorded, but without a target no music is played by guess. Of a `gateway.json` with a
    fault in it the sensors and inputs that can be understood are watched.
    """
    faults: list[str] = []
    disk = PoliciesOnDisk(folder)
    gateway, version = _gateway(disk, faults)
    sensors = tuple(
        settle(wiring, policy, gateway.timezone, policy_version)
        for wiring in gateway.sensors
        for policy, policy_version in [policy_on(disk, wiring.id, faults)]
    )
    return Residents(sensors, tuple(faults), gateway.timezone, version)


def _gateway(disk: PoliciesOnDisk, faults: list[str]) -> tuple[GatewayPolicy, int]:
    path = disk.path(RESERVED_SENSOR_ID)
    try:
        content = path.read_bytes()
    except OSError as error:
        faults.append(f"{path}: {error.strerror}; no sensor is known before it says which pins they are on")
        return GatewayPolicy(), 0
    try:
        return GatewayPolicy.from_json(content), disk.version(RESERVED_SENSOR_ID, content)
    except ValidationError as error:
        told = f"{path}: {'; '.join(faults_of(error, 'gateway policy'))}"
    gateway = _what_is_good(content)
    known = ", ".join(sensor.name for sensor in gateway.sensors)
    faults.append(f"{told}; {f'only {known} can be watched' if known else 'no sensor is known'} before that is mended")
    return gateway, 0


def _what_is_good(content: bytes) -> GatewayPolicy:
    """As many sensors, with as many inputs, as can be understood: one wrong pin must not switch off the other rooms."""
    try:
        found = json.loads(content)
    except ValueError:
        return GatewayPolicy()
    found = found if isinstance(found, dict) else {}
    zone = _built({"timezone": found.get("timezone", "UTC")}) or GatewayPolicy()
    good: list[dict[str, Any]] = []
    for sensor in _things(found.get("sensors")):
        inputs: list[dict[str, Any]] = []
        for one in _things(sensor.get("inputs")):
            tried = {**sensor, "inputs": [*inputs, one]}
            if _built({"timezone": zone.timezone, "sensors": [*good, tried]}):
                inputs.append(one)
        if inputs:
            good.append({**sensor, "inputs": inputs})
    return _built({"timezone": zone.timezone, "sensors": good}) or zone


def _things(found: object) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _built(of: dict[str, Any]) -> GatewayPolicy | None:
    try:
        return GatewayPolicy.from_json(json.dumps(of).encode())
    except ValidationError:
        return None


def policy_on(disk: PoliciesOnDisk, sensor_id: str, faults: list[str]) -> tuple[Policy, int]:
    """A sensor's policy as it lies on disk, and its version; what is wrong with the file is added to `faults`."""
    path = disk.path(sensor_id)
    try:
        content = path.read_bytes()
        return Policy.from_json(content), disk.version(sensor_id, content)
    except FileNotFoundError:
        pass
    except OSError as error:
        faults.append(f"{path}: {error.strerror}; the default policy, without music, is used instead")
    except ValidationError as error:
        fault = "; ".join(faults_of(error, "policy"))
        faults.append(f"{path}: {fault}; the default policy, without music, is used instead")
    return Policy(), 0
