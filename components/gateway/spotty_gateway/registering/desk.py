"""The cloud's desk for new gateways: a claim is opened there, and asked after with its secret.

Each question is asked once; whoever asks decides whether to ask again. Secrets travel in headers, and stand in no
message.
"""

import ipaddress
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import requests

from spotty_contract.registering import (
    CLAIM_LASTS_S,
    CLAIM_SECRET_HEADER,
    ClaimAsked,
    ClaimOpened,
    ClaimStanding,
    Registered,
    RegistrationAsked,
)
from spotty_contract.wire import Wire
from spotty_gateway.connection import REQUEST_S, Transport
from spotty_gateway.registering.answers import Answer, read, said_at, trouble, unreachable
from spotty_gateway.registering.errors import CannotHereError, NotConfirmedError
from spotty_gateway.sockets import Limit

MOST_BYTES = 65_536
"""Of an answer. The longest true one has some ten thousand."""
PIECE_BYTES = 8_192

DEBIAN_S_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")

_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]")


@dataclass(frozen=True, slots=True)
class Opened:
    """A claim, and for how long it can be confirmed by the cloud's own clock: this computer's may be wrong."""

    claim: ClaimOpened
    left_s: float


class Desk:
    """A context manager, for one thread."""

    def __init__(
        self,
        api_url: str,
        request_s: float = REQUEST_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`request_s` is for one question as a whole. Raises CannotHereError where the address cannot be one."""
        self._url = read_address(api_url)
        self._request_s = request_s
        self._limit = Limit(monotonic_s)
        self._session = requests.Session()
        self._session.trust_env = False  # no .netrc, no proxy from whoever started us
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, Transport(self._limit, authorities()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def open(self, signing_request: str) -> Opened:
        """A new claim for this signing request. Raises CloudTroubleError."""
        answer = self._ask("POST", "/devices/claims", body=ClaimAsked(csr=signing_request))
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise trouble(answer)
        claim = read(ClaimOpened, answer)
        left_s = claim.expires_at / 1000 - (said_at(answer) or time.time())
        return Opened(claim, min(max(left_s, 0.0), CLAIM_LASTS_S))

    def ask(self, claim: ClaimOpened) -> ClaimStanding:
        """How far it has come. Raises NotConfirmedError where it is over, else CloudTroubleError."""
        answer = self._ask("GET", f"/devices/claims/{claim.claim_id}", secret={CLAIM_SECRET_HEADER: claim.secret})
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise NotConfirmedError("the cloud knows this code no more: run this again for a new one")
        if answer.status != HTTPStatus.OK:
            raise trouble(answer, claim.secret)
        return read(ClaimStanding, answer)

    def register(self, asked: RegistrationAsked, id_token: str) -> Registered:
        """In one step, for the owner whose token this is. Raises CannotHereError, CloudTroubleError."""
        answer = self._ask("POST", "/devices/register", body=asked, secret={"Authorization": id_token})
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise CannotHereError("the cloud does not take this ID token: sign in again, they last an hour")
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise trouble(answer, id_token)
        return read(Registered, answer)

    def _ask(
        self, method: str, path: str, *, body: Wire | None = None, secret: Mapping[str, str] | None = None
    ) -> Answer:
        """`secret` is a header."""
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "spotty",
            **(secret or {}),
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._limit.within(self._request_s)
        try:
            with self._session.request(
                method,
                f"{self._url}{path}",
                data=None if body is None else body.to_json().encode(),
                headers=headers,
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(response.status_code, response.headers, _bounded(response))
        except requests.RequestException as error:
            failure = unreachable(error)
        # Raised out here, so that it drags nothing along: the error's request holds the secret.
        raise failure


def read_address(api_url: str) -> str:
    """The API's root without a slash at its end: https, or http on this computer. Raises CannotHereError."""
    wrong = f"{api_url[:200]!r} is no address of an API"
    try:
        parts = urlsplit(api_url)
        port = parts.port
    except ValueError:
        raise CannotHereError(f"{wrong}: like https://d111.example/api") from None
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    plain = api_url.isascii() and api_url.isprintable() and " " not in api_url
    if not plain or parts.query or parts.fragment or not _HOST.fullmatch(host):
        raise CannotHereError(f"{wrong}: like https://d111.example/api, with nothing before or after")
    if parts.scheme == "http" and not _is_here(parts.hostname or ""):
        raise CannotHereError(f"{wrong}: it must be https, http is for an API on this computer only")
    if parts.scheme not in {"http", "https"}:
        raise CannotHereError(f"{wrong}: like https://d111.example/api")
    return api_url.rstrip("/")


def authorities() -> str | None:
    """The system's file of certificate authorities; None where it has none, and requests' own are used."""
    found = ssl.get_default_verify_paths().cafile or DEBIAN_S_AUTHORITIES
    return str(found) if Path(found).is_file() else None


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bounded(response: requests.Response) -> bytes:
    body = bytearray()
    for piece in response.iter_content(PIECE_BYTES):
        body += piece
        if len(body) > MOST_BYTES:
            raise requests.exceptions.ContentDecodingError("too long")
    return bytes(body)
