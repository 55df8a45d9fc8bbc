"""Telling a verdict to a person: what happened, and why not more, in a few lines; then the days, one strip each."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from spotty_gateway.engine.quiet_hours import to_local
from spotty_gateway.engine.reasons import EndedBy, Fault, Reason
from spotty_gateway.replay.judge import Past, Verdict
from spotty_gateway.replay.page import Ink, Page, count, length
from spotty_gateway.replay.strip import Calendar

SUPPRESSED = {
    Reason.WARMING_UP: "came while the sensor warmed up",
    Reason.DISABLED: "came while the sensor was switched off",
    Reason.SNOOZED: "came while the room was snoozed",
    Reason.CLOCK_UNTRUSTED: "came while the time was not known",
    Reason.QUIET_HOURS: "came in quiet hours",
    Reason.MAX_SESSION: "came after a session that had lasted as long as allowed",
    Reason.COOLDOWN: "came too soon after a session",
    Reason.DEBOUNCED: "came too soon after a counted one",
    Reason.UNCONFIRMED: "came as a single pulse that nothing confirmed",
}
ENDED = {
    EndedBy.TIMEOUT: "because nobody moved any more",
    EndedBy.MAX_SESSION: "after lasting as long as allowed",
    EndedBy.QUIET_HOURS: "because quiet hours had begun",
    EndedBy.DISABLED: "because the sensor was switched off",
    EndedBy.MANUAL_STOP: "after somebody had stopped the music",
    EndedBy.TAKEN_OVER: "after somebody had chosen other music",
    EndedBy.TRANSFERRED: "after the music had moved to another room",
    EndedBy.FINISHED: "after the music had come to its end",
}
FAULTS = {
    Fault.INPUT_STUCK: "an input reported motion for longer than can be believed",
    Fault.MUSIC_CANNOT_BE_STOPPED: "the music could not be stopped",
    Fault.PLAYER: "the player failed",
}

FOLD_FROM_DAYS = 3
"""So many days in a row without music are told in one line."""


def as_text(verdicts: list[Verdict], names: list[str], source: str, page: Page) -> str:
    """One verdict, or two held against each other; `names` are what their policies are called.

    Days and times are by the clocks of the first policy's zone.
    """
    first = verdicts[0]
    if first.first_at is None:
        return f"{source}: no line in it, so nothing would have happened"
    zone = first.rules.zone
    since, until = _moment(to_local(first.first_at, zone)), _moment(to_local(first.last_at, zone))
    lines = [f"{page.ink(source, Ink.HEADING)}: {since} to {until} ({zone})", ""]
    if len(verdicts) == 1:
        lines += _summary(first, names[0], page)
    else:
        lines += page.table(names, _rows(first, verdicts[1]))
        other_zone = verdicts[1].rules.zone
        if other_zone != zone:
            lines.append(f"The days below are those of {zone}; B has its quiet hours by the clocks of {other_zone}")
    lines += ["", *page.legend(), *_days(first.first_at, verdicts, page)]
    return "\n".join(lines)


def _moment(local: datetime) -> str:
    return f"{local:%a %d %b %Y %H:%M}"


def _summary(verdict: Verdict, name: str, page: Page) -> Iterator[str]:
    headline = f"{count(len(verdict.sessions), 'session')}, {length(verdict.play_us)} of music"
    yield f"{page.ink(headline, Ink.HEADING)} under {name}"
    for ended_by, number in _endings(verdict).most_common():
        yield f"  {number:>9,} ended {ENDED[ended_by]} ({ended_by})"
    longest = _longest(verdict)
    if longest is not None:
        start = to_local(longest.start_at, verdict.rules.zone)
        yield f"  the longest began {start:%a %d %b} at {start:%H:%M} and lasted {length(longest.length_us)}"
    yield f"{count(verdict.motions, 'motion')}, {verdict.accepted:,} counted"
    for reason, number in verdict.suppressed.most_common():
        yield f"  {number:>9,} {SUPPRESSED[reason]} ({reason})"
    for fault, number in verdict.faults.most_common():
        yield page.ink(f"  {number:>9,} x {FAULTS[fault]} ({fault})", Ink.LESS)


def _rows(one: Verdict, other: Verdict) -> list[tuple[str, int, int, bool]]:
    """Both in figures: label, of the first, of the second, and whether they are lengths of time."""
    rows = [("sessions", len(one.sessions), len(other.sessions), False)]
    ends, other_ends = _endings(one), _endings(other)
    rows += [(f"  ended by {ended_by}", ends[ended_by], other_ends[ended_by], False) for ended_by in EndedBy]
    rows.append(("music", one.play_us, other.play_us, True))
    longest = [0 if past is None else past.length_us for past in (_longest(one), _longest(other))]
    rows.append(("  longest session", longest[0], longest[1], True))
    rows += [("motions", one.motions, other.motions, False), ("  counted", one.accepted, other.accepted, False)]
    rows += [(f"  {reason}", one.suppressed[reason], other.suppressed[reason], False) for reason in Reason]
    rows += [(f"fault {fault}", one.faults[fault], other.faults[fault], False) for fault in Fault]
    always = {"sessions", "music", "motions", "  counted"}
    return [row for row in rows if row[0] in always or row[1] or row[2]]


def _endings(verdict: Verdict) -> Counter[EndedBy]:
    return Counter(one.ended_by for one in verdict.sessions)


def _longest(verdict: Verdict) -> Past | None:
    return max(verdict.sessions, key=lambda one: one.length_us, default=None)


def _days(first_at: int, verdicts: list[Verdict], page: Page) -> Iterator[str]:
    zone = verdicts[0].rules.zone
    calendar = Calendar(verdicts, zone, page.cells)
    year = to_local(first_at, zone).year
    for days in calendar.days(first_at, verdicts[0].last_at):
        if not days.has_music and len(days.dates) >= FOLD_FROM_DAYS:
            yield page.fold(days.dates)
            continue
        for day in days.dates:
            if day.year != year:
                year = day.year
                yield page.ink(f"{year}", Ink.HEADING)
            yield from page.day(day, calendar.strips(day))
