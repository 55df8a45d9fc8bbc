"""What the linters do not see and the local AWS does not mind: tables, rules, logs, alarms, limits of AWS."""

import json
import re
import tomllib
from collections.abc import Callable

import pytest
from tests.cloud.stack import ROOT, TEMPLATE, Made, functions, listed, names_in, of_type, parsed, statements, template

from spotty_contract.topics import UP_KINDS, rule_filter

SOURCES = ROOT / "cloud/src"

TABLES = {
    "SensorsTable": (["sensorId"], {"UserIdIndex": ["userId", "sensorId"]}),
    "UsersTable": (["userId"], {"EmailIndex": ["email"]}),
    "SessionsTable": (
        ["sessionId"],
        {
            "SensorIdIndex": ["sensorId", "startTime"],
            "UserIdIndex": ["userId", "startTime"],
            "OpenIndex": ["openGatewayId", "startTime"],
        },
    ),
    "MotionEventsTable": (["eventId"], {"SensorTimestampIndex": ["sensorId", "timestamp"]}),
    "GatewaysTable": (
        ["gatewayId"],
        {
            "UserIdIndex": ["userId", "gatewayId"],
            "SilentIndex": ["online", "lastSeenAt"],
            "ConsentIndex": ["consentDueDay", "gatewayId"],
        },
    ),
    "ConnectionsTable": (["ownerOrSession", "connectionId"], {"ConnectionIdIndex": ["connectionId"]}),
    "CommandsTable": (["commandId"], {}),
    "ClaimsTable": (["claimId"], {}),
}
PASSING = {"SessionsTable", "MotionEventsTable", "ConnectionsTable", "CommandsTable", "ClaimsTable"}
"""Whose items expire."""
KEPT = {"SensorsTable", "UsersTable", "SessionsTable", "MotionEventsTable", "GatewaysTable"}
"""Whose loss somebody would mind."""
WHOLE = {"SessionsTable": {"SensorIdIndex", "UserIdIndex"}, "MotionEventsTable": {"SensorTimestampIndex"}}
"""Indexes that hold whole items: read by the thousand. All others hold keys alone, which nearly nothing changes."""
TIMES = {"startTime", "timestamp", "lastSeenAt"}

METRICS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {"QueueName"},
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): {"QueueName"},
    ("AWS/Lambda", "Errors"): {"FunctionName"},
    ("AWS/ApiGateway", "5XXError"): {"ApiName", "Stage"},
    ("AWS/DynamoDB", "ReadThrottleEvents"): {"TableName"},
    ("AWS/DynamoDB", "WriteThrottleEvents"): {"TableName"},
}
"""What AWS measures, and by which dimensions: an alarm on anything else stays silent for ever."""

RESERVED = re.compile(
    r"_HANDLER|_X_AMZN_TRACE_ID|AWS_(DEFAULT_)?REGION|AWS_EXECUTION_ENV|AWS_LAMBDA_.*|AWS_ACCESS_KEY(_ID)?|"
    r"AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|LAMBDA_.*|TZ"
)
"""Lambda refuses these as environment variables."""

MAX_FUNCTION_POLICY_BYTES = 20_480
STATEMENT_BYTES = 450
"""What one permission adds to a function's policy, with the longest names of ours."""


def wrong_tables(stack: Made) -> list[str]:
    """Tables whose keys, indexes, expiry or safety are not as they should be."""
    found = []
    for name, table in of_type(stack, "DynamoDB::Table").items():
        keys = [key["AttributeName"] for key in table["KeySchema"]]
        indexes = {
            one["IndexName"]: [key["AttributeName"] for key in one["KeySchema"]]
            for one in table.get("GlobalSecondaryIndexes", ())
        }
        projections = {
            one["IndexName"]: one["Projection"]["ProjectionType"] for one in table.get("GlobalSecondaryIndexes", ())
        }
        types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
        ttl = {"AttributeName": "ttl", "Enabled": True} if name in PASSING else None
        by_stage = ({"Fn::If": ["IsProd", True, False]}, {"Fn::If": ["IsDurable", True, False]})
        safety = (table["DeletionProtectionEnabled"], *table["PointInTimeRecoverySpecification"].values())
        as_it_should = (
            TABLES.get(name) == (keys, indexes),
            {index for index, kind in projections.items() if kind != "KEYS_ONLY"} == WHOLE.get(name, set()),
            all((kind == "N") == (attribute in TIMES) for attribute, kind in types.items()),
            table.get("TimeToLiveSpecification") == ttl,
            safety == (by_stage if name in KEPT else (False, False)),
            table["BillingMode"] == "PAY_PER_REQUEST",
        )
        found += [] if all(as_it_should) else [f"{name}: {as_it_should}"]
    return found + sorted(TABLES.keys() - of_type(stack, "DynamoDB::Table").keys())


