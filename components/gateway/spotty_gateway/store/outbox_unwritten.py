"""What leaves from memory while the disk takes nothing: that it does not is news itself, and cannot wait for the disk.

How the gateway is, what is wrong with it, and what somebody waits for; under negative ids, which no row in a file has.
Nothing is promised by it: what has not arrived for certain is written once that works again, and goes out from there.
"""

from collections.abc import Iterable, Sequence
from itertools import count

from spotty_contract.messages import MAX_BATCH_RECORDS
from spotty_contract.topics import Kind
from spotty_gateway.ports import Fate, Lane, Outgoing
from spotty_gateway.store.outbox_layout import TURNS, Row, Wish

TELLING = frozenset({Kind.STATUS, Kind.ERRORS, Kind.RESULTS})


class Unwritten:
    """For whoever holds the outbox's lock."""

    def __init__(self) -> None:
        self._ids: dict[Row, int] = {}
        self._fates: dict[int, Fate] = {}
        self._numbers = count(1)

    def take_in(self, rows: Iterable[Row]) -> bool:
        """These, and no others, could not be written; whether any that may leave is new among them.

        One whose clock is in doubt may be corrected yet, and waits.
        """
        before, self._ids = self._ids, {}
        for row in rows:
            if row.kind in TELLING and row.boot_id is None:
                self._ids[row] = before.get(row) or -next(self._numbers)
        self._fates = {one: self._fates[one] for one in self._ids.values() if one in self._fates}
        return not self._ids.keys() <= before.keys()

    def ready(self, wish: Wish, found: Sequence[Outgoing]) -> list[Outgoing]:
        """What may go besides what was `found` in the file, where that wants it: one kind of a sensor."""
        more: list[Outgoing] = []
        taken = {*wish.busy, *(out.sensor_id for out in found)}
        lanes = self._lanes()
        for lane in sorted(lanes, key=lambda lane: (wish.failed.get(lane, 0), TURNS.index(lane.kind))):
            if len(found) + len(more) < wish.at_most and lane.sensor_id not in taken and lane not in wish.resting:
                taken.add(lane.sensor_id)
                first = lanes[lane][:MAX_BATCH_RECORDS]
                more.append(Outgoing(*lane, tuple(one for one, _ in first), tuple(row.data for _, row in first)))
        return more

    def waiting(self) -> dict[str, int]:
        """How many of each sensor may leave yet."""
        numbers: dict[str, int] = {}
        for lane, rows in self._lanes().items():
            numbers[lane.sensor_id] = numbers.get(lane.sensor_id, 0) + len(rows)
        return numbers

    def _lanes(self) -> dict[Lane, list[tuple[int, Row]]]:
        lanes: dict[Lane, list[tuple[int, Row]]] = {}
        for row, one in self._ids.items():
            if one not in self._fates:
                lanes.setdefault(Lane(row.sensor_id, row.kind), []).append((one, row))
        return lanes

    def settle(self, ids: Iterable[int], fate: Fate) -> None:
        """What has become of some; of one that is written or replaced meanwhile nothing is noted."""
        self._fates.update(dict.fromkeys(set(ids).intersection(self._ids.values()), fate))

    def send_again(self) -> None:
        """What was acknowledged may be lost after all."""
        self._fates = {one: fate for one, fate in self._fates.items() if fate is not Fate.KEPT}

    def has_arrived(self, row: Row) -> bool:
        """Whether it need not be written any more."""
        return self._fates.get(self._ids.get(row, 0)) is Fate.DONE
