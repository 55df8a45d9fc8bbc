"""Waiting, on another thread than the loop's, for what comes of an event."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTimeError
from typing import Any, TypeVar

from spotty_gateway.engine.commands import Effect
from spotty_gateway.engine.events import PauseAsked, ResumeAsked, SnoozeAsked, TrialAsked, VolumeAsked
from spotty_gateway.engine.state import House

Asked = PauseAsked | ResumeAsked | SnoozeAsked | VolumeAsked | TrialAsked

T = TypeVar("T")


class _Watch:
    """From the step of `asked` on, each step is shown to `look` until it has an answer."""

    def __init__(self, asked: Asked, look: Callable[[House, Sequence[Effect]], Any]) -> None:
        self._asked = asked
        self._look = look
        self._has_begun = False
        self.answer: Future[Any] = Future()

    def see(self, house: House, event: object, effects: Sequence[Effect]) -> None:
        # By kind and room, for the loop makes a late event anew; two alike at one time mean the same.
        asked = self._asked
        if isinstance(event, type(asked)) and event.sensor_id == asked.sensor_id and event.mono >= asked.mono:
            self._has_begun = True
        if not self._has_begun or self.answer.done():
            return
        try:
            found = self._look(house, effects)
        except Exception as error:  # noqa: BLE001 - it belongs to the one who waits, and must not trouble the loop
            self.answer.set_exception(error)
        else:
            if found is not None:
                self.answer.set_result(found)


class Lookout:
    """Is shown every step of the loop, and wakes whoever waits for one."""

    def __init__(self, post: Callable[[Asked], None]) -> None:
        """`post` hands an event to the loop."""
        self._post = post
        self._watches: tuple[_Watch, ...] = ()
        self._changing = threading.Lock()

    def __call__(self, house: House, event: object, effects: Iterable[Effect]) -> None:
        """One step has been made; on the loop's thread."""
        if self._watches:
            steps = tuple(effects)
            for watch in self._watches:
                watch.see(house, event, steps)

    def after(self, asked: Asked, look: Callable[[House, Sequence[Effect]], T | None], within_s: float) -> T | None:
        """Post the event and wait until `look` finds something in a step, this event's or a later one's.

        None where it did not in the time given. Raises what `look` raises.
        """
        watch = _Watch(asked, look)
        with self._changing:  # several orders wait at once
            self._watches = (*self._watches, watch)
        try:
            self._post(asked)
            found: T | None = watch.answer.result(within_s)
        except NotInTimeError:
            return None
        else:
            return found
        finally:
            with self._changing:
                self._watches = tuple(one for one in self._watches if one is not watch)
