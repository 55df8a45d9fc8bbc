import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.gateway.account import CLIENT_ID
from tests.gateway.flat import PATIENCE_S, is_silent, plays
from tests.gateway.freezer import Freezer
from tests.gateway.test_processes import ROOT, STOPS_WITHIN_S, Component, Pi
from tests.sandbox.nucleus.workbench import PROFILES, THING, recipe_tree, running, write_recipe

from spotty_contract.results import CommandResult
from spotty_contract.topics import Kind, SensorTopic, gateway_filters
from spotty_gateway.cli.component import LEAVES_AFTER_S, START_ANEW, THING_NAME, may_leave
from spotty_gateway.cli.greengrass import SOCKET, TOKEN
from spotty_gateway.local import FolderLock
from spotty_sandbox.nucleus import Nucleus

SUBSCRIPTIONS = len(gateway_filters(THING)) + len(["configuration"])


class Core:
    """A Pi whose gateway a nucleus configures."""

    def __init__(self, pi: Pi, nucleus: Nucleus) -> None:
        self.pi = pi
        self.nucleus = nucleus
        self.socket = str(nucleus.socket_path)

    def begin(self, program: str = "tests.gateway.wired_to_stdin") -> Component:
        """The component, as the recipe's run script starts it."""
        surroundings = {SOCKET: self.socket, TOKEN: self.nucleus.new_token(), THING_NAME: self.nucleus.thing}
        component = Component("greengrass", program=program, cwd=self.pi.folder, env=surroundings)
        self.pi.components.append(component)
        return component

    def run(self, program: str = "tests.gateway.wired_to_stdin") -> Component:
        """The same, watching and reported as running."""
        component = self.begin(program)
        component.wait_for("watching 2 inputs in 1 room")
        self.nucleus.wait_until(lambda: self.nucleus.status().reported == "RUNNING")
        self.nucleus.wait_until(lambda: self.nucleus.status().subscriptions == SUBSCRIPTIONS)
        return component


@contextlib.contextmanager
def cores(folder: Path, profile: str) -> Iterator[Core]:
    """A Pi and a nucleus of this kind; the gateway's data lies in the folder `data` of where it is started."""
    (folder / "work").mkdir()
    pi = Pi(folder / "work")
    given: dict[str, Any] = json.loads(pi.settings({}).read_text())
    data = folder / "work" / "data"
    data.mkdir()
    for name in ("policies", "tokens.json"):
        (folder / "work" / name).rename(data / name)
    del given["dataDir"]
    recipe = recipe_tree()
    ours = yaml.safe_load((ROOT / "recipes/recipe.yaml").read_text())
    access = ours["ComponentConfiguration"]["DefaultConfiguration"]["accessControl"]
    recipe["ComponentConfiguration"] = {"DefaultConfiguration": {"accessControl": access, "dataDir": "data", **given}}
    try:
        with running(folder, profile, recipe=write_recipe(folder, recipe)) as nucleus:
            yield Core(pi, nucleus)
    finally:
        for component in pi.components:
            if component.process.poll() is None:
                component.end(signal.SIGKILL)
        pi.simulator.stop()


@pytest.fixture(params=PROFILES)
def core(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Core]:
    """With a nucleus of each kind."""
    with cores(tmp_path, request.param) as made:
        yield made


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Core]:
    """With nucleus lite."""
    with cores(tmp_path, "lite") as made:
        yield made


def test_it_runs_under_a_nucleus(core: Core) -> None:
    """Configured over IPC it watches, plays, says RUNNING, and ends in order with code 0 within five seconds."""
    component = core.run()
    assert component.lines[0] == f"under nucleus {core.nucleus.profile.name}"
    component.motion()
    component.wait_for("music started")
    core.pi.simulator.wait_until(plays)
    code, took_s = component.end(signal.SIGTERM)
    assert code == 0
    assert took_s < STOPS_WITHIN_S
    assert core.pi.simulator.call(plays)


