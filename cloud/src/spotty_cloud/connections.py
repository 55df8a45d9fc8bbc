"""Who listens: the dashboards' WebSocket connections by their owner, and the tickets that open one."""

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_dynamodb.client import DynamoDBClient

MOST_CONNECTIONS: Final = 10
"""Of one owner: a few people with a few screens."""

_TICKET_LASTS_MS = 60_000
_CONNECTION_LASTS_S = 7_200
"""API Gateway ends every connection after two hours."""
_NO_CONNECTION = "-"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Opens one connection, once."""

    ticket: str = field(repr=False)
    expires_at: int


@dataclass(frozen=True, slots=True)
class Connections:
    """The table of both."""

    client: "DynamoDBClient" = field(repr=False)
    table: str

    def issue(self, user_id: str, now_ms: int) -> Ticket:
        """A ticket for this person. Only its hash is kept: who reads the table opens nothing."""
        made = Ticket(secrets.token_urlsafe(24), now_ms + _TICKET_LASTS_MS)
        item: dict[str, Any] = {
            **_ticket_key(made.ticket),
            "userId": {"S": user_id},
            "expiresAt": {"N": str(made.expires_at)},
            "ttl": {"N": str(made.expires_at // 1000)},
        }
        self.client.put_item(TableName=self.table, Item=item)
        return made

    def redeem(self, ticket: str, now_ms: int) -> str | None:
        """Whose ticket it is; None where it is nobody's, was used before or has expired.

        By its own time: DynamoDB deletes what has expired within days, not within a minute.
        """
        try:
            answer = self.client.delete_item(
                TableName=self.table,
                Key=_ticket_key(ticket),
                ConditionExpression="expiresAt > :now",
                ExpressionAttributeValues={":now": {"N": str(now_ms)}},
                ReturnValues="ALL_OLD",
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return None
        return answer["Attributes"]["userId"]["S"]

    def add(self, user_id: str, connection_id: str, now_ms: int) -> None:
        """This person listens there from now on."""
        item: dict[str, Any] = {
            **_key(user_id, connection_id),
            "connectedAt": {"N": str(now_ms)},
            "ttl": {"N": str(now_ms // 1000 + _CONNECTION_LASTS_S)},
        }
        self.client.put_item(TableName=self.table, Item=item)

    def of(self, user_id: str, now_ms: int) -> list[str]:
        """Where this person listens, the longest there first."""
        living = [one for one in self._rows(user_id) if int(one["ttl"]["N"]) * 1000 > now_ms]
        living.sort(key=lambda one: (int(one["connectedAt"]["N"]), one["connectionId"]["S"]))
        return [one["connectionId"]["S"] for one in living]

    def forget(self, user_id: str, connection_id: str) -> None:
        """Nobody listens there any more."""
        self.client.delete_item(TableName=self.table, Key=_key(user_id, connection_id))

    def forget_connection(self, connection_id: str) -> None:
        """The same, where only the connection is told. One that came this very moment may not be found yet."""
        found = self.client.query(
            TableName=self.table,
            IndexName="ConnectionIdIndex",
            KeyConditionExpression="connectionId = :connection",
            ExpressionAttributeValues={":connection": {"S": connection_id}},
        )
        for row in found["Items"]:
            key: dict[str, Any] = {name: row[name] for name in ("ownerOrSession", "connectionId")}
            self.client.delete_item(TableName=self.table, Key=key)

    def forget_all(self, user_id: str) -> None:
        """Nothing is told to this person any more."""
        for row in self._rows(user_id):
            self.forget(user_id, row["connectionId"]["S"])

    def _rows(self, user_id: str) -> list[Any]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="ownerOrSession = :owner",
            ExpressionAttributeValues={":owner": {"S": _owner(user_id)}},
            ConsistentRead=True,
        )
        return [row for page in pages for row in page["Items"]]


def _owner(user_id: str) -> str:
    return f"user#{user_id}"


def _key(user_id: str, connection_id: str) -> dict[str, Any]:
    return {"ownerOrSession": {"S": _owner(user_id)}, "connectionId": {"S": connection_id}}


def _ticket_key(ticket: str) -> dict[str, Any]:
    digest = hashlib.sha256(ticket.encode()).hexdigest()
    return {"ownerOrSession": {"S": f"ticket#{digest}"}, "connectionId": {"S": _NO_CONNECTION}}
