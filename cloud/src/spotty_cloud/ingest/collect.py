"""A batch of the queue, from its messages to its rows: what succeeds, what can never succeed, what comes again."""

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from spotty_cloud.ingest.arrived import Arrived, read_arrived
from spotty_cloud.ingest.daily_counts import DayRow
from spotty_cloud.ingest.dead_letters import DeadLetters
from spotty_cloud.ingest.gateways import GatewayRow
from spotty_cloud.ingest.keeping import Fate, Keeper, Later, Place, Refused, Written
from spotty_cloud.ingest.letters import Fault, Letter
from spotty_cloud.ingest.rows import Owner, Row
from spotty_cloud.ingest.sorting import Sorted
from spotty_cloud.ingest.telling import Push, latest, messages
from spotty_contract.messages import MAX_BATCH_RECORDS, RecordError

LOG = logging.getLogger(__name__)

_ROWS_RESERVE_MS: Final = 14_000
"""Of an invocation's time, from which on no row is begun: one that is under way may take twelve seconds (`PATIENCE` of
the function), and the gateways' rows come after it. Without those no message of theirs would ever be done with."""
_RESERVE_MS: Final = 6_000
"""The same for the gateways' rows and for the dashboards: for the letters, and the answer."""

Known = Mapping[Place, Any]


@dataclass(frozen=True, slots=True)
class Collector:
    """Everything that ingest needs."""

    keeper: Keeper
    letters: DeadLetters
    push: Callable[[], Push]
    """For one batch."""
    retention_s: int
    now_ms: Callable[[], int]

    def collect(self, texts: Mapping[str, str], left_ms: Callable[[], int]) -> list[str]:
        """Keep what the messages, by id, hold. Which of them are to be delivered again."""
        now_ms = self.now_ms()
        batch = Sorted(now_ms, self.retention_s)
        arrived = self._arrived(texts, batch)
        again: set[str] = set()
        try:
            owners = self._owners(arrived)
        except (ClientError, BotoCoreError) as error:
            LOG.warning("whose gateways these are cannot be read for now: %s", type(error).__name__)
            again |= arrived.keys()
            owners, arrived = {}, {}
        for message_id, one in arrived.items():
            gateway_id = one.topic.gateway_id
            if gateway_id not in owners:
                again.add(message_id)
            elif (owner := owners[gateway_id][0]) is None:
                batch.refuse(message_id, Fault(why="nobodys", reason=f"nobody owns {gateway_id}"))
            else:
                batch.take(message_id, one, owner)
        fates = self._kept(batch, {("gateways", name): item for name, (_, item) in owners.items()}, left_ms)
        again |= self._judged(batch, fates)
        again |= self.letters.send(_letters(batch, texts, now_ms))
        if left_ms() > _RESERVE_MS:
            self._tell(batch, fates, now_ms)
        _log(batch, fates, again, len(texts))
        return [message_id for message_id in texts if message_id in again]

    def _arrived(self, texts: Mapping[str, str], batch: Sorted) -> dict[str, Arrived]:
        found = {}
        for message_id, text in texts.items():
            try:
                found[message_id] = read_arrived(text, batch.now_ms)
            except RecordError as error:
                batch.refuse(message_id, Fault(why="unreadable", reason=str(error)))
        return found

    def _owners(self, arrived: Mapping[str, Arrived]) -> dict[str, tuple[Owner | None, Any]]:
        """Of each gateway that could be looked up: whose it is, if anybody's, and its item."""
        wanted: set[Place] = {("gateways", one.topic.gateway_id) for one in arrived.values()}
        found = self.keeper.known(wanted) if wanted else {}
        return {
            name: (Owner(name, item["userId"]) if item is not None and "userId" in item else None, item)
            for (_, name), item in found.items()
        }

    def _kept(self, batch: Sorted, gateways: Known, left_ms: Callable[[], int]) -> list[Fate]:
        """The gateways last: once a session stands open, the sweep must find its gateway."""
        rows = _in_turn([row for row in batch.rows.values() if not isinstance(row, GatewayRow)])
        days: set[Place] = {("events", row.key) for row in rows if isinstance(row, DayRow)}
        known = {**gateways, **(self._days(days) if days else {})}
        fates = self.keeper.keep(rows, known, lambda: left_ms() > _ROWS_RESERVE_MS)
        heard = [row for row in batch.rows.values() if isinstance(row, GatewayRow)]
        return fates + self.keeper.keep(heard, known, lambda: left_ms() > _RESERVE_MS)

    def _days(self, places: set[Place]) -> Known:
        try:
            return self.keeper.known(places)
        except (ClientError, BotoCoreError) as error:  # each is found out about when it is written
            LOG.warning("the days' counts cannot be read for now: %s", type(error).__name__)
            return {}

    def _judged(self, batch: Sorted, fates: Sequence[Fate]) -> set[str]:
        """The messages of what comes again; what is refused is noted."""
        again: set[str] = set()
        for fate in fates:
            sources = batch.sources[fate.row.table, fate.row.key]
            if isinstance(fate, Later):
                again |= {message_id for message_id, _ in sources}
            elif isinstance(fate, Refused):
                for message_id, line in sources:
                    batch.refuse(message_id, Fault(line=line, why=fate.error.why, reason=str(fate.error)))
        return again

    def _tell(self, batch: Sorted, fates: Sequence[Fate], now_ms: int) -> None:
        try:
            push = self.push()
            written = [fate for fate in fates if isinstance(fate, Written)]
            for user_id, message in latest(messages(written, batch.said, now_ms)):
                push.push(user_id, message)
        except Exception as error:  # noqa: BLE001  # everything is kept by now, and dashboards will read it
            trace = "".join(traceback.format_tb(error.__traceback__))
            LOG.error("dashboards are not told: %s\n%s", type(error).__name__, trace)  # noqa: TRY400  # its text may hold what people do


def _in_turn(rows: Sequence[Row]) -> list[Row]:
    """Those first whose gateways bring little: one that brings more than there is time for holds up itself alone."""
    number = Counter(row.owner.gateway_id for row in rows)
    return sorted(rows, key=lambda row: number[row.owner.gateway_id])


def _letters(batch: Sorted, texts: Mapping[str, str], now_ms: int) -> list[Letter]:
    """One for each message in which something is wrong."""
    of: dict[str, dict[int | None, Fault]] = {}
    for message_id, fault in batch.faults:
        of.setdefault(message_id, {}).setdefault(fault.line, fault)
    return [
        Letter(
            refused_at=now_ms,
            message_id=message_id,
            message=texts[message_id],
            faults=tuple(faults.values())[:MAX_BATCH_RECORDS],
        )
        for message_id, faults in of.items()
    ]


def _log(batch: Sorted, fates: Sequence[Fate], again: set[str], number: int) -> None:
    """One line a batch, and one for each message that is set aside: ids and words, nothing that anybody does."""
    counts = Counter(type(fate).__name__.lower() for fate in fates)
    told = {"messages": number, "records": batch.records, "again": len(again), **counts}
    LOG.info("collected", extra=told)
    why: dict[str, Counter[str]] = {}
    for message_id, fault in batch.faults:
        why.setdefault(message_id, Counter())[fault.why] += 1
    for message_id, words in why.items():
        LOG.warning("set aside", extra={"messageId": message_id, "why": dict(words)})
