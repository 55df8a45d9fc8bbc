"""Cold starts of the functions in fresh processes, from the folder that is deployed, and what they consist of."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure
from tests.cloud.stack import ROOT, functions, template

STARTS = 3
"""Of which the quickest counts; one more before them, so that the files are in memory, as in an environment of AWS."""

PARTS = ("botocore", "pydantic", "fastapi", "ours", "clients")


@dataclass(frozen=True, slots=True)
class Function:
    """A function, what it imports first, and how long it may take (None: no goal)."""

    name: str
    imports: tuple[str, ...]
    goal_ms: float | None = None


FUNCTIONS = (
    Function("Ingest", ("botocore", "pydantic"), 250),
    Function("Api", ("botocore", "pydantic", "fastapi"), 500),
    Function("Registration", ("botocore", "pydantic", "fastapi")),
    Function("Scheduled", ("botocore",)),
    Function("Live", ("botocore",)),
)

_PROGRAM = """
import sys, time
sys.modules["awscrt"] = None  # the gateway's; Lambda's botocore has to do without it, and then does not look for it
began = time.perf_counter()
def lap():
    global began
    before, began = began, time.perf_counter()
    return began - before

import botocore.config, botocore.credentials, botocore.session
told = {"botocore": lap()}
if "pydantic" in sys.argv[2:]:
    import pydantic
    told["pydantic"] = lap()
if "fastapi" in sys.argv[2:]:
    import fastapi, mangum
    told["fastapi"] = lap()
make, clients = botocore.session.Session.create_client, 0.0
def timed(*given, **more):
    global clients
    since = time.perf_counter()
    try:
        return make(*given, **more)
    finally:
        clients += time.perf_counter() - since
botocore.session.Session.create_client = timed
module, _, name = sys.argv[1].rpartition(".")
handler = getattr(__import__(module, fromlist=[name]), name)
told["ours"], told["clients"] = lap() - clients, clients
import json
print(json.dumps(told), flush=True)
"""


def start() -> list[Figure]:
    """From the start of the process to the handler; the floor is Python starting with nothing to do."""
    with tempfile.TemporaryDirectory(dir=_folder()) as package:
        _build_into(package)
        return [figure for one in FUNCTIONS for figure in _figures(one, package)]


def _figures(function: Function, package: str) -> list[Figure]:
    floor_s = min(_bare_s() for _ in range(STARTS))
    runs = [_started(function, package) for _ in range(STARTS + 1)][1:]
    whole_s, parts = min(runs, key=lambda run: run[0])
    limit = None if function.goal_ms is None else function.goal_ms / (floor_s * 1e3)
    name = function.name.lower()
    return [Figure(f"cold start of {name}", whole_s * 1e3, floor_s * 1e3, "ms", limit)] + [
        Figure(f"   of this {part}", parts[part] * 1e3, floor_s * 1e3, "ms") for part in PARTS if part in parts
    ]


def _started(function: Function, package: str) -> tuple[float, dict[str, float]]:
    handler = functions(template())[f"{function.name}Function"]["Handler"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, handler, *function.imports],
        env=_environment(package),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        line = process.stdout.readline() if process.stdout else ""
        took_s = time.perf_counter() - began
    if process.returncode != 0:
        raise RuntimeError(f"{function.name} does not start")
    return took_s, json.loads(line)


def _bare_s() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return time.perf_counter() - began


def _folder() -> Path:
    folder = ROOT / "build"
    folder.mkdir(exist_ok=True)
    return folder


def _build_into(folder: str) -> None:
    """What is deployed. boto3's part is the runtime's own in AWS, and here this environment's."""
    command = ["make", "--silent", "-C", str(ROOT / "cloud/src"), "host", f"ARTIFACTS_DIR={folder}"]
    subprocess.run([*command, f"PYTHON={sys.executable}"], env=_outside_make(), check=True)


def _outside_make() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}


def _environment(package: str) -> dict[str, str]:
    """Every name that any function is given, with words for values: nothing is asked of AWS at the start."""
    named = {name for one in functions(template()).values() for name in one["Environment"]["Variables"]}
    values = dict.fromkeys(named, "bench") | {
        "LOG_LEVEL": "INFO",
        "RETENTION_DAYS": "30",
        "LIVE_ENDPOINT": "https://live.example/live",
        "LOCAL_AUTHORITY": "",
        "LOCAL_MQTT": "",
        "ALLOWED_ORIGIN": "",
    }
    credentials = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "bench")
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": package,
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        **values,
        **credentials,
    }
