"""The local AWS as one thing: started and ended as a block, and everything that a test or the demo does with it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from . import people, things
from .clients import ROOT, Clients, Credentials
from .deployment import Deployment, Stack
from .errors import LocalAwsError
from .readiness import broker_authority
from .server import Server
from .setting import REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_PATIENCE_S = 10.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Mqtt:
    """Where the broker is, and who signs for it."""

    host: str
    port: int
    ca: Path


class LocalAws:
    """An AWS in `folder` while the block runs; what is in it is there again the next time.

    Where `spotty-sandbox aws up` has started one in this folder, it is that one, and it runs on after the block.

    It listens on the loopback only, on ports of its own. Everything raises LocalAwsError with one line for a person.
    What it is doing is told to `tell`.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None] = lambda _line: None) -> None:
        self._folder = folder.resolve()
        self._tell = tell
        self._up: tuple[Server, Clients] | None = None

    def __enter__(self) -> Self:
        server = Server.attach(self._folder)
        if server is None:
            self._tell("the local AWS starts")
            server = Server.start(self._folder)
        self._up = server, Clients(f"http://127.0.0.1:{server.running.http_port}", REGION)
        self._tell(f"the local AWS is at {self.endpoint_url}, MQTT on port {server.running.mqtt_port}")
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        server, clients = self._server, self._clients
        self._up = None
        clients.close()
        try:
            server.stop()
        except LocalAwsError as ending:
            if error is None:
                raise
            error.add_note(str(ending))  # most likely the reason

    @property
    def region(self) -> str:
        """The one region."""
        return REGION

    @property
    def endpoint_url(self) -> str:
        """Where every service is."""
        return self._clients.endpoint_url

    @property
    def pid(self) -> int:
        """The process."""
        return self._server.running.process.pid

    @property
    def mqtt(self) -> Mqtt:
        """The broker, mutual TLS."""
        running = self._server.running
        ca = self._folder / "broker-ca.pem"
        ca.write_bytes(broker_authority(running.http_port, _PATIENCE_S))
        return Mqtt("127.0.0.1", running.mqtt_port, ca)

    def check(self) -> None:
        """Raises LocalAwsError if it has ended by itself, with what it said last."""
        self._server.check()

    def until(self, is_so: Callable[[], bool], longest_s: float = 20.0) -> None:
        """Wait for something that happens in there by itself. Raises LocalAwsError if it does not, or if that ends."""
        until = time.monotonic() + longest_s
        while not is_so():
            self.check()
            if time.monotonic() > until:
                raise LocalAwsError(f"what was waited for did not happen in {longest_s:.0f} s")
            time.sleep(_LOOK_EVERY_S)

    def credentials(self, role_arn: str | None = None) -> Credentials:
        """Root's, or an hour as a role."""
        return ROOT if role_arn is None else self._clients.role(role_arn, "local")

    def client(self, service: str, credentials: Credentials = ROOT) -> Any:  # noqa: ANN401 - boto3 makes them at run time
        """A boto3 client, closed at the end of the block."""
        return self._clients.client(service, credentials)

    def deploy(
        self,
        template: Path,
        parameters: Mapping[str, str] | None = None,
        artifacts: Mapping[str, Path] | None = None,
        *,
        stack: str = "spotty",
    ) -> Stack:
        """Make the stack as the template says, or change it so; SAM templates too.

        `artifacts`: for each function, by logical id, its code: a zip or a folder.
        """
        self.check()
        return Deployment(self.client, stack, self._tell).deploy(template, parameters or {}, artifacts or {})

    def seed_user(self, email: str, pool_id: str, password: str | None = None) -> people.Person:
        """Somebody with this address, signed in; the tokens are of an app client that is made for this.

        Without a password they get a new one.
        """
        return people.seed(self.client("cognito-idp"), email, pool_id, password)

    def gateway_certificate(
        self, thing: str, policies: Sequence[str], folder: Path, thing_type: str | None = None
    ) -> things.GatewayCertificate:
        """Register a thing, with its key and certificate in `folder`."""
        return things.register(self.client("iot"), thing, policies, folder, self.mqtt.ca, thing_type=thing_type)

    @property
    def _server(self) -> Server:
        return self._running[0]

    @property
    def _clients(self) -> Clients:
        return self._running[1]

    @property
    def _running(self) -> tuple[Server, Clients]:
        if self._up is None:
            raise LocalAwsError("the local AWS is not running: use it inside its `with` block")
        return self._up
