import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from tests.cloud.inbox import Inbox, inbox_of
from tests.cloud.world import ADA, BOB, HOME, World, claims_of

from spotty_cloud.errors import ConflictError
from spotty_cloud.scheduled.mail import Letter, Mail
from spotty_cloud.subscriptions import Subscriptions
from spotty_cloud.tables import Change, apply
from spotty_sandbox.aws import LocalAws

EVE = "eve-0004"
LETTER = Letter("SpottyPottySense: a test", "Grüße")


@pytest.fixture(scope="module")
def inboxes(local_aws: LocalAws, world: World) -> dict[str, Inbox]:
    """Ada's and Bob's."""
    topic = world.parts.subscriptions.topic
    return {
        who: inbox_of(local_aws, topic, f"{who}@example.com", f"{topic.rsplit(':', 1)[-1]}-{who}") for who in (ADA, BOB)
    }


def subscribed(local_aws: LocalAws, world: World) -> dict[str, Any]:
    """The addresses that SNS knows of, with their filters."""
    sns = local_aws.client("sns")
    found = sns.list_subscriptions_by_topic(TopicArn=world.parts.subscriptions.topic)["Subscriptions"]
    attributes = {
        one["Endpoint"]: sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])["Attributes"]
        for one in found
        if one["Protocol"] == "email"
    }
    return {address: json.loads(one["FilterPolicy"]) for address, one in attributes.items()}


def wants(world: World, user: str = ADA, *, address: str | None = None, **more: object) -> int:
    """What the api answers to a change of one's settings."""
    claims = claims_of(user, f"{user}@example.com" if address is None else address)
    return world.ask("PUT", "/users/me", {"notifyByEmail": True, **more}, claims=claims).status


def test_who_asks_for_it_is_subscribed_and_who_leaves_is_not(local_aws: LocalAws, world: World) -> None:
    """One subscription an address, however often it is said, filtered for it alone; none after the opt-out."""
    assert subscribed(local_aws, world) == {}
    assert [wants(world), wants(world), wants(world, BOB)] == [200] * 3
    ada, bob = f"{ADA}@example.com", f"{BOB}@example.com"
    assert subscribed(local_aws, world) == {ada: {"email": [ada]}, bob: {"email": [bob]}}
    assert wants(world, BOB, notifyByEmail=False) == 200
    assert wants(world, BOB, notifyByEmail=False) == 200
    assert set(subscribed(local_aws, world)) == {ada}


def test_another_address_takes_the_place_of_the_old_one(local_aws: LocalAws, world: World) -> None:
    """With the next change of anything, by the address that the token then names."""
    assert wants(world, EVE, address="eve@old.example") == 200
    claims = claims_of(EVE, "eve@new.example")
    assert world.ask("PUT", "/users/me", {"displayName": "Eve"}, claims=claims).body["notifyByEmail"] is True
    assert {one for one in subscribed(local_aws, world) if one.startswith("eve@")} == {"eve@new.example"}
    assert world.ask("DELETE", "/users/me", claims=claims).status == 200
    assert not {one for one in subscribed(local_aws, world) if one.startswith("eve@")}


def test_a_change_that_comes_too_late_subscribes_nobody(local_aws: LocalAws, world: World) -> None:
    """The version is looked at first."""
    assert wants(world, "late-0001", version=7) == 409
    assert "late-0001@example.com" not in subscribed(local_aws, world)


def test_without_an_address_nobody_can_be_told(world: World) -> None:
    """It is said, and nothing is changed."""
    assert wants(world, "nameless-1", address="") == 422
    assert world.ask("GET", "/users/me", user="nameless-1").body["notifyByEmail"] is False


def test_nobody_speaks_for_an_address_that_is_not_shown_to_be_theirs(local_aws: LocalAws, world: World) -> None:
    """An address has one subscription: a stranger who only names it would write into that inbox, or silence it."""
    assert wants(world) == 200
    hers = f"{ADA}@example.com"
    named = claims_of("mallory-1", hers, is_verified=False)
    assert world.ask("GET", "/users/me", claims=named).body["email"] == ""
    assert world.ask("PUT", "/users/me", {"notifyByEmail": True}, claims=named).status == 422
    assert world.ask("PUT", "/users/me", {"notifyByEmail": False}, claims=named).status == 200
    unsaid = {name: value for name, value in named.items() if name != "email_verified"}
    assert world.ask("PUT", "/users/me", {"notifyByEmail": True}, claims=unsaid).status == 422
    assert hers in subscribed(local_aws, world)


