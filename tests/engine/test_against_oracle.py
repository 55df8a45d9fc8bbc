from zoneinfo import ZoneInfo

from hypothesis import event, given
from hypothesis import strategies as st
from tests.engine.oracle import Line, World, tell
from tests.engine.patience import patient
from tests.engine.telling import verdict_of, walk

from spotty_gateway.engine.commands import SAVE_STATE
from spotty_gateway.engine.rules import SECOND, InputKind, Rules, Window

ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Beirut"]
NEAR = [-1, 0, 0, 0, 1]


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    """A policy within the design's bounds; small numbers that meet each other are likely."""

    def seconds(*common: int, least: int, most: int) -> int:
        return SECOND * draw(st.one_of(st.sampled_from(common), st.integers(least, most)))

    vacancy_delay_us = seconds(30, 60, 300, least=30, most=7200)
    hold_off_us = min(seconds(0, 15, 29, 60, least=0, most=3600), vacancy_delay_us - 1)
    windows = st.builds(
        Window,
        st.frozensets(st.integers(0, 6), max_size=3),
        st.integers(0, 1439),
        st.integers(0, 1440),
    ).filter(lambda window: window.start_min != window.end_min % 1440 and window.start_min != window.end_min)
    return Rules(
        enabled=draw(st.sampled_from([True] * 9 + [False])),
        hold_off_us=hold_off_us,
        vacancy_delay_us=vacancy_delay_us,
        confirm_us=seconds(0, 0, 30, 60, 120, least=0, most=120),
        cooldown_us=seconds(0, 0, 30, 60, least=0, most=3600),
        max_session_us=draw(st.sampled_from([0, 60, 61, 90, 120, 300, 3600, 86400])) * SECOND,
        stuck_after_us=seconds(60, 61, 120, 300, least=60, most=86400),
        warm_up_us=seconds(0, 60, least=0, most=300),
        zone=ZoneInfo(draw(st.sampled_from(ZONES))),
        quiet_windows=tuple(draw(st.one_of(st.just([]), st.lists(windows, max_size=3)))),
        quiet_grace_us=seconds(0, 60, 1800, least=0, most=7200),
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Line], World]:
    """A log whose gaps love to hit a deadline, or miss it by one microsecond, and the world it happens in."""
    policy = draw(rules())
    spans = [
        0,
        1,
        5 * SECOND,
        60 * SECOND,
        policy.vacancy_delay_us,
        policy.hold_off_us,
        policy.confirm_us,
        policy.cooldown_us,
        policy.stuck_after_us,
        policy.max_session_us,
        policy.quiet_grace_us,
        policy.warm_up_us,
    ]
    near = st.builds(lambda span, off: max(0, span + off), st.sampled_from(spans), st.sampled_from(NEAR))
    behind = st.builds(lambda one, other: abs(one - other), st.sampled_from(spans), st.sampled_from(spans))
    anything = st.integers(0, 4 * 3600 * SECOND)
    gaps = st.one_of(near, near, near, behind, st.integers(0, 90).map(lambda s: s * SECOND), anything)
    has_door = draw(st.sampled_from([False, False, True]))
    names = ["pir1", "pir2", "pir3"][: draw(st.integers(1, 3))] + ["door"] * has_door
    started_at = 1_000 * SECOND
    log: list[Line] = []
    at = started_at + draw(gaps)
    seen: set[str] = set()
    for _ in range(draw(st.integers(1, 25))):
        name = draw(st.sampled_from(names))
        initial = name not in seen and draw(st.booleans())
        seen.add(name)
        log.append(Line(at, name, draw(st.sampled_from([True, True, False])), initial))
        at += draw(gaps)
    day = draw(st.sampled_from([1_325_116_800, 1_540_080_000, 1_743_260_000, 1_775_300_000, 1_790_000_000]))
    offset = (day + draw(st.integers(0, 3 * 86_400))) * SECOND + draw(st.sampled_from([0, 1, 999_999]))
    wall = started_at + offset
    return log, World(
        policy,
        kinds={"door": InputKind.CONTACT} if has_door else {},
        started_at=started_at,
        offset=offset,
        trusted=draw(st.sampled_from([True] * 9 + [False])),
        snoozed_until=draw(st.sampled_from([None] * 6 + [wall + 60 * SECOND, log[-1].at + offset])),
    )


@patient
@given(worlds())
def test_the_engine_tells_the_sessions_that_the_text_of_the_design_tells(drawn: tuple[list[Line], World]) -> None:
    """Sessions, their ends, every refusal and every stuck input are those of a second reading of the design."""
    log, world = drawn
    expected = tell(log, world)
    found = verdict_of(walk(log, world, ticking=True), world.offset)
    for told in expected.sessions:
        event(told.ended_by)
    for reason in expected.suppressed:
        event(reason)
    assert found == expected


@patient
@given(worlds())
def test_deadlines_processed_late_fire_with_their_own_instants(drawn: tuple[list[Line], World]) -> None:
    """A loop that was held up decides exactly what one that woke at every deadline decides."""
    log, world = drawn
    late, prompt = (
        [one for one in walk(log, world, ticking=ticking) if one != SAVE_STATE] for ticking in (False, True)
    )
    assert late == prompt


@patient
@given(worlds())
def test_motions_are_accepted_or_suppressed(drawn: tuple[list[Line], World]) -> None:
    """Every motion is judged exactly once: accepted ones and suppressed ones add up."""
    log, world = drawn
    verdict = verdict_of(walk(log, world, ticking=False), world.offset)
    motions = [line for line in log if line.active and not line.initial and line.input_id not in world.kinds]
    accepted = sum(told.motions for told in verdict.sessions)
    assert len(motions) == accepted + verdict.suppressed.total()
