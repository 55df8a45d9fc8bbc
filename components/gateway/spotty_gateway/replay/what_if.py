"""The days behind us under other settings, reckoned by a process of its own, so that no motion waits for it.

Run as a module it is that process: a question on standard input, totals on standard output, both JSON.
"""

import os
import resource
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from spotty_contract.policy import Policy
from spotty_contract.results import Outcome, WhatIfTotals
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.replay.judge import Verdict
from spotty_gateway.replay.log import BadLogError
from spotty_gateway.replay.source import replay
from spotty_gateway.rules_of import rules_of

TAKES_AT_MOST_S = 120.0
"""A month of a busy house takes some twenty seconds on a small Pi that has nothing better to do."""
MEMORY_BYTES = 256 * 1024 * 1024
POLITE = 15
"""The niceness of whoever can wait."""
CANNOT = 2
MS_US = 1_000


class WhatIfError(Exception):
    """It cannot be told. One line for a person."""


class WhatIfBusyError(WhatIfError):
    """Another one is being reckoned."""


@dataclass(frozen=True, slots=True)
class Question:
    """What would `instead` have made of what `now` made of this sensor's motions? Instants in ms since 1970."""

    history: Path
    sensor_id: str
    timezone: str
    since: int
    until: int
    now: Policy
    instead: Policy


_QUESTION = TypeAdapter(Question)


class WhatIf:
    """Answers one question at a time."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def answer(self, question: Question) -> WhatIfTotals:
        """Wait for the totals, two minutes at most. Raises WhatIfError."""
        if not self._busy.acquire(blocking=False):
            raise WhatIfBusyError("another what-if is being reckoned: ask again in a minute")
        try:
            return _totals_in(self._run(_QUESTION.dump_json(question)))
        finally:
            self._busy.release()

    def close(self) -> None:
        """Reckon no more."""
        self._is_closed = True
        process = self._process
        if process is not None:
            process.kill()

    def _run(self, question: bytes) -> bytes:
        with subprocess.Popen(  # noqa: S603 - this Python, and a module of ours
            [sys.executable, "-P", "-m", __name__],  # whatever lies where we stand is no code of ours
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            self._process = process
            if self._is_closed:
                process.kill()
            try:
                totals, why = process.communicate(question, TAKES_AT_MOST_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise WhatIfError(f"that takes more than {TAKES_AT_MOST_S:.0f} s: ask about fewer days") from None
            finally:
                self._process = None
        if process.returncode:
            lines = why.decode(errors="replace").strip().splitlines()
            raise WhatIfError(lines[-1] if process.returncode == CANNOT and lines else "it could not be reckoned")
        return totals


def _totals_in(answer: bytes) -> WhatIfTotals:
    try:
        return WhatIfTotals.from_json(answer)
    except ValidationError as error:  # a defect of ours: the process has said that all is well
        raise WhatIfError("it could not be reckoned") from error


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
    question = _QUESTION.validate_json(sys.stdin.buffer.read())
    try:
        totals = totals_of(question)
    except BadLogError as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT
    sys.stdout.write(totals.to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
