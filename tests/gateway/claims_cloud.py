"""The cloud's side of a registration, written by hand from the contract: claims, a real CA, and faults on order."""

import hashlib
import json
import secrets
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self, cast

from tests.gateway.wire import server_tls

from spotty_contract.registering import CLAIM_SECRET_HEADER, ClaimAsked, RegistrationAsked

CLAIMS, REGISTER = "/api/devices/claims", "/api/devices/register"
SERVED_WITHIN_S = 60


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; `truncated` promises more bytes than come, `drips` sends one each 10 ms until the end."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    truncated: bool = False
    drips: bool = False


def as_json(status: int, value: object, **headers: str) -> Reply:
    """An answer of the API."""
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


HTML = Reply(200, b"<!doctype html><title>Hotel</title>Welcome!", {"Content-Type": "text/html"})


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    """What it writes."""
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def fingerprint_of_request(csr: bytes) -> str:
    """As the contract says it, by another way than the gateway's."""
    public = openssl("req", "-noout", "-pubkey", given=csr)
    digest = hashlib.sha256(openssl("pkey", "-pubin", "-outform", "DER", given=public)).digest()[:16]
    return ":".join(digest[at : at + 2].hex() for at in range(0, 16, 2))


class Authority:
    """Signs certificates, as AWS IoT does."""

    def __init__(self, folder: Path) -> None:
        self._key, self._certificate = folder / "authority.key", folder / "authority.pem"
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(self._key))
        openssl("req", "-x509", *key, "-subj", "/CN=Root", "-out", str(self._certificate))
        self.pem = self._certificate.read_text()

    def sign(self, csr: str) -> str:
        """A certificate for this request."""
        by = ("-CA", str(self._certificate), "-CAkey", str(self._key), "-set_serial", str(secrets.randbits(64)))
        return openssl("x509", "-req", *by, "-days", "2", given=csr.encode()).decode()


class ClaimsCloud:
    """Opens claims, is confirmed by the test, registers one gateway a key. A context manager."""

    def __init__(self, authority: Authority, *, tls: bool = False) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.cloud = self
        if tls:
            self._server.socket = server_tls().wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}/api"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.authority = authority
        self.confirmed = False
        self.poll_after_s = 1
        self.lasts_s = 600.0
        self.clock_ahead_s = 0.0
        self.fingerprint: str | None = None
        """What to name instead of the truth."""
        self.given: dict[str, Any] = {}
        """What to give instead, field by field."""
        self.replies: dict[str, deque[Reply]] = {"POST": deque(), "GET": deque()}
        """What to answer first, by method."""
        self.secrets: list[str] = []
        self.id_token = "CANARY.of-an-ID.token"  # noqa: S105 - a canary
        self.names: list[str | None] = []
        self.requests: list[str] = []
        self.asked: SimpleQueue[str] = SimpleQueue()
        """A word for each question after a claim."""
        self.gateways: dict[str, str] = {}
        """Fingerprint to gateway."""
        self._claims: dict[str, tuple[str, str]] = {}
        self.enough = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.enough.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def open(self, body: bytes) -> Reply:
        """`POST /devices/claims`."""
        csr = ClaimAsked.from_json(body).csr
        claim_id, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        self.requests.append(csr)
        self.secrets.append(secret)
        self._claims[claim_id] = (csr, secret)
        told = {
            "claimId": claim_id,
            "secret": secret,
            "code": "BCDFGHJK",
            "fingerprint": self.fingerprint or fingerprint_of_request(csr.encode()),
            "expiresAt": round((time.time() + self.clock_ahead_s + self.lasts_s) * 1000),
            "pollAfterS": self.poll_after_s,
        }
        return as_json(201, told, Date=formatdate(time.time() + self.clock_ahead_s, usegmt=True))

    def register(self, body: bytes, id_token: str | None) -> Reply:
        """`POST /devices/register`."""
        if id_token != self.id_token:
            return as_json(401, {"message": f"Unauthorized: {id_token}"})
        asked = RegistrationAsked.from_json(body)
        self.requests.append(asked.csr)
        self.names.append(asked.name)
        return as_json(200, self.registered(asked.csr, "spotty-000000000000"))

    def ask(self, claim_id: str, secret: str | None) -> Reply:
        """`GET /devices/claims/{claimId}`."""
        csr, known = self._claims.get(claim_id, ("", ""))
        if not csr or secret != known:
            return as_json(404, {"error": {"code": "not_found", "message": f"no claim for {secret}"}})
        if not self.confirmed:
            return as_json(200, {"state": "waiting"})
        gateway = self.gateways.setdefault(fingerprint_of_request(csr.encode()), f"spotty-{len(self.gateways):012}")
        return as_json(200, {"state": "registered", "registered": self.registered(csr, gateway)})

    def registered(self, csr: str, gateway: str) -> dict[str, Any]:
        """What a confirmed gateway is given."""
        return {
            "gatewayId": gateway,
            "certificatePem": self.authority.sign(csr),
            "rootCaPem": self.authority.pem,
            "region": "eu-central-1",
            "dataEndpoint": "a1b2c3-ats.iot.eu-central-1.amazonaws.com",
            "dataPort": 8883,
            "credentialsEndpoint": "c1d2e3.credentials.iot.eu-central-1.amazonaws.com",
            "roleAlias": "spotty-dev-core",
            **self.given,
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    cloud: ClaimsCloud

    def handle_error(self, request: object, client_address: object) -> None:
        """A gateway that was killed, or that has had enough."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = SERVED_WITHIN_S

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        routes: dict[str, Callable[[ClaimsCloud], Reply]] = {
            CLAIMS: lambda cloud: cloud.open(body),
            REGISTER: lambda cloud: cloud.register(body, self.headers["Authorization"]),
        }
        self._answer("POST", routes.get(self.path, lambda _: as_json(404, {})))

    def do_GET(self) -> None:
        claim_id, secret = self.path.removeprefix(f"{CLAIMS}/"), self.headers[CLAIM_SECRET_HEADER]
        self._answer("GET", lambda cloud: cloud.ask(claim_id, secret))
        self._cloud.asked.put(claim_id)

    @property
    def _cloud(self) -> ClaimsCloud:
        return cast("_Server", self.server).cloud

    def _answer(self, method: str, otherwise: Callable[["ClaimsCloud"], Reply]) -> None:
        faults = self._cloud.replies[method]
        reply = faults.popleft() if faults else otherwise(self._cloud)
        self.close_connection = True  # no kept connection holds up the end of a test
        self.send_response_only(reply.status)
        for name, value in {"Connection": "close", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) + 10 * reply.truncated))
        self.end_headers()
        for at in range(len(reply.body) if reply.drips else 0):
            if self._cloud.enough.wait(0.01):
                return
            self.wfile.write(reply.body[at : at + 1])
        if not reply.drips:
            self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        """Nothing."""
