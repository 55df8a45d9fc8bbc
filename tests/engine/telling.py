"""Walking the engine through a log, and telling what came of it in the words of the oracle."""

from collections import Counter
from collections.abc import Iterable

from tests.engine.oracle import Line, Told, Verdict, World

from spotty_gateway.engine.commands import Effect, FaultRaised, Judged, SessionFacts
from spotty_gateway.engine.events import Report, RoomConfigured, SnoozeAsked, Tick
from spotty_gateway.engine.reasons import EndedBy, Fault
from spotty_gateway.engine.rules import InputKind
from spotty_gateway.engine.state import House, new_house
from spotty_gateway.engine.step import next_deadline, step

ROOM = "bath"


def house_of(world: World, first_at: int, inputs: Iterable[str]) -> House:
    """A house with the one room of `world`, configured before anything is reported."""
    started_at = max(world.started_at, first_at - 10**12)
    wall = started_at + world.offset
    kinds = tuple((name, world.kinds.get(name, InputKind.PIR)) for name in sorted(set(inputs)))
    house = new_house("run", started_at, wall, world.trusted)
    house, _ = step(house, RoomConfigured(started_at, wall, world.trusted, ROOM, world.rules, kinds))
    if world.snoozed_until is not None:
        house, _ = step(house, SnoozeAsked(started_at, wall, world.trusted, ROOM, world.snoozed_until))
    return house


def report_of(line: Line, world: World) -> Report:
    """The line as the engine hears it."""
    wall = line.at + world.offset
    return Report(line.at, wall, world.trusted, ROOM, line.input_id, line.active, line.initial)


def tick_of(at: int, world: World) -> Tick:
    """A moment at which nothing is reported."""
    return Tick(at, at + world.offset, world.trusted)


def walk(log: list[Line], world: World, *, ticking: bool) -> list[Effect]:
    """All that the engine decides: with `ticking` it is woken at every deadline, else only when something reports."""
    house = house_of(world, log[0].at, (line.input_id for line in log))
    effects: list[Effect] = []
    for line in log:
        while ticking and (due_at := next_deadline(house)) is not None and due_at < line.at:
            house, more = step(house, tick_of(due_at, world))
            effects += more
        house, more = step(house, report_of(line, world))
        effects += more
    while (due_at := next_deadline(house)) is not None:
        house, more = step(house, tick_of(due_at, world))
        effects += more
    return effects


def verdict_of(effects: list[Effect], offset: int = 0) -> Verdict:
    """What the engine decided, in the oracle's words."""
    verdict = Verdict(suppressed=Counter())
    for effect in effects:
        if isinstance(effect, SessionFacts) and effect.ended_by is not None and effect.end_at is not None:
            start, end = effect.start_at - offset, effect.end_at - offset
            verdict.sessions.append(Told(start, end, EndedBy(effect.ended_by), effect.motions))
        elif isinstance(effect, Judged):
            verdict.motions += 1
            if effect.reason is not None:
                verdict.suppressed[effect.reason] += 1
        elif isinstance(effect, FaultRaised) and effect.fault is Fault.INPUT_STUCK:
            verdict.faults += 1
    return verdict
