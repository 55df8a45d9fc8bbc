"""Named shadows as AWS keeps them, and a gateway's rooms that policies are put in force in. By hand; no network."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spotty_contract.gateway import SensorWiring
from spotty_contract.topics import ShadowAction, ShadowTopic, read_topic
from spotty_gateway.engine.commands import Effect
from spotty_gateway.engine.events import Event
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.engine.state import House, new_house
from spotty_gateway.engine.step import step
from spotty_gateway.errors import CloudNotNowError
from spotty_gateway.in_force import InForce
from spotty_gateway.policies_on_disk import PoliciesOnDisk
from spotty_gateway.policy_sync import PolicySync
from spotty_gateway.policy_taking import PolicyTaker
from spotty_gateway.residents import read_residents

THING = "spotty-home"
Json = dict[str, Any]


def room(sensor_id: str, pin: int) -> Json:
    """A sensor with one PIR."""
    return {"id": sensor_id, "name": sensor_id.title(), "inputs": [{"id": "pir", "pin": pin}]}


def list_of(*rooms: Json, timezone: str = "UTC") -> str:
    """The policy of the shadow `gateway`."""
    return json.dumps({"timezone": timezone, "sensors": list(rooms)}, separators=(",", ":"))


def waits(vacancy_delay_s: float) -> str:
    """A sensor's policy; from 30 to 7200 it is a good one."""
    return json.dumps({"vacancyDelayS": vacancy_delay_s}, separators=(",", ":"))


@dataclass
class Shadow:
    """One named shadow. AWS counts its versions; ours are the `v` inside."""

    desired: Json = field(default_factory=dict)
    reported: Json = field(default_factory=dict)
    version: int = 0

    def delta(self) -> Json:
        """What is desired and not reported, key by key. `policy` is never reported, so there always is one."""
        return {name: one for name, one in self.desired.items() if self.reported.get(name) != one}

    def document(self) -> Json:
        """As a `get` is answered, with the metadata of each field."""
        state = {name: one for name, one in (("desired", self.desired), ("reported", self.reported)) if one}
        if self.desired and self.delta():
            state["delta"] = self.delta()
        stamp = {"timestamp": 1}
        metadata = {part: dict.fromkeys(fields, stamp) for part, fields in state.items() if part != "delta"}
        return {"state": state, "metadata": metadata, "version": self.version, "timestamp": 1}


class FakeCloud:
    """AWS's side. What it has to say waits in `post` until the test delivers it, or does not."""

    keeps_acknowledged = False

    def __init__(self) -> None:
        self.shadows: dict[str, Shadow] = {}
        self.post: list[tuple[str, bytes]] = []
        self.reports: list[tuple[str, Json]] = []
        self.asked: list[str] = []
        self.is_offline = False
        self.loses_updates = False

    def wants(self, of: str, v: int, policy: str) -> None:
        """A person has saved settings."""
        shadow = self.shadows.setdefault(of, Shadow())
        shadow.desired = {"v": v, "policy": policy}
        shadow.version += 1
        self._tell_delta(of, shadow)

    def deletes(self, of: str) -> None:
        """The shadow is gone; a new one begins at version 1."""
        self.shadows.pop(of, None)

    def publish(self, topic: str, payload: bytes) -> None:
        """From the gateway."""
        if self.is_offline:
            raise CloudNotNowError("the gateway is offline")
        found = read_topic(topic)
        assert isinstance(found, ShadowTopic)
        document = json.loads(payload)
        if found.action is ShadowAction.GET:
            self.asked.append(found.sensor_id)
            self._answer(found.sensor_id)
        elif found.action is ShadowAction.UPDATE:
            self.reports.append((found.sensor_id, document["state"]["reported"]))
            if not self.loses_updates:
                shadow = self.shadows.setdefault(found.sensor_id, Shadow())
                merged = shadow.reported | document["state"]["reported"]
                shadow.reported = {name: one for name, one in merged.items() if one is not None}
                shadow.version += 1
                self._tell_delta(found.sensor_id, shadow)

    def subscribe(
        self, topic_filter: str, hear: Callable[[str, bytes], None], stands: Callable[[], None] = lambda: None
    ) -> None:
        """The test delivers by itself."""

    def _answer(self, of: str) -> None:
        shadow = self.shadows.get(of)
        if shadow is None:
            self._say(of, ShadowAction.GET_REJECTED, {"code": 404, "message": f"No shadow exists with name: '{of}'"})
        else:
            self._say(of, ShadowAction.GET_ACCEPTED, shadow.document())

    def _tell_delta(self, of: str, shadow: Shadow) -> None:
        if shadow.delta():
            self._say(
                of, ShadowAction.UPDATE_DELTA, {"version": shadow.version, "timestamp": 1, "state": shadow.delta()}
            )

    def _say(self, of: str, action: ShadowAction, document: Json) -> None:
        self.post.append((str(ShadowTopic(THING, of, action)), json.dumps(document).encode()))


