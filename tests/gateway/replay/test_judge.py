from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.replay.logs import NOON, edges

from spotty_gateway.engine.commands import Effect, FaultRaised, Judged, SessionFacts
from spotty_gateway.engine.events import Event, Report, RoomConfigured, Tick
from spotty_gateway.engine.reasons import EndedBy, Reason
from spotty_gateway.engine.rules import SECOND, InputKind, Rules, Window
from spotty_gateway.engine.state import new_house
from spotty_gateway.engine.step import next_deadline, step
from spotty_gateway.replay.judge import Judge, Past, Verdict
from spotty_gateway.replay.log import Edge

RULES = st.builds(
    lambda seconds, quiet: Rules(
        hold_off_us=seconds[0] * SECOND,
        vacancy_delay_us=(seconds[0] + 30) * SECOND,
        confirm_us=seconds[1] * SECOND,
        cooldown_us=seconds[2] * SECOND,
        max_session_us=seconds[3] * SECOND,
        stuck_after_us=(seconds[4] + 60) * SECOND,
        quiet_windows=quiet,
        quiet_grace_us=60 * SECOND,
    ),
    st.tuples(*[st.integers(0, 120)] * 3, st.sampled_from([0, 60, 3600]), st.integers(0, 600)),
    st.sampled_from([(), (Window(frozenset(), 13 * 60, 14 * 60),)]),
)
GAPS = st.one_of(st.integers(0, 120 * SECOND), st.integers(0, 7200 * SECOND))


@st.composite
def days(draw: st.DrawFn) -> list[Edge]:
    """An afternoon in a room with PIRs, a door and a button."""
    kinds = {"pir1": InputKind.PIR, "pir2": InputKind.PIR, "door": InputKind.CONTACT, "button": InputKind.BUTTON}
    at = NOON
    found: list[Edge] = []
    for name in draw(st.lists(st.sampled_from([*kinds, "pir1", "pir1"]), max_size=25)):
        at += draw(GAPS)
        is_new = all(name != edge.input_id for edge in found)
        found.append(Edge(at, name, draw(st.booleans()), kinds[name], is_new and draw(st.booleans())))
    return found


def judged(log: list[Edge], rules: Rules) -> Verdict:
    """What the replay says."""
    judge = Judge(rules)
    for edge in log:
        judge.see(edge)
    return judge.finish()


def by_hand(log: list[Edge], rules: Rules) -> Verdict:
    """The same, walked step by step as the gateway's loop does: waking at every deadline, all inputs known before."""
    told = Verdict(rules, first_at=log[0].at if log else None, last_at=log[-1].at if log else 0)
    inputs = tuple({edge.input_id: edge.kind for edge in log}.items())
    house = new_house("by hand", 0, 0, True)
    events: list[Event] = [RoomConfigured(0, 0, True, "room", rules, inputs)]
    events += [Report(edge.at, edge.at, True, "room", edge.input_id, edge.active, edge.initial) for edge in log]
    for event in [*events, None]:
        while (due := next_deadline(house)) is not None and (event is None or due <= event.mono):
            house, effects = step(house, Tick(due, due, True))
            _take(told, effects)
        if event is not None:
            house, effects = step(house, event)
            _take(told, effects)
    return told


def _take(told: Verdict, effects: list[Effect]) -> None:
    for effect in effects:
        match effect:
            case Judged(reason=None):
                told.motions += 1
                told.accepted += 1
            case Judged(reason=reason) if reason is not None:
                told.motions += 1
                told.suppressed[reason] += 1
            case SessionFacts(ended_by=ended_by, end_at=end_at) if ended_by is not None and end_at is not None:
                told.sessions.append(Past(effect.start_at, end_at, ended_by, effect.motions))
            case FaultRaised(fault=fault):
                told.faults[fault] += 1


@given(days(), RULES)
def test_replaying_is_stepping_the_engine(log: list[Edge], rules: Rules) -> None:
    """A replay decides what the gateway's loop decides when it wakes at every deadline."""
    assert judged(log, rules) == by_hand(log, rules)


