"""The store as the gateway sees it: calls that return at once, and the one thread that writes."""

import logging
import threading
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Protocol, TypeVar

from spotty_gateway.account_memory import AccountMemory
from spotty_gateway.engine.state import House
from spotty_gateway.ports import DecisionRow, EdgeRow
from spotty_gateway.store.database import Connect, Database, Layout, connect
from spotty_gateway.store.history import HISTORY, HistoryDesk, Limits
from spotty_gateway.store.outbox import Outbox
from spotty_gateway.store.outbox_layout import OutboxLimits
from spotty_gateway.store.state import STATE, Saved, StateDesk
from spotty_gateway.store.trouble import Trouble

_log = logging.getLogger(__name__)

T = TypeVar("T")

CLOSE_S = 4.0
"""How long the last write may take: Greengrass wants us gone five seconds after SIGTERM."""


class Desk(Protocol):
    """What waits for one file. Only `write` may touch the disk; all else is called with the lock held."""

    trouble: Trouble

    def due_at(self, now: float) -> float:
        """When the writer should take what waits; infinity while nothing does."""

    def take(self) -> None:
        """Set apart what waits now."""

    def write(self) -> int:
        """Write what was set apart, all or nothing; returns how many rows were lost on the way."""

    def give_back(self) -> None:
        """Let what was set apart wait again."""

    def close(self) -> None:
        """Let go of the file."""


class Timing(Protocol):
    """The writer's clock and its way to sleep."""

    def now(self) -> float:
        """Monotonic seconds."""

    def wait(self, wake: threading.Condition, timeout_s: float | None) -> None:
        """Sleep until woken, or for `timeout_s`."""


class _RealTiming:
    def now(self) -> float:
        return time.monotonic()

    def wait(self, wake: threading.Condition, timeout_s: float | None) -> None:
        wake.wait(timeout_s)


class Store:
    """Writes what the gateway must not forget into `folder`.

    The `save` and `note_` calls may come from any thread, cost microseconds, touch no disk and never raise: the disk's
    troubles are told to `on_trouble` (from the writer's thread), once when they begin and once when they are over.
    """

    def __init__(
        self,
        folder: Path,
        on_trouble: Callable[[str], None] = _log.warning,
        *,
        limits: Limits | None = None,
        outbox_limits: OutboxLimits | None = None,
        timing: Timing | None = None,
        connect: Connect = connect,
    ) -> None:
        def desk_parts(layout: Layout) -> tuple[Database, Trouble]:
            return Database(folder, layout, connect, self._say), Trouble(layout.name, self._say)

        self._on_trouble = on_trouble
        self._timing = timing or _RealTiming()
        self._wake = threading.Condition(threading.Lock())
        self.outbox = Outbox(self._wake, outbox_limits or OutboxLimits(), self._timing.now)
        """What is to be sent; its calls are of the same kind as those below."""
        self._state = StateDesk(*desk_parts(STATE), self.outbox)
        self._history = HistoryDesk(*desk_parts(HISTORY), limits or Limits())
        self._desks: tuple[Desk, ...] = (self._state, self._history)
        self._flushes: list[threading.Event] = []
        self._in_a_hurry = False
        self._closing = False
        self._thread: threading.Thread | None = None

    @property
    def troubles(self) -> list[str]:
        """What is wrong now, in words; empty while all is well."""
        return [desk.trouble.text for desk in self._desks if desk.trouble.text is not None]

    def load(self) -> Saved | None:
        """The last snapshot, or None if there is none that can be read. On the caller's thread, before `start`."""
        return self._loaded(self._state.load)

    def load_account(self) -> bytes | None:
        """The last account memory, or None if there is none that can be read. The same holds for it."""
        return self._loaded(self._state.load_account)

    def begin_outbox(self, boot_id: str) -> int:
        """Let what the last run had sent and could not prove wait again; the highest `seq` ever put, 0 if unknown.

        The same holds for it.
        """
        return self._loaded(lambda: self._state.begin_outbox(boot_id)) or 0

    def _loaded(self, load: Callable[[], T]) -> T | None:
        if self._thread is not None:
            raise RuntimeError("load() comes before start(): the writer's thread owns the files from then on")
        try:
            return load()
        except Exception as error:  # noqa: BLE001 - a gateway without its memory is better than none
            self._state.trouble.met(error, self._timing.now())
            return None

    def start(self) -> None:
        """Let the writer's thread begin. What was saved or noted before is not lost."""
        self._thread = threading.Thread(target=self._main, name="store", daemon=True)
        self._thread.start()

    def save(self, house: House, boot_id: str) -> None:
        """Write this snapshot; one that still waits is forgotten for it."""
        with self._wake:
            self._state.put(house, boot_id)
            self._wake.notify()

    def save_account(self, memory: AccountMemory, *, urgent: bool) -> None:
        """Write what is known of the account, within half a minute, or now if it is urgent; the newest counts."""
        with self._wake:
            if self._state.put_account(memory, urgent=urgent):
                self._wake.notify()

    def note_edge(self, edge: EdgeRow) -> None:
        """Add an input's report to the ring, within ten seconds."""
        with self._wake:
            if self._history.add_edge(edge):
                self._wake.notify()

    def note_decision(self, decision: DecisionRow) -> None:
        """Add a decision to the ledger, within ten seconds."""
        with self._wake:
            if self._history.add_decision(decision):
                self._wake.notify()

    def flush(self, timeout_s: float) -> bool:
        """Write everything that waits now, and wait for it: True when all is in the files, False after `timeout_s`."""
        written = threading.Event()
        with self._wake:
            self._flushes.append(written)
            self._in_a_hurry = True
            self._wake.notify()
        return written.wait(timeout_s)

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Write what waits, once, and end the thread; returns after `timeout_s` even if the disk hangs.

        True if everything is in the files. May be called again; what is noted after the first call is not written.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is None:
            self._let_go()
        else:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
        return all(desk.due_at(self._timing.now()) == inf for desk in self._desks)

    def _main(self) -> None:
        is_last = False
        while not is_last:
            desks, flushes, is_last = self._await_work()
            failed = [desk for desk in desks if not self._is_written(desk)]
            if failed:
                with self._wake:
                    self._flushes[:0] = flushes
                continue
            for written in flushes:
                written.set()
        self._let_go()

    def _await_work(self) -> tuple[list[Desk], list[threading.Event], bool]:
        """Sleep until something is due and take it; for whoever waits in `flush`, and at the end, take everything."""
        with self._wake:
            now = self._timing.now()
            while not (self._in_a_hurry or self._closing):
                due_at = min(desk.due_at(now) for desk in self._desks)
                if due_at <= now:
                    break
                self._timing.wait(self._wake, None if due_at == inf else due_at - now)
                now = self._timing.now()
            until = inf if self._flushes or self._closing else now
            desks = [desk for desk in self._desks if desk.due_at(now) <= until and desk.due_at(now) < inf]
            for desk in desks:
                desk.take()
            flushes, self._flushes, self._in_a_hurry = self._flushes, [], False
            return desks, flushes, self._closing

    def _is_written(self, desk: Desk) -> bool:
        try:
            lost = desk.write()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may do better and music goes on
            with self._wake:
                desk.give_back()
            desk.trouble.met(error, self._timing.now())
            return False
        desk.trouble.over(lost)
        return True

    def _say(self, text: str) -> None:
        try:
            self._on_trouble(text)
        except Exception:  # noqa: BLE001 - the listener's defect must not end the writing
            _log.exception("could not tell: %s", text)

    def _let_go(self) -> None:
        for desk in self._desks:
            desk.close()
