"""DynamoDB, as much of it as we use: read by key, page through an index, change only what is as expected."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spotty_cloud.attributes import attribute, attributes_of, item_of
from spotty_cloud.errors import UnavailableError

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_dynamodb.client import DynamoDBClient

Item = dict[str, Any]

_BATCH = 100
"""Keys that DynamoDB reads at once."""
_WRITES = 25
"""Deletions that it takes at once."""
_MOST_ROUNDS = 10
"""How often what it left undone is asked for again: it does so one after the other while it is throttled."""


class StaleError(Exception):
    """Something is not as the change expected it: read it again."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of items, and whether more may follow."""

    items: tuple[Item, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One table, with the name of its key."""

    client: "DynamoDBClient" = field(repr=False)
    name: str
    key: str

    def get(self, key: str) -> Item | None:
        """The item as it is now."""
        answer = self.client.get_item(TableName=self.name, Key={self.key: {"S": key}}, ConsistentRead=True)
        return item_of(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[str]) -> Iterator[Item]:
        """Those of the items that there are, as they are now, in any order. Raises UnavailableError where throttled."""
        for start in range(0, len(keys), _BATCH):
            some = [{self.key: {"S": key}} for key in keys[start : start + _BATCH]]
            wanted: Any = {self.name: {"Keys": some, "ConsistentRead": True}}
            for _ in range(_MOST_ROUNDS):
                answer = self.client.batch_get_item(RequestItems=wanted)
                yield from (item_of(item) for item in answer["Responses"].get(self.name, ()))
                wanted = answer["UnprocessedKeys"]
                if not wanted:
                    break
            else:
                raise UnavailableError("the database is too busy to answer; try again")

    def whole(self, found: Iterable[Item]) -> list[Item]:
        """What an index of keys alone has found, each once, as it is now and in that order; what is gone is left out.

        An index is late: who looks for somebody's items has to see whose they are by now.
        """
        keys = list(dict.fromkeys(str(one[self.key]) for one in found))
        items = {str(one[self.key]): one for one in self.get_many(keys)}
        return [items[key] for key in keys if key in items]

    def page(self, query: "Query", limit: int, after: Mapping[str, object] | None = None) -> Found:
        """Up to `limit` items of an index, behind the one whose keys are `after`."""
        more: dict[str, Any] = {} if after is None else {"ExclusiveStartKey": attributes_of(after)}
        answer = self.client.query(TableName=self.name, Limit=limit, **query.request(), **more)
        return Found(tuple(map(item_of, answer["Items"])), "LastEvaluatedKey" in answer)

    def all(self, query: "Query", most: int) -> Iterator[Item]:
        """The items of an index, up to `most` of them."""
        after: dict[str, Any] = {}
        while most > 0:
            answer = self.client.query(TableName=self.name, Limit=most, **query.request(), **after)
            yield from map(item_of, answer["Items"])
            most -= len(answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            after = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def put(self, item: Mapping[str, object]) -> None:
        """Write a whole item, whatever was there."""
        self.client.put_item(TableName=self.name, Item=attributes_of(item))

    def delete(self, key: str, expect: Mapping[str, object]) -> bool:
        """Delete the item if it is as `expect` says (None: has no such attribute); whether it was, so once only."""
        names = {f"#n{number}": name for number, name in enumerate(expect)}
        values = {f":v{number}": attribute(value) for number, value in enumerate(expect.values()) if value is not None}
        conditions = [
            f"attribute_not_exists(#n{number})" if value is None else f"#n{number} = :v{number}"
            for number, value in enumerate(expect.values())
        ]
        asked: Any = {"ExpressionAttributeValues": values} if values else {}
        try:
            self.client.delete_item(
                TableName=self.name,
                Key={self.key: {"S": key}},
                ConditionExpression=" AND ".join(conditions),
                ExpressionAttributeNames=names,
                **asked,
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete for good; what is not there is no fault. Raises UnavailableError where throttled."""
        for start in range(0, len(keys), _WRITES):
            requests: Any = [
                {"DeleteRequest": {"Key": {self.key: {"S": key}}}} for key in keys[start : start + _WRITES]
            ]
            wanted = {self.name: requests}
            for _ in range(_MOST_ROUNDS):
                wanted = self.client.batch_write_item(RequestItems=wanted)["UnprocessedItems"]
                if not wanted:
                    break
            else:
                raise UnavailableError("the database is too busy to delete anything; try again")


@dataclass(frozen=True, slots=True)
class Query:
    """One partition of an index, between two sort keys (both inclusive) where they are given."""

    index: str
    partition: tuple[str, str]
    sort: str
    since: int | None = None
    until: int | None = None
    newest_first: bool = False

    def request(self) -> dict[str, Any]:
        """What `query` is asked."""
        name, value = self.partition
        words, names, values = "#p = :p", {"#p": name}, {":p": attribute(value)}
        bounds = [(":since", self.since, ">="), (":until", self.until, "<=")]
        match [bound for bound in bounds if bound[1] is not None]:
            case [_, _]:
                words += " AND #s BETWEEN :since AND :until"
            case [(place, _, sign)]:
                words += f" AND #s {sign} {place}"
        for place, bound, _ in bounds:
            if bound is not None:
                names["#s"], values[place] = self.sort, attribute(bound)
        asked: dict[str, Any] = {"IndexName": self.index, "ScanIndexForward": not self.newest_first}
        return {
            **asked,
            "KeyConditionExpression": words,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """Attributes to set (None removes one) on an item that is as `expect` says (None: has no such attribute).

    Without attributes it changes nothing, and is there for what it expects; not alone.
    """

    table: Table
    key: str
    attributes: Mapping[str, object]
    expect: Mapping[str, object]

    def request(self) -> dict[str, Any]:
        """What `update_item` is asked."""
        names: dict[str, str] = {}
        values: dict[str, Any] = {}

        def name(attribute: str) -> str:
            names[f"#n{len(names)}"] = attribute
            return f"#n{len(names) - 1}"

        def value(found: object) -> str:
            values[f":v{len(values)}"] = attribute(found)
            return f":v{len(values) - 1}"

        sets = [f"{name(one)} = {value(new)}" for one, new in self.attributes.items() if new is not None]
        removes = [name(one) for one, new in self.attributes.items() if new is None]
        conditions = [
            f"attribute_not_exists({name(one)})" if old is None else f"{name(one)} = {value(old)}"
            for one, old in self.expect.items()
        ]
        parts = [*([f"SET {', '.join(sets)}"] if sets else []), *([f"REMOVE {', '.join(removes)}"] if removes else [])]
        return {
            "TableName": self.table.name,
            "Key": {self.table.key: {"S": self.key}},
            **({"UpdateExpression": " ".join(parts)} if parts else {}),
            "ExpressionAttributeNames": names,
            **({"ExpressionAttributeValues": values} if values else {}),
            **({"ConditionExpression": " AND ".join(conditions)} if conditions else {}),
        }


def apply(*changes: Change) -> None:
    """All of them or none. Raises StaleError where one item is not as expected."""
    client = changes[0].table.client
    try:
        if len(changes) == 1:
            client.update_item(**changes[0].request())
        else:
            client.transact_write_items(TransactItems=[_in_transaction(one) for one in changes])
    except client.exceptions.ConditionalCheckFailedException as error:
        raise StaleError from error
    except client.exceptions.TransactionCanceledException as error:
        if {"ConditionalCheckFailed", "TransactionConflict"} & _reasons(error):
            raise StaleError from error
        raise


def _in_transaction(change: Change) -> Any:  # noqa: ANN401  # one of four shapes, built above
    return {"Update" if change.attributes else "ConditionCheck": change.request()}


def _reasons(error: ClientError) -> set[str]:
    reasons: Sequence[Mapping[str, str]] = error.response.get("CancellationReasons", ())  # type: ignore[assignment]  # not in the stubs
    return {reason.get("Code", "") for reason in reasons}
