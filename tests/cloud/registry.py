"""Registration as Lambda runs it, over a local DynamoDB and IoT, with just the rights that the template gives it."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from mangum import Mangum
from mangum.types import LambdaContext
from tests.cloud.stack import of_type, statements, template
from tests.cloud.world import ADA, Answer, HandClock, event_of, make_tables

from spotty_cloud.attributes import item_of
from spotty_cloud.registration.app import create_app
from spotty_cloud.registration.claims import Claims, new_code
from spotty_cloud.registration.desk import Desk
from spotty_cloud.registration.joining import Joining, Kind
from spotty_cloud.registration.leaving import Cores, Leaving
from spotty_cloud.registration.whereabouts import whereabouts_of
from spotty_cloud.registration.wrong_codes import WrongCodes
from spotty_cloud.store import Store, store_of
from spotty_cloud.tables import Table
from spotty_sandbox.aws import LocalAws

ACCOUNT = "000000000000"
CLAIM_LASTS_MS = 600_000
_READING = ("Describe", "Get", "List", "Query")


class CrashError(Exception):
    """The function has ended in the middle of something."""


@dataclass
class Fuse:
    """Ends the function before one of its calls that change something, and remembers the names of all it made."""

    left: int | None = None
    called: list[str] = field(default_factory=list)

    def burn(self, model: Any, **_: Any) -> None:  # noqa: ANN401  # botocore's own
        """One more call."""
        if self.left is not None and not model.name.startswith(_READING):
            self.left -= 1
            if self.left < 0:
                raise CrashError(f"before {model.name}")
        self.called.append(f"{model.service_model.service_name}:{model.name}")


@dataclass
class CoresSeen(Cores):
    """Greengrass, which the local AWS has not."""

    forgotten: list[str] = field(default_factory=list)

    def forget(self, gateway_id: str) -> None:
        """Note it."""
        self.forgotten.append(gateway_id)


@dataclass
class Registry:
    """One deployment of registration, and what may be asked of it."""

    aws: LocalAws
    store: Store
    claims: Table
    clock: HandClock
    kind: Kind
    clients: Callable[[str], Any]
    """With the function's rights, and its fuse; everything else here is root's."""
    environment: Mapping[str, str]
    fuse: Fuse = field(default_factory=Fuse)
    cores: CoresSeen = field(default_factory=CoresSeen)
    pauses_s: list[float] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    """What the next claims get; after these chance decides."""

    def __post_init__(self) -> None:
        """Clients once, as a function has them."""
        self.iot, self.shadows = self.aws.client("iot"), self.aws.client("iot-data")
        self.others = {*self.certificates(), *self.things()}
        self._clients = {name: self.clients(name) for name in ("dynamodb", "iot", "iot-data")}
        for client in self._clients.values():
            client.meta.events.register("before-call.*.*", self.fuse.burn)
        self.answerer = Mangum(create_app(self.desk()), lifespan="off")

    def desk(self) -> Desk:
        """As the function puts it together."""
        dynamo, iot, shadows = self._clients.values()
        store = store_of(dynamo, self.environment)
        claims = Table(dynamo, self.claims.name, "claimId")
        return Desk(
            claims=Claims(claims, self.clock.now_ms, lambda: self.codes.pop(0) if self.codes else new_code()),
            wrong_codes=WrongCodes(claims, self.clock.now_ms),
            joining=Joining(store.gateways, iot, self.kind, self.clock.now_ms),
            # The local AWS cannot list shadows.
            leaving=Leaving(store, iot, shadows, lambda _: [], self.cores, self.clock.now_ms, self.pauses_s.append),
            whereabouts=whereabouts_of(iot, self.environment),
        )

    def ask(self, method: str, path: str, body: object = None, user: str | None = ADA, **more: Any) -> Answer:  # noqa: ANN401  # parts of an event
        """One request, with `headers`, `raw` body or `claims` where they matter."""
        claims = more.get("claims", {"sub": user, "token_use": "id", "email": f"{user}@example.com"} if user else None)
        raw = more.get("raw", json.dumps(body).encode() if body is not None else None)
        event = event_of(method, path, raw, claims, more.get("query"), more.get("headers"))
        answer: Any = self.answerer(event, cast("LambdaContext", None))
        text = answer["body"]
        return Answer(answer["statusCode"], answer["headers"], json.loads(text) if text else None)

    def claim(self, csr: str) -> Any:  # noqa: ANN401  # whatever JSON there is
        """A claim that was opened."""
        opened = self.ask("POST", "/devices/claims", {"csr": csr}, user=None)
        assert opened.status == 201, opened.body
        return opened.body

    def poll(self, claim: Mapping[str, str], secret: str | None = None) -> Answer:
        """As its gateway does."""
        headers = {"X-Claim-Secret": claim["secret"] if secret is None else secret}
        return self.ask("GET", f"/devices/claims/{claim['claimId']}", user=None, headers=headers)

    def confirm(self, claim: Mapping[str, str], user: str = ADA, **more: object) -> Answer:
        """By an owner who has compared."""
        body = {"code": claim["code"], "fingerprint": claim["fingerprint"], **more}
        return self.ask("POST", "/devices/claims/confirm", body, user=user)

    def register(self, csr: str, user: str = ADA, **more: object) -> Answer:
        """In one step."""
        return self.ask("POST", "/devices/register", {"csr": csr, **more}, user=user)

    def certificates(self) -> dict[str, str]:
        """All that there are, with their status."""
        pages = self.iot.get_paginator("list_certificates").paginate()
        return {one["certificateArn"]: one["status"] for page in pages for one in page["certificates"]}

    def things(self) -> set[str]:
        """All that there are."""
        return {one["thingName"] for one in self.iot.list_things()["things"]}

    def rows(self) -> dict[str, Any]:
        """Every item of the table of gateways, keys too."""
        found = self.aws.client("dynamodb").scan(TableName=self.store.gateways.name, ConsistentRead=True)["Items"]
        return {item["gatewayId"]["S"]: item_of(item) for item in found}

    def strays(self) -> list[str]:
        """Certificates in use that no row knows, and things that none knows."""
        rows = self.rows()
        known = {row.get("certificateArn") for row in rows.values()}
        active = {arn for arn, status in self.certificates().items() if status == "ACTIVE"}
        return sorted((active - known | self.things() - rows.keys()) - self.others)


@dataclass(frozen=True)
class NewKey:
    """What `spotty register` makes on the Pi."""

    key_pem: bytes = field(repr=False)
    csr: str


def new_key(name: str = "spotty") -> NewKey:
    """A key, and a request that proves it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return NewKey(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), csr.public_bytes(Encoding.PEM).decode()
    )


