"""Spotify's patience: a rolling window, a day's quota, and who goes on asking while told to wait."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus

from .kinds import too_many
from .messages import Answer

WINDOW_MS = 30_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How many calls of the Web API one app may make; None: as many as it likes.

    Both windows roll, as Spotify's do: the quota comes back call by call, not at midnight. Whoever is over is answered
    429 with a true Retry-After, `QUOTA_EXCEEDED` for the day. A refused call does not count.
    """

    calls_a_window: int | None = None
    calls_a_day: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a limit below 1."""
        for name, limit in (("calls_a_window", self.calls_a_window), ("calls_a_day", self.calls_a_day)):
            if limit is not None and limit < 1:
                raise ValueError(f"{name} is {limit}, expected at least 1")


@dataclass(slots=True)
class _App:
    """What is remembered of one app: when it called, and until when it was told to wait."""

    closed_until_ms: int = 0
    calls: deque[int] = field(default_factory=deque)
    is_quota: bool = False


class Patience:
    """Keeps each app's calls, by client id. With `limits` it refuses, without it only notices who is rude."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits
        self._apps: dict[str, _App] = {}

    def is_closed(self, client_id: str, now_ms: int) -> bool:
        """Whether the app has been told to wait and should not have called."""
        app = self._apps.get(client_id)
        return app is not None and now_ms < app.closed_until_ms

    def refusal(self, client_id: str, now_ms: int) -> Answer | None:
        """The 429 that the call earns, or None for one that is in order and now counted."""
        if self.limits is None:
            return None
        app = self._apps.setdefault(client_id, _App())
        while app.calls and app.calls[0] <= now_ms - DAY_MS:
            app.calls.popleft()
        if now_ms < app.closed_until_ms:
            return _wait(app.closed_until_ms - now_ms, is_quota=app.is_quota)
        of_day_ms = _room_in_ms(app.calls, self.limits.calls_a_day, DAY_MS, now_ms)
        of_window_ms = _room_in_ms(app.calls, self.limits.calls_a_window, WINDOW_MS, now_ms)
        wait_ms = max(of_day_ms, of_window_ms)  # whoever waits as told is not to be refused for the other reason
        if wait_ms <= 0:
            app.calls.append(now_ms)
            return None
        refusal = _wait(wait_ms, is_quota=of_day_ms > 0)
        self.note(client_id, refusal, now_ms)
        return refusal

    def note(self, client_id: str, answer: Answer, now_ms: int) -> None:
        """Remember what a fault told the app: a 429 with a Retry-After in seconds closes the door for it."""
        told = answer.headers.get("retry-after", "")
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS and told.isdecimal():
            app = self._apps.setdefault(client_id, _App())
            app.closed_until_ms = max(app.closed_until_ms, now_ms + int(told) * 1000)
            app.is_quota = b"QUOTA_EXCEEDED" in answer.body


def _room_in_ms(calls: deque[int], limit: int | None, within_ms: int, now_ms: int) -> int:
    """In how many milliseconds a limit lets a call through; 0 or less: now."""
    return 0 if limit is None or len(calls) < limit else calls[-limit] + within_ms - now_ms


def _wait(wait_ms: int, *, is_quota: bool) -> Answer:
    base = too_many("QUOTA_EXCEEDED" if is_quota else None)
    return Answer(base.status, base.body, {**base.headers, "retry-after": str(-(-wait_ms // 1000))})
