"""A day of a home with three rooms as the cloud gets it: engine and reporter as they are, Spotify by hand."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cloud.ingesting import raw_message
from tests.cloud.world import HOME, NOON_MS
from tests.gateway import shadows

from spotty_contract.messages import encode_batch
from spotty_contract.policy import Policy
from spotty_contract.records import Record, Versions
from spotty_contract.status import Consent, Guard
from spotty_contract.topics import Kind
from spotty_gateway.chronicle import Chronicle
from spotty_gateway.engine.commands import Effect, PauseMusic, SetVolume, StartMusic
from spotty_gateway.engine.events import (
    Event,
    Outcome,
    Paused,
    PlayerAnswered,
    Report,
    RoomConfigured,
    Started,
    Tick,
    VolumeSet,
)
from spotty_gateway.engine.rules import NEVER, SECOND, Device, InputKind
from spotty_gateway.engine.state import House, new_house
from spotty_gateway.engine.step import next_deadline, step
from spotty_gateway.ports import DecisionRow, EdgeRow, OutboxView, Stamp
from spotty_gateway.reporter import Health, Reporter
from spotty_gateway.rules_of import rules_of

MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
ROOMS = ("bathroom", "hall", "kitchen")
BEGINS_AT = NOON_MS * 1_000 - DAY
"""The day ends at the tests' noon."""

VISIT_MINUTES = (0, 1, 2, 4)
"""When somebody moves in a visit; the room is empty five minutes after the last time."""

PLAYS_WITHIN, PAUSES_WITHIN = 740_000, 400_000
POLICY = {
    "quietHours": [{"start": "22:30", "end": "06:30"}],
    "playback": {"device": {"name": "Bathroom", "type": "Speaker"}, "contextUri": "spotify:playlist:37i9dQZF1DX0Bench"},
}
MONTH_MS = 30 * 86_400_000


@dataclass(frozen=True, slots=True)
class Told:
    """An MQTT message, as the rule writes it into the queue."""

    at_us: int
    text: str
    sensor_id: str
    kind: Kind
    payload_bytes: int


@dataclass
class HomeDay:
    """`live` it once. It is the store of its chronicle and the outbox of its reporter."""

    rooms: tuple[str, ...] = ROOMS
    view: OutboxView = field(default_factory=OutboxView)
    told: list[tuple[int, Kind, Record]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.house = new_house("a1b2c3", 0, BEGINS_AT, trusted=True)
        self._answers: deque[tuple[int, str, int, Outcome]] = deque()
        self._chronicle = Chronicle(self, "boot", {}, lambda _: None, lambda _: None, lambda _: None)
        given_at = NOON_MS - MONTH_MS
        health = Health(
            Consent(state="given", given_at=given_at, ends_at=given_at + 6 * MONTH_MS), Guard(calls_today=180), 2
        )
        versions = Versions(component="1.2.3", python="3.11.2", system="Debian GNU/Linux 12 (bookworm)")
        self._reporter = Reporter(HOME, "boot", self, self._chronicle.rooms, versions, lambda: health, 0)
        # What the night before has left: quiet hours are the policy's own affair here, so the visits come by day.
        rules = rules_of(Policy.model_validate({**POLICY, "quietHours": []}), version=3)
        for room in self.rooms:
            self._do(RoomConfigured(0, BEGINS_AT, True, room, rules, (("pir", InputKind.PIR),)))

    def live(self, visits: int) -> None:
        """So many visits in 24 hours, spread evenly over them and over the rooms."""
        motions = deque(
            Report(at + offset, BEGINS_AT + at + offset, True, self.rooms[number % len(self.rooms)], "pir", active)
            for number in range(visits)
            for minute in VISIT_MINUTES
            for at in [(number + 1) * DAY // (visits + 1) + minute * MINUTE]
            for offset, active in ((0, True), (5 * SECOND, False))
        )
        while (at := self._next_at(motions)) < DAY:
            if motions and motions[0].mono <= at:
                self._do(motions.popleft())
            elif self._answers and self._answers[0][0] <= at:
                _, room, token, outcome = self._answers.popleft()
                self._do(PlayerAnswered(at, BEGINS_AT + at, True, room, token, outcome))
            else:
                self._do(Tick(at, BEGINS_AT + at, True))

    def messages(self) -> Iterator[Told]:
        """What is put at one instant on one topic travels together."""
        by_topic = sorted(self.told, key=lambda one: (one[0], one[2].sensor_id, one[1]))
        for (at, sensor_id, kind), some in groupby(by_topic, key=lambda one: (one[0], one[2].sensor_id, one[1])):
            lines = [record.to_json().encode() for _, _, record in some]
            while lines:
                batch = encode_batch(lines)
                text = raw_message(batch.payload, HOME, sensor_id, kind, (BEGINS_AT + at) // 1_000)
                yield Told(at, text, sensor_id, kind, len(batch.payload))
                lines = lines[batch.count :]

    def _next_at(self, motions: "deque[Report]") -> int:
        due = [self._reporter.due_at() or NEVER, next_deadline(self.house) or NEVER]
        due += [motions[0].mono] if motions else []
        due += [self._answers[0][0]] if self._answers else []
        return min(due)

    def _do(self, event: Event) -> None:
        self.house, effects = step(self.house, event)
        self._chronicle(self.house, event, effects)
        self._reporter(self.house, event, effects)
        for effect in effects:
            self._play(effect)

    def _play(self, effect: Effect) -> None:
        now = self.house.mono
        match effect:
            case StartMusic(target=target):
                device = Device(target.device.name, "Speaker", "5fbb3ba6aa454b5534c4ba43a8c7e8e45a63ad0e")
                outcome: Outcome = Started(device, target.context_uri, adopted=False, volume_pct=None)
                self._answers.append((now + PLAYS_WITHIN, effect.sensor_id, effect.token, outcome))
            case PauseMusic():
                self._answers.append((now + PAUSES_WITHIN, effect.sensor_id, effect.token, Paused(None)))
            case SetVolume():
                self._answers.append((now + PAUSES_WITHIN, effect.sensor_id, effect.token, VolumeSet()))

    # What chronicle and reporter ask of a store.

    def put(self, kind: Kind, record: Record, stamp: Stamp) -> None:
        """Into the outbox."""
        del stamp
        self.told.append((self.house.mono, kind, record))

    def trust(self, stamp: Stamp) -> None:
        """The clock is right from the start."""

    def save(self, house: House, boot_id: str) -> None:
        """No disk."""

    def note_edge(self, edge: EdgeRow) -> None:
        """No ring."""

    def note_decision(self, decision: DecisionRow) -> None:
        """No ledger."""


def shadow_gets() -> int:
    """Questions of a day about the settings of gateway and rooms, by the gateway's own policy_sync."""
    with TemporaryDirectory() as folder:
        rooms = [shadows.room(name, 17 + number) for number, name in enumerate(ROOMS)]
        (Path(folder) / "gateway.json").write_text(shadows.list_of(*rooms))
        cloud = shadows.FakeCloud()
        for of in ("gateway", *ROOMS):
            cloud.wants(of, 1, shadows.list_of(*rooms) if of == "gateway" else shadows.waits(300))
        home = shadows.Home(Path(folder), cloud)
        home.deliver_all()
        home.pass_s(10)
        before = len(cloud.asked)
        home.pass_s(86_400)
        return len(cloud.asked) - before
