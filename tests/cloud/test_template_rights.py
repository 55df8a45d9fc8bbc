"""Who may do what: gateways in IoT Core, functions in IAM, people in Cognito. No linter judges it so."""

import ast
import fnmatch
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.cloud.stack import ROOT, TEMPLATE, Made, functions, listed, names_in, of_type, parsed, statements, template

from spotty_contract.topics import Kind, SensorTopic, ShadowAction, ShadowTopic, gateway_filters

THING = "${!iot:Connection.Thing.ThingName}"
MQTT = {"iot:Connect", "iot:Publish", "iot:Receive", "iot:Subscribe"}
KNOW_NO_RESOURCE = {
    "iot:AttachThingPrincipal",
    "iot:CreateCertificateFromCsr",
    "iot:DescribeEndpoint",
    "iot:DetachThingPrincipal",
    "iot:ListAttachedPolicies",
    "iot:ListThingPrincipals",
    "sns:Unsubscribe",
}
"""AWS's service authorization reference gives these no resource but `*`."""


def mqtt_grants(stack: Made) -> Iterator[tuple[str, str, Made]]:
    """(action, resource without its account, condition) of every right to MQTT that a certificate gets."""
    for policy in of_type(stack, "IoT::Policy").values():
        for grant in policy["PolicyDocument"]["Statement"]:
            for action in MQTT.intersection(listed(grant["Action"])):
                for resource in listed(grant["Resource"]):
                    text = resource["Fn::Sub"] if isinstance(resource, dict) else resource
                    yield action, text.rsplit("${AWS::AccountId}:", 1)[-1], grant.get("Condition", {})


def allowed(stack: Made, thing: str, action: str, resource: str) -> bool:
    """Whether IoT Core would let this thing: its `*` is any number of characters, slashes too; case matters."""
    return any(
        granted == action and fnmatch.fnmatchcase(resource, pattern.replace(THING, thing).replace("[", "[[]"))
        for granted, pattern, _ in mqtt_grants(stack)
    )


def foreign_reach(stack: Made) -> list[str]:
    """What gw1 may do as, or to, its neighbour gw10."""
    topics = [str(SensorTopic("gw10", "bath", kind)) for kind in Kind]
    topics += [str(ShadowTopic("gw10", "bath", action)) for action in ShadowAction]
    topics += ["sensors/gw1", "sensors/+/bath/session", "$aws/things/gw10/jobs/start-next", "$aws/events/presence/#"]
    asked = [("iot:Connect", f"client/{client}") for client in ("gw10", "gw10#2", "gw1x", "spotty", "gw", "gw10/gw1")]
    asked += [(action, f"topic/{topic}") for topic in topics for action in ("iot:Publish", "iot:Receive")]
    asked += [("iot:Subscribe", f"topicfilter/{topic}") for topic in [*topics, *gateway_filters("gw10"), "#", "+/#"]]
    return [f"{action} {resource}" for action, resource in asked if allowed(stack, "gw1", action, resource)]


def own_reach_missing(stack: Made) -> list[str]:
    """What gw1 needs for itself and may not."""
    up = [str(SensorTopic("gw1", "bath", kind)) for kind in Kind if kind is not Kind.COMMANDS]
    shadows = [str(ShadowTopic("gw1", "bath", action)) for action in (ShadowAction.GET, ShadowAction.UPDATE)]
    down = [str(SensorTopic("gw1", "bath", Kind.COMMANDS)), str(ShadowTopic("gw1", "bath", ShadowAction.UPDATE_DELTA))]
    asked = [("iot:Connect", "client/gw1"), ("iot:Connect", "client/gw1#2")]
    asked += [("iot:Publish", f"topic/{topic}") for topic in [*up, *shadows]]
    asked += [("iot:Receive", f"topic/{topic}") for topic in down]
    asked += [("iot:Subscribe", f"topicfilter/{one}") for one in gateway_filters("gw1")]
    return [f"{action} {resource}" for action, resource in asked if not allowed(stack, "gw1", action, resource)]


def unattached(stack: Made) -> list[str]:
    """Rights to MQTT that a certificate would have without its thing, or without the thing's name."""
    attached = {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}
    return [
        f"{action} {resource}"
        for action, resource, condition in mqtt_grants(stack)
        if condition != attached or THING not in resource
    ]


