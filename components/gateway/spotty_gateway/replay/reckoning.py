"""The process that reckons a what-if: a question on standard input, totals on standard output, both JSON."""

import os
import resource
import sys

from spotty_contract.results import Outcome, WhatIfTotals
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.replay.judge import Verdict
from spotty_gateway.replay.log import BadLogError
from spotty_gateway.replay.source import replay
from spotty_gateway.replay.what_if import CANNOT, Question, question_shape
from spotty_gateway.rules_of import rules_of

MEMORY_BYTES = 256 * 1024 * 1024
POLITE = 15
"""The niceness of whoever can wait."""
MS_US = 1_000


def totals_of(question: Question) -> WhatIfTotals:
    """Reckon it here. Raises BadLogError."""
    rules = [rules_of(policy, question.timezone) for policy in (question.now, question.instead)]
    found = replay(
        str(question.history),
        rules,
        skip_bad_lines=False,
        progress=lambda _: None,
        sensor=question.sensor_id,
        since=question.since * MS_US,
    )
    now, instead = found.verdicts
    since = question.since if now.first_at is None else max(question.since, now.first_at // MS_US)
    return WhatIfTotals(since=since, until=question.until, now=_outcome(now), instead=_outcome(instead))


def _outcome(verdict: Verdict) -> Outcome:
    return Outcome(
        motions=verdict.motions,
        accepted=verdict.accepted,
        sessions=len(verdict.sessions),
        session_s=verdict.play_us / SECOND,
        suppressed={reason.value: number for reason, number in sorted(verdict.suppressed.items())},
    )


def main() -> int:
    """Be the process."""
    os.nice(POLITE)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    question = question_shape().validate_json(sys.stdin.buffer.read())
    try:
        totals = totals_of(question)
    except BadLogError as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT
    sys.stdout.write(totals.to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
