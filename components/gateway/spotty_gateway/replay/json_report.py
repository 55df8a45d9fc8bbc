"""Telling a verdict to a program: JSON."""

import json
from datetime import timedelta
from typing import Any

from spotty_gateway.engine.quiet_hours import EPOCH
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.replay.judge import Verdict


def as_json(verdicts: list[Verdict]) -> str:
    """The first verdict as an object; that of the compared policy, if there is one, under `compare`."""
    shape = _shape(verdicts[0])
    if len(verdicts) > 1:
        shape["compare"] = _shape(verdicts[1])
    return json.dumps(shape, indent=2)


def _shape(verdict: Verdict) -> dict[str, Any]:
    return {
        "sessions": [
            {
                "start": _utc(one.start_at),
                "end": _utc(one.end_at),
                "endedBy": one.ended_by.value,
                "motionEventsCount": one.motions,
            }
            for one in verdict.sessions
        ],
        "totals": {
            "motions": verdict.motions,
            "accepted": verdict.accepted,
            "sessions": len(verdict.sessions),
            "playSeconds": verdict.play_us / SECOND,
            "suppressed": dict(sorted(verdict.suppressed.items())),
            "faults": dict(sorted(verdict.faults.items())),
        },
    }


def _utc(at: int) -> str:
    """ISO 8601 in UTC, cut (not rounded) to milliseconds."""
    instant = EPOCH + timedelta(microseconds=at)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
