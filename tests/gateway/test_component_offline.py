"""A gateway whose broker is away: a day of visits waits on the disk, and what kills it meanwhile loses none of it."""

import contextlib
import json
import random
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from tests.gateway.cloud_at_broker import CloudAtBroker
from tests.gateway.flat import PATIENCE_S, PLAYLIST, START_AT, Heard
from tests.gateway.shadows import THING
from tests.gateway.test_processes import ROOT, Component, Pi
from tests.sandbox.nucleus.mosquitto import Certificates, Mosquitto

from spotty_contract.messages import read_record
from spotty_contract.records import Decision, Record, SessionRecord
from spotty_contract.topics import Kind, SensorTopic
from spotty_gateway.cli.component import THING_NAME
from spotty_gateway.cli.greengrass import SOCKET, TOKEN
from spotty_gateway.cloud_side import CloudAccess
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.nucleus import Nucleus as Client
from spotty_sandbox.house_clock import AT_ONCE, HouseClock
from spotty_sandbox.nucleus import Nucleus
from spotty_sandbox.rig import Rig
from spotty_sandbox.spotify import SpotifySimulator, demo_world

VISITS, MOTIONS = 120, 40
KILLS, BEFORE = 5, 1_000
"""A hundred, with five thousand motions before them, were seen by hand."""

WIRING = {"sensors": [{"id": "bath", "name": "Bathroom", "inputs": [{"id": "pir", "pin": 17}]}]}
POLICY = {
    "vacancyDelayS": 60,
    "holdOffS": 0,
    "warmUpS": 0,
    "playback": {"device": {"name": "Bathroom"}, "contextUri": PLAYLIST, "shuffle": False, "repeat": "off"},
}


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that is not there yet."""
    made = Mosquitto(tmp_path, Certificates(tmp_path / "certificates").make("broker", "cloud", THING))
    yield made
    made.kill()


@pytest.fixture
def nucleus(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Nucleus]:
    """Nucleus lite, which has nowhere to keep what cannot be sent; with the recipe's own rights."""
    recipe = tmp_path / "recipe.yaml"
    tree = yaml.safe_load((ROOT / "recipes/recipe.yaml").read_text())
    tree["Manifests"] = [{"Platform": {"os": "linux", "runtime": "*"}, "Lifecycle": {"run": "true"}}]
    recipe.write_text(json.dumps({**tree, "ComponentVersion": "1.0.0"}))
    with Nucleus("lite", root=tmp_path / "gg", recipe=recipe, thing=THING, broker=mosquitto.broker(THING)) as made:
        yield made


def name_of(record: Record) -> str:
    """What tells it from others; of a session the newest word is enough."""
    if isinstance(record, SessionRecord):
        return record.session_id
    return record.event_id if isinstance(record, Decision) else ""


def test_a_day_without_a_broker_arrives_whole_when_it_is_back(
    tmp_path: Path, mosquitto: Mosquitto, nucleus: Nucleus
) -> None:
    """Five thousand records of 120 visits: each arrives, in order, and every session is as it was."""
    clock = HouseClock(START_AT, AT_ONCE)
    simulator = SpotifySimulator(demo_world(clock))
    client = Client(str(nucleus.socket_path), nucleus.new_token(), print)
    client.connect()
    client.know("lite")
    access = CloudAccess(THING, client, "lite", lambda: None, lambda: 0.0)
    settings = {"telemetryLevel": "decisions"}
    data, heard = tmp_path / "data", Heard()
    with contextlib.ExitStack() as stack:
        stack.callback(client.close)
        rig = stack.enter_context(
            Rig(data, WIRING, {"bath": POLICY}, simulator, clock, say=heard.say, settings=settings, cloud=access)
        )
        for number in range(1, VISITS + 1):
            _visit(rig, clock, heard, number)
        assert rig.gateway._store.flush(PATIENCE_S)
        assert rig.gateway._store.outbox.view.records > VISITS * MOTIONS
        mosquitto.start()
        cloud = stack.enter_context(CloudAtBroker(mosquitto))
        while not cloud.comes_to(lambda: bool(cloud.records), within_s=0.1):
            _pass_s(rig, clock, 60)  # until the next attempt is due
        cloud.wait_for(lambda: len(motions_in(cloud)) == VISITS * MOTIONS, 3 * PATIENCE_S)
    assert motions_in(cloud) == sorted(motions_in(cloud), key=lambda one: int(one.rpartition("-e")[2]))
    last = {one.session_id: one for _, one in cloud.records if isinstance(one, SessionRecord)}
    seen = [(one.ended_by, one.motion_events_count, one.duration_s, one.playback_started) for one in last.values()]
    assert seen == [("timeout", MOTIONS, (MOTIONS - 1) * 5 + 60, True)] * VISITS


def motions_in(cloud: CloudAtBroker) -> list[str]:
    """The motions that have arrived, each once, in the order in which they were first heard of."""
    motions = (one.event_id for topic, one in cloud.records if isinstance(one, Decision) and topic.kind is Kind.MOTION)
    return list(dict.fromkeys(motions))


