"""The residents' wishes as they lie on disk: which sensors there are, and the policy of each. Last good ones."""

from dataclasses import dataclass
from pathlib import Path

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
    its motion is decided and recorded, but without a target no music is played by guess.
    """
    faults: list[str] = []
    gateway = GatewayPolicy()
    path = folder / "gateway.json"
    try:
        gateway = GatewayPolicy.from_json(path.read_bytes())
    except OSError as error:
        faults.append(f"{path}: {error.strerror}; no sensor is known before it says which pins they are on")
    except ValidationError as error:
        faults.append(
            f"{path}: {'; '.join(faults_of(error, 'gateway policy'))}; no sensor is known before that is mended"
        )
    sensors = tuple(
        Resident(wiring, rules_of(_policy(folder / f"sensor-{wiring.id}.json", faults), gateway.timezone))
        for wiring in gateway.sensors
    )
    return Residents(sensors, tuple(faults))


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
