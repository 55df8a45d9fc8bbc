"""What the tests of the outbox and the uplink share: records that can be told from others, and a way to look inside."""

import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.gateway.store.workbench import PATIENCE_S, unheard

from spotty_contract.records import Decision, ErrorRecord, SessionRecord
from spotty_contract.status import RoomStatus
from spotty_gateway.ports import Fate, Outgoing, Stamp
from spotty_gateway.store import Store

GATEWAY = "spotty-test"
NOON_MS = 1_795_262_400_000
BOOT = Stamp("boot-a", NOON_MS * 1000)


def session(name: str, seq: int = 1, sensor_id: str = "bath", *, trusted: bool = True) -> SessionRecord:
    """A session's record."""
    return SessionRecord(
        gateway_id=GATEWAY,
        sensor_id=sensor_id,
        clock_trusted=trusted,
        session_id=name,
        seq=seq,
        start_time=NOON_MS,
        last_motion_time=NOON_MS,
        duration_s=1,
        motion_events_count=1,
        playback_started=False,
        policy_version=1,
    )


def decision(number: int, sensor_id: str = "bath") -> Decision:
    """A motion's."""
    return Decision(
        gateway_id=GATEWAY,
        sensor_id=sensor_id,
        clock_trusted=True,
        event_id=f"e{number}",
        timestamp=NOON_MS + number,
        event_type="motion_detected",
        action_taken="ignored_debounced",
    )


def error(number: int, sensor_id: str = "gateway", *, trusted: bool = True) -> ErrorRecord:
    """A fault's."""
    return ErrorRecord(
        gateway_id=GATEWAY,
        sensor_id=sensor_id,
        clock_trusted=trusted,
        event_id=f"e{number}",
        timestamp=NOON_MS + number,
        fault="player",
    )


def status(day: str, seq: int, *, trusted: bool = True) -> RoomStatus:
    """A room's."""
    return RoomStatus(
        gateway_id=GATEWAY,
        sensor_id="bath",
        clock_trusted=trusted,
        seq=seq,
        timestamp=NOON_MS,
        state="vacant",
        day=day,
        policy_version=1,
    )


def name_of(line: bytes) -> str:
    """What tells a record from others."""
    found: dict[str, Any] = json.loads(line)
    return str(found.get("eventId") or f"{found.get('sessionId') or found.get('day')}/{found['seq']}")


def names(found: Sequence[Outgoing]) -> list[str]:
    """The same for everything that was handed over, in order."""
    return [name_of(line) for out in found for line in out.lines]


@contextmanager
def running_outbox(
    folder: Path,
    boot_id: str = "boot-a",
    on_trouble: Callable[[str], None] = unheard,
    **options: Any,  # noqa: ANN401 - Store's
) -> Iterator[Store]:
    """A store that has begun its outbox in this boot, and whose writer runs; closed at the end."""
    store = Store(folder, on_trouble, **options)
    store.begin_outbox(boot_id)
    store.start()
    try:
        yield store
    finally:
        store.close()


def fetch(store: Store, busy: Collection[str] = (), at_most: int = 5, *, hurried: bool = False) -> list[Outgoing]:
    """What the store hands over now; everything put before is written then, if it can be.

    `hurried` does not wait for the disk's next chance.
    """
    found: list[Outgoing] = []
    came = threading.Event()

    def hand_over(outgoing: Sequence[Outgoing], waiting: Mapping[str, int]) -> None:
        assert all(waiting[out.sensor_id] >= len(out.ids) for out in outgoing)
        found.extend(outgoing)
        came.set()

    store.outbox.fetch(busy, at_most, hand_over)
    assert not hurried or not store.flush(0.01)
    assert came.wait(PATIENCE_S)
    return found


def waiting_in(folder: Path, boot_id: str = "boot-a") -> list[str]:
    """Everything that the next run would send of the kinds and sensors that have anything, each in order."""
    found: list[str] = []
    with running_outbox(folder, boot_id) as store:
        while more := fetch(store, at_most=100):
            found += names(more)
            for out in more:
                store.outbox.settle(out.ids, Fate.KEPT)  # the next run finds them again
    return found