def wrong_rules(stack: Made) -> list[str]:
    """Kinds of record that are not collected, or not as we read them; commands, which go down, never are."""
    payloads = [rule["TopicRulePayload"] for rule in of_type(stack, "IoT::TopicRule").values()]
    selected = (
        "SELECT encode(*, 'base64') AS body, topic(2) AS gatewayId, topic(3) AS sensorId, topic(4) AS kind, "
        "timestamp() AS receivedAt FROM "
    )
    wanted = {f"{selected}'{rule_filter(kind)}'" for kind in UP_KINDS}
    found = sorted(wanted ^ {one["Sql"] for one in payloads})
    for one in payloads:
        (action,) = one["Actions"]
        queues = (action["Sqs"]["QueueUrl"], one.get("ErrorAction", {}).get("Sqs", {}).get("QueueUrl"))
        if queues != ({"Ref": "RecordsQueue"}, {"Ref": "DeadLetterQueue"}) or one["RuleDisabled"]:
            found.append(one["Sql"])
    return found


def wrong_queues(stack: Made) -> list[str]:
    """AWS asks for six times a reader's time; what failed for an hour has to go somewhere, and be kept for longer."""
    queues, ingest = of_type(stack, "SQS::Queue"), functions(stack)["IngestFunction"]
    records, dead = queues["RecordsQueue"], queues["DeadLetterQueue"]
    as_it_should = {
        "visibility": records["VisibilityTimeout"] >= 6 * ingest["Timeout"],
        "redrive": records.get("RedrivePolicy", {}).get("deadLetterTargetArn")
        == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
        "retention": dead["MessageRetentionPeriod"] > records["MessageRetentionPeriod"],
        "partial": ingest["Events"]["Records"]["Properties"].get("FunctionResponseTypes")
        == ["ReportBatchItemFailures"],
        "encrypted": all(queue.get("SqsManagedSseEnabled") is True for queue in queues.values()),
    }
    return [name for name, holds in as_it_should.items() if not holds]


