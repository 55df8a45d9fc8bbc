import pytest

from spotty_hardware.inputs import Edge, InputKind
from spotty_hardware.selftest.judge import Fault, Phase, Recording, Span, Verdict, judge

S = 1_000_000
# Warm-up 0-10, still 10-30, act 30-50 seconds.
SPANS = (Span(Phase.WARM_UP, 0, 10 * S), Span(Phase.STILL, 10 * S, 30 * S), Span(Phase.ACT, 30 * S, 50 * S))


def recording(
    *changes_s: float, found: bool = False, kind: InputKind = InputKind.PIR, spans: tuple[Span, ...] = SPANS
) -> Recording:
    """An input found in a level that then changes at each of the given seconds."""
    edges = [Edge("x", found, -1, initial=True)]
    for at_s in changes_s:
        edges.append(Edge("x", not edges[-1].active, round(at_s * S), initial=False))
    return Recording(kind, spans, tuple(edges))


def flicker(start_s: float, edges: int, every_s: float) -> list[float]:
    """Many changes, evenly spaced."""
    return [start_s + nth * every_s for nth in range(edges)]


@pytest.mark.parametrize(
    "seen,faults",
    [
        (recording(31, 34, 40, 43), ()),
        (recording(1, 3, 5, 7, 31, 34), ()),
        (recording(8, 14, 31, 34), ()),
        (recording(31), ()),
        (recording(10, found=True), (Fault.NEVER_FIRES,)),
        (recording(), (Fault.NEVER_FIRES,)),
        (recording(2, 4), (Fault.NEVER_FIRES,)),
        (recording(50), (Fault.NEVER_FIRES,)),
        (recording(found=True), (Fault.STUCK,)),
        (recording(9), (Fault.STUCK,)),
        (recording(50, found=True), (Fault.STUCK,)),
        (recording(10, 13, 31, 34), (Fault.FALSE_TRIGGERS,)),
        (recording(29.9, 34), (Fault.FALSE_TRIGGERS, Fault.NEVER_FIRES)),
        (recording(28), (Fault.FALSE_TRIGGERS,)),
        (recording(12, 14), (Fault.FALSE_TRIGGERS, Fault.NEVER_FIRES)),
        (recording(*flicker(31, 6, 0.1)), ()),
        (recording(*flicker(31, 7, 0.1)), (Fault.CHATTER,)),
        (recording(*flicker(31, 7, 0.2)), ()),
        (recording(*flicker(11, 40, 0.04)), (Fault.CHATTER,)),
        (recording(*flicker(1, 40, 0.04), 31, 34), ()),
        (recording(*flicker(31, 10, 0.05), kind=InputKind.CONTACT), ()),
        (recording(*flicker(31, 11, 0.05), kind=InputKind.CONTACT), (Fault.CHATTER,)),
        (recording(*flicker(31, 20, 0.04), kind=InputKind.BUTTON), ()),
        (recording(*flicker(31, 21, 0.04), kind=InputKind.BUTTON), (Fault.CHATTER,)),
    ],
)
def test_the_verdict(seen: Recording, faults: tuple[Fault, ...]) -> None:
    """Each fault is found where it shows, at its boundary, and only there."""
    assert judge(seen).faults == faults
    assert judge(seen).ok is not bool(faults)


def test_the_figures() -> None:
    """A verdict counts pulses by phase, times the first answer and measures the longest pulse."""
    assert judge(recording(1, 3, 12, 14, 32, 33.5, 40, 44)) == Verdict(
        faults=(Fault.FALSE_TRIGGERS,),
        still_pulses=1,
        act_pulses=2,
        first_response_s=2.0,
        longest_pulse_s=4.0,
        slow=False,
    )


def test_a_pulse_is_measured_within_what_was_seen() -> None:
    """A pulse that began in the warm-up or has not ended counts as far as it was seen."""
    assert judge(recording(2, 14, 45)).longest_pulse_s == 5.0
    assert judge(recording(2, 14)).longest_pulse_s == 4.0


@pytest.mark.parametrize(
    "seen,slow",
    [
        (recording(29, found=True, spans=(*SPANS[:2], Span(Phase.ACT, 30 * S, 60 * S))), False),
        (recording(5, 26, 31), False),
        (recording(5, 29, 31, spans=(*SPANS[:2], Span(Phase.ACT, 30 * S, 60 * S))), True),
        (recording(31, kind=InputKind.BUTTON, spans=(*SPANS[:2], Span(Phase.ACT, 30 * S, 60 * S))), False),
    ],
)
def test_a_long_hold_is_advice_not_a_fault(seen: Recording, slow: bool) -> None:
    """A working PIR that stays high for more than 20 s is told to have its time knob turned; a held button is not."""
    assert judge(seen).slow is slow


def test_a_recording_without_warm_up_is_judged() -> None:
    """Contacts and buttons have no warm-up phase."""
    assert judge(recording(31, 34, spans=SPANS[1:], kind=InputKind.BUTTON)).ok


def test_the_level_found_is_no_edge() -> None:
    """The initial Edge is neither a pulse nor counted as flickering, also where no warm-up precedes the judging."""
    found = Edge("x", active=True, mono_us=10 * S, initial=True)
    seen = recording(*flicker(10.1, 6, 0.1), found=True, spans=SPANS[1:])
    verdict = judge(Recording(seen.kind, seen.spans, (found, *seen.edges[1:])))
    assert Fault.CHATTER not in verdict.faults
    assert verdict.still_pulses == 3
