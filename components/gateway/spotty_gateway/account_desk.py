"""What is asked of the running gateway about its one account: what can play, how it is, and to forget it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from spotty_gateway.devices import as_json
from spotty_gateway.engine.events import AccountForgotten, Event, PauseAsked
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.engine.state import House
from spotty_gateway.errors import PlayerError
from spotty_gateway.executor import Executor
from spotty_gateway.guard import Guard, Purpose
from spotty_gateway.local import Answer, AskAccount, AskAccountChanged, AskDevices, AskHealth
from spotty_gateway.ports import Player, SeenDevice
from spotty_gateway.speakers import Speakers

LIST_WITHIN_S = 7.0
FORGET_WITHIN_S = 8.0
"""Whoever asks over the socket waits for ten seconds."""

ROUNDS = 2
"""A start that was under way when the pause was asked for is paused in the second."""


@dataclass(frozen=True, slots=True)
class AccountDesk:
    """Answers on the control socket's thread."""

    rooms: Mapping[str, str]
    """Names by sensor id."""
    now: Callable[[], tuple[int, int, bool]]
    post: Callable[[Event], None]
    ask_house: Callable[[Callable[[House], None], float], bool]
    """Asks after all that was posted before; False where no answer came in time."""
    executor: Executor
    guard: Guard
    speakers: Speakers
    flush: Callable[[float], bool]
    """Writes everything that waits."""
    health: Callable[[], Answer]
    """What only the composition root knows: refused inputs, the disk's troubles."""

    def answer(self, asked: AskAccount) -> Answer:
        """JSON-ready; what cannot be done is an `error` in one line."""
        if isinstance(asked, AskDevices):
            return self._devices()
        if isinstance(asked, AskHealth):
            return {**self.health(), "clockTrusted": self.now()[2], "guard": self._guard()}
        if isinstance(asked, AskAccountChanged):
            self.executor.account_changed()
            return {"done": True}
        return self._forget()

    def _devices(self) -> Answer:
        def ask(player: Player) -> list[SeenDevice]:
            self.guard.serve(Purpose.MUSIC)
            try:
                return player.devices()
            finally:
                self.guard.serve(Purpose.STOPPING)

        try:
            return {"devices": as_json(self.executor.ask(ask, LIST_WITHIN_S))}
        except PlayerError as error:
            return {"error": str(error)}

    def _guard(self) -> dict[str, Any]:
        seen = self.guard.view()
        return {
            "opensInS": seen.opens_in_us / SECOND,
            "musicInS": seen.music_in_us / SECOND,
            "calls": seen.calls,
            "limit": seen.limit,
            "isLearnt": seen.is_learnt,
        }

    def _forget(self) -> Answer:
        """Stop what is ours, then forget: whose music it was cannot be looked up once the account is gone."""
        until_s = time.monotonic() + FORGET_WITHIN_S

        def left_s() -> float:
            return max(0.0, until_s - time.monotonic())

        for sensor_id in self.rooms:
            self.post(PauseAsked(*self.now(), sensor_id))
        try:
            for _ in range(ROUNDS):
                self.ask_house(lambda _: None, left_s())  # the commands are put
                self.executor.ask(lambda _: None, left_s())  # and carried out, for the player does one after the other
            self.executor.ask(lambda _: self.speakers.forget(), left_s())
        except PlayerError as error:
            return {"error": f"the account's devices could not be forgotten: {error}"}
        self.post(AccountForgotten(*self.now()))
        playing: list[str] = []
        if not (
            self.ask_house(lambda house: playing.extend(self._still_owed(house)), left_s()) and self.flush(left_s())
        ):
            return {"error": "the account is forgotten, but that could not be written to the disk"}
        return {"stillPlaying": playing}

    def _still_owed(self, house: House) -> list[str]:
        return [
            self.rooms.get(sensor_id, sensor_id)
            for sensor_id, room in house.rooms.items()
            if room.music.owed_pause is not None
        ]
