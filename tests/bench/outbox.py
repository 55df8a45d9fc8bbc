"""The outbox on a real disk: making one record durable, opening a full one, draining it through the uplink."""

import os
import tempfile
import threading
import time
from pathlib import Path

from tests.bench.figures import Figure, percentile

from spotty_contract.messages import decode_batch
from spotty_contract.records import Decision, SessionRecord
from spotty_contract.topics import Kind
from spotty_gateway.clock import SystemClock
from spotty_gateway.ports import Stamp
from spotty_gateway.store import Store
from spotty_gateway.uplink import Uplink

PUTS = 300
FULL = 100_000
DRAINED = 5_000
GATEWAY = "spotty-bench"
STAMP = Stamp("boot", 0)
AT_MS = 1_795_262_400_000
PAGE = 4_096
WITHIN_S = 120.0


def append() -> list[Figure]:
    """From `put` to durable, one at a time; beside writing a page and fdatasync, interleaved with it."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # not /tmp, which may be memory
        store = _opened(Path(folder))
        bare = os.open(Path(folder) / "bare", os.O_CREAT | os.O_WRONLY)
        durable_ms, floor_ms = [], []
        for number in range(PUTS):
            began = time.perf_counter()
            store.outbox.put(Kind.SESSION, _session(number), STAMP)
            if not store.flush(WITHIN_S):
                raise TimeoutError("the store did not write")
            durable_ms.append((time.perf_counter() - began) * 1e3)
            began = time.perf_counter()
            os.pwrite(bare, bytes(PAGE), number * PAGE)
            os.fdatasync(bare)
            floor_ms.append((time.perf_counter() - began) * 1e3)
        os.close(bare)
        store.close()
    durable_ms.sort()
    floor_ms.sort()
    return [
        Figure(f"a record made durable, p{q}", percentile(durable_ms, q), percentile(floor_ms, q), "ms", 2.0)
        for q in (50, 99)
    ]


def full() -> list[Figure]:
    """Opening a full outbox, and the next record into it; the floor of the first is the goal, two seconds."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        store = _opened(Path(folder))
        for number in range(FULL):
            store.outbox.put(Kind.MOTION, _decision(number), STAMP)
            if number % 1_000 == 0 and not store.flush(WITHIN_S):
                raise TimeoutError("the store did not write")
        store.close()
        began = time.perf_counter()
        store = _opened(Path(folder))
        opened_s = time.perf_counter() - began
        began = time.perf_counter()
        store.outbox.put(Kind.SESSION, _session(0), STAMP)
        store.flush(WITHIN_S)
        put_s = time.perf_counter() - began
        records = store.outbox.view.records
        store.close()
    return [
        Figure(f"opening an outbox of {records:,} records", opened_s, 2.0, "s", 1.0),
        Figure("the next record into it, with room to be made", put_s, 2.0, "s", 1.0),
    ]


class _Sink:
    """A cloud that takes everything at once."""

    keeps_acknowledged = False

    def __init__(self) -> None:
        self.records = 0
        self.messages = 0
        self.all_there = threading.Event()
        self._lock = threading.Lock()

    def publish(self, topic: str, payload: bytes) -> None:
        """Count it."""
        del topic
        with self._lock:
            self.messages += 1
            self.records += len(decode_batch(payload))
            if self.records >= DRAINED:
                self.all_there.set()

    def subscribe(self, *_: object) -> None:
        """Nothing comes."""


def drain() -> list[Figure]:
    """A day's 5,000 records of eight rooms, from the disk to the nucleus; the floor is a second."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        store, sink = _opened(Path(folder)), _Sink()
        for number in range(DRAINED):
            store.outbox.put(Kind.MOTION, _decision(number), STAMP)
            if number % 1_000 == 0:
                store.flush(WITHIN_S)
        store.flush(WITHIN_S)
        uplink = Uplink(GATEWAY, store.outbox, sink, SystemClock(assume_trusted=True), lambda _: None)
        store.outbox.on_growth = uplink.wake
        began = time.perf_counter()
        uplink.start()
        if not sink.all_there.wait(WITHIN_S):
            raise TimeoutError("not everything was sent")
        took_s = time.perf_counter() - began
        uplink.stop(WITHIN_S)
        store.close()
    return [Figure(f"{DRAINED:,} records sent in {sink.messages} messages", took_s, 1.0, "s")]


def _opened(folder: Path) -> Store:
    store = Store(folder)
    store.begin_outbox(STAMP.boot_id)
    store.start()
    return store


def _session(number: int) -> SessionRecord:
    return SessionRecord(
        gateway_id=GATEWAY,
        sensor_id="bathroom",
        clock_trusted=True,
        session_id=f"bathroom-a1b2c3-{number}",
        seq=number + 1,
        start_time=AT_MS + number,
        last_motion_time=AT_MS + number,
        duration_s=300.5,
        motion_events_count=7,
        playback_started=True,
        context_uri="spotify:playlist:37i9dQZF1DX0XUsuxWHRQd",
        policy_version=3,
    )


def _decision(number: int) -> Decision:
    return Decision(
        gateway_id=GATEWAY,
        sensor_id=f"room-{number % 8}",
        clock_trusted=True,
        event_id=f"room-{number % 8}-a1b2c3-e{number}",
        timestamp=AT_MS + number * 1_117,
        event_type="motion_detected",
        action_taken="ignored_debounced",
        reason="debounced",
    )
