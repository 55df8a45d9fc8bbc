import json

import pytest
from tests.cloud.deployed.home import Home

from spotty_contract.topics import Kind, SensorTopic, ShadowAction, ShadowTopic

RECEIVES = "strangers-hear-everything"


@pytest.mark.parametrize(
    "topic",
    [
        *(f"sensors/{{}}/bath/{kind}" for kind in Kind),
        "sensors/{}/gateway/status",
        *(f"$aws/things/{{}}/shadow/name/sensor-bath/{action}" for action in ("get", "update", "delete")),
        "$aws/things/{}/shadow/name/gateway/update",
        "$aws/things/{}/shadow/update",
        "$aws/rules/session",
        "anything",
    ],
)
def test_nobody_speaks_for_the_neighbour(ada: Home, bob: Home, topic: str) -> None:
    """Whatever is published under Ada's name by Bob's certificate costs Bob the connection, and reaches nobody."""
    with ada.edge() as hers, bob.edge() as his:
        hers.listens()
        assert his.is_in()
        assert not his.says(topic.format(ada.gateway_id), b'{"state":{"reported":{"v":1}}}')
        his.is_put_out()
        assert hers.heard == []


@pytest.mark.parametrize(
    "topic_filter",
    [
        "sensors/{}/bath/commands",
        "sensors/{}/+/commands",
        "sensors/+/+/commands",
        "sensors/#",
        "#",
        "$aws/things/{}/shadow/name/+/update/delta",
        "$aws/things/+/shadow/name/+/update/delta",
        "$aws/things/{}/shadow/name/sensor-bath/update/documents",
    ],
)
def test_nobody_listens_to_the_neighbour(ada: Home, bob: Home, topic_filter: str) -> None:
    """A filter that could bring a message of Ada's is not granted to Bob."""
    with bob.edge() as his:
        assert his.is_in()
        assert not his.subscribes(topic_filter.format(ada.gateway_id))


def test_what_is_not_ours_is_not_delivered_either(ada: Home, bob: Home) -> None:
    """Were a filter granted by mistake, the right to receive would still keep the neighbour's messages away."""
    aws = ada.deployed.aws
    iot = aws.client("iot")
    every = {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": "*"}
    iot.create_policy(policyName=RECEIVES, policyDocument=json.dumps({"Version": "2012-10-17", "Statement": [every]}))
    iot.attach_policy(policyName=RECEIVES, target=bob.gateway.arn)
    try:
        with ada.edge() as hers, bob.edge() as his:
            assert his.is_in()
            assert his.subscribes("sensors/+/+/+")
            assert hers.is_in()
            assert hers.says(SensorTopic(ada.gateway_id, "bath", Kind.ERRORS), b"hers")
            own = SensorTopic(bob.gateway_id, "bath", Kind.ERRORS)
            assert his.says(own, b"his")
            his.hears(lambda topic, _: topic == str(own))
            assert his.heard == [(str(own), b"his")]
    finally:
        iot.detach_policy(policyName=RECEIVES, target=bob.gateway.arn)
        iot.delete_policy(policyName=RECEIVES)


@pytest.mark.parametrize("client_id", ["{}", "{}#2", "{}x", "anybody"])
def test_nobody_comes_in_under_another_name(ada: Home, bob: Home, client_id: str) -> None:
    """Ada's client id, her nucleus' second one, a longer name: with Bob's certificate refused, and Ada stays in."""
    with ada.edge() as hers, bob.edge(client_id.format(ada.gateway_id)) as his:
        hers.listens()
        assert not his.is_in()
        assert hers.says(ShadowTopic(ada.gateway_id, "gateway", ShadowAction.GET), b"{}")


def test_a_deactivated_certificate_lets_nobody_in(bob: Home) -> None:
    """From the moment on that it is inactive; active again, it is as good as before."""
    iot = bob.deployed.aws.client("iot")
    certificate = bob.gateway.arn.rpartition("/")[2]
    with bob.edge() as edge:
        assert edge.is_in()
    iot.update_certificate(certificateId=certificate, newStatus="INACTIVE")
    with bob.edge() as edge:
        assert not edge.is_in()
    iot.update_certificate(certificateId=certificate, newStatus="ACTIVE")
    with bob.edge() as edge:
        assert edge.is_in()
