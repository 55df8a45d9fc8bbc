"""The sentences a person reads."""

from dataclasses import replace

import pytest

from spotty_gateway.engine.commands import MusicDecided, SessionFacts
from spotty_gateway.engine.reasons import EndedBy, Reason, SilentReason
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.words import WHY_ENDED, WHY_NOT, WHY_SILENT, WHY_TURNED_OUT, tell

OVER = SessionFacts(
    sensor_id="bath",
    session_id="bath-run-1",
    start_at=0,
    end_at=343 * SECOND,
    duration_us=343 * SECOND,
    last_motion_at=43 * SECOND,
    motions=2,
    ended_by=EndedBy.TIMEOUT,
    playback_started=True,
    silent_reason=None,
    time_to_music_us=SECOND,
    device=None,
    context_uri=None,
    clock_trusted=True,
    policy_version=0,
)


def test_a_session_that_is_over_says_how_long_it_was_and_why_it_ended() -> None:
    """One line, with the length and the reason."""
    assert list(tell(OVER, "Bathroom")) == [
        "Bathroom: session over after 5 min 43 s, nobody has moved for a while (timeout)"
    ]


@pytest.mark.parametrize("reason", [EndedBy.MANUAL_STOP, EndedBy.TAKEN_OVER, EndedBy.FINISHED])
def test_what_is_learnt_after_the_end_is_told_as_such(reason: EndedBy) -> None:
    """A session that was told as over is not told as over again: the line says what has turned out."""
    (line,) = tell(replace(OVER, ended_by=reason, corrected=True), "Bathroom")
    assert "session over" not in line
    assert line.startswith("Bathroom: it turns out that ")
    assert f"({reason})" in line


def test_every_reason_has_its_words() -> None:
    """No word of the engine reaches a person without a sentence."""
    assert set(WHY_NOT) == set(Reason)
    assert set(WHY_ENDED) == set(EndedBy)
    assert set(WHY_SILENT) == set(SilentReason)
    assert set(WHY_TURNED_OUT) == {EndedBy.MANUAL_STOP, EndedBy.TAKEN_OVER, EndedBy.FINISHED}


@pytest.mark.parametrize(
    "action, reason, detail, line",
    [
        ("trial_started", "asked", "", "Bathroom: music was asked for as a trial and started"),
        ("trial_refused", "snoozed", "", "Bathroom: no music for a trial: the room is snoozed (snoozed)"),
        ("trial_failed", "no_device", "it is off", "Bathroom: no music for a trial: it is off (no_device)"),
        (
            "trial_failed",
            "playing_elsewhere",
            "",
            "Bathroom: no music for a trial: the account plays somewhere else (playing_elsewhere)",
        ),
    ],
)
def test_a_trial_is_told_with_its_reason(action: str, reason: str, detail: str, line: str) -> None:
    """Started, or why not: a rule's words, the player's own, or the account's."""
    assert list(tell(MusicDecided("bath", "", 0, action, reason, detail), "Bathroom")) == [line]
