"""Tells people by e-mail who have asked for it, each thing once."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from botocore.exceptions import BotoCoreError, ClientError

from spotty_cloud.subscriptions import ADDRESS
from spotty_cloud.tables import Change, Item, StaleError, Table, apply

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_sns.client import SNSClient

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who wants to be told, and the zone of their clock."""

    address: str = field(repr=False)
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Letter:
    """What is told. SNS takes a subject of up to 100 characters of ASCII."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Mail:
    """The way to people's inboxes: SNS lets a message through to the one address that it is for."""

    client: "SNSClient" = field(repr=False)
    topic: str
    users: Table
    gateways: Table

    def readers(self, user_ids: Iterable[str]) -> Mapping[str, Reader]:
        """Those of these people who want to be told, by their ids."""
        found = self.users.get_many(sorted(set(user_ids)))
        return {user["userId"]: _reader(user) for user in found if _wants(user)}

    def tell_once(
        self, gateway: Item, mark: tuple[str, object], reader: Reader, letter: Letter, still: Sequence[str] = ()
    ) -> bool:
        """Tell it unless the gateway's item is marked so already, or these attributes are no longer as they were read.

        First the mark, then the letter, so that nobody gets two; a letter that SNS does not take takes its mark along
        and raises what AWS says, so that the next run tells it. Whether it was told.
        """
        name, value = mark
        before, key = gateway.get(name), gateway["gatewayId"]
        if before == value:
            return False
        expected = {one: gateway.get(one) for one in ("userId", name, *still)}
        try:
            apply(Change(self.gateways, key, {name: value}, expected))
        except StaleError:
            return False
        try:
            self._send(reader, letter)
        except (ClientError, BotoCoreError):
            apply(Change(self.gateways, key, {name: before}, {name: value}))
            raise
        return True

    def _send(self, reader: Reader, letter: Letter) -> None:
        self.client.publish(
            TopicArn=self.topic,
            Subject=letter.subject,
            Message=letter.text,
            MessageAttributes={ADDRESS: {"DataType": "String", "StringValue": reader.address}},
        )


def _wants(user: Item) -> bool:
    return bool(user.get("notifyByEmail")) and "notifyEmail" in user


def _reader(user: Item) -> Reader:
    return Reader(user["notifyEmail"], ZoneInfo(user.get("timezone", "UTC")))
