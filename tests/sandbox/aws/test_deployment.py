import base64
import json
from pathlib import Path

import pytest
import requests
from botocore.exceptions import ClientError
from tests.sandbox.aws.conftest import HERE, Deployed
from tests.sandbox.aws.device import PATIENCE_S, Device
from tests.sandbox.aws.listening import family_of, listening

from spotty_sandbox.aws import LocalAwsError, Person


@pytest.fixture(scope="module")
def ada(deployed: Deployed) -> Person:
    """Somebody who is signed in."""
    return deployed.aws.seed_user("ada@example.org", deployed.stack.output("PoolId"))


def asked(deployed: Deployed, sensor: str, token: str | None) -> requests.Response:
    """What the API answers."""
    url = f"{deployed.aws.endpoint_url}/_aws/execute-api/{deployed.stack.output('ApiId')}/v1/sensors/{sensor}"
    return requests.get(url, headers={"Authorization": token} if token else {}, timeout=PATIENCE_S)


def kept(deployed: Deployed, sensor: str) -> str | None:
    """What the function that hears the queue has put in the table."""
    item = deployed.aws.client("dynamodb").get_item(
        TableName=deployed.stack.output("TableName"), Key={"sensor": {"S": sensor}}
    )
    return item["Item"]["body"]["S"] if "Item" in item else None


def test_a_message_goes_the_whole_way(deployed: Deployed, ada: Person, tmp_path: Path) -> None:
    """Mutual TLS, rule, queue, function, table, API, token: bytes come out as they went in, after a restart too."""
    aws, stack = deployed.aws, deployed.stack
    gateway = aws.gateway_certificate("gw1", [stack.output("GatewayPolicy")], tmp_path, stack.output("ThingType"))
    assert gateway.key.stat().st_mode & 0o777 == 0o600
    with Device(aws.mqtt, gateway, "gw1") as device:
        assert device.connected.get(timeout=PATIENCE_S)
        device.say("sensors/gw1/bath/session", b"\x00\xffsession")
        aws.until(lambda: kept(deployed, "bath") is not None)
    answer = asked(deployed, "bath", ada.id_token)
    assert answer.status_code == requests.codes.ok
    assert answer.json()["who"] == "ada@example.org"
    assert base64.b64decode(answer.json()["item"]["body"]) == b"\x00\xffsession"
    assert asked(deployed, "bath", None).status_code == requests.codes.unauthorized
    assert asked(deployed, "hall", ada.id_token).status_code == requests.codes.not_found


def test_code_that_is_there_is_not_uploaded_again(deployed: Deployed) -> None:
    """Two functions of the same code have one upload between them, and a later deployment uses it as it is."""

    def uploads() -> list[tuple[str, object]]:
        found = deployed.aws.client("s3").list_objects_v2(Bucket="local-artifacts")["Contents"]
        return [(one["Key"], one["LastModified"]) for one in found if one["Key"].endswith(".zip")]

    before = uploads()
    functions = {"Tell": HERE / "function", "Keep": HERE / "function"}
    deployed.aws.deploy(HERE / "small.yaml", {"Prefix": "tiny"}, functions, stack="small")
    assert len(before) == 1
    assert uploads() == before


def test_iot_policies_are_kept_to(deployed: Deployed, tmp_path: Path) -> None:
    """A gateway speaks for itself only: another's topic costs the connection, another's client id is refused."""
    aws, policy = deployed.aws, deployed.stack.output("GatewayPolicy")
    gateway = aws.gateway_certificate("gw2", [policy], tmp_path)
    with Device(aws.mqtt, gateway, "gw2") as device:
        assert device.connected.get(timeout=PATIENCE_S)
        device.publish("sensors/gw20/attic/session", b"not mine")
        device.ended.get(timeout=PATIENCE_S)
    with Device(aws.mqtt, gateway, "gw20") as device:
        device.ended.get(timeout=PATIENCE_S)
        assert device.connected.empty() or not device.connected.get()
    assert kept(deployed, "attic") is None


def test_nobody_connects_without_a_certificate(deployed: Deployed) -> None:
    """AWS refuses it, so the local one does, though MiniStack by itself would not."""
    with Device(deployed.aws.mqtt, None, "gw1") as device:
        device.ended.get(timeout=PATIENCE_S)
        assert device.connected.empty()


def test_iam_policies_are_kept_to(deployed: Deployed) -> None:
    """A function's role may do what its policy says: the one that reads does not write."""
    aws, table = deployed.aws, deployed.stack.output("TableName")
    reader = aws.credentials(deployed.stack.output("TellRole"))
    aws.client("dynamodb", reader).get_item(TableName=table, Key={"sensor": {"S": "bath"}})
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("dynamodb", reader).put_item(TableName=table, Item={"sensor": {"S": "mine"}})


