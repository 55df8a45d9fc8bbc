"""What a person installs, whole: zip, recipe, nucleus, broker, pins and music. Only the world around is simulated."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.account import CLIENT_ID
from tests.gateway.cloud_at_broker import CloudAtBroker
from tests.gateway.flat import PLAYLIST, POLICY, is_silent, plays
from tests.gateway.shadows import THING, list_of, room
from tests.recipes.conftest import NAME, Built
from tests.recipes.test_install import PROCESSOR
from tests.sandbox.nucleus.mosquitto import Certificates, Mosquitto

from spotty_contract.records import Registration, SessionRecord
from spotty_contract.results import CommandResult
from spotty_contract.topics import Kind
from spotty_sandbox.nucleus import Nucleus, State, Update
from spotty_sandbox.spotify import SpotifySimulator, demo_world, invented_context

WIRES = Path(__file__).parents[1] / "gateway" / "wires"
INSTALLS_WITHIN_S = 120.0
STOPS_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A real broker with mutual TLS."""
    folder = tmp_path_factory.mktemp("broker")
    made = Mosquitto(folder, Certificates(folder / "certificates").make("broker", "cloud", THING)).start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, in which a nucleus of either kind finds what the other has installed."""
    return tmp_path_factory.mktemp("core")


class House:
    """The speakers, the wires, and what lies in the component's work folder."""

    def __init__(self, core: Path, profile: str) -> None:
        self.simulator = SpotifySimulator(demo_world())
        self.simulator.start()
        self.simulator.call(lambda world: world.catalogue.add(invented_context(PLAYLIST)))
        self.wires = core / "wires"
        if not self.wires.exists():
            os.mkfifo(self.wires)
        self.data = core / "work" / NAME / f"data-{profile}"

    def settings(self) -> dict[str, str]:
        """What a deployment merges into the component's configuration."""
        return {
            "dataDir": self.data.name,
            "pinFactory": "mock",
            "spotifyClientId": CLIENT_ID,
            "spotifyApiUrl": self.simulator.accounts_url,
            "spotifyAccountsUrl": self.simulator.accounts_url,
            "clock": "assume_trusted",
        }

    def connect(self) -> None:
        """Somebody has given consent."""
        granted = self.simulator.call(lambda world: world.auth.grant(client_id=CLIENT_ID))
        self.data.mkdir(parents=True, exist_ok=True)
        tokens = {"access_token": granted.access_token, "refresh_token": granted.refresh_token}
        (self.data / "tokens.json").write_text(json.dumps({**tokens, "expires_at": time.time() + granted.expires_in}))

    def motion(self) -> None:
        """Somebody moves in front of the PIR."""
        self.wires.write_text("17 high\n17 low\n")


@pytest.fixture(params=["lite", "classic"])
def profile(request: pytest.FixtureRequest) -> str:
    """Each kind of nucleus."""
    name: str = request.param
    return name


@pytest.fixture
def house(core: Path, profile: str) -> Iterator[House]:
    """With its own Spotify and its own data."""
    made = House(core, profile)
    yield made
    made.simulator.stop()


def test_from_zip_to_music_and_from_pin_to_cloud(
    profile: str, built: Built, core: Path, mosquitto: Mosquitto, house: House
) -> None:
    """Installed by its recipe, configured from the cloud, moved in: music, a session at the broker, a command obeyed.

    And SIGTERM ends it in order, in time.
    """
    nucleus = Nucleus(
        profile,
        root=core,
        recipe=built.output / "recipes/recipe.yaml",
        thing=THING,
        artifacts=[built.artifact(PROCESSOR)],
        broker=mosquitto.broker(THING),
        update=Update(house.settings()),
        environment={"PYTHONPATH": str(WIRES), "WIRES": str(house.wires), "PIP_INDEX_URL": "http://127.0.0.1:9"},
    )
    house.connect()
    with CloudAtBroker(mosquitto) as cloud, nucleus:
        cloud.wants("gateway", 3, list_of(room("bath", 17), timezone="Europe/Berlin"))
        cloud.wants("bath", 7, json.dumps({**POLICY, "vacancyDelayS": 30}))
        nucleus.start_component()
        nucleus.wait_until(lambda: nucleus.status().reported == "RUNNING", INSTALLS_WITHIN_S)
        assert cloud.wait_for_report("gateway", 3)["outcome"] == "applied"
        assert cloud.wait_for_report("bath", 7)["outcome"] == "applied"
        assert cloud.wait_for_record(Registration).versions.nucleus == profile

        house.motion()
        house.simulator.wait_until(plays)
        opened = cloud.wait_for_record(SessionRecord)
        assert (opened.status, opened.policy_version) == ("active", 7)

        ordered = cloud.commands("pause", "bath", round(time.time() * 1000))
        result = cloud.wait_for_record(CommandResult, lambda one: one.command_id == ordered)
        assert (result.outcome, result.detail) == ("done", "silent for the rest of this session")
        house.simulator.wait_until(is_silent)

        cloud.wants("bath", 8, json.dumps({**POLICY, "vacancyDelayS": 7}))
        refused = cloud.wait_for_report("bath", 8)
        assert (refused["outcome"], json.loads(refused["rejection"])[0]["field"]) == ("rejected", "vacancyDelayS")
        cloud.wants("gateway", 4, list_of(timezone="Europe/Berlin"))
        assert cloud.wait_for_report("gateway", 4)["outcome"] == "applied"
        closed = cloud.wait_for_record(SessionRecord, lambda one: one.ended_by is not None)
        assert (closed.session_id, closed.ended_by) == (opened.session_id, "disabled")

        began = time.monotonic()
        nucleus.stop_component()
        assert time.monotonic() - began < STOPS_WITHIN_S
        assert (nucleus.status().state, nucleus.status().last_exit) == (State.FINISHED, 0)
    assert {topic.kind for topic, _ in cloud.records} >= {Kind.REGISTER, Kind.SESSION, Kind.STATUS, Kind.RESULTS}
    assert not [line for line in nucleus.log() if "Traceback" in line or "please report" in line]
