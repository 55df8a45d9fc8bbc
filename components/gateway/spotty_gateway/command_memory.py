"""Which commands have been answered, and how: a repeated one is answered the same and does nothing twice."""

import json
import logging
from pathlib import Path

from spotty_gateway.durable_file import replace_durably

log = logging.getLogger(__name__)

MOST = 64
"""A command lasts ten minutes at most; nobody asks for as many in that time."""
OWN_EYES = 0o600


class CommandMemory:
    """The last commands by id, each with its result as JSON. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        """What cannot be read is begun anew: a repeated command is then carried out again, if it has not expired."""
        self._path = path
        self._kept = _read(path)
        self._results = dict(self._kept)

    def result_of(self, command_id: str) -> str | None:
        """What was answered; None where nothing was."""
        return self._results.get(command_id)

    def remember(self, command_id: str, result: str, after_restart: str | None = None) -> None:
        """Answer this from now on, or `after_restart` from the next start on. Raises OSError where it is not durable.

        Then it is remembered until the end of the process all the same.
        """
        self._results = _with(self._results, command_id, result)
        self._kept = _with(self._kept, command_id, after_restart or result)
        replace_durably(self._path, json.dumps(self._kept, ensure_ascii=False).encode(), OWN_EYES)


def _with(results: dict[str, str], command_id: str, result: str) -> dict[str, str]:
    newest = [*results.items(), (command_id, result)][-MOST:]
    return dict(newest)


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s cannot be read (%s): which commands were answered is not known", path, type(error).__name__)
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: one for name, one in found.items() if isinstance(one, str)}
