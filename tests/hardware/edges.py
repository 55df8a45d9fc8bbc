"""Receiving edges in tests."""

import queue

from spotty_hardware.inputs import Edge

# Not a pause: how long a test waits for what must come before it fails.
PATIENCE_S = 10.0


class Inbox(queue.SimpleQueue[Edge]):
    """Edges as they come from the reader's thread."""

    def next(self) -> Edge:
        """The next edge, waited for."""
        return self.get(timeout=PATIENCE_S)

    def take(self, count: int) -> list[tuple[bool, bool]]:
        """The next `count` edges as (active, initial)."""
        return [(edge.active, edge.initial) for edge in (self.next() for _ in range(count))]


def levels(edges: list[Edge]) -> list[tuple[str, bool, bool]]:
    """The edges without their times, as (input, active, initial)."""
    return [(edge.input_id, edge.active, edge.initial) for edge in edges]
