"""Somebody's inbox: a queue that SNS delivers to as it would to an address, since the local AWS sends no mail."""

import json
from dataclasses import dataclass
from typing import Any

from tests.cloud.world import World

from spotty_cloud.scheduled.mail import Mail
from spotty_cloud.subscriptions import ADDRESS
from spotty_sandbox.aws import LocalAws


@dataclass(frozen=True)
class Inbox:
    """What comes for one address."""

    sqs: Any
    url: str

    def letters(self) -> list[tuple[str, str]]:
        """Subject and text of each that has come since the last look."""
        found: list[tuple[str, str]] = []
        while got := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", []):
            for one in got:
                letter = json.loads(one["Body"])
                found.append((letter["Subject"], letter["Message"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=one["ReceiptHandle"])
        return found


def inbox_of(aws: LocalAws, topic: str, address: str, name: str) -> Inbox:
    """With the filter that the address' own subscription has."""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    filters = {"FilterPolicy": json.dumps({ADDRESS: [address]})}
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=filters)
    return Inbox(sqs, url)


def mail_of(aws: LocalAws, world: World) -> Mail:
    """As the function has it."""
    store = world.parts.store
    return Mail(aws.client("sns"), world.parts.subscriptions.topic, store.users, store.gateways)