def test_commands_typed_by_hand_find_its_settings(lite: Core) -> None:
    """The settings in use lie in the data folder, as a file that every command takes."""
    lite.run()
    kept = lite.pi.folder / "data" / "settings.json"
    assert json.loads(kept.read_text())["spotifyClientId"] == CLIENT_ID
    assert lite.pi.spotty("devices", "--settings", str(kept)).returncode == 0


def test_what_can_change_changes_while_it_runs(core: Core) -> None:
    """A deployment sets onStop: it is told, in force without a restart, and done at the end."""
    component = core.run()
    core.nucleus.set_configuration({"onStop": "pause"})
    assert component.wait_for("in force") == "changed and in force: onStop"
    component.motion()
    component.wait_for("music started")
    assert component.end(signal.SIGTERM)[0] == 0
    assert core.pi.simulator.call(is_silent)


def test_what_cannot_change_is_told_in_one_line(lite: Core) -> None:
    """What is built into its parts waits for a restart; a value that is wrong changes nothing, and is told as well."""
    component = lite.run()
    lite.nucleus.set_configuration({"uplink": "stream_manager", "spotifyClientId": "another", "logLevel": "loud"})
    said = component.wait_for("when the component is started again")
    assert said == "changed, in force when the component is started again: spotifyClientId, uplink"
    assert component.wait_for("logLevel").endswith("; it is not taken")


def test_music_goes_on_without_the_nucleus(lite: Core) -> None:
    """IPC is lost for good: it is said, motion still starts music, and it still ends in order."""
    component = lite.run()
    lite.nucleus.restart_ipc()
    assert component.wait_for("lost") == "the connection to the nucleus is lost; the music goes on"
    component.motion()
    component.wait_for("music started")
    assert component.end(signal.SIGTERM)[0] == 0


def test_for_a_new_token_it_leaves_when_nobody_is_there(core: Core) -> None:
    """Up for long enough and vacant, it ends by itself, in order, with a code that has it started again."""
    component = core.run("tests.gateway.started_long_ago")
    core.nucleus.restart_ipc()
    component.wait_for("leaving to be started with a new token")
    assert component.process.wait(PATIENCE_S) == START_ANEW
    component.end_of_output()


def test_ordered_to_it_stops_in_order_and_is_started_anew(core: Core) -> None:
    """`restart` from the cloud: answered before it ends, with a code that has it started; ordered again it is not."""
    component = core.run("tests.gateway.started_long_ago")
    topic = SensorTopic(THING, "gateway", Kind.COMMANDS)
    now_ms = round(time.time() * 1000)
    order = {"command": "restart", "commandId": "c1", "issuedAt": now_ms, "expiresAt": now_ms + 600_000}
    core.nucleus.publish_from_cloud(str(topic), json.dumps(order).encode())
    component.wait_for("as it was ordered")
    assert component.process.wait(PATIENCE_S) == START_ANEW
    component.end_of_output()
    core.run("tests.gateway.started_long_ago")
    results = str(SensorTopic(THING, "gateway", Kind.RESULTS))
    core.nucleus.wait_until(lambda: any(one.topic == results for one in core.nucleus.sent()))
    core.nucleus.publish_from_cloud(str(topic), json.dumps(order).encode())
    core.nucleus.wait_until(lambda: sum(one.topic == results for one in core.nucleus.sent()) > 1)
    answers = {one.payload for one in core.nucleus.sent() if one.topic == results}
    assert len(answers) == 1
    assert CommandResult.from_json(answers.pop()).outcome == "done"


@pytest.mark.parametrize(
    "up_s, is_vacant, leaves",
    [(LEAVES_AFTER_S, True, True), (LEAVES_AFTER_S - 1, True, False), (10 * LEAVES_AFTER_S, False, False)],
)
def test_when_it_may_leave(up_s: float, is_vacant: bool, leaves: bool) -> None:
    """Not within twenty minutes of its start, and never while a session runs."""
    assert may_leave(up_s, is_vacant=is_vacant) is leaves


