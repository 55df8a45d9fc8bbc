"""A cloud for tests: takes messages, refuses them, or is away; and an uplink to it whose every step the test makes."""

import json
import random
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.gateway.hand_clock import HandClock
from tests.gateway.store.mail import GATEWAY
from tests.gateway.store.workbench import PATIENCE_S, unheard

from spotty_contract.messages import MAX_MESSAGE_BYTES, decode_batch, read_record
from spotty_contract.topics import Kind, SensorTopic, read_topic
from spotty_gateway.cloud_way import LITE_UNANSWERED
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.errors import CloudError, CloudNotNowError, CloudRefusedError
from spotty_gateway.ports import Fate, HandOver, Refused
from spotty_gateway.store import Store
from spotty_gateway.uplink import IN_FLIGHT, Uplink, Work


@dataclass(slots=True)
class Message:
    """One that was published and whose answer is still to come."""

    topic: str
    payload: bytes
    lines: tuple[bytes, ...]


@dataclass
class FakeCloud:
    """`answer` says what becomes of a message: None where it arrives."""

    keeps_acknowledged: bool = False
    answer: Callable[[Message], CloudError | None] = lambda _: None
    arrived: list[Message] = field(default_factory=list)
    attempts: int = 0
    is_failing: bool = False

    def publish(self, topic: str, payload: bytes) -> None:
        """As the port says."""
        assert len(payload) <= MAX_MESSAGE_BYTES
        self.attempts += 1
        message = Message(topic, payload, decode_batch(payload))
        error = self.answer(message)
        self.is_failing = error is not None and not isinstance(error, CloudRefusedError)
        if error is not None:
            raise error
        self.arrived.append(message)

    def subscribe(self, *_: object) -> None:
        """Nothing comes down here."""

    def names_of(self, sensor_id: str, kind: Kind) -> list[str]:
        """What has arrived on one topic."""
        topic = str(SensorTopic(GATEWAY, sensor_id, kind))
        return [name_in(line) for message in self.arrived if message.topic == topic for line in message.lines]

    def names(self, sensor_id: str | None = None) -> list[str]:
        """What has arrived, in order, read as the cloud reads it."""
        found: list[str] = []
        for message in self.arrived:
            topic = read_topic(message.topic)
            assert isinstance(topic, SensorTopic)
            for line in message.lines:
                read_record(topic, line)
                if sensor_id in {None, topic.sensor_id}:
                    found.append(name_in(line))
        return found


def name_in(line: bytes) -> str:
    """What tells a record from others."""
    found: dict[str, Any] = json.loads(line)
    return str(found.get("eventId") or f"{found['sessionId']}/{found['seq']}")


def away(_: Message) -> CloudError:
    """The broker cannot be reached."""
    return CloudNotNowError("offline")


class HandedOver:
    """A store's outbox whose answers the test can wait for."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._answers: SimpleQueue[None] = SimpleQueue()
        self.asked = 0

    def fetch(self, busy: Collection[str], at_most: int, hand_over: HandOver, **lanes: Any) -> None:  # noqa: ANN401
        """The store's."""
        self.asked += 1

        def note(*found: Any) -> None:  # noqa: ANN401 - passed on as it is
            hand_over(*found)
            self._answers.put(None)

        self.store.outbox.fetch(busy, at_most, note, **lanes)

    def settle(self, ids: Iterable[int], fate: Fate) -> None:
        """The store's."""
        self.store.outbox.settle(ids, fate)

    def send_again(self) -> None:
        """The store's."""
        self.store.outbox.send_again()

    def wait(self) -> None:
        """Until everything that was asked for has been handed over."""
        while self.asked:
            self._answers.get(timeout=PATIENCE_S)
            self.asked -= 1


class Bench:
    """One run of the component: a real store, an uplink without threads, a clock moved by hand."""

    def __init__(self, folder: Path, cloud: FakeCloud, clock: HandClock, boot_id: str = "boot-a") -> None:
        self.cloud = cloud
        self.clock = clock
        self.reports: list[Refused] = []
        self.work: deque[Work] = deque()
        self.failed_at = -SECOND
        self.store = Store(folder, unheard)
        self.store.begin_outbox(boot_id)
        self.outbox = HandedOver(self.store)
        self.uplink = Uplink(
            GATEWAY,
            self.outbox,
            cloud,
            clock,
            self.reports.append,
            unproven=0 if cloud.keeps_acknowledged else LITE_UNANSWERED,
            chance=random.Random(7),  # noqa: S311 - the same every time
            begin=self._begin,
        )
        self.store.outbox.on_growth = self.uplink.wake
        self.uplink.wake()
        self.store.start()

    def _begin(self, work: Work) -> None:
        """A message leaves: five at most, one a sensor, and none within a second of a failure."""
        self.work.append(work)
        assert len(self.work) <= IN_FLIGHT
        assert len(self.uplink._in_flight) == len(self.work)
        assert not self.cloud.is_failing or (self.clock.now >= self.failed_at + SECOND and len(self.work) == 1)

    def turn(self) -> None:
        """Let everything that waits be written and whatever may leave now leave; no message is answered."""
        assert self.store.flush(PATIENCE_S)
        self.uplink.turn()
        while self.outbox.asked:
            self.outbox.wait()
            self.uplink.turn()

    def answer_one(self, which: int = 0) -> None:
        """The nucleus answers one message."""
        work = self.work[which]
        del self.work[which]
        work()
        if self.cloud.is_failing:
            self.failed_at = self.clock.now

    def drain(self) -> None:
        """Until nothing more can be done at this instant."""
        self.turn()
        while self.work:
            self.answer_one()
            self.turn()

    def live_s(self, seconds: int) -> None:
        """Let time pass, a second at a time."""
        for _ in range(seconds):
            self.clock.now += SECOND
            self.drain()

    def close(self) -> None:
        """The component stops."""
        self.store.close()
