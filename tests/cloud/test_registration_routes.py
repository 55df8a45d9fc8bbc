import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from tests.cloud.registry import Registry, new_key
from tests.cloud.stack import TEMPLATE, Made, listed, of_type, parsed, statements, template
from tests.cloud.world import ADA, event_of

from spotty_cloud.registration.whereabouts import AUTHORITY, whereabouts_of


@dataclass(frozen=True)
class Case:
    """A route of an owner."""

    method: str
    path: str
    body: object = None


CSR = new_key().csr
OWNERS = (
    Case("POST", "/devices/claims/confirm", {"code": "BCDF-2345"}),
    Case("POST", "/devices/register", {"csr": CSR}),
    Case("DELETE", "/gateways/spotty-0"),
)
WITH_BODY = (Case("POST", "/devices/claims", {"csr": CSR}), *OWNERS[:2])
LOCAL_ONLY = {"iot:AttachPolicy", "iot:DetachPolicy"}
"""What the local AWS cannot tell the resource of."""
NOT_HERE = {"greengrass:DeleteCoreDevice", "iot:DescribeJobExecution", "iot:ListNamedShadowsForThing"}
"""What the local AWS has not, so that no test with these rights can ask it."""


@pytest.mark.parametrize("case", OWNERS, ids=lambda case: case.path)
@pytest.mark.parametrize("claims", [None, {"sub": ADA, "token_use": "access"}, {"sub": ADA}, {"token_use": "id"}])
def test_without_an_id_token_nothing_is_done(registry: Registry, case: Case, claims: dict[str, str] | None) -> None:
    """Refused before the body is looked at, and before AWS is asked anything."""
    registry.fuse.called.clear()
    for raw in (None, b"{", json.dumps(case.body).encode()):
        refused = registry.ask(case.method, case.path, claims=claims, raw=raw)
        assert (refused.status, refused.error["code"]) == (401, "unauthorized")
    assert registry.fuse.called == []


@pytest.mark.parametrize("case", WITH_BODY, ids=lambda case: case.path)
@pytest.mark.parametrize(
    "raw, status",
    [(b"{", 400), (b"", 400), (b"[]", 422), (b'{"no":1}', 422), (b'{"csr":1,"csr":1}', 422), (b" " * 16_400, 413)],
)  # fmt: skip
def test_a_bad_body_is_refused_in_form(registry: Registry, case: Case, raw: bytes, status: int) -> None:
    """As strictly as the API reads, and with a request id."""
    refused = registry.ask(case.method, case.path, raw=raw)
    assert refused.status == status
    assert set(refused.error) == {"code", "message", "details", "request_id"}
    assert refused.headers["x-request-id"] == refused.error["request_id"]