def outgrown_documents(stack: Made) -> list[str]:
    """IoT policies that would be too long: IoT Core takes 2,048 characters, not counting blanks."""
    longest = {"AWS::Partition": "aws-us-gov", "AWS::Region": "ap-southeast-4", "AWS::AccountId": "123456789012"}
    found = []
    for name, policy in of_type(stack, "IoT::Policy").items():
        text = json.dumps(policy["PolicyDocument"], separators=(",", ":"))
        for placeholder, value in longest.items():
            text = text.replace(f"${{{placeholder}}}", value)
        if len(re.sub(r"\s", "", text.replace('{"Fn::Sub":', "").replace('"}', '"'))) > 2_048:
            found.append(name)
    return found


def shared_principals(source: str) -> list[str]:
    """Certificates that code attaches to a thing without saying that they are that thing's alone."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("attach_thing_principal")
        and not any(
            word.arg == "thingPrincipalType" and ast.unparse(word.value) == "'EXCLUSIVE_THING'"
            for word in node.keywords
        )
    ]


def wide_rights(stack: Made) -> list[str]:
    """Actions with a wildcard, and `*` as a resource where AWS knows a narrower one."""
    found = []
    for name, role in of_type(stack, "IAM::Role").items():
        for grant in statements(role):
            actions = listed(grant["Action"])
            found += [f"{name}: {action}" for action in actions if "*" in action]
            if "*" in listed(grant["Resource"]):
                found += [f"{name}: {action} on *" for action in actions if action not in KNOW_NO_RESOURCE]
    return found


def void_rights(stack: Made) -> list[str]:
    """Rights on something narrower than `*`, where AWS knows no resource: AWS grants nothing by them."""
    return [
        f"{name}: {action}"
        for name, role in of_type(stack, "IAM::Role").items()
        for grant in statements(role)
        for action in listed(grant["Action"])
        if action in KNOW_NO_RESOURCE and listed(grant["Resource"]) != ["*"]
    ]


def unowned_roles(stack: Made) -> list[str]:
    """Functions without a role of their own, and roles with rights that come from elsewhere."""
    owners = [next(names_in(one["Role"]), "") for one in functions(stack).values()]
    found = [name for name in owners if owners.count(name) != 1]
    roles = of_type(stack, "IAM::Role")
    return found + [
        name for name in owners if [list(one) for one in roles[name].get("ManagedPolicyArns", [])] != [["Fn::If"]]
    ]


def loose_login(stack: Made) -> list[str]:
    """Where the login would be weaker than we say."""
    (pool,) = of_type(stack, "Cognito::UserPool").values()
    (client,) = of_type(stack, "Cognito::UserPoolClient").values()
    wanted = {
        "GenerateSecret": False,
        "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": ["openid", "email"],
        "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"],
        "PreventUserExistenceErrors": "ENABLED",
        "EnableTokenRevocation": True,
        "SupportedIdentityProviders": ["COGNITO"],
    }
    found = [name for name, value in wanted.items() if client.get(name) != value]
    found += ["EnabledMfas"] if pool["EnabledMfas"] != ["SOFTWARE_TOKEN_MFA"] else []
    stages = stack["Mappings"]["ByStage"]
    found += (
        ["Mfa"] if [stages[one]["Mfa"] for one in ("dev", "staging", "prod")] != ["OPTIONAL", "OPTIONAL", "ON"] else []
    )
    found += [name for name in stages if stages[name]["PasswordLength"] < 10]
    urls = [url["Fn::Sub"] for url in client["CallbackURLs"] if "Fn::Sub" in url]
    return found + [url for url in urls if not url.startswith("https://")]


def open_buckets(stack: Made) -> list[str]:
    """Buckets that somebody else could read, and plain HTTP to them."""
    found = [
        name
        for name, bucket in of_type(stack, "S3::Bucket").items()
        if set(bucket.get("PublicAccessBlockConfiguration", {"": False}).values()) != {True}
        or len(bucket["PublicAccessBlockConfiguration"]) != 4
    ]
    for name, policy in of_type(stack, "S3::BucketPolicy").items():
        read, plain_http = policy["PolicyDocument"]["Statement"]
        one_site = "aws:SourceArn" in read.get("Condition", {}).get("StringEquals", {})
        if read["Principal"] != {"Service": "cloudfront.amazonaws.com"} or not one_site:
            found.append(name)
        if [plain_http["Fn::If"][0], plain_http["Fn::If"][1]["Effect"]] != ["OnlyTls", "Deny"]:
            found.append(name)
    return found


def strange_sources(stack: Made) -> list[str]:
    """What the site may load from, or talk to, beside itself, its login and its WebSocket."""
    (headers,) = of_type(stack, "CloudFront::ResponseHeadersPolicy").values()
    security = headers["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    text = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Fn::Sub"][0]
    known = {"'self'", "'none'", "data:", "https://${Login}.auth.${AWS::Region}.amazoncognito.com"}
    known.add("wss://${LiveApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}")
    sources = {word for part in text.split(";") for word in part.split()[1:]}
    missing = {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} - {
        one.strip() for one in text.split(";")
    }
    return sorted((sources - known) | missing)


CHECKS: dict[str, Callable[[Made], list[str]]] = {
    check.__name__: check
    for check in (
        foreign_reach,
        own_reach_missing,
        unattached,
        outgrown_documents,
        wide_rights,
        void_rights,
        unowned_roles,
        loose_login,
        open_buckets,
        strange_sources,
    )
}


@pytest.mark.parametrize("check", CHECKS)
def test_nobody_may_more_or_less_than_they_should(check: str) -> None:
    """Each of the rules above, on the template as it is."""
    assert CHECKS[check](template()) == []


@pytest.mark.parametrize(
    "check, there, planted",
    [
        ("foreign_reach", "client/${!iot:Connection.Thing.ThingName}#*", "client/${!iot:Connection.Thing.ThingName}*"),
        ("foreign_reach", ":topic/sensors/${!iot:Connection.Thing.ThingName}/*", ":topic/sensors/*"),
        ("foreign_reach", "topicfilter/sensors/${!iot:Connection.Thing.ThingName}/*", "topicfilter/*"),
        ("foreign_reach", "topic/$aws/things/${!iot:Connection.Thing.ThingName}/jobs/*", "topic/$aws/things/*/jobs/*"),
        ("own_reach_missing", "client/${!iot:Connection.Thing.ThingName}#*", "client/x"),
        ("own_reach_missing", "[iot:Publish, iot:Receive]", "[iot:Publish]"),
        ("own_reach_missing", "topicfilter/sensors/", "topic/sensors/"),
        ("unattached", '&attached {Bool: {"iot:Connection.Thing.IsAttached": "true"}}', "&attached {}"),
        ("unattached", "topic/sensors/${!iot:Connection.Thing.ThingName}/*", "topic/sensors/${!iot:ClientId}/*"),
        ("outgrown_documents", "/greengrass/health/json", f"/greengrass/{'x' * 1000}"),
        ("wide_rights", "Action: greengrass:DeleteCoreDevice", "Action: greengrass:*"),
        ("wide_rights", "Resource: !GetAtt RecordsQueue.Arn\n", 'Resource: "*"\n'),
        ("wide_rights", "- iot:DescribeEndpoint\n", "- iot:DescribeEndpoint\n                  - iot:DeleteThing\n"),
        ("void_rights", 'Unsubscribe\n                Resource: "*"', "Unsubscribe\n                Resource: x"),
        ("unowned_roles", "Role: !GetAtt IngestRole.Arn", "Role: !GetAtt ApiRole.Arn"),
        ("unowned_roles", "- !If [WithTracing, ", "- arn:aws:iam::aws:policy/PowerUser\n        - !If [WithTracing, "),
        ("loose_login", "AllowedOAuthFlows: [code]", "AllowedOAuthFlows: [code, implicit]"),
        ("loose_login", "GenerateSecret: false", "GenerateSecret: true"),
        ("loose_login", "ALLOW_USER_SRP_AUTH]", "ALLOW_USER_SRP_AUTH, ALLOW_USER_PASSWORD_AUTH]"),
        ("loose_login", 'Mfa: "ON"', 'Mfa: "OFF"'),
        ("loose_login", "EnabledMfas: [SOFTWARE_TOKEN_MFA]", "EnabledMfas: [SMS_MFA]"),
        ("loose_login", "PasswordLength: 12", "PasswordLength: 6"),
        ("open_buckets", "BlockPublicPolicy: true", "BlockPublicPolicy: false"),
        ("open_buckets", "Principal: {Service: cloudfront.amazonaws.com}", 'Principal: "*"'),
        ("open_buckets", "    - Effect: Deny\n              Pr", "    - Effect: Allow\n              Pr"),
        ("strange_sources", "script-src 'self'", "script-src 'self' 'unsafe-inline'"),
        ("strange_sources", "default-src 'none'", "default-src 'self'"),
    ],
)  # fmt: skip
def test_each_rule_is_seen_failing(check: str, there: str, planted: str) -> None:
    """A template that breaks the rule is found."""
    text = TEMPLATE.read_text()
    assert there in text
    assert CHECKS[check](parsed(text.replace(there, planted))) != []


def test_a_certificate_belongs_to_one_thing() -> None:
    """Wherever the cloud attaches one: else the thing's name in a policy would be the client's to choose."""
    sources = sorted((ROOT / "cloud/src").rglob("*.py"))
    assert [fault for source in sources for fault in shared_principals(source.read_text())] == []


@pytest.mark.parametrize("said", ["", ", thingPrincipalType='NON_EXCLUSIVE_THING'"])
def test_a_shared_certificate_is_found(said: str) -> None:
    """Both ways of not saying it."""
    assert len(shared_principals(f"iot.attach_thing_principal(thingName='x', principal='y'{said})")) == 1


def test_what_a_core_has_of_its_own_stands_under_a_condition() -> None:
    """The local AWS knows no role aliases, and a gateway without Greengrass needs neither."""
    stack = template()
    only_cores = {name for name, one in stack["Resources"].items() if one.get("Condition") == "WithCores"}
    assert only_cores == {"CorePolicy", "TokenExchangeRole", "TokenExchangeAlias"}
    (document,) = (stack["Resources"]["CorePolicy"]["Properties"]["PolicyDocument"],)
    assumed = [one for one in document["Statement"] if "iot:AssumeRoleWithCertificate" in listed(one["Action"])]
    assert [one["Resource"] for one in assumed] == [{"Fn::GetAtt": ["TokenExchangeAlias", "RoleAliasArn"]}]


def test_only_registration_makes_and_binds_certificates() -> None:
    """The api reaches shadows and commands of gateways, and nothing else of IoT Core."""
    roles = of_type(template(), "IAM::Role")
    rights: dict[str, set[Any]] = {
        name: {action for grant in statements(role) for action in listed(grant["Action"]) if action.startswith("iot:")}
        for name, role in roles.items()
    }
    assert rights["ApiRole"] == {"iot:Publish", "iot:GetThingShadow", "iot:UpdateThingShadow", "iot:DeleteThingShadow"}
    assert {name for name, found in rights.items() if found} == {"ApiRole", "RegistrationRole"}
    assert all(re.fullmatch(r"iot:[A-Z][A-Za-z]+", action) for found in rights.values() for action in found)


def granted(stack: Made, service: str) -> dict[str, list[tuple[str, Any, Any]]]:
    """(action, resources, condition) that each role has of one service."""
    found = {
        name: [
            (action, listed(grant["Resource"]), grant.get("Condition"))
            for grant in statements(role)
            for action in listed(grant["Action"])
            if action.startswith(f"{service}:")
        ]
        for name, role in of_type(stack, "IAM::Role").items()
    }
    return {name: rights for name, rights in found.items() if rights}


def test_letters_go_one_way() -> None:
    """The api lets people's own inboxes be told and nothing else, and can tell nobody; what is scheduled only tells."""
    topic = {"Ref": "NotificationsTopic"}
    assert granted(template(), "sns") == {
        "ApiRole": [
            ("sns:Subscribe", [topic], {"StringEquals": {"sns:Protocol": "email"}}),
            ("sns:Unsubscribe", ["*"], None),
        ],
        "ScheduledRole": [("sns:Publish", [topic], None)],
    }