def test_a_letter_comes_to_whom_it_is_for(world: World, mail: Mail, inboxes: dict[str, Inbox]) -> None:
    """Once for one mark, and to nobody else."""
    assert wants(world) == 200
    reader = mail.readers([ADA])[ADA]
    gateway = world.parts.store.gateways.get(HOME) or {}
    assert mail.tell_once(gateway, ("mark", "one"), reader, LETTER)
    assert not mail.tell_once(gateway, ("mark", "one"), reader, LETTER)  # as by a run beside this one
    marked = world.parts.store.gateways.get(HOME) or {}
    assert not mail.tell_once(marked, ("mark", "one"), reader, LETTER)
    assert mail.tell_once(marked, ("mark", "two"), reader, LETTER)
    assert inboxes[ADA].letters() == [(LETTER.subject, LETTER.text)] * 2
    assert inboxes[BOB].letters() == []


def test_only_who_has_asked_for_it_reads_letters(world: World, mail: Mail) -> None:
    """Neither who has never said so, nor who has taken it back, nor who is gone."""
    assert wants(world) == 200
    assert wants(world, BOB) == 200
    assert wants(world, BOB, notifyByEmail=False) == 200
    assert wants(world, EVE) == 200
    assert world.ask("DELETE", "/users/me", user=EVE).status == 200
    assert set(mail.readers([ADA, BOB, EVE, "never-0001", ADA])) == {ADA}


def test_a_reader_s_clock_is_theirs(world: World, mail: Mail) -> None:
    """The zone of their settings; and no log shows whom a letter is for."""
    assert wants(world, timezone="Europe/Berlin") == 200
    reader = mail.readers([ADA])[ADA]
    assert reader.zone.key == "Europe/Berlin"
    assert "@" not in repr(reader)


class Refusing:
    """SNS by hand, where it takes no letter."""

    def publish(self, **_: object) -> None:
        """It cannot be reached."""
        raise EndpointConnectionError(endpoint_url="https://sns.example")


def test_a_letter_that_was_not_taken_is_told_by_the_next_run(
    world: World, mail: Mail, inboxes: dict[str, Inbox]
) -> None:
    """Its mark goes with it, and whoever asked hears why."""
    assert wants(world) == 200
    broken = Mail(Refusing(), mail.topic, mail.users, mail.gateways)  # type: ignore[arg-type]  # by hand
    reader = mail.readers([ADA])[ADA]
    apply(Change(mail.gateways, HOME, {"mark": "before"}, {}))
    gateway = mail.gateways.get(HOME) or {}
    with pytest.raises(EndpointConnectionError):
        broken.tell_once(gateway, ("mark", "now"), reader, LETTER)
    assert (mail.gateways.get(HOME) or {})["mark"] == "before"
    assert mail.tell_once(gateway, ("mark", "now"), reader, LETTER)
    assert len(inboxes[ADA].letters()) == 1


class Sns:
    """SNS by hand, where AWS does otherwise than the local one."""

    class RefusedError(ClientError):
        """With any code."""

        def __init__(self) -> None:
            super().__init__({"Error": {"Code": "x", "Message": "y"}}, "z")

    class PendingError(RefusedError):
        """AWS takes back no subscription that nobody has confirmed."""

    class UnknownError(RefusedError):
        """There is no such subscription."""

    class FullError(RefusedError):
        """200 filters a topic, where nobody has asked AWS for more."""

    exceptions = SimpleNamespace(
        InvalidParameterException=PendingError,
        NotFoundException=UnknownError,
        FilterPolicyLimitExceededException=FullError,
    )

    def subscribe(self, **_: object) -> None:
        """No more."""
        raise self.FullError

    def unsubscribe(self, **_: object) -> None:
        """Not yet."""
        raise self.PendingError


def test_what_nobody_has_confirmed_is_left_to_aws() -> None:
    """It lets nobody end such a subscription, and forgets it by itself: an opt-out goes through all the same."""
    Subscriptions(Sns, "arn:topic").end("arn:topic:1")  # type: ignore[arg-type]  # by hand


def test_where_sns_takes_no_more_it_is_said() -> None:
    """It is no fault of the caller's, and trying again would not help."""
    with pytest.raises(ConflictError, match="as many filters as it takes"):
        Subscriptions(Sns, "arn:topic").begin("ada@example.com")  # type: ignore[arg-type]  # by hand
