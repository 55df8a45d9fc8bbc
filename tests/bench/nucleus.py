"""IPC through the laptop's nucleus: what a request costs, and the whole component with IPC connected."""

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import yaml
from tests.bench.figures import Figure, percentile
from tests.bench.latency import WIRING
from tests.bench.process import IDLE_S, SETTLE_S, memory_kb, stop, wakes
from tests.sandbox.nucleus.workbench import recipe_tree, running, write_recipe

from spotty_contract.topics import ShadowAction, ShadowTopic
from spotty_gateway.cli.component import THING_NAME
from spotty_gateway.cli.greengrass import SOCKET, TOKEN
from spotty_gateway.nucleus import Nucleus as Client
from spotty_sandbox.nucleus import Nucleus
from spotty_sandbox.nucleus.frames import Frame, MessageType, encode

RECIPE = Path(__file__).parents[2] / "recipes" / "recipe.yaml"
REQUESTS = 500
TOPIC, PAYLOAD = "sensors/gw1/bath/motion", b"." * 1_000
CONFIGURATION = {"dataDir": "data", "pinFactory": "mock", "clock": "assume_trusted", "spotifyClientId": "bench"}


def requests() -> list[Figure]:
    """Publishing a kilobyte, and reading the configuration; the floor is the same bytes over a bare socket."""
    with tempfile.TemporaryDirectory() as folder, _nucleus(Path(folder)) as nucleus:
        client = Client(str(nucleus.socket_path), nucleus.new_token(), print)
        client.connect()
        publish = {"topicName": TOPIC, "qos": "1", "payload": base64.b64encode(PAYLOAD).decode()}
        measured: list[tuple[str, Callable[[], object], str, dict[str, object]]] = [
            ("publish 1 kB", lambda: client.publish(TOPIC, PAYLOAD), "PublishToIoTCore", {**publish}),
            ("read the configuration", client.configuration, "GetConfiguration", {"keyPath": []}),
        ]
        figures = []
        for name, ask, operation, request in measured:
            taken, floor = _times(ask), _bare_times(nucleus, operation, request)
            figures += [
                Figure(f"IPC: {name}, p{q}", percentile(taken, q) * 1e3, percentile(floor, q) * 1e3, "ms")
                for q in (50, 99)
            ]
        client.close()
    return figures


def component() -> list[Figure]:
    """From process start to watching, memory, and wake-ups of an idle minute, all with IPC connected."""
    with tempfile.TemporaryDirectory() as folder, _nucleus(Path(folder)) as nucleus:
        policies = Path(folder) / "data" / "policies"
        policies.mkdir(parents=True)
        (policies / "gateway.json").write_text(json.dumps(WIRING))
        seconds = []
        for _ in range(2):  # the first is not warm
            process, took_s = _started(nucleus, Path(folder))
            seconds.append(took_s)
            stop(process)
        process, took_s = _started(nucleus, Path(folder))
        _answer_questions(nucleus)
        sleeper = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        time.sleep(SETTLE_S)
        before = wakes(process.pid)
        time.sleep(IDLE_S)
        woken, resident, floor = wakes(process.pid) - before, memory_kb(process.pid), memory_kb(sleeper.pid)
        sleeper.kill()
        sleeper.wait()
        stop(process)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    floor_s = time.perf_counter() - began
    return [
        Figure("as a component: start to watching", min(seconds[1], took_s) * 1e3, floor_s * 1e3, "ms"),
        Figure("as a component: resident memory", resident / 1024, floor / 1024, "MB", 60 * 1024 / floor),
        Figure(f"as a component, idle for {IDLE_S} s: wake-ups of all threads", woken, 1, "", 0.0),
    ]


def _nucleus(folder: Path) -> AbstractContextManager[Nucleus]:
    ours = yaml.safe_load(RECIPE.read_text())["ComponentConfiguration"]["DefaultConfiguration"]["accessControl"]
    configuration = {"DefaultConfiguration": {**CONFIGURATION, "accessControl": ours}}
    recipe = write_recipe(folder, {**recipe_tree(), "ComponentConfiguration": configuration})
    return running(folder, "lite", recipe=recipe)


def _answer_questions(nucleus: Nucleus) -> None:
    """The cloud knows of no policies: who has been told so asks again within the hour, and not before."""
    of = ("gateway", "room")
    asked = [str(ShadowTopic(nucleus.thing, one, ShadowAction.GET)) for one in of]
    before = len(nucleus.sent())
    nucleus.wait_until(lambda: set(asked) <= {one.topic for one in nucleus.sent()[before:]})
    for one in of:
        topic = ShadowTopic(nucleus.thing, one, ShadowAction.GET_REJECTED)
        nucleus.publish_from_cloud(str(topic), b'{"code":404,"message":"No shadow exists"}')


def _times(do: Callable[[], object]) -> list[float]:
    taken = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        do()
        taken.append(time.perf_counter() - began)
    return sorted(taken)


def _bare_times(nucleus: Nucleus, operation: str, request: dict[str, object]) -> list[float]:
    headers = {"operation": f"aws.greengrass#{operation}", ":content-type": "application/json"}
    streams = iter(range(1, REQUESTS + 1))
    with socket.socket(socket.AF_UNIX) as bare:
        bare.connect(str(nucleus.socket_path))
        token = json.dumps({"authToken": nucleus.new_token()}).encode()
        bare.sendall(encode(Frame(MessageType.CONNECT, headers={":version": "0.1.0"}, payload=token)))
        bare.recv(65_536)
        body = json.dumps(request).encode()

        def ask() -> None:
            bare.sendall(encode(Frame(MessageType.APPLICATION_MESSAGE, 0, next(streams), headers, body)))
            bare.recv(65_536)

        return _times(ask)


def _started(nucleus: Nucleus, folder: Path) -> tuple["subprocess.Popen[str]", float]:
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "spotty_gateway", "greengrass"],
        cwd=folder,
        env={**os.environ, SOCKET: str(nucleus.socket_path), TOKEN: nucleus.new_token(), THING_NAME: nucleus.thing},
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout or ():
        if line.startswith("watching"):
            return process, time.perf_counter() - began
    raise RuntimeError("the component did not start")