@pytest.mark.parametrize(
    "configuration, words",
    [({"pinFactory": "mokc"}, 'pinFactory: "mokc" is not allowed'), ({"dataDir": "/proc/x"}, "cannot be written")],
)
def test_what_it_cannot_run_with_is_one_line_and_errored(lite: Core, configuration: Any, words: str) -> None:  # noqa: ANN401
    """No pins or no folder: code 2, one line, and the nucleus knows."""
    lite.nucleus.set_configuration(configuration)
    component = lite.begin()
    assert component.process.wait(PATIENCE_S) == 2
    component.end_of_output()
    assert len(component.lines) == 1
    assert words in component.lines[0]
    assert lite.nucleus.status().reported == "ERRORED"


def test_a_command_that_has_its_folder_is_waited_for(lite: Core) -> None:
    """`spotty doctor` while the component starts: a delay, and not one of the three starts that lite allows."""
    doctor = FolderLock(lite.pi.folder / "data", "spotty doctor")
    component = lite.begin()
    component.wait_for("spotty doctor (process")
    doctor.release()
    component.wait_for("watching 2 inputs")


def test_by_hand_it_says_what_to_do_instead() -> None:
    """Without a nucleus's environment: code 2 and one line."""
    surroundings = {name: value for name, value in os.environ.items() if name not in {SOCKET, TOKEN}}
    ended = subprocess.run(
        [sys.executable, "-m", "spotty_gateway", "greengrass"],
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert f"{SOCKET} and {TOKEN} not set" in ended.stderr
    assert "spotty run --settings FILE" in ended.stderr


def test_a_nucleus_that_is_not_there_yet_is_waited_for(lite: Core) -> None:
    """No socket: it says so and tries again, since lite counts starts; told to stop meanwhile, it ends with code 0."""
    there, lite.socket = lite.socket, str(lite.pi.folder / "soon")
    component = lite.begin()
    component.wait_for("no nucleus answers at")
    Path(lite.socket).symlink_to(there)
    component.wait_for("watching 2 inputs")
    lite.socket = str(lite.pi.folder / "never")
    waiting = lite.begin()
    waiting.wait_for("it is tried again in 1 s")
    assert waiting.end(signal.SIGTERM)[0] == 0


@pytest.fixture
def freezer(lite: Core) -> Iterator[Freezer]:
    """The component's way to its nucleus leads through it."""
    path = lite.pi.folder / "freezer"
    made = Freezer(path, lite.socket)
    lite.socket = str(path)
    yield made
    made.close()


def test_a_nucleus_that_hangs_keeps_nobody(lite: Core, freezer: Freezer) -> None:
    """It answers nothing any more: motion still starts music, and SIGTERM ends it with code 0 within five seconds."""
    component = lite.run()
    freezer.freeze()
    component.motion()
    component.wait_for("music started")
    code, took_s = component.end(signal.SIGTERM)
    assert code == 0
    assert took_s < STOPS_WITHIN_S


def test_a_nucleus_that_hangs_from_the_beginning_keeps_nobody(lite: Core, freezer: Freezer) -> None:
    """SIGTERM while it waits for the first answer: code 0 within five seconds."""
    freezer.freeze()
    component = lite.begin()
    assert freezer.reached.wait(PATIENCE_S)
    code, took_s = component.end(signal.SIGTERM)
    assert code == 0
    assert took_s < STOPS_WITHIN_S


def test_what_is_spared_is_there_when_somebody_wants_it() -> None:
    """Spotipy and requests get the real things that they import; everything else of the two packages comes if asked."""
    program = """
import sys
from spotty_gateway.cli.spared import spare_memory
spare_memory()
from spotipy.cache_handler import RedisError
import requests
import spotipy
assert not {"redis.client", "asyncio", "charset_normalizer.api", "html.entities", "idna.core"} & set(sys.modules)
import html, idna
assert (html.escape("<"), idna.encode("küche.example")) == ("&lt;", b"xn--kche-0ra.example")
response = requests.Response()
response._content = "Müßiggang ist aller Laster Anfang".encode("utf-16")
assert response.text == "Müßiggang ist aller Laster Anfang"
import redis
assert not hasattr(redis, "Rudis")
assert redis.Redis.__module__ == "redis.client" and redis.RedisError is RedisError is redis.exceptions.RedisError
from redis import asyncio
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, check=True)
