"""A question to the player from another thread: put between two commands, answered where the player lives."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTimeError
from typing import Generic, TypeVar

from spotty_gateway.errors import PlayerUnavailableError
from spotty_gateway.ports import Player

T_co = TypeVar("T_co", covariant=True)

GRACE_S = 0.5
"""What keeps the player says more than that it is busy: it is waited for a little longer than it has."""


class Question(Generic[T_co]):
    """Something to ask the player, and its answer."""

    def __init__(self, ask: Callable[[Player], T_co], within_s: float) -> None:
        """`ask` runs on the player's thread, and has until `within_s` real seconds from now."""
        self._ask = ask
        self._until_s = time.monotonic() + within_s
        self._answer: Future[T_co] = Future()

    def put_to(self, player: Player) -> None:
        """Ask it, unless its time is over. Raises nothing: an error goes to whoever asked."""
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            return
        player.within(left_s)
        try:
            self._answer.set_result(self._ask(player))
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the one who asked, on another thread
            self._answer.set_exception(error)

    def refuse(self) -> None:
        """It will not be asked: the gateway stops, or has lost the player."""
        self._answer.set_exception(PlayerUnavailableError("the gateway stops, or has to be started again"))

    def answer(self) -> T_co:
        """Wait for the answer. Raises what asking raised, and PlayerUnavailableError where it takes too long."""
        try:
            return self._answer.result(max(0.0, self._until_s - time.monotonic()) + GRACE_S)
        except NotInTimeError:
            raise PlayerUnavailableError("the player is busy; ask again in a moment") from None
