"""The residents' wishes as they lie on disk: which sensors there are, and the policy of each. Last good ones."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spotty_contract.gateway import GatewayPolicy, SensorWiring
from spotty_contract.policy import Policy
from spotty_contract.wire import faults_of
from spotty_gateway.engine.rules import InputKind, Rules
from spotty_gateway.rules_of import rules_of


@dataclass(frozen=True, slots=True)
class Resident:
    """One sensor with its rules, ready for the engine."""

    wiring: SensorWiring
    rules: Rules

    @property
    def inputs(self) -> tuple[tuple[str, InputKind], ...]:
        """The inputs as the engine wants them."""
        return tuple((one.id, InputKind(one.kind)) for one in self.wiring.inputs)


@dataclass(frozen=True, slots=True)
class Residents:
    """All sensors, and a line for each file that could not be used."""

    sensors: tuple[Resident, ...]
    faults: tuple[str, ...]


def read_residents(folder: Path) -> Residents:
    """Read `gateway.json` and `sensor-<id>.json`.

    A sensor without a policy file has the default policy; so has one whose file cannot be used, and a line says so:
    its motion is decided and recorded, but without a target no music is played by guess. Of a `gateway.json` with a
    fault in it the sensors and inputs that can be understood are watched.
    """
    faults: list[str] = []
    gateway = _gateway(folder / "gateway.json", faults)
    sensors = tuple(
        Resident(wiring, rules_of(_policy(folder / f"sensor-{wiring.id}.json", faults), gateway.timezone))
        for wiring in gateway.sensors
    )
    return Residents(sensors, tuple(faults))


def _gateway(path: Path, faults: list[str]) -> GatewayPolicy:
    try:
        content = path.read_bytes()
    except OSError as error:
        faults.append(f"{path}: {error.strerror}; no sensor is known before it says which pins they are on")
        return GatewayPolicy()
    try:
        return GatewayPolicy.from_json(content)
    except ValidationError as error:
        told = f"{path}: {'; '.join(faults_of(error, 'gateway policy'))}"
    gateway = _what_is_good(content)
    known = ", ".join(sensor.name for sensor in gateway.sensors)
    faults.append(f"{told}; {f'only {known} can be watched' if known else 'no sensor is known'} before that is mended")
    return gateway


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


def _policy(path: Path, faults: list[str]) -> Policy:
    try:
        return Policy.from_json(path.read_bytes())
    except FileNotFoundError:
        return Policy()
    except OSError as error:
        faults.append(f"{path}: {error.strerror}; the default policy, without music, is used instead")
    except ValidationError as error:
        fault = "; ".join(faults_of(error, "policy"))
        faults.append(f"{path}: {fault}; the default policy, without music, is used instead")
    return Policy()