@given(days(), RULES)
def test_motions_add_up(log: list[Edge], rules: Rules) -> None:
    """Every motion is accepted or suppressed, every accepted one is in a session, and sessions do not overlap."""
    verdict = judged(log, rules)
    assert verdict.motions == verdict.accepted + verdict.suppressed.total()
    assert verdict.accepted == sum(one.motions for one in verdict.sessions)
    assert verdict.motions == sum(edge.active and not edge.initial and edge.kind is InputKind.PIR for edge in log)
    ends = [0, *(one.end_at for one in verdict.sessions)]
    assert all(end <= one.start_at < one.end_at for end, one in zip(ends, verdict.sessions, strict=False))


@given(st.lists(edges(st.sampled_from(["a", "b"])), max_size=9).map(lambda log: sorted(log, key=lambda one: one.at)))
def test_music_is_the_length_of_all_sessions(log: list[Edge]) -> None:
    """`play_us` adds up what the sessions say."""
    verdict = judged(log, Rules())
    assert verdict.play_us == sum(one.end_at - one.start_at for one in verdict.sessions)


def test_the_first_motion_of_a_log_counts() -> None:
    """The room is taken for long started: nothing warms up, nothing cools down."""
    verdict = judged([Edge(NOON, "pir", active=True)], Rules(warm_up_us=300 * SECOND, cooldown_us=3600 * SECOND))
    assert verdict.accepted == 1


def test_a_session_open_at_the_last_line_ends_by_itself() -> None:
    """It ends where it would if nothing more came, and the log ends where its last line is."""
    verdict = judged([Edge(NOON, "pir", active=True), Edge(NOON + 5 * SECOND, "pir", active=False)], Rules())
    assert verdict.sessions == [Past(NOON, NOON + 305 * SECOND, EndedBy.TIMEOUT, 1)]
    assert verdict.last_at == NOON + 5 * SECOND


def test_a_session_whose_motion_never_stops_ends_with_its_input() -> None:
    """A level that is never taken back is believed for `stuck_after_s`, told as a fault, and then forgotten."""
    verdict = judged([Edge(NOON, "pir", active=True)], Rules())
    assert [(one.length_us, one.ended_by) for one in verdict.sessions] == [(3900 * SECOND, EndedBy.TIMEOUT)]
    assert verdict.faults == Counter({"input_stuck": 1})


def test_a_door_is_a_door_in_the_ring() -> None:
    """A contact starts nothing, and behind a closed one a single motion holds the room."""
    door = Edge(NOON, "door", active=False, kind=InputKind.CONTACT)
    motion = Edge(NOON + 10 * SECOND, "pir", active=True)
    still = replace(motion, at=NOON + 11 * SECOND, active=False)
    held = judged([door, motion, still], Rules(max_session_us=3600 * SECOND))
    assert [(one.length_us, one.ended_by) for one in held.sessions] == [(3600 * SECOND, EndedBy.MAX_SESSION)]
    as_pir = judged([replace(door, kind=InputKind.PIR), motion, still], Rules(max_session_us=3600 * SECOND))
    assert [one.ended_by for one in as_pir.sessions] == [EndedBy.TIMEOUT]


def test_an_input_that_was_rewired_is_what_it_is_now() -> None:
    """The same name with another kind is another input from then on."""
    lines = [Edge(NOON, "one", active=True, kind=InputKind.BUTTON), Edge(NOON + SECOND, "one", active=True)]
    assert judged(lines, Rules()).motions == 1


def test_a_level_found_at_start_up_is_no_motion() -> None:
    """It is evidence, so it starts nothing."""
    verdict = judged([Edge(NOON, "pir", active=True, initial=True)], Rules())
    assert (verdict.motions, verdict.sessions) == (0, [])


def test_a_long_press_snoozes_as_it_did() -> None:
    """A button in the ring keeps the room silent until the morning, as it did then."""
    press = [Edge(NOON + s * SECOND, "button", active=s == 0, kind=InputKind.BUTTON) for s in (0, 2)]
    verdict = judged([*press, Edge(NOON + 9 * SECOND, "pir", active=True)], Rules())
    assert verdict.suppressed == Counter({Reason.SNOOZED: 1})
