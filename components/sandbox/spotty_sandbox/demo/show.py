"""What the demo promises to show: a visit, from the pin to the API; and a setting, from the API to the speaker."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spotty_gateway.engine.rules import SECOND
from spotty_sandbox import ordinary_day
from spotty_sandbox.home import HomeError
from spotty_sandbox.house import Visit, edges_of, walk
from spotty_sandbox.house_clock import HouseClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spotty_sandbox.home import HomeInTheCloud
    from spotty_sandbox.spotify import SpotifySimulator, SpotifyWorld

    from .steps import Telling

PINS: dict[str, int] = {
    sensor["id"]: one["pin"] for sensor in ordinary_day.WIRING["sensors"] for one in sensor["inputs"]
}
VACANCY_DELAY_S = 30
"""The shortest there is: nobody wants to watch an empty room for five minutes."""
VOLUME_PCT, QUIETER_PCT = 60, 35
_SOON_S, _COLLECTED_WITHIN_S = 15.0, 120.0


def settings_of(room: str) -> dict[str, Any]:
    """The ordinary day's, but at any time of day and with little patience."""
    ordinary = ordinary_day.policy(room)
    playback = {**ordinary["playback"], "volumePct": VOLUME_PCT, "volumeCapPct": 100}
    short = {"enabled": True, "warmUpS": 0, "confirmS": 0, "cooldownS": 0, "vacancyDelayS": VACANCY_DELAY_S}
    return {**ordinary, **short, "quietHours": [], "playback": playback}


def now_us() -> int:
    """The UTC instant."""
    return time.time_ns() // 1000


class Show:
    """One visit to the bathroom. Everything raises HomeError for what was promised and not seen."""

    room = ordinary_day.BATHROOM

    def __init__(self, home: HomeInTheCloud, simulator: SpotifySimulator, telling: Telling) -> None:
        self._home = home
        self._simulator = simulator
        self._telling = telling
        self._speaker = ordinary_day.SPEAKERS[self.room]
        self._sensor = home.sensor(self.room)

    def play(self) -> None:
        """All of it, about forty seconds."""
        self._is_calm()
        since, since_ms, came_s = self._home.heard.mark(), now_us() // 1000, time.monotonic()
        self._telling.happens("house", f"somebody walks into the {self.room}")
        with self._visited():
            self._plays(since, came_s)
            self._becomes_quieter()
            self._tell_session(self._collected("the session", since_ms, is_over=False))
        self._telling.happens("house", f"nobody moves any more; the room waits for {VACANCY_DELAY_S} s")
        self._falls_silent(since)
        self._tell_session(self._collected("the end of the session", since_ms, is_over=True))

    @contextmanager
    def _visited(self) -> Iterator[None]:
        """Somebody is there, as long as a PIR's one pulse takes at least."""
        visitor = f"{self.room}/pir"
        pins = {visitor: self._home.pin(PINS[self.room])}
        clock = HouseClock(now_us(), 1.0)
        edges = edges_of([Visit(visitor, now_us(), now_us() + SECOND)])
        with ThreadPoolExecutor(1) as legs:
            walking = legs.submit(walk, edges, pins, clock)
            try:
                yield
                walking.result()
            finally:
                clock.stop()

    def _is_calm(self) -> None:
        """The last demo may have ended in the middle of a visit, or somebody has snoozed the room."""
        if self._home.status(self.room)["snoozedUntil"] is not None:
            self._telling.happens("you", f"spotty resume {self.room}: it was snoozed")
            self._home.by_hand("resume", self.room)
        if self._home.status(self.room)["state"] != "vacant":
            self._telling.happens("house", "the last visit is not over yet")
        self._home.until(
            lambda: self._home.status(self.room)["state"],
            lambda state: state == "vacant",
            "the end of the last visit",
            VACANCY_DELAY_S + _SOON_S,
        )

    def _plays(self, since: int, came_s: float) -> None:
        try:
            self._simulator.wait_until(self._is_on, _SOON_S)
        except TimeoutError:
            raise self._home.missed("music", _SOON_S) from None
        ms = (time.monotonic() - came_s) * 1000
        self._hears("music started", since, _SOON_S)
        self._telling.happens("speaker", f"{self._speaker} plays, {ms:.0f} ms after the motion")

    def _is_on(self, world: SpotifyWorld) -> bool:
        player = world.player()
        return player.is_playing and player.active is world.device(self._speaker)

    def _becomes_quieter(self) -> None:
        """A setting changed in the cloud, taken by the gateway, answered; and heard, since the cap holds at once."""
        change = {"policy": {"playback": {"volumeCapPct": QUIETER_PCT}}}
        self._telling.happens("you", f"PUT /sensors/{self._sensor}  {json.dumps(change)}")
        asked_s = time.monotonic()
        wanted = self._home.api.change("PUT", f"/sensors/{self._sensor}", change)
        if wanted["settings"]["state"] == "pending":
            self._telling.happens("cloud", f"settings v{wanted['version']} are pending")
        found = self._home.in_step(self.room)["settings"]
        if (found["state"], found["answeredVersion"]) != ("applied", wanted["version"]):
            raise HomeError(f"the settings were not applied but {found['state']}: {found['rejections']}")
        took_s = time.monotonic() - asked_s
        try:
            self._simulator.wait_until(lambda world: world.device(self._speaker).volume_pct == QUIETER_PCT, _SOON_S)
        except TimeoutError:
            raise self._home.missed("the lower volume", _SOON_S) from None
        self._telling.happens(
            "cloud", f"settings v{found['answeredVersion']} are applied, {took_s:.1f} s after the change"
        )
        self._telling.happens("speaker", f"{self._speaker} is down to {QUIETER_PCT} %")

    def _falls_silent(self, since: int) -> None:
        self._hears("music stopped", since, VACANCY_DELAY_S + _SOON_S)
        self._hears("session over", since, _SOON_S)

    def _hears(self, words: str, since: int, longest_s: float) -> None:
        if self._home.heard.wait_for(words, since, longest_s) is None:
            raise self._home.missed(f"'{words}' of the gateway", longest_s)

    def _collected(self, what: str, since_ms: int, *, is_over: bool) -> Mapping[str, Any]:
        """The visit's session, once the API tells it so."""

        def found() -> list[dict[str, Any]]:
            told = self._home.api.get("/sessions", sensorId=self._sensor, since=str(since_ms))["sessions"]
            return [one for one in told if one["endedBy"] is not None or not is_over]

        sessions: list[dict[str, Any]] = self._home.until(found, bool, f"{what} in GET /sessions", _COLLECTED_WITHIN_S)
        return sessions[0]

    def _tell_session(self, one: Mapping[str, Any]) -> None:
        music = one["timeToMusicMs"]
        words = [f"GET /sessions: {one['status']}", f"{one['durationS']:.0f} s"]
        words += [f"ended by {one['endedBy']}"] if one["endedBy"] else []
        words += [f"music after {music} ms"] if music is not None else []
        self._telling.happens("cloud", ", ".join(words))
