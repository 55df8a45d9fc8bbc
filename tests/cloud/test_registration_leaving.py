import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.stub import Stubber
from tests.cloud.registry import Registry, new_key
from tests.cloud.world import BOB

from spotty_cloud.registration.cores import GreengrassCores
from spotty_cloud.registration.leaving import shadow_names_of


@pytest.fixture
def gateway_id(registry: Registry) -> str:
    """A gateway of Ada's."""
    return str(registry.register(new_key().csr).body["gatewayId"])


def test_a_gateway_leaves_for_its_owner_only(registry: Registry, gateway_id: str) -> None:
    """Somebody else's is no gateway, nor is one that there never was, nor what can be no id; Greengrass forgets it."""
    for path in (gateway_id, "spotty-000000000000", "key%23aa", "x" * 3000, "no such id"):
        assert registry.ask("DELETE", f"/gateways/{path}", user=BOB).status == 404
    assert registry.certificates()[registry.rows()[gateway_id]["certificateArn"]] == "ACTIVE"
    left = registry.ask("DELETE", f"/gateways/{gateway_id}")
    assert (left.status, left.body) == (204, None)
    assert registry.cores.forgotten == [gateway_id]
    assert registry.ask("DELETE", f"/gateways/{gateway_id}").status == 404


def test_what_aws_has_not_let_go_of_is_waited_for_and_then_said(registry: Registry, gateway_id: str) -> None:
    """Detached and still held: four times it is waited longer, then it is to be repeated, and that goes on."""
    arn = registry.rows()[gateway_id]["certificateArn"]
    registry.iot.create_thing(thingName=f"holder-of-{gateway_id}")
    registry.iot.attach_thing_principal(thingName=f"holder-of-{gateway_id}", principal=arn)
    registry.pauses_s.clear()
    refused = registry.ask("DELETE", f"/gateways/{gateway_id}")
    assert (refused.status, refused.error["code"], registry.pauses_s) == (503, "unavailable", [0.5, 1.0, 2.0, 4.0])
    assert registry.certificates()[arn] == "INACTIVE"
    registry.iot.detach_thing_principal(thingName=f"holder-of-{gateway_id}", principal=arn)
    registry.iot.delete_thing(thingName=f"holder-of-{gateway_id}")
    assert registry.ask("DELETE", f"/gateways/{gateway_id}").status == 204
    assert arn not in registry.certificates()


_HELD = b'{"message": "Cannot delete. Thing is still attached to one or more principals"}'


class _Body(io.BytesIO):
    """As botocore reads one."""

    def stream(self) -> Iterator[bytes]:
        """All of it."""
        yield self.read()


class _Late:
    """AWS, which does not know yet that the certificate was detached, for the first answers."""

    def __init__(self, answers: int) -> None:
        self.left = answers

    def __call__(self, request: Any, **_: object) -> AWSResponse | None:  # noqa: ANN401  # botocore's own
        """The next answer, where it is not the real one's."""
        if self.left == 0:
            return None
        self.left -= 1
        headers = HTTPHeaders.from_dict({"x-amzn-errortype": "InvalidRequestException"})
        return AWSResponse(request.url, 400, headers, _Body(_HELD))


@pytest.mark.parametrize("pauses_s", [[0.5, 1.0], [0.5, 1.0, 2.0, 4.0]], ids=["some", "all"])
def test_a_thing_that_is_still_held_is_waited_for(registry: Registry, gateway_id: str, pauses_s: list[float]) -> None:
    """AWS may say for some seconds that it is still attached; the owner notices nothing. No pause is for nothing."""
    late, events = _Late(len(pauses_s)), registry.clients("iot").meta.events
    registry.pauses_s.clear()
    events.register("before-send.iot.DeleteThing", late)
    assert registry.ask("DELETE", f"/gateways/{gateway_id}").status == 204
    events.unregister("before-send.iot.DeleteThing", late)
    assert (late.left, registry.pauses_s, gateway_id in registry.things()) == (0, pauses_s, False)


def test_a_certificate_that_was_attached_by_hand_goes_too(registry: Registry, gateway_id: str) -> None:
    """Whoever could connect as this gateway cannot any more."""
    by_hand = registry.iot.create_certificate_from_csr(certificateSigningRequest=new_key().csr, setAsActive=True)
    arn = by_hand["certificateArn"]
    registry.iot.attach_thing_principal(thingName=gateway_id, principal=arn)
    assert registry.ask("DELETE", f"/gateways/{gateway_id}").status == 204
    assert arn not in registry.certificates()


def test_a_gateway_made_without_registration_leaves_as_well(registry: Registry) -> None:
    """A row and no more: no thing, no certificate, no key."""
    registry.store.gateways.put({"gatewayId": "spotty-bare", "userId": BOB})
    assert registry.ask("DELETE", "/gateways/spotty-bare", user=BOB).status == 204
    assert "spotty-bare" not in registry.rows()


def test_a_claim_whose_gateway_has_left_gives_nothing(registry: Registry) -> None:
    """Its certificate is no more, and the claim with it."""
    claim = registry.claim(new_key().csr)
    gateway_id = registry.confirm(claim).body["gatewayId"]
    assert registry.poll(claim).status == 200
    assert registry.ask("DELETE", f"/gateways/{gateway_id}").status == 204
    assert registry.poll(claim).status == 404


class _Shadows:
    """As much of the real thing as lists shadows, three at a time, which the local AWS does not."""

    def __init__(self, names: list[str], *, thing: bool = True) -> None:
        self.exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)
        self._names, self._thing = names, thing

    def list_named_shadows_for_thing(self, **asked: str) -> dict[str, Any]:
        """One page."""
        if not self._thing:
            raise KeyError(asked["thingName"])
        start = int(asked.get("nextToken", "0"))
        more = {"nextToken": str(start + 3)} if start + 3 < len(self._names) else {}
        return {"results": self._names[start : start + 3], **more}


@pytest.mark.parametrize("number", [0, 3, 4, 7])
def test_all_pages_of_shadows_are_read(number: int) -> None:
    """However many there are; of a thing that is no more there are none."""
    names = [f"sensor-{one}" for one in range(number)]
    client = cast("Any", _Shadows(names))
    assert shadow_names_of(client)("spotty-1") == names
    assert shadow_names_of(cast("Any", _Shadows(names, thing=False)))("spotty-1") == []


@pytest.mark.parametrize("error", [None, "ResourceNotFoundException"])
def test_a_core_is_forgotten_once_or_never_was(error: str | None) -> None:
    """Asked as AWS wants to be asked; a core that never connected is in no list."""
    client = boto3.client("greengrassv2", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106 - nobody is asked
    with Stubber(client) as stub:
        asked = {"coreDeviceThingName": "spotty-1"}
        if error is None:
            stub.add_response("delete_core_device", {}, asked)
        else:
            stub.add_client_error("delete_core_device", error, expected_params=asked)
        GreengrassCores(lambda: client).forget("spotty-1")
        stub.assert_no_pending_responses()
    client.close()
