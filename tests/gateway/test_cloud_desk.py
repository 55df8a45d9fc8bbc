import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
import yaml
from tests.gateway.shadows import FakeCloud, Home, list_of, room, waits
from tests.sandbox.nucleus.workbench import PATIENCE_S, PROFILES, THING, recipe_tree, running, write_recipe

from spotty_contract.topics import ShadowAction, ShadowTopic
from spotty_gateway.cloud_desk import MOST_WAITING, CloudDesk
from spotty_gateway.nucleus import Nucleus
from spotty_gateway.policy_sync import PolicySync
from spotty_sandbox import nucleus as sandbox

RECIPE = Path(__file__).parents[2] / "recipes" / "recipe.yaml"
COMMAND = f"sensors/{THING}/bath/commands"
DELTA = str(ShadowTopic(THING, "bath", ShadowAction.UPDATE_DELTA))


class Spoken:
    """Policies and commands at once: what reaches them."""

    def __init__(self) -> None:
        self.heard: SimpleQueue[object] = SimpleQueue()
        self.looked = threading.Event()
        self.asked = threading.Event()
        self.hold = threading.Event()
        self.hold.set()

    def due_at(self) -> float:
        """Only what comes wakes it."""
        return 1e12

    def ask_all(self) -> None:
        """As PolicySync has it."""
        self.asked.set()

    def look(self) -> None:
        """As PolicySync has it."""
        self.looked.set()

    def hear(self, topic: object, payload: bytes) -> None:
        """As both have it."""
        assert self.hold.wait(PATIENCE_S)
        if payload == b"fault":
            raise ValueError("a planted fault")
        self.heard.put((str(topic), payload))


@pytest.fixture
def spoken() -> Spoken:
    """Whoever is spoken to."""
    return Spoken()


@pytest.fixture
def desk(spoken: Spoken) -> Iterator[CloudDesk]:
    """A desk that runs."""
    made = CloudDesk(THING, FakeCloud(), spoken, spoken)
    made.start()
    yield made
    made.close(PATIENCE_S)


def test_what_comes_goes_where_it_belongs(desk: CloudDesk, spoken: Spoken) -> None:
    """Commands by their sensor, shadows by their topic; another gateway's, and what is no topic of ours, nowhere."""
    for topic in ("nonsense", "sensors/other/bath/commands", COMMAND, DELTA):
        desk.hear(topic, b"x")
    assert [spoken.heard.get(timeout=PATIENCE_S) for _ in range(2)] == [("bath", b"x"), (DELTA, b"x")]
    assert spoken.heard.empty()
    assert spoken.looked.is_set()


def test_a_subscription_that_stands_anew_asks_for_everything(desk: CloudDesk, spoken: Spoken) -> None:
    """And so does the first success after a failure: it is the same call."""
    desk.may_have_missed()
    assert spoken.asked.wait(PATIENCE_S)


def test_a_fault_does_not_end_the_hearing(desk: CloudDesk, spoken: Spoken, caplog: pytest.LogCaptureFixture) -> None:
    """It is said with its traceback, and the next message is heard."""
    desk.hear(COMMAND, b"fault")
    desk.hear(COMMAND, b"next")
    assert spoken.heard.get(timeout=PATIENCE_S) == ("bath", b"next")
    assert "please report it" in caplog.text


def test_a_flood_keeps_nobody_waiting(desk: CloudDesk, spoken: Spoken, caplog: pytest.LogCaptureFixture) -> None:
    """While one is worked on so many may wait; the rest is let go, and whoever hands over goes on."""
    spoken.hold.clear()
    for _ in range(MOST_WAITING + 10):
        desk.hear(COMMAND, b"x")
    spoken.hold.set()
    assert "a message is let go" in caplog.text


@pytest.mark.parametrize("profile", PROFILES)
def test_a_policy_travels_through_a_nucleus_both_ways(profile: str, tmp_path: Path) -> None:
    """By the recipe's own rights: asked for once the subscriptions stand, applied, reported; and a delta after it."""
    (tmp_path / "gateway.json").write_text(list_of(room("bath", 17)))
    home = Home(tmp_path, FakeCloud())
    spoken = Spoken()
    rights = {"ComponentConfiguration": yaml.safe_load(RECIPE.read_text())["ComponentConfiguration"]}
    with running(tmp_path, profile, recipe=write_recipe(tmp_path, recipe_tree(**rights))) as server:
        nucleus = Nucleus(str(server.socket_path), server.new_token(), home.said.append, first_wait_s=0.01)
        nucleus.connect()
        sync = PolicySync(THING, nucleus, home.taker, home.in_force.ids, home.said.append, time.monotonic, lambda: 0.5)
        desk = CloudDesk(THING, nucleus, sync, spoken)
        desk.start()
        try:
            _wait_for(server, "bath", ShadowAction.GET, 1)
            cloud = FakeCloud()
            cloud.wants("bath", 3, waits(60))
            _tell(server, "bath", ShadowAction.GET_ACCEPTED, cloud.shadows["bath"].document())
            assert _wait_for(server, "bath", ShadowAction.UPDATE, 1) == {
                "v": 3,
                "outcome": "applied",
                "rejection": None,
            }
            assert home.delays_s() == {"bath": 60}
            _tell(server, "bath", ShadowAction.UPDATE_DELTA, {"state": {"v": 4, "policy": waits(7)}})
            assert _wait_for(server, "bath", ShadowAction.UPDATE, 2)["outcome"] == "rejected"
            server.publish_from_cloud(COMMAND, b"{}")
            assert spoken.heard.get(timeout=PATIENCE_S) == ("bath", b"{}")
        finally:
            desk.close(PATIENCE_S)
            nucleus.close()


def _tell(server: sandbox.Nucleus, of: str, action: ShadowAction, document: object) -> None:
    server.publish_from_cloud(str(ShadowTopic(THING, of, action)), json.dumps(document).encode())


def _wait_for(server: sandbox.Nucleus, of: str, action: ShadowAction, times: int) -> dict[str, object]:
    """Wait until the gateway has published so often; what it last reported there."""
    topic = str(ShadowTopic(THING, of, action))

    def found() -> list[bytes]:
        return [one.payload for one in server.sent() if one.topic == topic]

    server.wait_until(lambda: len(found()) >= times)
    reported: dict[str, object] = json.loads(found()[-1]).get("state", {}).get("reported", {})
    return reported
