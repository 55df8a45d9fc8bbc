"""The days behind us under other settings, asked of a process of its own, so that no motion waits for it."""

import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from spotty_contract.policy import Policy
from spotty_contract.results import WhatIfTotals

RECKONING = f"{__package__}.reckoning"
"""The module that is the process. Nothing of it, nor of replaying, is loaded here: a gateway has it for years."""
TAKES_AT_MOST_S = 120.0
"""A month of a busy house takes some twenty seconds on a small Pi that has nothing better to do."""
CANNOT = 2


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


@cache
def question_shape() -> TypeAdapter[Question]:
    """The question as JSON: made for whoever asks, which many never do."""
    return TypeAdapter(Question)


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
            return _totals_in(self._run(question_shape().dump_json(question)))
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
            [sys.executable, "-P", "-m", RECKONING],  # whatever lies where we stand is no code of ours
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