_NUMBERS = itertools.count()


def registry_of(aws: LocalAws) -> Registry:
    """A deployment of its own in the local AWS: tables, thing type, policies, and a role as the template has it."""
    number, dynamo, iot, clock = next(_NUMBERS), aws.client("dynamodb"), aws.client("iot"), HandClock()
    names = make_tables(dynamo, f"r{number}")
    names["CLAIMS_TABLE"] = f"r{number}-ClaimsTable"
    known = of_type(template(), "DynamoDB::Table")["ClaimsTable"]
    dynamo.create_table(
        TableName=names["CLAIMS_TABLE"],
        BillingMode="PAY_PER_REQUEST",
        **{one: known[one] for one in ("AttributeDefinitions", "KeySchema")},
    )
    kind = Kind(f"Type{number}", (f"r{number}-gateway", f"r{number}-core"))
    iot.create_thing_type(thingTypeName=kind.thing_type)
    policies = of_type(template(), "IoT::Policy")
    for name, logical in zip(kind.policies, ("GatewayPolicy", "CorePolicy"), strict=True):
        grants = [one for one in policies[logical]["PolicyDocument"]["Statement"] if "TokenExchange" not in str(one)]
        document = {"Version": "2012-10-17", "Statement": [resolved(one, names) for one in grants]}
        iot.create_policy(policyName=name, policyDocument=json.dumps(document))
    role = role_of(aws, f"r{number}", names)
    return Registry(
        aws=aws,
        store=store_of(dynamo, names),
        claims=Table(dynamo, names["CLAIMS_TABLE"], "claimId"),
        clock=clock,
        kind=kind,
        clients=partial(aws.client, credentials=aws.credentials(role)),
        environment={
            **names,
            "ROLE_ALIAS": "",
            "LOCAL_MQTT": f"{aws.mqtt.host}:{aws.mqtt.port}",
            "LOCAL_AUTHORITY": f"{aws.endpoint_url}/_ministack/iot/ca.pem",
        },
    )


def role_of(aws: LocalAws, name: str, tables: Mapping[str, str]) -> str:
    """The role of the template, over these tables."""
    iam = aws.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    grants = [resolved(one, tables) for one in statements(of_type(template(), "IAM::Role")["RegistrationRole"])]
    document = {"Version": "2012-10-17", "Statement": grants}
    iam.put_role_policy(RoleName=name, PolicyName="registration", PolicyDocument=json.dumps(document))
    arn: str = made["Role"]["Arn"]
    return arn


def resolved(part: Any, tables: Mapping[str, str]) -> Any:  # noqa: ANN401  # any part of a template
    """A part of the template as CloudFormation makes it."""
    match part:
        case {"Fn::GetAtt": [logical, "Arn"]}:
            return _arn(str(logical), tables)
        case {"Fn::If": ["IsLocal", local, _]}:
            return resolved(local, tables)
        case {"Fn::Sub": str(text)}:
            for placeholder, value in _placeholders(tables):
                text = text.replace(placeholder, value)
            return text.replace("${!", "${")
        case dict():
            return {name: resolved(inner, tables) for name, inner in part.items()}
        case list():
            return [resolved(inner, tables) for inner in part]
    return part


def _placeholders(tables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from (("${AWS::Partition}", "aws"), ("${AWS::Region}", "us-east-1"), ("${AWS::AccountId}", ACCOUNT))
    tables_there = of_type(template(), "DynamoDB::Table")
    yield from ((f"${{{logical}.Arn}}", _arn(logical, tables)) for logical in tables_there)


def _arn(logical: str, tables: Mapping[str, str]) -> str:
    name = next((one for one in tables.values() if one.endswith(f"-{logical}")), f"unknown-{logical}")
    service = "dynamodb" if logical.endswith("Table") else "logs"
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{'table/' if service == 'dynamodb' else ''}{name}"
