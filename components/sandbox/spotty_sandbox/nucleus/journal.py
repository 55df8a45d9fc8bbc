"""What components asked of the nucleus: a bounded ring of requests."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RING = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as it was answered. No token ever stands in it.

    `operation` is without its `aws.greengrass#`; `request` the JSON object that came; `outcome` is `ok`, the name of an
    error, or `closed` where the connection was closed over it.
    """

    operation: str
    request: Mapping[str, Any]
    outcome: str
    connection: int
    stream_id: int


class Journal:
    """The last entries, oldest first, and how many there ever were."""

    def __init__(self, size: int = RING) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self.total = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def add(self, entry: Entry) -> None:
        """Keep an entry; the oldest goes when the ring is full."""
        self._entries.append(entry)
        self.total += 1

    def clear(self) -> None:
        """Forget all entries; `total` stays."""
        self._entries.clear()
