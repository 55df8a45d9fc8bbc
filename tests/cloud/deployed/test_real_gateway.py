"""The real gateway's process at the deployed stack, over a laptop nucleus and mutual TLS: nobody plays its part."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from tests.cloud.deployed.home import PLAYLIST, Home
from tests.gateway.flat import is_silent, plays
from tests.gateway.test_processes import ROOT, Component, Pi

from spotty_gateway.cli.component import THING_NAME
from spotty_gateway.cli.greengrass import SOCKET, TOKEN
from spotty_sandbox.nucleus import Broker, Nucleus

PIR = 17


@pytest.fixture
def nucleus(ada: Home, tmp_path: Path) -> Iterator[Nucleus]:
    """Nucleus lite with the recipe's own rights, at the stack's broker as Ada's gateway."""
    recipe = tmp_path / "recipe.yaml"
    tree = yaml.safe_load((ROOT / "recipes/recipe.yaml").read_text())
    tree["Manifests"] = [{"Platform": {"os": "linux", "runtime": "*"}, "Lifecycle": {"run": "true"}}]
    recipe.write_text(json.dumps({**tree, "ComponentVersion": "1.0.0"}))
    mqtt, gateway = ada.deployed.aws.mqtt, ada.gateway
    broker = Broker(mqtt.host, mqtt.port, gateway.ca, gateway.certificate, gateway.key)
    with Nucleus("lite", root=tmp_path / "gg", recipe=recipe, thing=ada.gateway_id, broker=broker) as made:
        yield made


@pytest.fixture
def pi(tmp_path: Path, nucleus: Nucleus) -> Iterator[Pi]:
    """A computer with speakers and consent, whose gateway has never heard of a room."""
    (tmp_path / "pi").mkdir()
    made = Pi(tmp_path / "pi")
    for policy in (made.folder / "policies").iterdir():
        policy.unlink()
    settings = json.loads(made.settings({"telemetryLevel": "decisions"}).read_text())
    nucleus.set_configuration(settings)
    yield made
    for component in made.components:
        if component.process.poll() is None:
            component.end(signal.SIGKILL)
    made.simulator.stop()


def runs(pi: Pi, nucleus: Nucleus, thing: str) -> Component:
    """The component, as the nucleus would start it."""
    surroundings = {SOCKET: str(nucleus.socket_path), TOKEN: nucleus.new_token(), THING_NAME: thing}
    component = Component("greengrass", cwd=pi.folder, env=surroundings)
    pi.components.append(component)
    return component


def once(home: Home, path: str, says: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - JSON
    """What is read there, once it says so."""
    home.deployed.until(lambda: says(home.gets(path)))
    return home.gets(path)


def stands(state: str) -> Callable[[Any], bool]:
    """Whether settings have come so far."""
    return lambda found: bool(found["settings"]["state"] == state)


def test_from_the_dashboard_to_music_and_back(ada: Home, pi: Pi, nucleus: Nucleus) -> None:
    """Settings are applied; a motion is music and a session; a command is done; what cannot be is refused and told."""
    policy = {"warmUpS": 0, "playback": {"device": {"name": "Bathroom"}, "contextUri": PLAYLIST}}
    inputs = [{"id": "pir", "pin": PIR}]
    bath = ada.adds_sensor("bath", inputs=inputs, policy=policy)
    sensor, gateway = f"/sensors/{bath['sensorId']}", f"/gateways/{ada.gateway_id}"
    component = runs(pi, nucleus, ada.gateway_id)
    once(ada, sensor, stands("applied"))
    once(ada, gateway, stands("applied"))

    component.motion()
    pi.simulator.wait_until(plays)
    (session,) = once(ada, "/sessions", lambda found: bool(found["sessions"]))["sessions"]
    assert (session["sensorId"], session["status"], session["policyVersion"]) == (bath["sensorId"], "active", 1)

    paused = ada.ask("POST", f"{sensor}/pause", {})
    assert paused.status == requests.codes.accepted
    told = once(ada, f"/commands/{paused.body['commandId']}", lambda found: found["state"] == "done")
    assert told["result"]["detail"] == "silent for the rest of this session"
    pi.simulator.wait_until(is_silent)

    # A pin with a resistor to 3.3 V soldered to it: no cloud can know what is on somebody's board.
    wired = ada.ask("PUT", sensor, {"inputs": [{"id": "pir", "pin": 2, "pull": "down"}]})
    assert wired.status == requests.codes.ok
    refused = once(ada, gateway, stands("rejected"))["settings"]["rejections"]
    assert (refused[0]["field"], refused[0]["value"]) == ("sensors.0.inputs.0.pin", "2")

    ada.ask("PUT", sensor, {"inputs": inputs, "policy": {"enabled": False}})
    once(ada, gateway, stands("applied"))
    (ended,) = once(ada, "/sessions", lambda found: found["sessions"][0]["status"] != "active")["sessions"]
    assert (ended["sessionId"], ended["endedBy"]) == (session["sessionId"], "disabled")
    assert (ended["playbackStarted"], ended["device"]["name"]) == (True, "Bathroom")
    assert component.end(signal.SIGTERM)[0] == 0
    assert not [line for line in component.lines if "Traceback" in line or "please report" in line]
