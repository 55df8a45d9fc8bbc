"""What the store's tests share: time moved by hand, files that fail on demand, rows and houses."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from spotty_gateway.engine.rules import InputKind
from spotty_gateway.engine.state import House, new_house
from spotty_gateway.ports import DecisionRow, EdgeRow
from spotty_gateway.snapshot import decode
from spotty_gateway.store import Limits, Saved, Store

PATIENCE_S = 10.0
"""Longer than anything here takes: whoever waits this long waits in vain."""
WALL = 1_790_000_000_000_000


class ManualTiming:
    """Time that stands still until it is moved. Each of the writer's sleeps is told, with the length it asked for."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sleeps: SimpleQueue[float | None] = SimpleQueue()
        self._wake: threading.Condition | None = None

    def now(self) -> float:
        """As far as it has been moved."""
        return self._now

    def wait(self, wake: threading.Condition, timeout_s: float | None) -> None:
        """Sleep until woken; time does not pass by itself."""
        self._wake = wake
        self._sleeps.put(timeout_s)
        wake.wait()

    def next_sleep(self) -> float | None:
        """The length of the writer's next sleep, once it has lain down; what came before is done then."""
        return self._sleeps.get(timeout=PATIENCE_S)

    def is_undisturbed(self) -> bool:
        """Whether the writer has not woken and lain down again since `next_sleep`."""
        return self._sleeps.empty()

    def pass_s(self, seconds: float) -> None:
        """Let time pass while the writer sleeps."""
        assert self._wake is not None
        with self._wake:
            self._now += seconds
            self._wake.notify_all()


class Disk:
    """Opens SQLite files for a store.

    `full` makes them refuse to grow, as a full disk does; `read_only` to be written, as a card that protects itself.
    """

    def __init__(self) -> None:
        self.full = False
        self.read_only = False
        self.statements: list[str] = []
        self.meanwhile: dict[str, Callable[[], object]] = {}
        """What happens elsewhere while the file of this name is opened next."""

    def connect(self, path: Path) -> sqlite3.Connection:
        """What Store opens its files with. It does not wait for locks: time stands still here."""
        name = f"{path.as_uri()}?mode={'ro' if self.read_only else 'rwc'}"
        connection = sqlite3.connect(name, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
        connection.set_trace_callback(self.statements.append)
        self.meanwhile.pop(path.name, lambda: None)()
        if self.full:
            connection.execute("PRAGMA max_page_count = 1")
        return connection


@contextmanager
def running_store(
    folder: Path,
    on_trouble: Callable[[str], None] | None = None,
    *,
    timing: ManualTiming | None = None,
    disk: Disk | None = None,
    limits: Limits | None = None,
) -> Iterator[Store]:
    """A store whose writer runs, and is closed at the end. Trouble that nobody listens to fails the test."""
    unheard: list[str] = []
    opened = Disk() if disk is None else disk
    store = Store(folder, on_trouble or unheard.append, timing=timing, connect=opened.connect, limits=limits)
    store.start()
    try:
        yield store
    finally:
        store.close()
    assert unheard == []


def unheard(text: str) -> None:
    """A listener for tests that do not care what is said."""


def house(number: int) -> House:
    """A house that can be told from others."""
    return new_house(f"run-{number}", number, WALL + number, trusted=True)


def number_of(saved: Saved | None) -> int | None:
    """Which `house` was saved."""
    return None if saved is None else decode(saved.data, {}).mono


def saved_in(folder: Path) -> int | None:
    """Which `house` a gateway that starts now would find."""
    troubles: list[str] = []
    store = Store(folder, troubles.append)
    found = store.load()
    store.close()
    assert troubles == []
    return number_of(found)


def edge(number: int, sensor_id: str = "bath", wall_us: int | None = None, *, trusted: bool = True) -> EdgeRow:
    """An edge that can be told from others by its `mono_us`."""
    wall = WALL + number if wall_us is None else wall_us
    return EdgeRow(number, wall, trusted, "r1", sensor_id, "pir", InputKind.PIR, number % 2 == 0, initial=False)


def decision(number: int, sensor_id: str = "bath") -> DecisionRow:
    """A decision that can be told from others by its instant."""
    return DecisionRow(WALL + number, True, sensor_id, None, "ignored_debounced", "debounced")