class Home:
    """The gateway's side: files, rooms in a real engine, and the sync between them and the cloud."""

    def __init__(self, folder: Path, cloud: FakeCloud) -> None:
        """`folder` holds the policies; another Home on it is the gateway started anew."""
        self.folder = folder
        self.cloud = cloud
        self.now_s = 1_000.0
        self.said: list[str] = []
        self.bad_pins: set[int] = set()
        self.watched: list[str] = []
        self.effects: list[Effect] = []
        self.start()

    def start(self) -> None:
        """Come up with what lies on the disk."""
        residents = read_residents(self.folder)
        self.house: House = new_house("run", 0, 0, trusted=True)
        self.in_force = InForce(residents, self._watch, self._post, self._now, self.said.append)
        self.in_force._configure(residents.sensors)  # as `awake` does
        self.in_force.begin()
        self.disk = PoliciesOnDisk(self.folder)
        self.taker = PolicyTaker(self.disk, self.in_force, self.said.append)
        self.sync = PolicySync(
            THING, self.cloud, self.taker, self.in_force.ids, self.said.append, lambda: self.now_s, lambda: 0.5
        )

    def deliver(self, number: int = 0, *, again: bool = False) -> None:
        """One of the messages that wait."""
        topic, payload = self.cloud.post[number] if again else self.cloud.post.pop(number)
        self.hear(topic, payload)

    def hear(self, topic: str, payload: bytes) -> None:
        """As the desk does it."""
        found = read_topic(topic)
        assert isinstance(found, ShadowTopic)
        self.sync.hear(found, payload)
        self.sync.look()

    def deliver_all(self) -> None:
        """Until nothing waits."""
        while self.cloud.post:
            self.deliver()

    def pass_s(self, seconds: float) -> None:
        """Time passes; what falls due is done, and what comes of it arrives."""
        until = self.now_s + seconds
        while (due_at := self.sync.due_at()) <= until:
            self.now_s = max(self.now_s, due_at)
            self.sync.look()
            self.deliver_all()
        self.now_s = until

    def delays_s(self) -> dict[str, float]:
        """The delay in force in each room of the house itself: what a policy of these tests is known by."""
        rooms = {sensor_id: one for sensor_id, one in self.house.rooms.items() if not one.removed}
        return {sensor_id: one.rules.vacancy_delay_us / SECOND for sensor_id, one in rooms.items()}

    def file(self, of: str) -> str:
        """What stands on the disk."""
        return self.disk.path(of).read_text()

    def _watch(self, sensors: Sequence[SensorWiring]) -> Mapping[str, str]:
        self.watched = [f"{sensor.id}/{one.id}" for sensor in sensors for one in sensor.inputs]
        return {
            f"{sensor.id}/{one.id}": f"GPIO{one.pin} is taken"
            for sensor in sensors
            for one in sensor.inputs
            if one.pin in self.bad_pins
        }

    def _post(self, item: Event | Callable[[House], None]) -> None:
        if callable(item):
            item(self.house)
        else:
            self.house, effects = step(self.house, item)
            self.effects += effects

    def _now(self) -> tuple[int, int, bool]:
        return self.house.mono, self.house.mono, True