def test_only_those_who_tell_dashboards_reach_them() -> None:
    """Ingest tells; the door answers, and closes the oldest; nobody looks who is there."""
    stage = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${LiveApi}/live"
    post, delete = ({"Fn::Sub": f"{stage}/{method}/@connections/*"} for method in ("POST", "DELETE"))
    assert granted(template(), "execute-api") == {
        "IngestRole": [("execute-api:ManageConnections", [post], None)],
        "LiveRole": [("execute-api:ManageConnections", [post, delete], None)],
    }


def test_what_is_scheduled_makes_and_deletes_nothing() -> None:
    """It reads by key and by three indexes, and changes gateways and sessions that there are. Nothing is scanned."""
    scheduled = granted(template(), "dynamodb")["ScheduledRole"]
    found: dict[str, set[str]] = {}
    for action, resources, _ in scheduled:
        for resource in resources:
            found.setdefault(next(names_in(resource)), set()).add(action.removeprefix("dynamodb:"))
    assert found == {
        "GatewaysTable": {"BatchGetItem", "ConditionCheckItem", "GetItem", "Query", "UpdateItem"},
        "SessionsTable": {"GetItem", "Query", "UpdateItem"},
        "UsersTable": {"BatchGetItem"},
    }
    everybody = granted(template(), "dynamodb").values()
    assert not [action for rights in everybody for action, _, _ in rights if action.endswith((":Scan", ":*"))]
