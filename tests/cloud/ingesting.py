"""Ingest over the local AWS: messages as the IoT rules write them, real tables and queues."""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.cloud.world import ADA, HOME, NOON_MS

from spotty_cloud.ingest.collect import Collector
from spotty_cloud.ingest.dead_letters import DeadLetters
from spotty_cloud.ingest.keeping import Keeper, Place
from spotty_cloud.ingest.rows import Item
from spotty_cloud.tables import Change, apply
from spotty_contract.messages import encode_batch
from spotty_contract.records import Decision, ErrorRecord, Record, Registration, SessionRecord, Versions
from spotty_contract.results import CommandResult
from spotty_contract.status import Consent, DeviceStatus, Guard, Outbox, RoomStatus
from spotty_contract.topics import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.cloud.world import World

    from spotty_sandbox.aws import LocalAws

DAY_S = 86_400
RETENTION_S = 30 * DAY_S
PLENTY_MS = 30_000

KINDS: dict[type[Record], Kind] = {
    SessionRecord: Kind.SESSION,
    Decision: Kind.MOTION,
    ErrorRecord: Kind.ERRORS,
    RoomStatus: Kind.STATUS,
    DeviceStatus: Kind.STATUS,
    Registration: Kind.REGISTER,
    CommandResult: Kind.RESULTS,
}
VERSIONS = Versions(component="1.2.3", python="3.11.2", system="Debian 12")


@dataclass
class Dashboards:
    """What has been pushed, and to whom."""

    told: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    fails: bool = False

    def push(self, user_id: str, message: Mapping[str, object]) -> None:
        """Note it."""
        if self.fails:
            raise RuntimeError("nobody is there")
        self.told.append((user_id, message))


@dataclass(frozen=True)
class Behind(Keeper):
    """As when somebody else writes between looking and writing: it knows these items as they were."""

    seen: Mapping[Place, Item | None] = field(default_factory=dict)

    def known(self, places: Iterable[Place]) -> dict[Place, Item | None]:
        """What was true a moment ago."""
        return {**super().known(places), **self.seen}


@dataclass
class Ingest:
    """The collector over a world's tables, and its two queues."""

    world: World
    collector: Collector
    dashboards: Dashboards
    sqs: Any
    records_url: str
    dead_url: str
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def collect(self, *texts: str, left_ms: int = PLENTY_MS) -> list[str]:
        """One batch; the messages that are to come again."""
        batch = {f"m{next(self.numbers)}": text for text in texts}
        return [batch[one] for one in self.collector.collect(batch, lambda: left_ms)]

    def tell(self, *records: Record, received_at: int | None = None) -> None:
        """A message for each record, all in one batch; none is to come again."""
        texts = [
            message(record, received_at=self.world.clock.ms if received_at is None else received_at)
            for record in records
        ]
        assert self.collect(*texts) == []

    def tell_behind(self, places: Iterable[Place], between: Sequence[Record], *records: Record) -> None:
        """Collect records by what is known of these items now, after others have been collected meanwhile."""
        keeper = self.collector.keeper
        seen = keeper.known(places)
        self.tell(*between)
        behind = replace(self.collector, keeper=Behind(keeper.client, keeper.names, seen=seen))
        assert behind.collect({str(at): message(one) for at, one in enumerate(records)}, lambda: PLENTY_MS) == []

    def session(self, session_id: str) -> Any:  # noqa: ANN401  # an item
        """A session's item."""
        return self.world.parts.store.sessions.get(f"{HOME}.{session_id}")

    def event(self, event_id: str) -> Any:  # noqa: ANN401  # an item
        """An event's item."""
        return self.world.parts.store.events.get(f"{HOME}.{event_id}")

    def gateway(self, gateway_id: str = HOME) -> Any:  # noqa: ANN401  # an item
        """A gateway's item."""
        return self.world.parts.store.gateways.get(gateway_id)

    def sensor(self, sensor_id: str) -> Any:  # noqa: ANN401  # an item
        """A sensor's item."""
        return self.world.parts.store.sensors.get(f"{HOME}.{sensor_id}")

    def gives_up(self, session_id: str) -> None:
        """As the sweep does with an open session of a gateway that is silent: its seq stays."""
        ended = {"status": "ended", "endedBy": "gateway_lost", "endTime": self.world.clock.ms, "openGatewayId": None}
        apply(Change(self.world.parts.store.sessions, f"{HOME}.{session_id}", ended, {"openGatewayId": HOME}))

    def letters(self) -> list[dict[str, Any]]:
        """All that lies in the dead letter queue, taken out of it."""
        return [json.loads(body) for body in self.bodies(self.dead_url)]

    def bodies(self, url: str) -> list[str]:
        """All that lies in a queue, taken out of it."""
        found: list[str] = []
        while some := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            found += [one["Body"] for one in some]
            for one in some:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return found


