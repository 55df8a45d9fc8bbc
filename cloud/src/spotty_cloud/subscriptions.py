"""Who is told by e-mail. One SNS topic, one subscription an address, which lets through what is for that address.

By the address and not by the person: an address has one subscription whoever it belongs to, and SNS refuses a second
one that filters otherwise, as it would be after somebody has gone and come again.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spotty_cloud.errors import ConflictError

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_sns.client import SNSClient

LOG = logging.getLogger(__name__)

ADDRESS = "email"
"""The attribute of a message that says whom it is for."""


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The subscriptions of one topic. The client is made when it is needed: hardly a request needs it."""

    client: "Callable[[], SNSClient]"
    topic: str

    def begin(self, address: str) -> str:
        """Let this address be told, once whoever reads there has followed the link that AWS sends; its ARN.

        Where it is already so nothing changes; where the link was not followed AWS sends it anew.
        Raises ConflictError where SNS takes no more.
        """
        client = self.client()
        try:
            answer = client.subscribe(
                TopicArn=self.topic,
                Protocol="email",
                Endpoint=address,
                Attributes={"FilterPolicy": json.dumps({ADDRESS: [address]})},
                ReturnSubscriptionArn=True,
            )
        except client.exceptions.FilterPolicyLimitExceededException as error:
            raise ConflictError(
                "nobody more can be told by e-mail here: SNS has as many filters as it takes"
            ) from error
        return answer["SubscriptionArn"]

    def end(self, subscription: str) -> None:
        """Let it be told no more. One whose link was never followed cannot be ended: AWS forgets it within days."""
        client = self.client()
        try:
            client.unsubscribe(SubscriptionArn=subscription)
        except (client.exceptions.InvalidParameterException, client.exceptions.NotFoundException) as error:
            LOG.info("a subscription that nobody has confirmed, or that is gone, is left to AWS: %s", error)
