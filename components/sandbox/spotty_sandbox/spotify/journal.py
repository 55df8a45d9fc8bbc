"""What was asked of the simulator: a bounded ring of requests, readable by tests, benchmarks and the page."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RING = 10_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as it was answered. No token, code or form ever stands in it.

    `status` is None when no answer was sent (hung or reset). `at_ms` is the world's clock when it was received.
    `body` is the JSON object of a Web API command, {} for everything else; `fault` names the fault rule that struck.
    `client` is the app as a person would call it, empty when the request showed no valid token. `refusal` is the
    message of a refusal, empty when there was none. `is_rude`: the app had been told to wait and did not.
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
    is_rude: bool = False

    @property
    def endpoint(self) -> str:
        """Method and path with `*` for an id: "GET /v1/playlists/*/items"."""
        parts = self.path.split("/")
        if len(parts) > _ID_AT and parts[_ID_AT - 1] in _WITH_ID:
            parts[_ID_AT] = "*"
        return f"{self.method} {'/'.join(parts)}"


_WITH_ID = ("playlists", "albums", "artists")
_ID_AT = 3
"""An id is the third part of "/v1/playlists/ID"."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often what was asked, by "METHOD /path". `rude` counts calls made while Retry-After was running."""

    calls: Mapping[str, int]
    struck: Mapping[str, int]
    rude: int

    @property
    def web_api_calls(self) -> int:
        """All calls that Spotify counts: those of the Web API."""
        return sum(count for endpoint, count in self.calls.items() if " /v1/" in endpoint)


class Journal:
    """The last `size` entries, oldest first, and how many there ever were; counts of each day that last for ever.

    `on_entry` is told each entry as it comes.
    """

    def __init__(self, size: int = RING) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self.total = 0
        self.on_entry: Callable[[Entry], None] | None = None
        self._calls: dict[int, Counter[str]] = {}
        self._struck: dict[int, Counter[str]] = {}
        self._rude: Counter[int] = Counter()

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """Keep an entry; the oldest goes when the ring is full."""
        self._entries.append(entry)
        self.total += 1
        day = entry.at_ms // DAY_MS
        if day not in self._calls:
            self._calls[day], self._struck[day] = Counter(), Counter()
        self._calls[day][entry.endpoint] += 1
        if entry.fault is not None:
            self._struck[day][entry.fault] += 1
        if entry.is_rude:
            self._rude[day] += 1
        if self.on_entry is not None:
            self.on_entry(entry)

    @property
    def days(self) -> tuple[int, ...]:
        """The days on which anything was asked, counted from 1970-01-01 in UTC."""
        return tuple(sorted(self._calls))

    def tally(self, day: int | None = None) -> Tally:
        """The counts of one of `days`, or of all of them; clearing does not lose them."""
        chosen = self.days if day is None else (day,)
        calls: Counter[str] = Counter()
        struck: Counter[str] = Counter()
        for each in chosen:
            calls += self._calls.get(each, Counter())
            struck += self._struck.get(each, Counter())
        return Tally(calls, struck, sum(self._rude[each] for each in chosen))

    def last(self, count: int) -> tuple[Entry, ...]:
        """The newest `count` entries, newest first."""
        newest = reversed(self._entries)
        return tuple(entry for entry, _ in zip(newest, range(count), strict=False))

    def clear(self) -> None:
        """Forget all entries; `total` and the counts stay."""
        self._entries.clear()
