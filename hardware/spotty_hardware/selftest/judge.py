"""Edges in, verdict out. Pure: no clock, no pins, no words on a screen."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from spotty_hardware.input_spec import Edge, InputKind

_US: Final = 1_000_000

# More edges than this within one second is no person and no sensor doing its work. A PIR's shortest pulse is 0.3 s and
# it is blind for 2.5 s after each; a door can be slammed and a button hammered.
MOST_EDGES_PER_S: Final = {InputKind.PIR: 6, InputKind.CONTACT: 10, InputKind.BUTTON: 20}
# A PIR that stays high longer than this has its time knob turned up (the minimum is about 3 s).
LONG_PULSE_S: Final = 20.0


class Phase(StrEnum):
    """The parts of a self-test, in order."""

    WARM_UP = "warm-up"
    STILL = "still"
    ACT = "act"


class Fault(StrEnum):
    """What a self-test can find."""

    CHATTER = "chatter"
    STUCK = "stuck"
    NEVER_FIRES = "never_fires"
    FALSE_TRIGGERS = "false_triggers"


@dataclass(frozen=True, slots=True)
class Span:
    """One phase as it took place: from `start_us` until before `end_us`, microseconds of the edges' clock."""

    phase: Phase
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Recording:
    """What a self-test saw.

    Attributes:
        kind: what is wired there.
        spans: the phases in order; `STILL` and `ACT` are among them.
        edges: all edges of the one input in order, the initial one first.
    """

    kind: InputKind
    spans: tuple[Span, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be thought of a recording.

    Attributes:
        faults: what is wrong; none means that the input works.
        still_pulses: times it became active while nothing moved.
        act_pulses: times it became active while someone did.
        first_response_s: seconds from the start of `ACT` to its first pulse; None without one.
        longest_pulse_s: the longest it stayed active in `STILL` and `ACT`, as far as seen; 0 if it never was.
        slow: it holds its output long for a PIR; it works, but can be set better.
    """

    faults: tuple[Fault, ...]
    still_pulses: int
    act_pulses: int
    first_response_s: float | None
    longest_pulse_s: float
    slow: bool

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def judge(recording: Recording) -> Verdict:
    """Judge a finished recording. What happened in the warm-up counts for nothing but the level it left behind."""
    still, act = (_span(recording, phase) for phase in (Phase.STILL, Phase.ACT))
    in_still, in_act = _pulses(recording, still), _pulses(recording, act)
    longest_s = _longest_active_us(recording, still.start_us, act.end_us) / _US
    faults = tuple(_faults(recording, still, act))
    return Verdict(
        faults=faults,
        still_pulses=len(in_still),
        act_pulses=len(in_act),
        first_response_s=(in_act[0].mono_us - act.start_us) / _US if in_act else None,
        longest_pulse_s=longest_s,
        slow=not faults and recording.kind is InputKind.PIR and longest_s > LONG_PULSE_S,
    )


def _faults(recording: Recording, still: Span, act: Span) -> list[Fault]:
    judged = [edge for edge in recording.edges if still.start_us <= edge.mono_us < act.end_us and not edge.initial]
    if _most_in_one_second(judged) > MOST_EDGES_PER_S[recording.kind]:
        return [Fault.CHATTER]  # with a wire that chatters, no other count means anything
    if _active_throughout(recording, still.start_us, act.end_us):
        return [Fault.STUCK]
    faults = []
    if _pulses(recording, still):
        faults.append(Fault.FALSE_TRIGGERS)
    # Active all through ACT is a pulse that began before and was renewed: the sensor does see.
    if not _pulses(recording, act) and not _active_throughout(recording, act.start_us, act.end_us):
        faults.append(Fault.NEVER_FIRES)
    return faults


def _span(recording: Recording, phase: Phase) -> Span:
    return next(span for span in recording.spans if span.phase is phase)


def _pulses(recording: Recording, span: Span) -> list[Edge]:
    return [
        edge
        for edge in recording.edges
        if edge.active and not edge.initial and span.start_us <= edge.mono_us < span.end_us
    ]


def _most_in_one_second(edges: Sequence[Edge]) -> int:
    window: deque[int] = deque()
    most = 0
    for edge in edges:
        window.append(edge.mono_us)
        while window[0] <= edge.mono_us - _US:
            window.popleft()
        most = max(most, len(window))
    return most


def _active_stretches(recording: Recording, start_us: int, end_us: int) -> list[tuple[int, int]]:
    """The stretches of being active within [start_us, end_us), cut at its ends."""
    ends = [*recording.edges, None]
    stretches = []
    for edge, following in pairwise(ends):
        if edge is not None and edge.active:
            begin = max(edge.mono_us, start_us)
            end = min(following.mono_us if following else end_us, end_us)
            if begin < end:
                stretches.append((begin, end))
    return stretches


def _longest_active_us(recording: Recording, start_us: int, end_us: int) -> int:
    return max((end - begin for begin, end in _active_stretches(recording, start_us, end_us)), default=0)


def _active_throughout(recording: Recording, start_us: int, end_us: int) -> bool:
    return _active_stretches(recording, start_us, end_us) == [(start_us, end_us)]
