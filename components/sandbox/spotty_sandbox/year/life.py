"""All of it put together: one household, one seed, so many days."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from spotty_gateway.connection import Backoff
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.performer import Performer
from spotty_gateway.ports import Gate, Player
from spotty_gateway.settings import Settings
from spotty_gateway.speakers import Speakers
from spotty_gateway.spotify import SpotifyPlayer
from spotty_sandbox.rig import CLIENT_ID
from spotty_sandbox.spotify import Service, SpotifyWorld

from .account import HouseholdAccount
from .agenda import Agenda
from .clock import YearClock
from .computer import Computer
from .disk import Disk
from .engine_promises import EnginePromises
from .gateway import Makers, Run, YearPlayer
from .home import Home
from .mishaps import Mishaps
from .music_promises import MusicPromises
from .people import People
from .story import Broken, Story
from .surroundings import Surroundings
from .trouble import DAY, Trouble
from .truth import Truth
from .wire import ACCOUNTS_URL, API_URL, Wire

BEGINS_AT = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * SECOND
CALM_EVERY_DAYS, CALM_DAYS = 30, 6
"""In each of these stretches the last days are calm; the first calm day is for getting well."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a year went."""

    seed: int
    days: float
    """As many as were lived."""
    counts: dict[str, int]
    took_s: float
    broken: Broken | None


class GatewayPlayer(SpotifyPlayer):
    """The gateway's own client, whose transport keeps to the time that a command has."""

    def __init__(self, life: "Life", run: Run, gate: Gate) -> None:
        self._clock = life.clock
        self._until_s = float("inf")
        wire = Wire(
            life.service, life.agenda, life.trouble, life.truth, life.music, life.story,
            lambda: run.command, lambda: self._until_s - life.clock.monotonic_s(),
        )  # fmt: skip
        super().__init__(
            CLIENT_ID, life.settings.tokens, API_URL, ACCOUNTS_URL, life.clock.wall_s,
            gate=gate, wait=run.wait, monotonic_s=life.clock.monotonic_s, transport=wire,
            renewals=Backoff(life.chance.uniform),  # its own is not repeatable
        )  # fmt: skip

    def within(self, seconds: float) -> None:
        """As ever, and remembered."""
        super().within(seconds)
        self._until_s = self._clock.monotonic_s() + seconds


class Life:
    """One household's time. `live` it once."""

    def __init__(
        self,
        seed: int,
        days: int,
        folder: Path,
        *,
        visits_a_day: float = 6.0,
        is_fair: bool = False,
        tell: Callable[[str], None] | None = None,
        makers: Makers | None = None,
    ) -> None:
        """`folder` gets the gateway's token file; where it `is_fair`, no request goes wrong.

        `makers` may make a gateway of broken pieces.
        """
        self._seed, self._days = seed, days
        self.clock = YearClock(BEGINS_AT)
        self.chance = self._rng("gateway")
        self.agenda = Agenda(self.clock, self._rng("order"))
        self.world = SpotifyWorld(self.clock, seed=seed)
        self.home = Home(self._rng("home"), self.world)
        self.story = Story(self.clock, ZoneInfo(self.home.zone), tell)
        self.truth = Truth(self.world, self.clock)
        self.trouble = Trouble(
            self._rng("trouble"), BEGINS_AT, days, is_calm=lambda at: is_fair or self._is_calm_at(at)
        )
        self.service = Service(self.world)
        self.settings = Settings.model_validate({"dataDir": str(folder), "spotifyClientId": CLIENT_ID})
        self.account = HouseholdAccount(self.world, self.settings.tokens, self.agenda, self.story)
        self.music = MusicPromises(self.agenda, self.story, self.truth)
        self.engine = EnginePromises(self.clock, self.story)
        disk = Disk(self.agenda, self._rng("disk"))
        around = Surroundings(
            self.agenda, self.chance, self.story, disk, self.settings, self.truth, self.music, self.engine
        )
        self.computer = Computer(around, makers or Makers(self.player, self.performer), self.home, self.account)
        self.music.gateway = self.computer
        self.account.is_changed = self.computer.account_changed
        self.people = People(
            self._rng("people"), self.agenda, self.home, self.computer, self.world, self.truth, self.music, self.story,
            visits_a_day,
        )  # fmt: skip
        self.mishaps = Mishaps(
            self._rng("mishaps"), self.agenda, self.home, self.computer, self.account, self.world, self.truth,
            self.music, self.story,
        )  # fmt: skip
        self.music.is_calm = lambda: self._is_calm_at(self.clock.at) and self._is_calm_at(self.clock.at - DAY)
        self.music.is_down = lambda: self.trouble.kind_at(self.clock.at) == "down"
        self.people.is_calm = self.mishaps.is_calm = lambda: self._is_calm_at(self.clock.at)

    def live(self, each_month: Callable[[int], None] = lambda _: None) -> Outcome:
        """Live it through, or to the first broken promise. `each_month` is told how many days have gone by."""
        began_s = time.monotonic()
        self.computer.start()
        self.people.live_a_day()
        self.mishaps.befall_for_a_day()
        self._mend_in_days(CALM_EVERY_DAYS - CALM_DAYS)
        for day in range(self._days):
            self.agenda.pass_until(BEGINS_AT + (day + 1) * DAY, lambda: self.story.broken is not None)
            if self.story.broken is not None:
                break
            if (day + 1) % 30 == 0:
                each_month(day + 1)
        self.agenda.is_over = True
        lived = (self.clock.at - BEGINS_AT) / DAY
        took_s = time.monotonic() - began_s
        return Outcome(self._seed, lived, dict(self.story.counts), took_s, self.story.broken)

    def _mend_in_days(self, days: int) -> None:
        def mend() -> None:
            self.mishaps.mend_everything()
            self._mend_in_days(CALM_EVERY_DAYS)

        self.agenda.after(days * DAY, mend)

    def player(self, run: Run, gate: Gate) -> YearPlayer:
        """The gateway's own client, on a way to Spotify that is the year's."""
        return GatewayPlayer(self, run, gate)

    def performer(self, run: Run, player: Player, speakers: Speakers) -> Performer:
        """The gateway's own."""
        serve = run.account.guard.serve
        return Performer(player, run.wait, run.await_intent, self.clock.monotonic_s, speakers=speakers, serve=serve)

    def _rng(self, purpose: str) -> random.Random:
        """Each with its own, so that a change in one does not make all others anew."""
        return random.Random(f"{self._seed} {purpose}")  # noqa: S311 - a repeatable life, not secrets

    def _is_calm_at(self, at: int) -> bool:
        return (at - BEGINS_AT) // DAY % CALM_EVERY_DAYS >= CALM_EVERY_DAYS - CALM_DAYS
