import pytest
import requests
from tests.cloud.deployed.edge import Edge
from tests.cloud.deployed.home import Home
from tests.cloud.deployed.left_behind import items
from tests.cloud.deployed.lived_in import CANARY, lives_in


@pytest.fixture(scope="module")
def left(ada: Home) -> Home:
    """Ada's, once she has taken her gateway out of it."""
    with ada.edge() as edge:
        lives_in(ada, edge.listens())
    answer = ada.ask("DELETE", f"/gateways/{ada.gateway_id}")
    assert answer.status == requests.codes.no_content, answer
    return ada


def test_nothing_stays_but_the_past(left: Home) -> None:
    """Thing, certificate, shadows, row and key are gone; the certificate lets nobody in; sessions are hers still."""
    aws, thing = left.deployed.aws, left.gateway_id
    iot, shadows = aws.client("iot"), aws.client("iot-data")
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_thing(thingName=thing)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_certificate(certificateId=left.gateway.arn.rpartition("/")[2])
    for name in ("gateway", "sensor-bath"):
        with pytest.raises(shadows.exceptions.ResourceNotFoundException):
            shadows.get_thing_shadow(thingName=thing, shadowName=name)
    targets = iot.list_targets_for_policy(policyName=left.deployed.stack.output("GatewayPolicyName"))["targets"]
    assert left.gateway.arn not in targets
    with left.edge() as edge:
        assert not edge.is_in()

    assert left.gets("/gateways")["gateways"] == []
    assert left.gets("/sensors")["sensors"] == []
    assert left.ask("DELETE", f"/gateways/{thing}").status == requests.codes.not_found
    assert [one["device"]["name"] for one in left.gets("/sessions")["sessions"]] == [f"Speaker of {CANARY}"]
    assert left.ask("DELETE", "/users/me").body["complete"]
    assert left.gets("/sessions")["sessions"] == []
    # The commands of the last hour have no owner to be found by: DynamoDB deletes them when their time is over.
    assert [one for one in items(aws, thing) if CANARY in one and "commandId" not in one] == []


def test_its_key_may_come_again_as_another_gateway(left: Home) -> None:
    """Registered anew the same key is a new gateway, whose certificate is good; the old one stays out."""
    answer = left.ask("POST", "/devices/register", {"csr": left.request})
    assert answer.status == requests.codes.ok, answer
    assert answer.body["gatewayId"] != left.gateway_id
    with left.edge() as former:
        assert not former.is_in()
    again = left.deployed.connects_with(answer.body, left.gateway.key)
    with Edge(left.deployed.aws.mqtt, again, again.thing) as edge:
        assert edge.is_in()
