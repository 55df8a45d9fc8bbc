"""Telling a verdict to a program: JSON, one session a line."""

import json
from collections.abc import Iterator
from datetime import timedelta

from spotty_gateway.engine.quiet_hours import EPOCH
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.replay.judge import Past, Verdict


def as_json(verdicts: list[Verdict]) -> Iterator[str]:
    """The lines of an object: the first verdict's members, and under `compare` the second's if there is one.

    Line by line, because the sessions of years are many and their JSON would be ten times as large as they are.
    """
    first, *others = verdicts
    yield "{"
    yield from _members(first)
    for other in others:
        yield ', "compare": {'
        yield from _members(other)
        yield "}"
    yield "}"


def _members(verdict: Verdict) -> Iterator[str]:
    yield '"sessions": ['
    for left, one in zip(range(len(verdict.sessions) - 1, -1, -1), verdict.sessions, strict=True):
        yield f"  {json.dumps(_session(one))}{',' if left else ''}"
    yield "],"
    totals = {
        "motions": verdict.motions,
        "accepted": verdict.accepted,
        "sessions": len(verdict.sessions),
        "playSeconds": verdict.play_us / SECOND,
        "suppressed": dict(sorted(verdict.suppressed.items())),
        "faults": dict(sorted(verdict.faults.items())),
    }
    yield f'"totals": {json.dumps(totals, indent=2)}'


def _session(one: Past) -> dict[str, str | int]:
    return {
        "start": _utc(one.start_at),
        "end": _utc(one.end_at),
        "endedBy": one.ended_by.value,
        "motionEventsCount": one.motions,
    }


def _utc(at: int) -> str:
    """ISO 8601 in UTC, cut (not rounded) to milliseconds."""
    instant = EPOCH + timedelta(microseconds=at)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
