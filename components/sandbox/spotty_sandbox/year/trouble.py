"""What goes wrong between gateway and Spotify: at any request by chance, and in spells of it. All by seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from spotty_gateway.engine.rules import SECOND
from spotty_sandbox.spotify import Fault, Request, refused
from spotty_sandbox.spotify.kinds import KINDS, fault_of

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND

ANYWHERE, API = "* *", "* /v1/*"

Kind = Literal["offline", "down", "storm", "slow", "limit", "quota"]


NEVER_BY_CHANCE = {
    "rate_limited_long",  # they come in spells of their own
    "quota_exceeded",
    "premium_required",  # true of a whole account, or of none
    "invalid_grant",  # needs a person, who comes when the consent has really ended
    "invalid_client",
    "rotated_lost",
    "no_context",  # a lie that the gateway believes: nobody could see through it, Spotify names none for a mix either
}

MISHAPS = tuple(name for name in KINDS if name not in NEVER_BY_CHANCE)


@dataclass(frozen=True, slots=True)
class Spell:
    """From `at` until `until` this is the weather."""

    at: int
    until: int
    kind: Kind


class Trouble:
    """The year's weather. Chances are drawn as requests come; `spells` are known beforehand."""

    def __init__(self, rng: random.Random, begins_at: int, days: int, *, is_calm: Callable[[int], bool]) -> None:
        """In calm times nothing goes wrong."""
        self._rng = rng
        self._is_calm = is_calm
        # Of their own: what happens by chance on a day must not depend on how many days are lived in all.
        self._spells = _spells(random.Random(rng.random()), begins_at, days)  # noqa: S311 - a repeatable life
        self.chance = 0.04

    @property
    def spells(self) -> tuple[Spell, ...]:
        """Those that are still to come or not yet over."""
        return tuple(self._spells)

    def kind_at(self, at: int) -> Kind | None:
        """The spell of that moment; moments are asked for in their order."""
        while self._spells and self._spells[0].until <= at:
            self._spells.pop(0)
        if self._spells and self._spells[0].at <= at and not self._is_calm(at):
            return self._spells[0].kind
        return None

    def fault(self, at: int, request: Request) -> Fault | None:
        """What this request meets at Spotify, if anything."""
        kind = self.kind_at(at)
        if self._is_calm(at):
            return None
        if kind == "down":
            return refused(ANYWHERE, 503, "Service unavailable", retry_after_s=self._rng.choice([None, None, 30]))
        if kind == "slow":
            return Fault("a slow day", delay_ms=self._rng.randrange(800, 12_000))
        if kind in ("limit", "quota") and request.path.startswith("/v1/"):
            self._spells.pop(0)  # it strikes once, and lasts as long as it says
            wait_s = self._rng.choice([30, 600, 7_200, 86_400])
            said = "QUOTA_EXCEEDED" if kind == "quota" else None
            return refused(API, 429, "API rate limit exceeded", said, retry_after_s=wait_s)
        if self._rng.random() >= (0.5 if kind == "storm" else self.chance):
            return None
        fault = fault_of(self._rng.choice(MISHAPS), rng=self._rng)
        return fault if fault.fits(request.method, request.path, 0.0) else None

    def round_trip_us(self) -> int:
        """How long a request and its answer are on their way."""
        seconds = self._rng.choice([0.04, 0.08, 0.15, 0.25, 0.4])
        return round(seconds * self._rng.uniform(0.7, 1.4) * SECOND)


def _spells(rng: random.Random, begins_at: int, days: int) -> list[Spell]:
    plan: list[tuple[Kind, float, tuple[int, int]]] = [
        ("offline", 1 / 30, (5 * MINUTE, 30 * HOUR)),
        ("down", 1 / 30, (5 * MINUTE, 8 * HOUR)),
        ("storm", 1 / 6, (10 * MINUTE, 3 * HOUR)),
        ("slow", 1 / 20, (10 * MINUTE, 4 * HOUR)),
        ("limit", 1 / 15, (2 * HOUR, 12 * HOUR)),
        ("quota", 1 / 60, (2 * HOUR, 12 * HOUR)),
    ]
    found = [
        Spell(at := begins_at + day * DAY + rng.randrange(DAY), at + rng.randint(*lasts), kind)
        for day in range(days)
        for kind, chance, lasts in plan
        if rng.random() < chance
    ]
    found.sort(key=lambda spell: spell.at)
    apart: list[Spell] = []
    for spell in found:  # one at a time: what begins during another is put off until that is over
        since = max(spell.at, apart[-1].until if apart else 0)
        if since < spell.until:
            apart.append(replace(spell, at=since))
    return apart