def test_nobody_else_can_reach_it(deployed: Deployed) -> None:
    """Every socket that listens, of the process and of its functions, is on the loopback; the two are HTTP and MQTT."""
    found = [one for pid in family_of(deployed.aws.pid) for one in listening(pid)]
    assert {address for address, _ in found} == {"127.0.0.1"}
    http_port = int(deployed.aws.endpoint_url.rpartition(":")[2])
    assert {port for _, port in found} == {http_port, deployed.aws.mqtt.port}


def test_what_is_done_is_told(deployed: Deployed) -> None:
    """Every resource, once it is there, and the stack last."""
    assert "small: Table (AWS::DynamoDB::Table) CREATE_COMPLETE" in deployed.told
    assert deployed.told[-1] == "small: small (AWS::CloudFormation::Stack) CREATE_COMPLETE"
    assert len(set(deployed.told)) == len(deployed.told)


def test_a_person_comes_back_as_the_same(deployed: Deployed, ada: Person) -> None:
    """Seeded again, somebody keeps their identity, and the pool gets no second app client for it."""
    aws, pool = deployed.aws, deployed.stack.output("PoolId")
    again = aws.seed_user("ada@example.org", pool)
    assert (again.sub, again.password != ada.password) == (ada.sub, True)
    assert len(aws.client("cognito-idp").list_user_pool_clients(UserPoolId=pool)["UserPoolClients"]) == 2


def test_a_person_s_secrets_are_not_shown(ada: Person) -> None:
    """Neither the password nor a token is in what a log would show."""
    shown = repr(ada)
    assert "ada@example.org" in shown
    for secret in (ada.password, ada.id_token, ada.access_token, ada.refresh_token):
        assert secret not in shown


def test_a_stack_is_changed_only_where_it_differs(deployed: Deployed, tmp_path: Path) -> None:
    """The same again changes nothing; another parameter changes what hangs on it, and a template may be large."""
    aws, told = deployed.aws, deployed.told_again
    file = tmp_path / "topic.json"
    template = {
        "Parameters": {"Shown": {"Type": "String"}},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Shown"}}}},
        "Outputs": {"Shown": {"Value": {"Ref": "Shown"}}, "Arn": {"Value": {"Ref": "Topic"}}},
        "Metadata": {"Large": "x" * 60_000},
    }
    file.write_text(json.dumps(template))
    first = aws.deploy(file, {"Shown": "one"}, stack="topic")
    told.clear()
    assert aws.deploy(file, {"Shown": "one"}, stack="topic") == first
    assert told == ["topic: nothing has changed"]
    told.clear()
    assert aws.deploy(file, {"Shown": "two"}, stack="topic").outputs == {**first.outputs, "Shown": "two"}
    assert told[-1] == "topic: topic (AWS::CloudFormation::Stack) UPDATE_COMPLETE"
    assert all("CREATE" not in line for line in told)
    shown = aws.client("sns").get_topic_attributes(TopicArn=first.output("Arn"))["Attributes"]["DisplayName"]
    assert shown == "two"


def test_a_stack_that_fails_says_why_and_can_be_tried_again(deployed: Deployed, tmp_path: Path) -> None:
    """The resource and its reason in one line; the next try begins from nothing."""
    aws, file = deployed.aws, tmp_path / "failing.json"
    rule = {
        "Type": "AWS::IoT::TopicRule",
        "Properties": {"RuleName": "bad", "TopicRulePayload": {"Sql": "?", "Actions": []}},
    }
    file.write_text(json.dumps({"Resources": {"Bad": rule}}))
    with pytest.raises(
        LocalAwsError, match=r"is ROLLBACK_COMPLETE: Bad \(AWS::IoT::TopicRule\) CREATE_FAILED: Rule"
    ) as told:
        aws.deploy(file, stack="failing")
    assert "\n" not in str(told.value)
    role = {"Type": "AWS::IoT::RoleAlias", "Properties": {"RoleArn": "arn:aws:iam::000000000000:role/none"}}
    file.write_text(json.dumps({"Resources": {"Alias": role}}))
    with pytest.raises(LocalAwsError, match=r"Unrecognized resource types: \[AWS::IoT::RoleAlias\]"):
        aws.deploy(file, stack="failing")
    file.write_text(json.dumps({"Resources": {"Good": {"Type": "AWS::SNS::Topic"}}}))
    assert aws.deploy(file, stack="failing").outputs == {}


def test_an_output_or_artifact_that_is_not_there_is_told(deployed: Deployed, tmp_path: Path) -> None:
    """With the names that there are."""
    with pytest.raises(LocalAwsError, match="stack small has no output Nothing, only: ApiId, "):
        deployed.stack.output("Nothing")
    with pytest.raises(LocalAwsError, match=f"there is no artifact {tmp_path}/none"):
        deployed.aws.deploy(HERE / "small.yaml", {}, {"Tell": tmp_path / "none"}, stack="other")
