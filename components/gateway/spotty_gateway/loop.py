"""One inbox, and one thread that owns the state: it sleeps until something arrives or falls due, and never waits else.

Everything that could be slow is somebody else's: the player's calls are the executor's, the disk is the store's.

A bug in the engine must not end a house in silence. A step is pure, so one that fails has changed nothing: the event
is dropped, told with its traceback, still recorded if it was an input's, and the house goes on as it was. If steps
fail again and again (a deadline that cannot be processed fails every one), the gateway gives up as a whole and is
started anew, by whatever supervises it, from the last good snapshot.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from spotty_gateway.engine.commands import Effect
from spotty_gateway.engine.events import Event, Report, RoomConfigured, RoomRemoved, Stopping, Tick
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.engine.state import House
from spotty_gateway.engine.step import next_deadline, step
from spotty_gateway.ports import Clock

log = logging.getLogger(__name__)

LOOK_AT_CLOCK_EVERY_US = 60 * SECOND
"""While the wall clock matters and may still be set, it is looked at this often; otherwise never."""

LOOK_FOR_TRUST_EVERY_US = 5 * SECOND
"""The same while a session from before a boot waits for it: two minutes at most."""

FAULTS_IN_A_ROW = 3
"""So many steps may fail one after the other before the gateway gives up."""

Question = Callable[[House], None]
"""Asked of the house on the loop's own thread, between two events."""

Listener = Callable[[House, Event, Iterable[Effect]], None]
"""Told what a step decided, on the loop's thread; it must not block."""


@dataclass(frozen=True, slots=True)
class Rejoin:
    """What lived before a boot, joined to the house when the clock is trusted, at `until`, or before we stop."""

    until: int
    join: Callable[[House, Tick], tuple[House, list[Effect]]]


class Loop:
    """The state's owner."""

    def __init__(
        self,
        house: House,
        clock: Clock,
        listener: Listener,
        give_up: Callable[[], None],
        rejoin: Rejoin | None = None,
        listener_due_at: Callable[[], int | None] = lambda: None,
    ) -> None:
        """Starts with `house`; `listener` gets every step's effects, `give_up` is called when steps keep failing.

        `listener_due_at` says when the listener wants to be told of a step even if nothing happens.
        """
        self._house = house
        self._clock = clock
        self._listener = listener
        self._give_up = give_up
        self._rejoin = rejoin
        self._listener_due_at = listener_due_at
        self._faults = 0
        self._inbox: SimpleQueue[Event | Question | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        """Begin to decide."""
        self._thread.start()

    def post(self, item: Event | Question) -> None:
        """Put an event or a question into the inbox; from any thread, returns at once."""
        self._inbox.put(item)

    def ask(self, question: Callable[[House], None], timeout_s: float) -> bool:
        """Ask, after all that was posted before, and wait; False if it was not answered in the time given."""
        done = threading.Event()

        def answer(house: House) -> None:
            question(house)
            done.set()

        self.post(answer)
        return done.wait(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Stop after what is in the inbox; False if that took longer than the time given."""
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._live()
        except Exception as error:  # not even waiting works
            log.critical("a fault in the gateway itself, please report it", exc_info=error)
            self._give_up()

    def _live(self) -> None:
        while True:
            for item in self._next_batch():
                if item is None:
                    return
                try:
                    if callable(item):
                        item(self._house)
                    else:
                        self._take(item)
                except Exception as error:  # see above: said, counted, and the next one may fare better
                    log.critical("a fault in the gateway itself, please report it", exc_info=error)

    def _next_batch(self) -> list[Event | Question | None]:
        """What has arrived, waiting for it no longer than until the next deadline; a Tick if that comes first."""
        batch: list[Event | Question | None] = []
        try:
            batch.append(self._inbox.get(timeout=self._patience_s()))
        except Empty:
            # The clock is read before the inbox is looked at once more: what arrived up to now comes before the Tick.
            batch.append(self._tick())
        while True:
            try:
                batch.append(self._inbox.get_nowait())
            except Empty:
                return in_order(batch)

    def _patience_s(self) -> float | None:
        now = self._clock.mono()
        due = [] if self._faults >= FAULTS_IN_A_ROW else [next_deadline(self._house)]
        due.append(self._listener_due_at())
        if self._rejoin is not None:
            due += [self._rejoin.until, now + LOOK_FOR_TRUST_EVERY_US]
        elif self._watches_the_clock():
            due.append(now + LOOK_AT_CLOCK_EVERY_US)
        due_at = min((at for at in due if at is not None), default=None)
        return None if due_at is None else max(0.0, self._clock.real_s(due_at - now))

    def _watches_the_clock(self) -> bool:
        """Whether a wall clock that is set behind our back would change what is due."""
        rooms = self._house.rooms.values()
        return not self._house.trusted or any(room.session is not None and room.rules.quiet_windows for room in rooms)

    def _tick(self) -> Tick:
        mono = self._clock.mono()
        return Tick(mono, mono + self._clock.offset(), self._clock.trusted())

    def _take(self, event: Event) -> None:
        late_us = self._house.mono - event.mono
        if late_us > 0:  # it waited in the inbox while the clock went on: it counts as having come now
            event = replace(event, mono=event.mono + late_us, wall=event.wall + late_us)
        if self._rejoin is not None:
            self._join_if_due(self._rejoin, event)
        effects: list[Effect] = []
        try:
            self._house, effects = step(self._house, event)
            self._faults = 0
        except Exception:
            self._faults += 1
            if self._faults == FAULTS_IN_A_ROW:
                self._give_up()
            raise
        finally:
            self._listener(self._house, event, effects)

    def _join_if_due(self, rejoin: Rejoin, event: Event) -> None:
        if not (event.trusted or event.mono >= rejoin.until or isinstance(event, Stopping)):
            return
        self._rejoin = None
        tick = Tick(event.mono, event.wall, event.trusted)
        try:
            self._house, effects = rejoin.join(self._house, tick)
        except Exception as error:  # the house that lives now matters more than the one before
            log.critical("what lived before the restart is lost to a fault, please report it", exc_info=error)
        else:
            self._listener(self._house, tick, effects)


def in_order(batch: list[Event | Question | None]) -> list[Event | Question | None]:
    """Events by their instant; at one instant policy changes before reports. Everything else keeps its place."""
    events = [item for item in batch if item is not None and not callable(item)]
    if len(events) < 2:  # noqa: PLR2004 - nothing to order
        return batch
    ordered = iter(sorted(events, key=_rank))
    return [item if item is None or callable(item) else next(ordered) for item in batch]


def _rank(event: Event) -> tuple[int, int]:
    if isinstance(event, RoomConfigured | RoomRemoved):
        return event.mono, 0
    return event.mono, 2 if isinstance(event, Report) else 1
