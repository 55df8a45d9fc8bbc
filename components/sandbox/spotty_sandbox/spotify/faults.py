"""Everything that can go wrong on the way: rules that say which request is struck, when, and how. Pure.

Each rule may answer in Spotify's place, add headers, wait, or end the connection badly, and says whether the request
takes effect nevertheless: a timeout that worked is as real as one that did not. `fault_file` reads rules from a file.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from .errors import SpotifyError
from .messages import Answer, error_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .accounts import RefreshStyle

Ending = Literal["complete", "hang", "reset", "truncate"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule: what it is called, which requests it strikes, and how.

    `on` is "METHOD /path" with `*` for anything. Of the requests that fit, `skip` pass first, then at most `times` are
    struck (None: all), each with probability `chance`, from `from_s` until before `until_s` seconds after the start.
    `answer` is sent instead of the true one (None: the true one), `headers` are added to either. `delay_ms` real
    milliseconds pass before anything happens. `ending`: "complete"; "hang", no answer until the client gives up;
    "reset", the connection breaks; "truncate", it breaks after half of the body. `performed`: whether the request
    takes effect (None: only if its true answer is sent).

    What the answer says can be bent, if it is a JSON object: `drops` are fields that are missing from it, `edits`
    fields that say something else; a dot leads into an object (`"device.id"`). `date_off_s` adds a Date header that is
    wrong by so much. `refresh_style` holds for this one request instead of the world's.
    """

    name: str
    on: str = "* *"
    skip: int = 0
    times: int | None = None
    chance: float = 1.0
    from_s: float = 0.0
    until_s: float | None = None
    answer: Answer | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_ms: int = 0
    ending: Ending = "complete"
    performed: bool | None = None
    drops: tuple[str, ...] = ()
    edits: Mapping[str, Any] = field(default_factory=dict)
    date_off_s: float | None = None
    refresh_style: RefreshStyle | None = None

    @property
    def lets_through(self) -> bool:
        """Whether the request takes effect although it is struck."""
        if self.performed is not None:
            return self.performed
        return self.answer is None and self.ending in ("complete", "truncate")

    def fits(self, method: str, path: str, since_start_s: float) -> bool:
        """Whether the rule is about such a request at such a time."""
        in_time = self.from_s <= since_start_s and (self.until_s is None or since_start_s < self.until_s)
        return in_time and fnmatchcase(f"{method} {path}", self.on)

    def changed(self, true_answer: Answer | None, now_ms: int = 0) -> Answer | None:
        """What is sent at `now_ms` instead of `true_answer` (None when the request was not let through)."""
        base = self.answer or true_answer
        if base is None:
            return None
        headers = {**base.headers, **self.headers}
        if self.date_off_s is not None:
            headers["date"] = formatdate(now_ms / 1000 + self.date_off_s, usegmt=True)
        body = _bent(base.body, self.drops, self.edits) if self.drops or self.edits else base.body
        return Answer(base.status, body, headers)


class FaultPlan:
    """Rules and how often each has been met. The same rules, seed and requests strike in the same places."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self._faults = list(faults)
        self._rng = random.Random(seed)  # noqa: S311 - repeatable trouble, not secrets
        self._met: dict[int, int] = {}
        self._struck: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._faults)

    def __bool__(self) -> bool:
        """Whether anything can go wrong at all."""
        return bool(self._faults)

    @property
    def standing(self) -> tuple[Fault, ...]:
        """The rules that can still strike, in their order."""
        return tuple(
            fault for n, fault in enumerate(self._faults) if fault.times is None or self._struck.get(n, 0) < fault.times
        )

    def add(self, *faults: Fault) -> None:
        """Add rules after those there are."""
        self._faults.extend(faults)

    def clear(self) -> None:
        """Forget all rules and counts: from now on nothing goes wrong."""
        self._faults.clear()
        self._met.clear()
        self._struck.clear()

    def strike(self, method: str, path: str, since_start_s: float) -> Fault | None:
        """The fault that this request meets, counted as met; None when it goes well."""
        for n, fault in enumerate(self._faults):
            if not fault.fits(method, path, since_start_s):
                continue
            self._met[n] = self._met.get(n, 0) + 1
            struck = self._struck.get(n, 0)
            if self._met[n] <= fault.skip or (fault.times is not None and struck >= fault.times):
                continue
            if fault.chance < 1 and self._rng.random() >= fault.chance:
                continue
            self._struck[n] = struck + 1
            return fault
        return None


def refused(
    on: str,
    status: int,
    message: str,
    reason: str | None = None,
    *,
    times: int | None = 1,
    retry_after_s: int | None = None,
) -> Fault:
    """A fault that answers `on` with an error in Spotify's shape, `times` times (None: always)."""
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    answer = error_answer(SpotifyError(status, message, reason))
    return Fault(f"{status} {reason or message}", on, times=times, answer=answer, headers=headers)


def rate_limited(retry_after_s: int | None, on: str = "* /v1/*", *, times: int | None = 1) -> Fault:
    """A 429; `retry_after_s` None leaves the header out."""
    return refused(on, 429, "API rate limit exceeded", times=times, retry_after_s=retry_after_s)


def _bent(body: bytes, drops: tuple[str, ...], edits: Mapping[str, Any]) -> bytes:
    """The JSON object in `body` without `drops` and with `edits`; anything else as it is."""
    try:
        content = json.loads(body)
    except ValueError:
        return body
    if not isinstance(content, dict):
        return body
    for path in drops:
        within, name = _innermost(content, path)
        within.pop(name, None)
    for path, value in edits.items():
        within, name = _innermost(content, path)
        within[name] = value
    return json.dumps(content, separators=(",", ":")).encode()


def _innermost(content: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """The object that the last part of a dotted `path` is a field of; one that is missing is made, and is lost."""
    *outer, name = path.split(".")
    for part in outer:
        inner = content.get(part)
        content = inner if isinstance(inner, dict) else {}
    return content, name
