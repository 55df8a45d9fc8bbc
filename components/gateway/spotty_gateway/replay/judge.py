"""Walking a log through the engine, under one policy or several at once. Sessions only: there is no player here."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from spotty_gateway.engine.commands import Effect, FaultRaised, Judged, SessionFacts
from spotty_gateway.engine.events import Report, RoomConfigured, Tick
from spotty_gateway.engine.reasons import EndedBy, Fault, Reason
from spotty_gateway.engine.rules import InputKind, Rules
from spotty_gateway.engine.state import LONG_AGO, House, new_house
from spotty_gateway.engine.step import next_deadline, step
from spotty_gateway.replay.log import Edge

ROOM = "room"
"""All inputs of a log are one room's."""


@dataclass(frozen=True, slots=True)
class Past:
    """A session that would have been; instants in microseconds since 1970."""

    start_at: int
    end_at: int
    ended_by: EndedBy
    motions: int

    @property
    def length_us(self) -> int:
        """How long it would have lasted."""
        return self.end_at - self.start_at


@dataclass(slots=True)
class Verdict:
    """What would have happened under one policy."""

    rules: Rules
    first_at: int | None = None
    """When the log began; None where there was nothing in it."""
    last_at: int = 0
    """When it ended. The last session may end later: it ends where it would if nothing more came."""
    sessions: list[Past] = field(default_factory=list)
    motions: int = 0
    accepted: int = 0
    suppressed: Counter[Reason] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)

    @property
    def play_us(self) -> int:
        """The length of all sessions together."""
        return sum(one.length_us for one in self.sessions)

    def note(self, effects: Iterable[Effect]) -> None:
        """Take in what a step decided."""
        for effect in effects:
            if type(effect) is Judged:
                self.motions += 1
                if effect.reason is None:
                    self.accepted += 1
                else:
                    self.suppressed[effect.reason] += 1
            elif isinstance(effect, SessionFacts) and effect.ended_by is not None and effect.end_at is not None:
                self.sessions.append(Past(effect.start_at, effect.end_at, effect.ended_by, effect.motions))
            elif isinstance(effect, FaultRaised):
                self.faults[effect.fault] += 1


class Judge:
    """One room under one policy, fed edge by edge."""

    def __init__(self, rules: Rules) -> None:
        """Judge by `rules`: long started, the clock trusted, nothing asked of a player."""
        self._rules = replace(rules, target=None)
        self._kinds: dict[str, InputKind] = {}
        self._house = _long_started(self._rules)
        self.verdict = Verdict(rules)

    def see(self, edge: Edge) -> None:
        """The next edge; not earlier than the one before."""
        at, input_id = edge.at, edge.input_id
        if self._kinds.get(input_id) is not edge.kind:
            self._meet(edge)
        self._house, effects = step(self._house, Report(at, at, True, ROOM, input_id, edge.active, edge.initial))
        if effects:
            self.verdict.note(effects)

    def _meet(self, edge: Edge) -> None:
        """An input that is new, or has become another thing. Of a PIR the engine needs no notice."""
        if self.verdict.first_at is None:
            self.verdict.first_at = edge.at
        needs_notice = edge.kind is not InputKind.PIR or edge.input_id in self._kinds
        self._kinds[edge.input_id] = edge.kind
        if needs_notice:
            inputs = tuple(self._kinds.items())
            configured = RoomConfigured(edge.at, edge.at, True, ROOM, self._rules, inputs)
            self._house, effects = step(self._house, configured)
            self.verdict.note(effects)

    def finish(self) -> Verdict:
        """Nothing more comes: let everything fall due that is left."""
        self.verdict.last_at = self._house.mono
        while (at := next_deadline(self._house)) is not None:
            self._house, effects = step(self._house, Tick(at, at, True))
            self.verdict.note(effects)
        return self.verdict


def _long_started(rules: Rules) -> House:
    house, _ = step(new_house("replay", 0, 0, True), RoomConfigured(0, 0, True, ROOM, rules, ()))
    return replace(house, started_at=LONG_AGO)