@pytest.mark.parametrize(
    "path, body",
    [
        ("/devices/claims", {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nx" + "A" * 4000}),
        ("/devices/claims", {"csr": "-----BEGIN CERTIFICATE-----\n"}),
        ("/devices/claims", {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"}),
        ("/devices/register", {"csr": CSR, "name": "x" * 81}),
        ("/devices/claims/confirm", {"code": "bcdf-2345"}),
        ("/devices/claims/confirm", {"code": "AEIO-2345"}),
        ("/devices/claims/confirm", {"code": "BCDF-2345", "fingerprint": "0123"}),
    ],
)
def test_what_is_readable_and_wrong_is_named(registry: Registry, path: str, body: dict[str, str]) -> None:
    """422 with the field; a code is not repeated, and counts as no try."""
    refused = registry.ask("POST", path, body)
    assert (refused.status, refused.error["code"]) == (422, "invalid")
    assert refused.error["details"][0]["field"] in body
    assert not any(value in str(refused.body) for name, value in body.items() if name != "csr")


def test_a_wrong_method_and_an_unknown_route_are_refused_in_form(registry: Registry) -> None:
    """405 says what is allowed; there is no document here, for the API's tells these routes too."""
    wrong = registry.ask("PUT", "/devices/register")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert registry.ask("GET", "/openapi.json").status == 404
    assert registry.ask("GET", "/gateways/spotty-0").status == 405


def test_amazon_s_root_is_the_one_that_amazon_publishes() -> None:
    """Its fingerprint, as Amazon Trust Services tells it: who holds another one could be the cloud."""
    told = "8ECDE6884F3D87B1125BA31AC3FCB13D7016DE7F57CC904FE1CB97C6AE98196E"
    root = x509.load_pem_x509_certificate(AUTHORITY.read_bytes())
    assert root.fingerprint(hashes.SHA256()).hex().upper() == told


def test_the_whereabouts_in_aws_are_looked_up_once(registry: Registry) -> None:
    """Endpoints of this account, Amazon's root, the role alias; credentials are for cores only."""
    iot = registry.aws.client("iot")
    asked: list[str] = []
    iot.meta.events.register("before-call.iot.DescribeEndpoint", lambda **_: asked.append("asked"), unique_id="counts")
    in_aws = {**registry.environment, "LOCAL_MQTT": "", "LOCAL_AUTHORITY": "", "ROLE_ALIAS": "cores"}
    where = whereabouts_of(iot, in_aws)
    first, again = where(), where()
    assert (again is first, len(asked)) == (True, 2)
    iot.meta.events.unregister("before-call.iot.DescribeEndpoint", unique_id="counts")
    assert (where().data_port, where().role_alias, where().region) == (8883, "cores", "us-east-1")
    assert "-ats.iot.us-east-1." in where().data_endpoint
    assert ".credentials.iot.us-east-1." in str(where().credentials_endpoint)
    assert where().root_ca_pem == AUTHORITY.read_text()


def rights(stack: Made) -> set[str]:
    """What registration may, by its role."""
    role = of_type(stack, "IAM::Role")["RegistrationRole"]
    found = {action for grant in statements(role) for action in listed(grant["Action"])}
    return {action for action in found if not action.startswith("logs:")}


def asked_of_aws(registry: Registry) -> set[str]:
    """What it has asked, as IAM names it."""
    named = {"dynamodb:TransactWriteItems": "dynamodb:UpdateItem"}
    return {named.get(one, one.replace("iot-data:", "iot:")) for one in registry.fuse.called}


def test_every_right_is_used_and_no_other_is_needed(registry: Registry) -> None:
    """A gateway's whole way with just these rights; what is over would be there for whoever breaks in."""
    registry.fuse.called.clear()
    claim = registry.claim(new_key().csr)
    gateway_id = registry.confirm(claim).body["gatewayId"]
    assert registry.poll(claim).status == 200
    session = {"sessionId": f"{gateway_id}.s1", "startTime": 1, "openGatewayId": gateway_id}
    registry.store.sessions.put(session)
    assert registry.ask("DELETE", f"/gateways/{gateway_id}").status == 204
    whereabouts_of(registry.clients("iot"), {**registry.environment, "LOCAL_MQTT": ""})()
    assert rights(template()) == asked_of_aws(registry) | NOT_HERE
    planted = TEMPLATE.read_text().replace("[iot:DeleteCertificate, ", "[iot:DeleteCertificate, iot:RegisterThing, ")
    assert rights(parsed(planted)) != asked_of_aws(registry) | NOT_HERE


def test_the_rights_end_where_they_should(registry: Registry) -> None:
    """No thing but ours, no table but these, no policy of its own making."""
    iot, dynamo = registry.clients("iot"), registry.clients("dynamodb")
    refused: list[Any] = [
        lambda: iot.create_thing(thingName="neighbour"),
        lambda: iot.create_policy(policyName="mine", policyDocument="{}"),
        lambda: dynamo.get_item(TableName=registry.store.users.name, Key={"userId": {"S": ADA}}),
        lambda: dynamo.scan(TableName=registry.store.gateways.name),
        lambda: dynamo.delete_item(TableName=registry.claims.name, Key={"claimId": {"S": "x"}}),
    ]
    for ask in refused:
        with pytest.raises(iot.exceptions.ClientError, match="AccessDenied"):
            ask()


def test_what_is_wider_for_the_local_aws_is_so_nowhere_else() -> None:
    """`*` under IsLocal, for what the local AWS cannot tell the resource of, and for nothing more."""
    role = of_type(template(), "IAM::Role")["RegistrationRole"]
    wider = {"Fn::If": ["IsLocal", "*", {"Ref": "AWS::NoValue"}]}
    found = [grant for grant in statements(role) if wider in listed(grant["Resource"])]
    assert {action for grant in found for action in listed(grant["Action"])} == LOCAL_ONLY
    assert str(template()["Conditions"]["IsLocal"]) == "{'Fn::Not': [{'Fn::Equals': [{'Ref': 'LocalEndpoint'}, '']}]}"


_PROGRAM = """
import json, sys
from spotty_cloud.registration.function import handler
print(json.dumps([handler(event, None) for event in json.load(sys.stdin)] + ["cryptography" in sys.modules]))
"""


def test_the_function_answers_in_a_process_of_its_own(registry: Registry) -> None:
    """As in Lambda, from the environment alone; a gateway that polls does not pay for reading requests."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": registry.aws.endpoint_url,
        "AWS_DEFAULT_REGION": registry.aws.region,
        **registry.aws.credentials().variables(),
        **registry.environment,
        "THING_TYPE": registry.kind.thing_type,
        "GATEWAY_POLICY": registry.kind.policies[0],
        "CORE_POLICY": "",
    }

    def run(*events: dict[str, Any]) -> list[Any]:
        ran = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            input=json.dumps(events),
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        answers: list[Any] = json.loads(ran.stdout)
        return answers

    owner = {"sub": ADA, "token_use": "id"}
    polled, read = run(event_of("GET", f"/devices/claims/{'x' * 22}", None, None))
    assert (polled["statusCode"], read) == (404, False)
    asked = json.dumps({"csr": new_key().csr}).encode()
    registered, read = run(event_of("POST", "/devices/register", asked, owner))
    assert (registered["statusCode"], read) == (200, True)
    gateway_id = json.loads(registered["body"])["gatewayId"]
    (left, _) = run(event_of("DELETE", f"/gateways/{gateway_id}", None, owner))
    assert left["statusCode"] == 204
