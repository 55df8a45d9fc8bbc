"""Rows into the tables: one request each, and another one only where somebody else wrote between.

botocore tries again what is worth it within an invocation; what still does not succeed comes again with its message.
"""

import logging
import threading
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from spotty_cloud.attributes import item_of
from spotty_cloud.ingest.requests import KEYS, Request, TableName
from spotty_cloud.ingest.rows import Item, NothingThereError, RefusedError, Row

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_dynamodb.client import DynamoDBClient

LOG = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Requests under way: most of a request is waiting."""

_MOST_TRIES = 5
"""Somebody else may come between once or twice."""
_KEYS_AT_ONCE = 100

Place = tuple[TableName, str]
"""An item: its table and its key."""


@dataclass(frozen=True, slots=True)
class Written:
    """It is there now."""

    row: Row
    before: Item


@dataclass(frozen=True, slots=True)
class Stale:
    """There was nothing to write: the same, or something newer, is there."""

    row: Row


@dataclass(frozen=True, slots=True)
class Homeless:
    """There is no item that it would belong to."""

    row: Row


@dataclass(frozen=True, slots=True)
class Refused:
    """Not to be kept, now or later."""

    row: Row
    error: RefusedError


@dataclass(frozen=True, slots=True)
class Later:
    """AWS did not do its part, or time was up: it may succeed the next time."""

    row: Row


Fate = Written | Stale | Homeless | Refused | Later


@dataclass(slots=True)
class Spent:
    """What DynamoDB was asked, and where that is wanted what it charged for."""

    requests: Counter[str] = field(default_factory=Counter)
    units: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By what: `read`, or the table that was written."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(self, operation: str, what: str, answer: Mapping[str, Any]) -> None:
        """One answer."""
        charged: Any = answer.get("ConsumedCapacity", [])
        with self._lock:
            self.requests[operation] += 1
            for one in charged if isinstance(charged, list) else [charged]:
                self.units[what] += one["CapacityUnits"]


@dataclass(frozen=True, slots=True)
class Keeper:
    """The tables, as ingest writes them."""

    client: "DynamoDBClient" = field(repr=False)
    names: Mapping[TableName, str]
    is_counting: bool = False
    spent: Spent = field(default_factory=Spent)

    def known(self, places: Iterable[Place]) -> dict[Place, Item | None]:
        """These items as they are; what DynamoDB has left out this time is not in the answer.

        Raises ClientError and BotoCoreError.
        """
        wanted = sorted(set(places))
        found: dict[Place, Item | None] = {}
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            found |= self._some(wanted[start : start + _KEYS_AT_ONCE])
        return found

    def keep(self, rows: Sequence[Row], known: Mapping[Place, Item | None], has_time: Callable[[], bool]) -> list[Fate]:
        """Each row's fate, in their order."""

        def one(row: Row) -> Fate:
            if not has_time():
                return Later(row)
            try:
                return self._keep(row, known.get((row.table, row.key)))
            except Exception as error:  # noqa: BLE001  # whatever is wrong with one row must not take the others along
                # Its message comes again; after twenty times SQS sets it aside. The text may hold what people do.
                trace = "".join(traceback.format_tb(error.__traceback__))
                LOG.error("a row of %s breaks the code: %s\n%s", row.table, type(error).__name__, trace)  # noqa: TRY400  # as above
                return Later(row)

        if len(rows) <= 1:
            return [one(row) for row in rows]
        with ThreadPoolExecutor(min(AT_ONCE, len(rows))) as pool:
            return list(pool.map(one, rows))

    def _some(self, wanted: Sequence[Place]) -> dict[Place, Item | None]:
        asked: dict[str, Any] = {}
        for table, key in wanted:
            # An owner of a moment ago is looked for: the gateway's first record comes soon after its registration.
            of_table = asked.setdefault(self.names[table], {"Keys": [], "ConsistentRead": table == "gateways"})
            of_table["Keys"].append({KEYS[table]: {"S": key}})
        answer = self.client.batch_get_item(RequestItems=asked, **self._counted())
        self.spent.note("batch_get_item", "read", answer)
        left: Any = answer.get("UnprocessedKeys", {})
        found: dict[Place, Item | None] = {
            (table, key): None
            for table, key in wanted
            if {KEYS[table]: {"S": key}} not in left.get(self.names[table], {}).get("Keys", ())
        }
        for table in {table for table, _ in wanted}:
            for item in map(item_of, answer["Responses"].get(self.names[table], ())):
                found[table, item[KEYS[table]]] = item
        return found

    def _keep(self, row: Row, known: Item | None) -> Fate:
        try:
            request = row.begin(known)
            for _ in range(_MOST_TRIES):
                if request is None:
                    return Stale(row)
                try:
                    before = self._ask(row.table, request)
                except self.client.exceptions.ConditionalCheckFailedException as error:
                    known = _found(error)
                    request = row.after(known)
                else:
                    return Written(row, {**(known or {}), **before})
        except RefusedError as error:
            return Refused(row, error)
        except NothingThereError:
            return Homeless(row)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationException":
                return Refused(row, RefusedError("unstorable", str(error)))
            LOG.warning("a row of %s is not written for now: %s", row.table, error.response["Error"]["Code"])
        except BotoCoreError as error:
            LOG.warning("a row of %s is not written for now: %s", row.table, type(error).__name__)
        return Later(row)

    def _ask(self, table: TableName, request: Request) -> Item:
        ask = getattr(self.client, request.operation)
        try:
            answer = ask(TableName=self.names[table], **request.arguments, **self._counted())
        except ClientError as error:
            self.spent.note(request.operation, table, error.response)
            raise
        self.spent.note(request.operation, table, answer)
        return item_of(answer.get("Attributes", {}))

    def _counted(self) -> dict[str, Any]:
        return {"ReturnConsumedCapacity": "TOTAL"} if self.is_counting else {}


def _found(error: ClientError) -> Item | None:
    item = error.response.get("Item")
    return item_of(item) if isinstance(item, dict) else None
