"""A small flat with the whole gateway in it: pins, loop, engine, store, spotipy and a simulated Spotify."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spotty_gateway.engine.commands import SessionFacts
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.ports import DecisionRow, EdgeRow
from spotty_gateway.store import last_decisions, read_edges
from spotty_sandbox.house_clock import AT_ONCE, HouseClock
from spotty_sandbox.rig import Rig
from spotty_sandbox.spotify import SpotifySimulator, SpotifyWorld, demo_world

START_AT = 1_770_000_000 * SECOND
PATIENCE_S = 10.0
PLAYLIST = "spotify:playlist:37i9dQZF1DX0MorningBath"
PIR, BUTTON = "bath/pir", "bath/button"
WIRING: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "sensors": [
        {
            "id": "bath",
            "name": "Bathroom",
            "inputs": [{"id": "pir", "pin": 17}, {"id": "button", "kind": "button", "pin": 22}],
        }
    ],
}
POLICY: dict[str, Any] = {
    "vacancyDelayS": 60,
    "warmUpS": 0,
    "playback": {"device": {"name": "Bathroom"}, "contextUri": PLAYLIST, "shuffle": False, "repeat": "off"},
}


class Heard:
    """What the gateway says and records, and a way to wait for it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.facts: list[SessionFacts] = []
        self._changed = threading.Condition()

    def say(self, line: str) -> None:
        """One line for a person."""
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def record(self, facts: SessionFacts) -> None:
        """One session, as it is now."""
        with self._changed:
            self.facts.append(facts)
            self._changed.notify_all()

    def wait_for(self, words: str, times: int = 1) -> str:
        """Wait until a line with these words has been said, so many times; the last such line."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.with_words(words)) >= times, PATIENCE_S):
                raise TimeoutError(f"{words!r} was not said; said was: {self.lines}")
            return self.with_words(words)[-1]

    def with_words(self, words: str) -> list[str]:
        """The lines with these words."""
        return [line for line in self.lines if words in line]


class Flat:
    """One room, its clock standing still until it is moved. Enter the rig to begin."""

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        """`folder` becomes the gateway's data folder."""
        self.folder = folder
        self.wiring: Mapping[str, Any] = WIRING
        self.policies: Mapping[str, Mapping[str, Any]] = {"bath": POLICY}
        self.rig_type: type[Rig] = Rig
        self.settings = settings
        self.clock = HouseClock(START_AT, AT_ONCE)
        self.simulator = SpotifySimulator(demo_world(self.clock))
        self.heard = Heard()

    def rig(self) -> Rig:
        """A gateway in this flat; another one after it goes on from its folder."""
        return self.rig_type(
            self.folder,
            self.wiring,
            self.policies,
            self.simulator,
            self.clock,
            say=self.heard.say,
            record=self.heard.record,
            settings=self.settings,
        )

    def pass_s(self, rig: Rig, seconds: float) -> None:
        """Let time pass, and the gateway notice."""
        self.clock.run_to(self.clock.mono() + round(seconds * SECOND))
        rig.gateway.nudge()

    def motion(self, rig: Rig) -> None:
        """Somebody moves."""
        rig.pins[PIR].drive_high()
        rig.pins[PIR].drive_low()

    def press(self, rig: Rig, for_s: float) -> None:
        """Somebody presses the button (it pulls its pin low)."""
        rig.pins[BUTTON].drive_low()
        self.pass_s(rig, for_s)
        rig.pins[BUTTON].drive_high()

    def edges(self) -> list[EdgeRow]:
        """The motions that were recorded, once the gateway has stopped."""
        return [one for one in read_edges(self.folder / "history.db") if not one.initial and one.input_id == "pir"]

    def decisions(self) -> list[DecisionRow]:
        """The decisions that were recorded, oldest first."""
        return last_decisions(self.folder / "history.db")[::-1]

    def plays_asked(self) -> int:
        """How often a start was asked of Spotify."""
        return sum(one.path == "/v1/me/player/play" for one in self.simulator.requests())


def plays(world: SpotifyWorld) -> bool:
    """Whether music is heard."""
    return world.player().is_playing


def is_silent(world: SpotifyWorld) -> bool:
    """Whether none is."""
    return not world.player().is_playing
