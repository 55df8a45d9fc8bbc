"""Which commands have been answered, and how: a repeated one is answered the same and does nothing twice."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from spotty_gateway.durable_file import replace_durably

log = logging.getLogger(__name__)

KEPT = 64
"""So many are kept though they have expired: whoever asks again reads how it went, not that it came too late."""
MOST = 512
"""Nobody asks for as many within the ten minutes that a command lasts at most."""
OWN_EYES = 0o600


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said to a command."""

    result: str
    """As JSON."""
    expires_at: int
    """From then on the command would be refused without being known (ms UTC)."""
    after_restart: str | None = None
    """What is said from the next start on, where that is something else."""


class CommandMemory:
    """The answers of the last commands by id. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        """What cannot be read is begun anew: a repeated command is then carried out again, if it has not expired."""
        self._path = path
        self._answers = _read(path)

    def result_of(self, command_id: str) -> str | None:
        """What was answered; None where nothing was."""
        answer = self._answers.get(command_id)
        return None if answer is None else answer.result

    def has_room(self, now_ms: int | None) -> bool:
        """Whether one more can be remembered without one being forgotten that may yet be repeated.

        `now_ms` is None while nobody knows the time; then the oldest goes.
        """
        return now_ms is None or len(self._answers) < MOST or bool(self._expired(now_ms))

    def remember(self, command_id: str, answer: Answer, now_ms: int | None) -> None:
        """Answer this from now on. Raises OSError where that is not durable: it holds until the process ends, then."""
        self._answers.pop(command_id, None)
        self._answers[command_id] = answer
        if now_ms is None:
            may_go, most = list(self._answers), MOST
        else:
            may_go, most = self._expired(now_ms), KEPT
        for one in may_go[: max(0, len(self._answers) - most)]:
            del self._answers[one]
        kept = {
            name: {"result": one.after_restart or one.result, "expiresAt": one.expires_at}
            for name, one in self._answers.items()
        }
        replace_durably(self._path, json.dumps(kept, ensure_ascii=False).encode(), OWN_EYES)

    def _expired(self, now_ms: int) -> list[str]:
        """The oldest first."""
        return [name for name, one in self._answers.items() if one.expires_at <= now_ms]


def _read(path: Path) -> dict[str, Answer]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s cannot be read (%s): which commands were answered is not known", path, type(error).__name__)
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: answer for name, one in found.items() if (answer := _answer(one)) is not None}


def _answer(found: object) -> Answer | None:
    match found:
        case {"result": str(result), "expiresAt": int(expires_at)}:
            return Answer(result, expires_at)
    return None
