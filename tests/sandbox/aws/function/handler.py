"""A function of the small stack: keeps what comes from the queue, and tells it over HTTP."""

import json
import os
from typing import Any

import boto3

TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def keep(event: dict[str, Any], _context: object) -> None:
    """Each message to the table, by the sensor it is of."""
    for record in event["Records"]:
        message = json.loads(record["body"])
        TABLE.put_item(Item={"sensor": message["sensorId"], "body": message["body"]})


def tell(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """What is kept of a sensor, and who asks."""
    sensor = event["pathParameters"]["sensor"]
    item = TABLE.get_item(Key={"sensor": sensor}).get("Item")
    who = event["requestContext"]["authorizer"]["claims"]["email"]
    return {"statusCode": 200 if item else 404, "body": json.dumps({"item": item, "who": who})}
