"""Every route that can be asked again and again, at the deployed stack, beside one that does nothing."""

import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure, percentile
from tests.cloud.deployed.home import Deployed
from tests.cloud.deployed.lived_in import lives_in
from tests.cloud.deployed.routes import Operation, operations

from spotty_sandbox.aws import LocalAws, deploy_ours

ROUNDS = 100
FLOOR = "GET /health"
AGAIN = {"PUT /users/me", "PUT /sensors/{sensor_id}", "PUT /gateways/{gateway_id}"}
"""Besides all that only read: writes that may be made a hundred times."""


def routes() -> list[Figure]:
    """p50 and p99 of each, in rounds through all of them: the local AWS, its gateway and its Lambda are in all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with LocalAws(folder / "aws") as aws:
            deployed = Deployed(aws, deploy_ours(aws), folder)
            try:
                return _measured(deployed)
            finally:
                deployed.close()


def _measured(deployed: Deployed) -> list[Figure]:
    home = deployed.home("ada")
    with home.edge().listens() as edge:
        named = lives_in(home, edge)
    found = [one for one in operations(deployed.ask("GET", "/openapi.json").body, named) if _is_asked(one)]
    taken: dict[str, list[float]] = {one.name: [] for one in found}
    for number in range(ROUNDS + 1):
        for one in found:
            began = time.perf_counter()
            answer = home.ask(one.method, one.path, one.body)
            took_s = time.perf_counter() - began
            if answer.status not in one.successes:
                raise RuntimeError(f"{one.name}: {answer}")
            if number:  # the first round wakes everything up
                taken[one.name].append(took_s * 1e3)
    for values in taken.values():
        values.sort()
    floor = taken.pop(FLOOR)
    return [
        Figure(f"{name}, p{q}", percentile(values, q), percentile(floor, q), "ms")
        for name, values in sorted(taken.items(), key=lambda one: one[0].split()[::-1])
        for q in (50, 99)
    ]


def _is_asked(one: Operation) -> bool:
    """What does not end something, and is not the claim's that nobody has opened again."""
    return (one.method == "GET" and "/claims/" not in one.route) or one.name in AGAIN
