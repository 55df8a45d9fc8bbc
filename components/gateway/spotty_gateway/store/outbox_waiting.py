"""What is asked of the outbox and not done yet: in memory until the writer's next transaction, and bounded there."""

from collections.abc import Callable
from dataclasses import dataclass, field

from spotty_contract.topics import Kind
from spotty_gateway.ports import Fate, Stamp
from spotty_gateway.store.outbox_layout import TIERS, OutboxLimits, Row, Wish

Key = tuple[str, Kind, str | int]
"""What a record is the newest word on; a number of its own where it stands alone."""


@dataclass(slots=True)
class Waiting:
    """What the writer has not done yet. Records by tier, each with its place; a newer one takes the place's end."""

    tiers: tuple[dict[Key, Row], ...] = field(default_factory=lambda: tuple({} for _ in TIERS))
    size: int = 0
    settled: list[tuple[tuple[int, ...], Fate] | None] = field(default_factory=list)
    """What has become of rows, as it was told; None where what had been kept by then is to be sent again."""
    trusted: Stamp | None = None
    fetch: Wish | None = None
    dropped: int = 0

    @property
    def records(self) -> int:
        """How many records wait."""
        return sum(map(len, self.tiers))

    @property
    def again(self) -> bool:
        """Whether anything is to be sent again."""
        return None in self.settled

    def settled_ids(self) -> set[int]:
        """The rows that need not go out now."""
        done: set[int] = set()
        kept: set[int] = set()
        for told in self.settled:
            if told is None:
                kept.clear()
            else:
                (kept if told[1] is Fate.KEPT else done).update(told[0])
        return done | kept

    @property
    def is_urgent(self) -> bool:
        """Whether it should not wait for company."""
        return self.fetch is not None or self.again or self.trusted is not None or any(self.tiers)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.is_urgent or self.settled or self.dropped)

    def add(self, key: Key, row: Row, limits: OutboxLimits) -> None:
        """Keep one record more, or the same one anew, and the bound."""
        tier = next(tier for tier, kinds in zip(self.tiers, TIERS, strict=True) if row.kind in kinds)
        before = tier.get(key)
        if before is not None:
            if before.seq >= row.seq:
                return
            self.size -= len(tier.pop(key).data)
        tier[key] = row
        self.size += len(row.data)
        while self.records > limits.waiting_records or self.size > limits.waiting_bytes:
            least = next(tier for tier in self.tiers if tier)
            self.size -= len(least.pop(next(iter(least))).data)
            self.dropped += 1

    def leave_out(self, is_needless: Callable[[Row], bool]) -> None:
        """Let go of these."""
        for tier in self.tiers:
            for key in [key for key, row in tier.items() if is_needless(row)]:
                self.size -= len(tier.pop(key).data)

    def behind(self, earlier: "Waiting", limits: OutboxLimits) -> "Waiting":
        """This after what was there before it."""
        for tier in self.tiers:
            for key, row in tier.items():
                earlier.add(key, row, limits)
        earlier.settled += self.settled
        earlier.trusted = earlier.trusted or self.trusted
        earlier.fetch = self.fetch or earlier.fetch
        earlier.dropped += self.dropped
        return earlier
