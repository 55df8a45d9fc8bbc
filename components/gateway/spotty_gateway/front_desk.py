"""What is asked at the control socket about the rooms: how they are, and what a person at the wall may want of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from spotty_gateway.chronicle import RoomStory
from spotty_gateway.engine.by_hand import next_morning
from spotty_gateway.engine.events import Event, PauseAsked, ResumeAsked, SnoozeAsked
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.engine.state import House
from spotty_gateway.in_force import InForce
from spotty_gateway.local import Answer, AskPause, AskResume, AskRoom, AskStatus
from spotty_gateway.residents import Resident
from spotty_gateway.status import status_of

ANSWER_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class FrontDesk:
    """Answers on the control socket's thread."""

    in_force: InForce
    stories: Mapping[str, RoomStory]
    now: Callable[[], tuple[int, int, bool]]
    post: Callable[[Event], None]
    ask_house: Callable[[Callable[[House], None], float], bool]
    """Asks after all that was posted before; False where no answer came in time."""
    account: Callable[[], Mapping[str, Any]]
    """How the Spotify account is, JSON-ready; it may look at the disk."""

    def answer(self, asked: AskStatus | AskRoom) -> Answer:
        """JSON-ready; what cannot be done is an `error` in one line."""
        if not isinstance(asked, AskStatus):
            resident = self.in_force.sensor(asked.sensor)
            if resident is None:
                there = ", ".join(self.in_force.ids()) or "none"
                return {"error": f"there is no sensor {asked.sensor!r}; there are: {there}"}
            self.post(self._wished(asked, resident))
        return self._status()

    def _wished(self, asked: AskRoom, resident: Resident) -> Event:
        mono, wall, trusted = self.now()
        if isinstance(asked, AskPause):
            return PauseAsked(mono, wall, trusted, asked.sensor)
        if isinstance(asked, AskResume):
            return ResumeAsked(mono, wall, trusted, asked.sensor)
        until = next_morning(wall, resident.rules.zone) if asked.for_s is None else wall + round(asked.for_s * SECOND)
        return SnoozeAsked(mono, wall, trusted, asked.sensor, until)

    def _status(self) -> Answer:
        """Asked on the loop's thread, so that it is one consistent moment."""
        account = self.account()  # before, for the loop must not wait for a disk
        answers: list[Answer] = []

        def look(house: House) -> None:
            answers.append(status_of(house, self.in_force.names, self.stories, account))

        if not self.ask_house(look, ANSWER_WITHIN_S):
            return {"error": "the gateway is busy; try again"}
        return answers[0]