def ingest_of(aws: LocalAws, world: World, prefix: str, *, is_counting: bool = False) -> Ingest:
    """Over this world's tables, with queues of its own."""
    sqs, dashboards = aws.client("sqs"), Dashboards()
    dead_url = sqs.create_queue(QueueName=f"{prefix}-dead")["QueueUrl"]
    records_url = sqs.create_queue(QueueName=f"{prefix}-records")["QueueUrl"]
    names = world.names
    collector = Collector(
        keeper=Keeper(
            world.dynamo,
            {
                "sensors": names["SENSORS_TABLE"],
                "sessions": names["SESSIONS_TABLE"],
                "events": names["MOTION_EVENTS_TABLE"],
                "gateways": names["GATEWAYS_TABLE"],
                "commands": names["COMMANDS_TABLE"],
            },
            is_counting,
        ),
        letters=DeadLetters(lambda: sqs, dead_url),
        push=lambda: dashboards,
        retention_s=RETENTION_S,
        now_ms=world.clock.now_ms,
    )
    return Ingest(world, collector, dashboards, sqs, records_url, dead_url)


def message(*records: Record, received_at: int = NOON_MS, kind: Kind | None = None) -> str:
    """What an IoT rule writes into the queue of one MQTT message with these records of one sensor."""
    lines = [one.to_json().encode() for one in records]
    batch = encode_batch(lines)
    assert batch.count == len(lines)
    first = records[0]
    return raw_message(batch.payload, first.gateway_id, first.sensor_id, kind or KINDS[type(first)], received_at)


def raw_message(payload: bytes, gateway_id: str, sensor_id: str, kind: str, received_at: int = NOON_MS) -> str:
    """The same of any payload."""
    said = {"body": base64.b64encode(payload).decode(), "gatewayId": gateway_id, "sensorId": sensor_id}
    return json.dumps({**said, "kind": kind, "receivedAt": received_at})


def session(number: int, seq: int, *, ends_by: str | None = None, **more: object) -> SessionRecord:
    """A session in Ada's bathroom, `number` hours before noon; its record of this seq."""
    began_at = NOON_MS - number * 3_600_000
    ending = {"ended_by": ends_by, "end_time": began_at + 600_000} if ends_by else {}
    values = {
        "gateway_id": HOME,
        "sensor_id": "bath",
        "clock_trusted": True,
        "session_id": f"bath-r1-{number}",
        "seq": seq,
        "start_time": began_at,
        "last_motion_time": began_at + seq * 1000,
        "duration_s": seq + 0.5,
        "motion_events_count": seq,
        "playback_started": True,
        "policy_version": 1,
    }
    return SessionRecord.model_validate({**values, **ending, **more})


def decision(number: int, **more: object) -> Decision:
    """A motion in Ada's bathroom."""
    values = {
        "gateway_id": HOME,
        "sensor_id": "bath",
        "clock_trusted": True,
        "event_id": f"bath-r1-e{number}",
        "session_id": "bath-r1-0",
        "timestamp": NOON_MS - number,
        "event_type": "motion_detected",
        "action_taken": "motion_accepted",
    }
    return Decision.model_validate({**values, **more})


def fault(number: int, **more: object) -> ErrorRecord:
    """Something wrong in Ada's bathroom."""
    values = {
        "gateway_id": HOME,
        "sensor_id": "bath",
        "clock_trusted": True,
        "event_id": f"bath-r1-e{number}",
        "timestamp": NOON_MS - number,
        "fault": "input_stuck",
        "subject": "pir",
        "cure": "look at the sensor",
    }
    return ErrorRecord.model_validate({**values, **more})


def room(seq: int, counts: Mapping[str, int] | None = None, **more: object) -> RoomStatus:
    """How Ada's bathroom is doing."""
    values = {
        "gateway_id": HOME,
        "sensor_id": "bath",
        "clock_trusted": True,
        "seq": seq,
        "timestamp": NOON_MS + seq,
        "state": "vacant",
        "day": "2026-11-21",
        "suppressed_today": dict(counts or {}),
        "policy_version": 1,
    }
    return RoomStatus.model_validate({**values, **more})


def device(seq: int, gateway_id: str = HOME, consent: Consent | None = None, **more: object) -> DeviceStatus:
    """How Ada's gateway is doing."""
    values = {
        "gateway_id": gateway_id,
        "sensor_id": "gateway",
        "clock_trusted": True,
        "seq": seq,
        "timestamp": NOON_MS + seq,
        "versions": VERSIONS,
        "uptime_s": float(seq),
        "outbox": Outbox(records=0, size_bytes=0, dropped=0),
        "consent": consent or Consent(state="missing"),
        "guard": Guard(calls_today=0),
        "policy_version": 1,
    }
    return DeviceStatus.model_validate({**values, **more})


def started(**more: object) -> Registration:
    """Ada's gateway comes up."""
    values = {
        "gateway_id": HOME,
        "sensor_id": "gateway",
        "clock_trusted": True,
        "timestamp": NOON_MS,
        "versions": VERSIONS,
        "sensors": ("bath",),
    }
    return Registration.model_validate({**values, **more})


def result(command_id: str, **more: object) -> CommandResult:
    """What came of a command to Ada's gateway."""
    values = {
        "gateway_id": HOME,
        "sensor_id": "gateway",
        "clock_trusted": True,
        "command_id": command_id,
        "command": "list_devices",
        "timestamp": NOON_MS,
        "outcome": "done",
    }
    return CommandResult.model_validate({**values, **more})


def kinds_told(told: Sequence[tuple[str, Mapping[str, Any]]], user_id: str = ADA) -> list[str]:
    """The types of what was pushed to a person, in order."""
    return [str(one["type"]) for user, one in told if user == user_id]
