"""The talk: leads a person through the phases of a self-test, shows what the wire does, and tells the verdict."""

from dataclasses import dataclass
from typing import Final, TextIO

from spotty_hardware.input_spec import Edge, InputKind
from spotty_hardware.selftest.bench import Bench
from spotty_hardware.selftest.judge import Phase, Recording, Span, Verdict
from spotty_hardware.selftest.words import INSTRUCTION, REMEDIES, SLOW, STATE, WIRING

_US: Final = 1_000_000
_MOST_LINES_PER_S: Final = 6
_BOLD, _GREEN, _RED, _YELLOW, _DIM = "1", "32", "31", "33", "2"


class Screen:
    """Lines on a terminal or in a file; colours and the running countdown only on a terminal that wants them."""

    def __init__(self, out: TextIO, *, terminal: bool, colours: bool) -> None:
        self._out = out
        self._terminal = terminal
        self._colours = colours

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line, over a countdown that may stand there."""
        self._out.write(f"{self._clear()}{self._styled(text, style)}\n")
        self._out.flush()

    def countdown(self, text: str) -> None:
        """Show a line that the next one replaces; nothing where it could not be replaced."""
        if self._terminal:
            self._out.write(f"{self._clear()}{self._styled(text, _DIM)}")
            self._out.flush()

    def _clear(self) -> str:
        return "\r\x1b[K" if self._terminal else ""

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if style and self._colours else text


@dataclass(frozen=True, slots=True)
class Plan:
    """What is tested, and for how many seconds each phase lasts."""

    kind: InputKind
    pin_name: str
    warm_up_s: float
    still_s: float
    act_s: float


def conduct(plan: Plan, bench: Bench, screen: Screen) -> Recording:
    """Lead through all phases and return what was seen. The input is being watched already."""
    screen.line(f"Self-test of {plan.kind} on {plan.pin_name}", _BOLD)
    for hint in WIRING[plan.kind]:
        screen.line(f"  {hint.format(pin=plan.pin_name)}")
    start_us = bench.now_us()
    spans: list[Span] = []
    edges: list[Edge] = []
    for phase, length_s in ((Phase.WARM_UP, plan.warm_up_s), (Phase.STILL, plan.still_s), (Phase.ACT, plan.act_s)):
        if length_s <= 0:
            continue
        begin_us = spans[-1].end_us if spans else start_us
        span = Span(phase, begin_us, begin_us + round(length_s * _US))
        screen.line()
        screen.line(f"{phase.capitalize()}, {length_s:g} s. {INSTRUCTION[plan.kind, phase]}", _BOLD)
        edges += _record(plan.kind, span, start_us, bench, screen)
        spans.append(span)
    return Recording(plan.kind, tuple(spans), tuple(edges))


def _record(kind: InputKind, span: Span, start_us: int, bench: Bench, screen: Screen) -> list[Edge]:
    edges: list[Edge] = []
    shown_from_us, shown = span.start_us, 0
    while (now_us := bench.now_us()) < span.end_us:
        left_s = -(-(span.end_us - now_us) // _US)
        screen.countdown(f"  {left_s:.0f} s left ")
        edge = bench.wait(min(span.end_us, span.end_us - (left_s - 1) * _US))
        if edge is not None:
            edges.append(edge)
            if edge.mono_us - shown_from_us >= _US:
                shown_from_us, shown = edge.mono_us, 0
            shown += 1
            # A wire that chatters would push everything else off the screen.
            if shown <= _MOST_LINES_PER_S:
                _show(kind, edge, start_us, screen)
            elif shown == _MOST_LINES_PER_S + 1:
                screen.line("             ... and more within this second", _YELLOW)
    return edges


def _show(kind: InputKind, edge: Edge, start_us: int, screen: Screen) -> None:
    at_s = max(0, edge.mono_us - start_us) / _US
    found = " (found so)" if edge.initial else ""
    screen.line(f"  {at_s:7.2f} s  {STATE[kind][edge.active]}{found}", _GREEN if edge.active else "")


def tell(kind: InputKind, verdict: Verdict, screen: Screen) -> None:
    """Say the verdict and, for each fault, its cures."""
    screen.line()
    seen = f"{_times(verdict.act_pulses)} when it should, {_times(verdict.still_pulses)} when it should not"
    if verdict.ok:
        after = "" if verdict.first_response_s is None else f"; the first time after {verdict.first_response_s:.1f} s"
        screen.line("OK: this input works.", f"{_BOLD};{_GREEN}")
        screen.line(f"  It became active {seen}{after}.")
        if verdict.slow:
            screen.line(f"  {SLOW}", _YELLOW)
        return
    for fault in verdict.faults:
        remedy = REMEDIES[fault, kind]
        screen.line(f"FAULT: {remedy.what}", f"{_BOLD};{_RED}")
        screen.line(f"  It became active {seen}.")
        for number, cure in enumerate(remedy.cures, start=1):
            screen.line(f"  {number}. {cure}")


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
