"""Somebody's home at the deployed stack: a person with real tokens, a gateway with a real certificate."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
from tests.cloud.deployed.edge import Edge
from tests.cloud.deployed.left_behind import written

from spotty_contract.registering import ClaimOpened
from spotty_contract.topics import cloud_id
from spotty_sandbox.aws import GatewayCertificate
from spotty_sandbox.aws.things import key_and_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from spotty_sandbox.aws import LocalAws, Person, Stack

PATIENCE_S = 30.0
"""Of one request; a function's cold start on a busy computer is in it."""

HAPPENS_WITHIN_S = 60.0
"""From a message to its row, with the cold start of a function, on a busy computer; a second or two on a quiet one."""

PLAYLIST = "spotify:playlist:37i9dQZF1DX0MorningBath"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:  # noqa: ANN401 - whatever JSON there is
        """Read."""
        return json.loads(self.text)

    @property
    def everything(self) -> str:
        """Whatever of it a stranger could read."""
        return "\n".join([*(f"{name}: {value}" for name, value in self.headers.items()), self.text])


@dataclass(frozen=True)
class Deployed:
    """The stack in a local AWS, and what must stand in no log and no table of it."""

    aws: LocalAws
    stack: Stack
    folder: Path
    secrets: set[str] = field(default_factory=set, repr=False)
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    @property
    def api_url(self) -> str:
        """Of the REST API."""
        return f"{self.aws.endpoint_url}/_aws/execute-api/{self.stack.output('ApiId')}/api"

    def restart(self) -> None:
        """End the local AWS in order, and start it again in its folder."""
        self._session.close()
        self.aws.__exit__(None, None, None)
        self.aws.__enter__()

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def ask(self, method: str, path: str, body: object = None, token: str | None = None, **headers: str) -> Answer:
        """One request. The token goes as `Authorization: Bearer`; None sends none. No answer is ever a 5xx."""
        sent = {"Content-Type": "application/json", **headers}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body)
        got = self._session.request(method, self.api_url + path, data=data, headers=sent, timeout=PATIENCE_S)
        if got.status_code >= requests.codes.server_error:
            raise AssertionError("\n".join([f"{method} {path}: {got.text}", *self.last_words()]))
        return Answer(got.status_code, got.headers, got.text)

    def until(self, is_so: Callable[[], bool], longest_s: float = HAPPENS_WITHIN_S) -> None:
        """Wait for what happens in there by itself."""
        self.aws.until(is_so, longest_s)

    def last_words(self) -> list[str]:
        """What the functions have logged last, for whoever reads why a test failed."""
        lines = [line for place, line in written(self.aws) if place.startswith("log ")]
        return [line for line in lines if not line.startswith(("START ", "END ", "REPORT "))][-20:]

    def table(self, logical_id: str) -> str:
        """A table's name."""
        stacks = self.aws.client("cloudformation")
        found = stacks.describe_stack_resource(StackName=self.stack.name, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def signing_key(self) -> Path:
        """What the local AWS signs ID tokens with, which AWS would show nobody."""
        return self.folder / "aws/state/cognito-pool-keys" / f"{self.stack.output('UserPoolId')}-id.pem"

    def in_another_pool(self, email: str) -> Person:
        """Somebody of the same address, signed in elsewhere."""
        pool = self.aws.client("cognito-idp").create_user_pool(PoolName="another", UsernameAttributes=["email"])
        return self.aws.seed_user(email, pool["UserPool"]["Id"])

    def home(self, name: str) -> Home:
        """Somebody new of this name, who has registered a gateway with a signing request."""
        number = secrets.token_hex(6)
        person = self.person(f"{name}-{number}")
        key, request = self.key_and_request(number)
        asked = {"csr": request, "name": f"{name}'s flat"}
        answer = self.ask("POST", "/devices/register", asked, person.id_token)
        assert answer.status == requests.codes.ok, answer
        return Home(self, person, self.connects_with(answer.body, key), request)

    def person(self, name: str) -> Person:
        """Somebody who has signed in."""
        person = self.aws.seed_user(f"{name}@example.org", self.stack.output("UserPoolId"))
        self.secrets.update((person.password, person.id_token, person.access_token, person.refresh_token))
        return person

    def key_and_request(self, name: str) -> tuple[Path, str]:
        """A gateway's private key, and its request for a certificate."""
        folder = self.folder / "keys"
        folder.mkdir(exist_ok=True)
        key, request = key_and_request(folder, name)
        self.secrets.update(key.read_text().splitlines()[1:-1])
        return key, request.read_text()

    def connects_with(self, registered: Mapping[str, Any], key: Path) -> GatewayCertificate:
        """What a gateway writes down of the answer to its registration."""
        ca, certificate = key.with_suffix(".ca.pem"), key.with_suffix(".pem")
        ca.write_text(registered["rootCaPem"])
        certificate.write_text(registered["certificatePem"])
        thing = registered["gatewayId"]
        (arn,) = self.aws.client("iot").list_thing_principals(thingName=thing)["principals"]
        return GatewayCertificate(thing, ca, certificate, key, arn)


@dataclass(frozen=True)
class Home:
    """A person and their gateway."""

    deployed: Deployed
    person: Person
    gateway: GatewayCertificate
    request: str
    """For its certificate."""
    pins: Iterator[int] = field(default_factory=lambda: iter(range(28)), repr=False)
    """That are free."""

    @property
    def gateway_id(self) -> str:
        """Its thing's name."""
        return self.gateway.thing

    def sensor_id(self, local_id: str = "bath") -> str:
        """What the cloud calls a sensor of this gateway."""
        return cloud_id(self.gateway_id, local_id)

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """As this person."""
        return self.deployed.ask(method, path, body, self.person.id_token)

    def gets(self, path: str) -> Any:  # noqa: ANN401 - whatever JSON there is
        """What this person reads there."""
        answer = self.ask("GET", path)
        assert answer.status == requests.codes.ok, answer
        return answer.body

    def adds_sensor(self, local_id: str = "bath", **more: object) -> dict[str, Any]:
        """Make a sensor with one PIR, on a pin of its own."""
        asked = {
            "gatewayId": self.gateway_id,
            "id": local_id,
            "name": local_id.title(),
            "inputs": [{"id": "pir", "pin": next(self.pins)}],
            "policy": {"playback": {"device": {"name": "Bathroom"}, "contextUri": PLAYLIST}},
            **more,
        }
        answer = self.ask("POST", "/sensors", asked)
        assert answer.status == requests.codes.created, answer
        made: dict[str, Any] = answer.body
        return made

    def claims_again(self) -> ClaimOpened:
        """The gateway has lost its certificate and claims one, which its owner confirms: it is the same gateway."""
        opened = self.deployed.ask("POST", "/devices/claims", {"csr": self.request})
        claim = ClaimOpened.model_validate_json(opened.text)
        self.deployed.secrets.add(claim.secret)
        told = {"code": claim.code, "fingerprint": claim.fingerprint}
        assert self.ask("POST", "/devices/claims/confirm", told).body["gatewayId"] == self.gateway_id
        return claim

    def edge(self, client_id: str | None = None) -> Edge:
        """The gateway at the broker."""
        return Edge(self.deployed.aws.mqtt, self.gateway, client_id or self.gateway_id)

    def lets_expire(self, command_id: str) -> None:
        """As if the time of a command were over: nobody waits for it."""
        self._dynamo.update_item(
            TableName=self.deployed.table("CommandsTable"),
            Key={"commandId": {"S": command_id}},
            UpdateExpression="SET expiresAt = :now",
            ExpressionAttributeValues={":now": {"N": str(time.time_ns() // 1_000_000)}},
        )

    @property
    def _dynamo(self) -> Any:  # noqa: ANN401 - boto3 makes clients at run time
        return self.deployed.aws.client("dynamodb")
