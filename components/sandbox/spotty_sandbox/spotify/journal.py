"""What was asked of the simulator: a bounded ring of requests, readable by tests, benchmarks and the page."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RING = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as it was answered. No token, code or form ever stands in it.

    `status` is None when no answer was sent (hung or reset). `at_ms` is the world's clock when it was received.
    `body` is the JSON object of a Web API command, {} for everything else; `fault` names the fault rule that struck.
    `client` is the app as a person would call it, empty when the request showed no valid token. `refusal` is the
    message of a refusal, empty when there was none.
    """

    method: str
    path: str
    query: Mapping[str, str]
    status: int | None
    at_ms: int
    user_agent: str = ""
    client: str = ""
    body: Mapping[str, Any] | None = None
    fault: str | None = None
    refusal: str = ""


class Journal:
    """The last `size` entries, oldest first, and how many there ever were."""

    def __init__(self, size: int = RING) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self.total = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Keep an entry; the oldest goes when the ring is full."""
        self._entries.append(entry)
        self.total += 1

    def last(self, count: int) -> tuple[Entry, ...]:
        """The newest `count` entries, newest first."""
        newest = reversed(self._entries)
        return tuple(entry for entry, _ in zip(newest, range(count), strict=False))

    def clear(self) -> None:
        """Forget all entries; `total` stays."""
        self._entries.clear()