def wrong_logs(stack: Made) -> list[str]:
    """Functions whose logs are kept for ever, shared, or not theirs to write."""
    groups, roles = of_type(stack, "Logs::LogGroup"), of_type(stack, "IAM::Role")
    by_stage = {"Fn::FindInMap": ["ByStage", {"Ref": "Stage"}, "LogDays"]}
    found = [name for name, group in groups.items() if group.get("RetentionInDays") != by_stage]
    used = {name: one.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref") for name, one in functions(stack).items()}
    for name, one in functions(stack).items():
        rights = [
            right for right in statements(roles[next(names_in(one["Role"]))]) if "logs:PutLogEvents" in right["Action"]
        ]
        mine = [right["Resource"] for right in rights] == [{"Fn::GetAtt": [used[name], "Arn"]}]
        if not mine or list(used.values()).count(used[name]) != 1:
            found.append(name)
    return found


def silent_alarms(stack: Made) -> list[str]:
    """Alarms on what nobody measures, that tell nobody, or that are paid for where nobody listens."""
    found = []
    for name, alarm in of_type(stack, "CloudWatch::Alarm").items():
        dimensions = {one["Name"] for one in alarm["Dimensions"]}
        measured = METRICS.get((alarm["Namespace"], alarm["MetricName"])) == dimensions
        told = alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
        if not (measured and told and stack["Resources"][name].get("Condition") == "WithAlarms"):
            found.append(name)
    topic = of_type(stack, "SNS::Topic")["AlarmTopic"]
    return found + (["AlarmTopic"] if "KmsMasterKeyId" in topic else [])


def refused_variables(stack: Made) -> list[str]:
    """Names that Lambda keeps for itself, and secrets in plain text."""
    return [
        f"{name}.{variable}"
        for name, one in functions(stack).items()
        for variable in one["Environment"]["Variables"]
        if RESERVED.fullmatch(variable) or not re.fullmatch(r"[A-Z][A-Z0-9_]+", variable)
    ]


def unnamed_variables(stack: Made) -> list[str]:
    """Variables that a function's code reads and the template does not set. `store.py` serves them all."""
    found = []
    for name, one in functions(stack).items():
        package = SOURCES.joinpath(*one["Handler"].split(".")[:2])
        texts = [file.read_text() for file in (*SOURCES.glob("spotty_cloud/*.py"), *package.rglob("*.py"))]
        read = {word for text in texts for word in re.findall(r"environ(?:ment)?\[\"(\w+)\"\]", text)}
        found += [f"{name}.{word}" for word in sorted(read - one["Environment"]["Variables"].keys())]
    return found


def outgrown_policies(stack: Made) -> list[str]:
    """Functions whose own policy would not fit, or that an API may call in more than one way, or not at all."""
    permissions = [one["FunctionName"]["Ref"] for one in of_type(stack, "Lambda::Permission").values()]
    found = [name for name in set(permissions) if permissions.count(name) * STATEMENT_BYTES > MAX_FUNCTION_POLICY_BYTES]
    apis = [*of_type(stack, "Serverless::Api").values(), *of_type(stack, "ApiGatewayV2::Integration").values()]
    called = {name for name in names_in(apis) if name in functions(stack)}
    return found + sorted(called ^ set(permissions)) + [name for name in called if permissions.count(name) != 1]


def cycles_to_come(stack: Made) -> list[str]:
    """Functions that know the login's client or the site, both of which know the API, which knows the functions."""
    roles = of_type(stack, "IAM::Role")
    return [
        f"{name} knows {other}"
        for name, one in functions(stack).items()
        for other in {*names_in(one), *names_in(roles[next(names_in(one["Role"]))])}
        if other in {"UserPoolClient", "Site", "RestApi"}
    ]


def wrong_rates(stack: Made) -> list[str]:
    """EventBridge knows `1 minute` and `2 minutes`, and refuses `1 minutes`."""
    told = {name: one["ScheduleExpression"]["Fn::If"] for name, one in of_type(stack, "Scheduler::Schedule").items()}
    wanted = {
        "SweepSchedule": ["IsOneMinute", "rate(1 minute)", {"Fn::Sub": "rate(${SweepMinutes} minutes)"}],
        "TokenHealthSchedule": ["IsOneHour", "rate(1 hour)", {"Fn::Sub": "rate(${TokenHealthHours} hours)"}],
    }
    return [name for name in wanted if told.get(name) != wanted[name]]


def wrong_outputs(stack: Made) -> list[str]:
    """Outputs that no other stack could import, or that say nothing."""
    found = [
        name
        for name, one in stack["Outputs"].items()
        if one.get("Export") != {"Name": {"Fn::Sub": f"${{AWS::StackName}}-{name}"}} or not one.get("Description")
    ]
    return found + ([] if len(stack["Outputs"]) >= 13 else ["fewer than 13"])


CHECKS: dict[str, Callable[[Made], list[str]]] = {
    check.__name__: check
    for check in (
        wrong_tables,
        wrong_rules,
        wrong_queues,
        wrong_logs,
        silent_alarms,
        refused_variables,
        unnamed_variables,
        outgrown_policies,
        cycles_to_come,
        wrong_rates,
        wrong_outputs,
    )
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_stack_is_as_it_should_be(check: str) -> None:
    """Each of the rules above, on the template as it is."""
    assert CHECKS[check](template()) == []


@pytest.mark.parametrize(
    "check, there, planted",
    [
        ("wrong_tables", "- IndexName: OpenIndex", "- IndexName: OpenSessions"),
        ("wrong_tables", "Projection: {ProjectionType: KEYS_ONLY}", "Projection: {ProjectionType: ALL}"),
        ("wrong_tables", "startTime, AttributeType: N}", "startTime, AttributeType: S}"),
        ("wrong_tables", "{AttributeName: ttl, Enabled: true}", "{AttributeName: expiresAt, Enabled: true}"),
        ("wrong_tables", "DeletionProtectionEnabled: !If [IsProd, true, false]", "DeletionProtectionEnabled: false"),
        ("wrong_tables", "BillingMode: PAY_PER_REQUEST", "BillingMode: PROVISIONED"),
        ("wrong_rules", "encode(*, 'base64') AS body", "* AS body"),
        ("wrong_rules", "sensors/+/+/results", "sensors/+/+/commands"),
        ("wrong_rules", "QueueUrl: !Ref DeadLetterQueue", "QueueUrl: !Ref RecordsQueue"),
        ("wrong_queues", "VisibilityTimeout: 180", "VisibilityTimeout: 30"),
        ("wrong_queues", "FunctionResponseTypes: [ReportBatchItemFailures]", "Enabled: true"),
        ("wrong_queues", "RedrivePolicy: {deadLetter", "X: {deadLetter"),
        ("wrong_logs", "Properties: {RetentionInDays: !FindInMap [ByStage, !Ref Stage, LogDays]}", "Properties: {}"),
        ("wrong_logs", "LogGroup: !Ref IngestLogs", "LogGroup: !Ref ApiLogs"),
        ("wrong_logs", "Resource: !GetAtt LiveLogs.Arn", 'Resource: "*"'),
        ("silent_alarms", "MetricName: ReadThrottleEvents", "MetricName: ThrottledRequests"),
        ("silent_alarms", "{Name: ApiName, Value", "{Name: ApiId, Value"),
        ("silent_alarms", "DisplayName: SpottyPottySense alarms", "KmsMasterKeyId: alias/aws/sns"),
        ("refused_variables", "STAGE: !Ref Stage", "AWS_REGION: !Ref Stage"),
        ("refused_variables", "LOG_LEVEL: ", "AWS_LAMBDA_LOG_LEVEL: "),
        ("unnamed_variables", "SENSORS_TABLE: ", "SENSOR_TABLE: "),
        ("outgrown_policies", "FunctionName: !Ref RegistrationFunction", "FunctionName: !Ref ApiFunction"),
        ("cycles_to_come", "DEAD_LETTER_QUEUE: !Ref DeadLetterQueue", "CLIENT: !Ref UserPoolClient"),
        ("cycles_to_come", "STAGE: !Ref Stage", 'STAGE: !Sub "https://${Site.DomainName}"'),
        ("wrong_rates", "rate(1 minute)", "rate(1 minutes)"),
        ("wrong_outputs", '"${AWS::StackName}-SiteUrl"', '"SiteUrl"'),
    ],
)  # fmt: skip
def test_each_rule_is_seen_failing(check: str, there: str, planted: str) -> None:
    """A template that breaks the rule is found."""
    text = TEMPLATE.read_text()
    assert there in text
    assert CHECKS[check](parsed(text.replace(there, planted))) != []


def test_the_template_fits_where_it_goes() -> None:
    """CloudFormation takes 1 MB by address, 51,200 bytes without: every environment uploads it. 200 parameters."""
    configured = tomllib.loads((ROOT / "cloud/samconfig.toml").read_text())
    environments = {name: one for name, one in configured.items() if name != "version"}
    size = len(TEMPLATE.read_bytes())
    assert size < 1_000_000
    assert size > 51_200, "it could be sent as it is; say so in the README"
    assert set(environments) == {"default", "staging", "prod"}
    assert all(one["deploy"]["parameters"]["resolve_s3"] for one in environments.values())


def test_every_environment_sets_parameters_that_there_are() -> None:
    """A misspelt parameter, or a value the template refuses, would show only while deploying."""
    parameters = template()["Parameters"]
    configured = tomllib.loads((ROOT / "cloud/samconfig.toml").read_text())
    for name in ("default", "staging", "prod"):
        pairs = configured[name]["deploy"]["parameters"]["parameter_overrides"].split()
        for key, value in (pair.split("=", 1) for pair in pairs):
            bounds = parameters[key]
            assert value in bounds.get("AllowedValues", [value])
            assert re.fullmatch(bounds.get("AllowedPattern", ".*"), value)


def test_every_default_is_a_value_that_is_allowed() -> None:
    """So that a first deployment asks nothing that it could answer itself."""
    for name, one in template()["Parameters"].items():
        value = one["Default"]
        assert value in one.get("AllowedValues", [value]), name
        assert re.fullmatch(one.get("AllowedPattern", ".*"), str(value)), name
        assert one["Type"] == "String" or one["MinValue"] <= value <= one["MaxValue"], name


def test_stages_are_throttled_and_remember_as_said() -> None:
    """Design §6: rate and burst, days of logs, days of records."""
    stages = template()["Mappings"]["ByStage"]
    told = {name: tuple(one[key] for key in ("Rate", "Burst", "LogDays", "TtlDays")) for name, one in stages.items()}
    assert told == {"dev": (100, 200, 7, "30"), "staging": (500, 1000, 30, "30"), "prod": (1000, 2000, 90, "90")}


def test_no_more_is_fetched_from_the_queue_than_copies_may_run() -> None:
    """Lambda gives back what finds no copy free, and SQS counts that: after twenty times good records are set aside."""
    ingest = functions(template())["IngestFunction"]
    bound = {"MaximumConcurrency": ingest["ReservedConcurrentExecutions"]["Fn::If"][1]}
    assert ingest["Events"]["Records"]["Properties"]["ScalingConfig"] == {
        "Fn::If": ["HasReserved", bound, {"Fn::If": ["IsLocal", {"MaximumConcurrency": 2}, {"Ref": "AWS::NoValue"}]}]
    }


def test_the_cheapest_sign_in_is_asked_for_no_more_than_it_has() -> None:
    """Without a tier Cognito takes the next one, at three times the price; LITE refuses what only that one has."""
    (pool,) = of_type(template(), "Cognito::UserPool").values()
    (domain,) = of_type(template(), "Cognito::UserPoolDomain").values()
    assert pool["UserPoolTier"] == "LITE"
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    assert not {"UserPoolAddOns", "WebAuthnRelyingPartyID", "EmailConfiguration"} & pool.keys()
    assert "SignInPolicy" not in pool["Policies"]
    assert domain.get("ManagedLoginVersion", 1) == 1


def test_api_gateway_refuses_in_our_form() -> None:
    """What never reaches our code looks like what does, with the request's id in body and header."""
    (api,) = of_type(template(), "Serverless::Api").values()
    responses = api["DefinitionBody"]["x-amazon-apigateway-gateway-responses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "UNAUTHORIZED", "EXPIRED_TOKEN", "THROTTLED"} <= set(responses)
    for one in responses.values():
        (text,) = one["responseTemplates"].values()
        error = json.loads(text.replace("$context.error.messageString", '"said"'))["error"]
        assert set(error) == {"code", "message", "details", "request_id"}
        assert error["request_id"] == "$context.requestId"
        headers = {name.rpartition(".")[2]: value for name, value in one["responseParameters"].items()}
        assert headers.pop("X-Request-ID") == "context.requestId"
        assert headers["Access-Control-Allow-Origin"]["Fn::If"][1] == {"Fn::Sub": "'${AllowedOrigin}'"}
        for value in headers.values():  # nothing of the kind without such an origin
            condition, _, otherwise = value["Fn::If"]
            assert (condition, otherwise) == ("HasOrigin", {"Ref": "AWS::NoValue"})


def test_nothing_secret_is_logged_by_the_apis() -> None:
    """Access logs name no address, no query (it holds tickets), no header."""
    stack = template()
    (rest,) = of_type(stack, "Serverless::Api").values()
    (live,) = of_type(stack, "ApiGatewayV2::Stage").values()
    for text in (rest["AccessLogSetting"]["Format"], live["AccessLogSettings"]["Format"]):
        told = json.loads(text)
        assert not [
            one for one in told.values() if re.search(r"identity|query|header|path$", one.replace("resourcePath", ""))
        ]


def test_every_handler_is_in_its_function_s_package() -> None:
    """Of the functions whose code there is."""
    for name, one in functions(template()).items():
        *module, handler = one["Handler"].split(".")
        assert module[0] == "spotty_cloud"
        file = SOURCES.joinpath(*module).with_suffix(".py")
        package = SOURCES.joinpath(*module, "__init__.py")
        if SOURCES.joinpath(*module[:2]).exists():
            (source,) = [path for path in (file, package) if path.exists()]
            assert re.search(rf"^(def {handler}\(|{handler} = )", source.read_text(), re.MULTILINE), name


def test_sam_builds_every_function_by_make() -> None:
    """The Makefile beside the code has a target for each, and for no other."""
    made = re.search(r"^FUNCTIONS := (.*)$", (SOURCES / "Makefile").read_text(), re.MULTILINE)
    assert made is not None
    assert set(made[1].split()) == set(functions(template()))
    resources = template()["Resources"]
    assert {resources[name]["Metadata"]["BuildMethod"] for name in functions(template())} == {"makefile"}
    assert {one["CodeUri"] for one in functions(template()).values()} == {"src/"}
    assert listed(functions(template())["ApiFunction"]["Architectures"]) == [{"Ref": "Architecture"}]


def test_what_is_deployed_is_what_is_tested() -> None:
    """The functions' lock holds the same versions as the tests' own, and leaves out what Lambda brings."""
    pins = {
        name: set(re.findall(r"^([a-z0-9-]+==\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        for name in ("functions.txt", "dev.txt")
    }
    assert pins["functions.txt"]
    assert pins["functions.txt"] <= pins["dev.txt"]
    assert not {pin for pin in pins["functions.txt"] if pin.startswith(("boto", "s3transfer", "urllib3"))}
