"""schemathesis over the whole OpenAPI document: requests made from it, right and wrong, and what they are answered.

    python -m tests.cloud.fuzz [--examples 60] [--seed N]          (make fuzz)

Without a seed the same requests each time. Ends with 1 where an answer is not as the document says.
"""

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from tests.cloud.before_function import BeforeFunction, token_of
from tests.cloud.world import ADA, BOB, HOME, OTHER_HOME, World, world_of

from spotty_sandbox.aws import LocalAws


@dataclass
class Found:
    """How much was asked, and what was not as the document says."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


def fuzz(world: World, examples: int, seed: int = 0, *, whole: bool = True) -> Found:
    """Ask `examples` of each route by chance; if `whole`, also all bounds of the document, and one after the other."""
    config = SchemathesisConfig.from_dict(_config(examples, seed, whole=whole))
    found = Found()
    with BeforeFunction(world, (ADA, BOB)) as api:
        schema = schemathesis.openapi.from_url(f"{api.url}/openapi.json", config=config).exclude(tag="registration")
        for event in from_schema(schema).execute():
            match event:
                case ScenarioFinished():
                    _count(found, event)
                case NonFatalError():
                    found.failures.append(f"{event.label}: {event.value!r}")
                case FatalError():
                    raise event.exception
    return found


def _config(examples: int, seed: int, *, whole: bool) -> dict[str, Any]:
    generation = {"max-examples": examples, "deterministic": seed == 0, "database": "none", "no-shrink": True}
    return {
        "seed": seed,
        "headers": {"Authorization": token_of(ADA)},
        "continue-on-failure": True,
        "generation": generation,
        # What fits field by field may still be wrong as a whole: a cursor of nobody's, an end before its beginning.
        "checks": {"positive_data_acceptance": {"enabled": False}},
        "phases": {
            "coverage": {"enabled": whole, "generate-duplicate-query-parameters": True},
            "stateful": {"enabled": whole, "max-steps": 6},
        },
    }


def _count(found: Found, event: ScenarioFinished) -> None:
    found.cases += len(event.recorder.interactions)
    for case_id, asked in event.recorder.interactions.items():
        case = event.recorder.cases[case_id].value
        found.operations.add(f"{case.operation.method.upper()} {case.operation.path}")
        if asked.response is not None:
            found.statuses[asked.response.status_code] += 1
        failed = [check.failure_info for check in event.recorder.checks.get(case_id, []) if check.failure_info]
        found.failures += [f"{one.failure.title}: {one.failure.message}\n{one.code_sample}" for one in failed]


def _main() -> int:
    parser = argparse.ArgumentParser(description="Ask the api whatever its own document makes one think of.")
    parser.add_argument("--examples", type=int, default=60, help="of each route by chance (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="other ones; 0 for the same each time")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, LocalAws(Path(folder)) as local_aws:
        world = world_of(local_aws, "fuzz")
        world.put_gateway(HOME, ADA)
        world.put_gateway(OTHER_HOME, BOB)
        found = fuzz(world, asked.examples, asked.seed)
    for failure in found.failures:
        print(failure, end="\n\n")
    statuses = ", ".join(f"{times} x {status}" for status, times in sorted(found.statuses.items()))
    print(f"{found.cases} requests to {len(found.operations)} operations, {len(found.failures)} failures: {statuses}")
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(_main())