def _visit(rig: Rig, clock: HouseClock, heard: Heard, which: int) -> None:
    for number in range(MOTIONS):
        if number:
            _pass_s(rig, clock, 5)
        rig.pins["bath/pir"].drive_high()
        rig.pins["bath/pir"].drive_low()
        if not number:
            heard.wait_for("music started", which)
    _pass_s(rig, clock, 60)
    heard.wait_for("music stopped", which)
    _pass_s(rig, clock, 300)


def _pass_s(rig: Rig, clock: HouseClock, seconds: int) -> None:
    clock.run_to(clock.mono() + seconds * SECOND)
    rig.gateway.nudge()


@pytest.fixture
def pi(tmp_path: Path, nucleus: Nucleus) -> Iterator[Pi]:
    """A component's work folder, and what a deployment has made its configuration."""
    (tmp_path / "work").mkdir()
    made = Pi(tmp_path / "work")
    given = json.loads(made.settings({"telemetryLevel": "decisions", "dataDir": "data"}).read_text())
    (made.folder / "policies" / "sensor-bath.json").write_text(json.dumps(POLICY))
    (made.folder / "data").mkdir()
    for name in ("policies", "tokens.json"):
        (made.folder / name).rename(made.folder / "data" / name)
    nucleus.set_configuration(given)
    yield made
    for component in made.components:
        if component.process.poll() is None:
            component.end(signal.SIGKILL)
    made.simulator.stop()


def test_killed_while_it_drains_it_loses_nothing(pi: Pi, mosquitto: Mosquitto, nucleus: Nucleus) -> None:
    """Away, then back, and killed again and again while it sends: what was ever on the disk arrives, in order."""
    first = _run(pi, nucleus)
    for _ in range(BEFORE):
        first.motion()
    first.drive(22, "low")  # the button: what is said of it comes after all that
    first.drive(22, "high")
    first.wait_for("silent for the rest of this session")
    first.end(signal.SIGTERM)
    promised = _waiting(pi)
    assert len(promised) > BEFORE
    mosquitto.start()
    chance = random.Random(11)  # noqa: S311 - the same kills every time, as far as the computer lets us
    with CloudAtBroker(mosquitto) as cloud:
        nucleus.wait_until(lambda: nucleus.status().is_online)
        for number in range(KILLS):
            if number == 0:
                nucleus.go_offline()
            component = _run(pi, nucleus)
            component.motion()
            if nucleus.status().is_online:
                _comes_further(cloud, chance.randrange(300))
            else:
                _is_tried_in_vain(nucleus)
            component.end(signal.SIGKILL)
            promised.update(_waiting(pi))
            nucleus.go_online()
            nucleus.wait_until(lambda: nucleus.status().is_online)
        _run(pi, nucleus)
        cloud.wait_for(lambda: promised.keys() <= {name_of(one) for _, one in cloud.records}, 3 * PATIENCE_S)
    by_lane: dict[str, list[str]] = {}
    for topic, one in cloud.records:
        by_lane.setdefault(str(topic), []).append(name_of(one))
    for lane, names in by_lane.items():
        there = [one for one in dict.fromkeys(names) if one in promised]
        assert there == sorted(there, key=promised.__getitem__), lane
    assert len({one.session_id for _, one in cloud.records if isinstance(one, SessionRecord)}) == 1


def _comes_further(cloud: CloudAtBroker, by: int) -> None:
    """Let so many records come, or as many as there are."""
    enough = len(cloud.records) + by
    cloud.comes_to(lambda: len(cloud.records) > enough, 1.0)


def _is_tried_in_vain(nucleus: Nucleus) -> None:
    """Two messages with records are refused, since there is no link."""
    nucleus.forget_requests()

    def tried() -> int:
        return sum("sensors/" in one.request.get("topicName", "") for one in nucleus.requests())

    nucleus.wait_until(lambda: tried() > 1)


def _run(pi: Pi, nucleus: Nucleus) -> Component:
    surroundings = {SOCKET: str(nucleus.socket_path), TOKEN: nucleus.new_token(), THING_NAME: THING}
    component = Component("greengrass", cwd=pi.folder, env=surroundings)
    pi.components.append(component)
    component.wait_for("watching 2 inputs in 1 room")
    return component


def _waiting(pi: Pi) -> dict[str, int]:
    """Sessions and decisions on the disk, with their places in the order."""
    with closing(sqlite3.connect(pi.folder / "data" / "state.db")) as connection:
        rows = connection.execute("SELECT id, sensor_id, kind, data FROM outbox ORDER BY id").fetchall()
    found = ((row_id, SensorTopic(THING, sensor_id, Kind(kind)), data) for row_id, sensor_id, kind, data in rows)
    named = ((row_id, name_of(read_record(topic, data))) for row_id, topic, data in found)
    return {name: row_id for row_id, name in named if name}
