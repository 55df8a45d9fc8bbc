"""What the stack has written down: every line of every log, every item of every table, ten messages of each queue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spotty_sandbox.aws import LocalAws


def written(aws: LocalAws) -> Iterator[tuple[str, str]]:
    """Each piece of it, with the name of its place."""
    logs, dynamo, sqs = (aws.client(service) for service in ("logs", "dynamodb", "sqs"))
    for group in _all(logs, "describe_log_groups", "logGroups"):
        for event in _all(logs, "filter_log_events", "events", logGroupName=group["logGroupName"]):
            yield f"log {group['logGroupName']}", event["message"]
    yield from _items(dynamo)
    for url in sqs.list_queues().get("QueueUrls", ()):
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", ())
        for message in messages:
            yield f"queue {url}", message["Body"]


def items(aws: LocalAws, *about: str) -> list[str]:
    """Every item of every table in which one of these stands, in an order of its own."""
    return sorted(text for _, text in _items(aws.client("dynamodb")) if any(one in text for one in about))


def places_with(aws: LocalAws, secrets: set[str]) -> set[str]:
    """Where any of these stands; the secrets themselves are not repeated."""
    return {place for place, text in written(aws) if any(secret in text for secret in secrets)}


def _items(dynamo: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - boto3's
    for table in _all(dynamo, "list_tables", "TableNames"):
        for item in _all(dynamo, "scan", "Items", TableName=table):
            yield f"table {table}", json.dumps(item, sort_keys=True)


def _all(client: Any, operation: str, part: str, **asked: str) -> Iterator[Any]:  # noqa: ANN401 - boto3's
    for page in client.get_paginator(operation).paginate(**asked):
        yield from page[part]
