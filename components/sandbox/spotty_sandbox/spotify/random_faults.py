"""Trouble by chance: so often, of such kinds, at such requests. The same seed and requests give the same trouble."""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from itertools import accumulate
from typing import TYPE_CHECKING

from .faults import Fault, FaultPlan
from .kinds import KINDS, fault_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class RandomFaults(FaultPlan):
    """A plan that strikes at random besides its rules, which come first.

    `rates` says for "METHOD /path" (with `*`, as in a rule) how likely each kind is: `{"PUT /v1/me/player/*":
    {"rate_limited": 0.02}}`. A request may fit several lines; their chances add up. A kind strikes only where it
    belongs (`KINDS[kind].on`). Each request draws once; what varies within a kind (a Retry-After) is drawn too.
    Raises ValueError, naming the line, for an unknown kind or chances outside 0..1.
    """

    def __init__(
        self, rates: Mapping[str, Mapping[str, float]], *, seed: int = 0, faults: Iterable[Fault] = ()
    ) -> None:
        super().__init__(faults, seed=seed)
        self._chance = random.Random(f"random {seed}")  # noqa: S311 - repeatable trouble, not secrets
        self.set_rates(rates)

    def __bool__(self) -> bool:
        """Whether anything can go wrong at all."""
        return bool(self._rates) or super().__bool__()

    @property
    def has_rates(self) -> bool:
        """Whether anything can go wrong by chance."""
        return bool(self._rates)

    def set_rates(self, rates: Mapping[str, Mapping[str, float]]) -> None:
        """From now on let these kinds happen so often; none means peace. The drawing goes on where it was."""
        for on, kinds in rates.items():
            for kind, chance in kinds.items():
                if kind not in KINDS:
                    raise ValueError(f"{on}: there is no kind {kind!r}")
                if not 0 <= chance <= 1:
                    raise ValueError(f"{on}: {kind} is {chance!r}, expected a number from 0 to 1")
            if sum(kinds.values()) > 1 + 1e-9:
                raise ValueError(f"{on}: the chances add up to more than 1")
        self._rates = {on: dict(kinds) for on, kinds in rates.items()}
        self._tables: dict[str, list[tuple[float, str]]] = {}

    def clear(self) -> None:
        """Forget all rules, counts and rates: from now on nothing goes wrong."""
        super().clear()
        self.set_rates({})

    def strike(self, method: str, path: str, since_start_s: float) -> Fault | None:
        """The fault of the first rule that strikes, else one drawn by the rates, else None."""
        fault = super().strike(method, path, since_start_s) if len(self) else None
        if fault is not None or not self._rates:
            return fault
        request = f"{method} {path}"
        table = self._tables.get(request)
        if table is None:
            table = self._tables[request] = self._table(request)
        if not table:
            return None
        drawn = self._chance.random()
        for upto, kind in table:
            if drawn < upto:
                return fault_of(kind, rng=self._chance)
        return None

    def _table(self, request: str) -> list[tuple[float, str]]:
        """The kinds that can strike a request, each with the sum of the chances up to it."""
        likely = [
            (kind, chance)
            for on, kinds in self._rates.items()
            if fnmatchcase(request, on)
            for kind, chance in kinds.items()
            if fnmatchcase(request, KINDS[kind].on)
        ]
        return list(zip(accumulate(chance for _, chance in likely), (kind for kind, _ in likely), strict=True))
