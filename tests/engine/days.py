"""Days that nobody would dare to script: what can happen to a house, in any order, and what must hold whatever does."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from spotty_gateway.engine.events import (
    Declined,
    Failed,
    NotOurs,
    Outcome,
    OwnVolume,
    Paused,
    Position,
    Started,
    Superseded,
    VolumeSet,
)
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND, Device, InputKind, Rules, ScheduleEntry, Target, Window

KITCHEN, HALL = Device("Kitchen", "Speaker", "k1"), Device("Hall", "Speaker", None)
MAX_SESSION_US = 900 * SECOND
INPUTS = {
    "bath": (("pir1", InputKind.PIR), ("pir2", InputKind.PIR), ("door", InputKind.CONTACT)),
    "kitchen": (("pir", InputKind.PIR), ("button", InputKind.BUTTON)),
    "hall": (("pir", InputKind.PIR),),
}
SPEAKER = {"bath": KITCHEN, "kitchen": KITCHEN, "hall": HALL}
ROOMS = st.sampled_from(sorted(INPUTS))
GAPS = st.one_of(
    st.sampled_from([0, 1, SECOND, 5 * SECOND, 15 * SECOND, 60 * SECOND, 120 * SECOND, 300 * SECOND]),
    st.integers(0, 20 * SECOND),
    st.integers(0, 4 * 3600 * SECOND),
)


@st.composite
def targets(draw: st.DrawFn, room: str) -> Target | None:
    """What plays in this room, if anything."""
    if draw(st.integers(0, 9)) == 0:
        return None
    flags = draw(st.tuples(*[st.booleans()] * 4))
    return Target(
        draw(st.sampled_from([SPEAKER[room]] * 4 + [KITCHEN, HALL])),
        draw(st.sampled_from(["spotify:playlist:a", "spotify:album:b", "spotify:artist:c"])),
        volume_pct=draw(st.sampled_from([None, 0, 40])),
        volume_cap_pct=draw(st.sampled_from([100, 30])),
        fade_in_us=draw(st.sampled_from([0, 0, 10 * SECOND])),
        fade_out_us=draw(st.sampled_from([0, 0, 10 * SECOND])),
        resume_where_left=flags[0],
        transfer_if_elsewhere=flags[1],
        transfer_if_busy=flags[2],
        pause_if_taken_over=flags[3],
    )


@st.composite
def policies(draw: st.DrawFn, room: str) -> Rules:
    """A room's policy; `max_session_us` is the same in all, so that the longest session is known."""
    window = st.builds(Window, st.just(frozenset[int]()), st.integers(0, 1439), st.integers(0, 1440))
    windows = draw(
        st.one_of(st.just([]), st.lists(window.filter(lambda one: one.start_min != one.end_min), max_size=2))
    )
    vacancy_delay_us = draw(st.sampled_from([30, 60, 300])) * SECOND
    return Rules(
        enabled=draw(st.sampled_from([True] * 9 + [False])),
        hold_off_us=draw(st.sampled_from([0, 10 * SECOND, 29 * SECOND])),
        vacancy_delay_us=vacancy_delay_us,
        confirm_us=draw(st.sampled_from([0, 0, 0, 30 * SECOND])),
        cooldown_us=draw(st.sampled_from([0, 0, 60 * SECOND])),
        max_session_us=MAX_SESSION_US,
        stuck_after_us=draw(st.sampled_from([60 * SECOND, 3600 * SECOND])),
        warm_up_us=draw(st.sampled_from([0, 60 * SECOND])),
        start_retry_us=draw(st.sampled_from([0, 600 * SECOND, 3600 * SECOND])),
        zone=ZoneInfo(draw(st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]))),
        quiet_windows=tuple(windows),
        quiet_grace_us=draw(st.sampled_from([0, 60 * SECOND])),
        schedule=(ScheduleEntry(Window(frozenset(), 480, 720), "spotify:album:morning", 20),),
        target=draw(targets(room)),
        version=draw(st.integers(0, 9)),
    )


PERCENT = st.sampled_from([None, 0, 20, 90])
CONTEXTS = st.sampled_from(["spotify:playlist:a", "spotify:album:b"])
FAILURES = st.builds(
    Failed,
    st.sampled_from([SilentReason.GUARD_CLOSED, SilentReason.PLAYER_UNAVAILABLE, SilentReason.CONSENT_NEEDED]),
    st.just("it is down"),
    st.sampled_from([0, 0, 30 * SECOND, 7200 * SECOND]),
    st.booleans(),
    st.none() | st.builds(OwnVolume, st.sampled_from([KITCHEN, HALL]), st.sampled_from([50, 90])),
)
STARTS: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Started, st.sampled_from([KITCHEN, HALL]), CONTEXTS, st.booleans(), PERCENT),
    st.builds(Declined, st.sampled_from(["already_playing", "playing_elsewhere"])),
)
LOST = st.builds(NotOurs, st.sampled_from(["manual_stop", "taken_over", "finished"]))
POSITIONS = st.builds(Position, CONTEXTS, st.just("spotify:track:t"), st.integers(0, 9))
PAUSES: st.SearchStrategy[Outcome] = st.one_of(st.builds(Paused, st.none() | POSITIONS, st.booleans()), LOST)
VOLUMES: st.SearchStrategy[Outcome] = st.one_of(st.builds(VolumeSet, PERCENT), LOST)
TROUBLE: st.SearchStrategy[Outcome] = st.one_of(FAILURES, st.just(Superseded()))
ANY_OUTCOME = st.one_of(STARTS, PAUSES, VOLUMES, TROUBLE)


def obeyed(outcome: Outcome, target: Target) -> Outcome:
    """The answer of a start as an honest player gives it: about the speaker and the music that were asked for."""
    if isinstance(outcome, Started) and not outcome.adopted:
        return replace(outcome, device=target.device, context_uri=target.context_uri)
    return outcome
