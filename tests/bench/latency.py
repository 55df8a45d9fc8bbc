"""Mock pin edge to HTTP request received, beside a warm raw-socket request to the same server in the same run."""

import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure, percentile

from spotty_gateway.engine.rules import SECOND
from spotty_sandbox.house_clock import AT_ONCE, HouseClock
from spotty_sandbox.rig import Rig
from spotty_sandbox.spotify import SpotifySimulator, demo_world

EVENTS = 500
EVERY_S = 0.05
LOOK = ("GET", "/v1/me/player")
START_AT = 1_770_000_000 * SECOND

WIRING: dict[str, Any] = {
    "sensors": [{"id": "room", "name": "Room", "inputs": [{"id": "pir", "kind": "pir", "pin": 17}]}]
}
BUSY = {"spotifyCallsADay": 1_000_000}
"""So many visits in a day are for measuring only: without this the guard would put an end to it."""

POLICY: dict[str, Any] = {
    "vacancyDelayS": 30,
    "holdOffS": 0,
    "warmUpS": 0,
    "playback": {"device": {"name": "Bathroom"}, "contextUri": "spotify:playlist:37i9dQZF1DX0Bench"},
}


class _Receipts:
    """When the server received the next request of a kind."""

    def __init__(self) -> None:
        self._armed: tuple[str, str] | None = None
        self._at_ns = 0
        self._received = threading.Event()

    def note(self, method: str, path: str, at_ns: int) -> None:
        """The simulator's callback."""
        if (method, path) == self._armed:
            self._armed = None
            self._at_ns = at_ns
            self._received.set()

    def arm(self) -> None:
        """Wait for the next look from now on."""
        self._received.clear()
        self._armed = LOOK

    def at_ns(self) -> int:
        """When it came."""
        if not self._received.wait(5):
            raise TimeoutError("no request was received within 5 s")
        return self._at_ns


def measure() -> list[Figure]:
    """p50 and p99 of both, interleaved: one raw request, one edge, one raw request, ..."""
    receipts = _Receipts()
    clock = HouseClock(START_AT, AT_ONCE)
    simulator = SpotifySimulator(demo_world(clock), on_request=receipts.note)
    with (
        tempfile.TemporaryDirectory() as folder,
        Rig(Path(folder), WIRING, {"room": POLICY}, simulator, clock, settings=BUSY) as rig,
        socket.create_connection(("127.0.0.1", simulator.port)) as raw,
    ):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        floors, edges = _alternate(rig, clock, receipts, raw)
    floors.sort()
    edges.sort()
    return [
        Figure(f"pin edge to request received, p{q}", percentile(edges, q), percentile(floors, q), "ms", limit)
        for q, limit in ((50, 8.0), (99, 10.0))
    ]


def _alternate(rig: Rig, clock: HouseClock, receipts: _Receipts, raw: socket.socket) -> tuple[list[float], list[float]]:
    floors, edges = [], []
    request = f"GET {LOOK[1]} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer none\r\n\r\n".encode()
    pin = rig.pins["room/pir"]
    at = START_AT
    for number in range(EVENTS + 20):
        began = time.perf_counter()
        receipts.arm()
        sent_ns = time.perf_counter_ns()
        raw.sendall(request)
        floor = receipts.at_ns() - sent_ns
        raw.recv(65536)
        receipts.arm()
        sent_ns = time.perf_counter_ns()
        pin.drive_high()
        edge = receipts.at_ns() - sent_ns
        if number >= 20:  # the first ones warm the connections up
            floors.append(floor / 1e6)
            edges.append(edge / 1e6)
        rig.simulator.wait_until(lambda world: world.player().is_playing)
        pin.drive_low()
        at += 60 * SECOND
        clock.run_to(at)
        rig.gateway.nudge()
        rig.simulator.wait_until(lambda world: not world.player().is_playing)
        time.sleep(max(0.0, EVERY_S - (time.perf_counter() - began)))
    return floors, edges
