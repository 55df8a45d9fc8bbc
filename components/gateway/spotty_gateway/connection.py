"""The way to Spotify: one session for the API and the accounts service, with one gate that every request passes.

Nothing here repeats what Spotify refused, and neither do spotipy, requests or urllib3. One thing is repeated, once: a
question that met a kept connection in the moment of its end, and so was never heard.
"""

import random
import time
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import HTTPError, ProtocolError

from spotty_gateway.errors import PlayerUnavailableError
from spotty_gateway.ports import Gate, Readiness
from spotty_gateway.refusals import RATE_WINDOW_S, TOO_MANY_REQUESTS, is_quota, retry_after_s
from spotty_gateway.sockets import CONNECT_S, READ_S, Limit, Opened, Pool, TimedTls, timed_pools, timed_tls

REQUEST_S = CONNECT_S + READ_S
"""For one request as a whole, if less is not left of the command's time."""

MOST_BYTES = 1 << 20
"""Of a body, unpacked. A list of fifty devices has some ten thousand."""
PIECE_BYTES = 16_384

LASTS_S = 60.0
"""A connection that its other side ends sooner, unused, is not opened anew at once."""
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 300.0


class OpenGate:
    """A Gate that lets everything through: for a program that makes one request because a person asked for it."""

    def enter(self) -> None:
        """Always."""

    def close(self, wait_s: float, *, quota: bool) -> None:
        """Nobody comes again."""


class Backoff:
    """Waits that double with each failure, never quite the same on two gateways."""

    def __init__(self, between: Callable[[float, float], float] = random.uniform) -> None:
        """`between` picks a number from an interval."""
        self._between = between
        self._failures = 0

    def next_s(self) -> float:
        """How long to wait after one more failure."""
        longest_s: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._failures, 16))
        self._failures += 1
        return self._between(longest_s / 2, longest_s)

    def reset(self) -> None:
        """It works again."""
        self._failures = 0


class Transport(HTTPAdapter):
    """requests' own transport on sockets that keep the limit. It retries nothing."""

    def __init__(self, limit: Limit, ca_file: str | None = None) -> None:
        """`ca_file` holds the certificates to trust instead of the world's."""
        super().__init__(pool_connections=2, pool_maxsize=1, max_retries=0)
        self._limit = limit
        self._ca_file = ca_file or DEFAULT_CA_BUNDLE_PATH
        self._tls: TimedTls | None = None
        self.opened = Opened()
        self.poolmanager.pool_classes_by_scheme = timed_pools(limit, self.opened)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: str | tuple[str, str] | None = None
    ) -> tuple[Any, Any]:
        """As ever, but with our TLS."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            self._tls = self._tls or timed_tls(self._limit, self._ca_file)
            return host, {"ssl_context": self._tls}
        return host, pool

    def cert_verify(self, *_: object, **__: object) -> None:
        """Nothing: our TLS knows whom to trust, and would read the certificates again for each connection."""

    def kept(self, url: str, *, open_it: bool) -> int | None:
        """The file descriptor of the connection to the service at `url`; None where there is none.

        Opens it where asked to; that may raise OSError or urllib3's HTTPError.
        """
        pool = self.get_connection_with_tls_context(requests.Request("GET", url).prepare(), verify=True)
        if not isinstance(pool, Pool):
            raise TypeError("a pool that is not ours")
        connection = pool.kept()
        if connection.is_closed and open_it:
            connection.connect()
        return None if connection.sock is None else connection.sock.fileno()


class _Guarded(BaseAdapter):
    """What every request passes, whoever makes it: the gate, and the gate again when Spotify has had enough."""

    def __init__(self, transport: BaseAdapter, gate: Gate) -> None:
        super().__init__()
        self._transport = transport
        self._gate = gate

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - the body is read here in any case
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: Any = None,  # noqa: ANN401 - as requests has it; we have none
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Raises PlayerLimitError where the gate is closed."""

        def send() -> requests.Response:
            self._gate.enter()
            return self._transport.send(request, True, timeout, verify, cert, proxies)

        opened = self._opened()
        response = None
        try:
            response = send()
        except requests.ConnectionError as error:
            met_its_end = isinstance(error.args[0], ProtocolError) if error.args else False
            if not met_its_end or request.method != "GET" or self._opened() is None or self._opened() != opened:
                raise
        if response is None:
            response = send()
        try:
            _read(response)
        finally:  # cut off or too long: its header counts all the same
            self._heed(response)
        return response

    def close(self) -> None:
        """Give the connections up."""
        self._transport.close()

    def _opened(self) -> int | None:
        return self._transport.opened.count if isinstance(self._transport, Transport) else None

    def _heed(self, response: requests.Response) -> None:
        """Close the gate where Spotify has had enough, or names a wait for any other cause."""
        wait_s = retry_after_s(response.headers)
        if response.status_code == TOO_MANY_REQUESTS:
            quota = is_quota(response.text)
            self._gate.close(wait_s or (0.0 if quota else RATE_WINDOW_S), quota=quota)
        elif wait_s:
            self._gate.close(wait_s, quota=False)


def _read(response: requests.Response) -> None:
    """Read the body, unpacked, as requests would do it, but no more than MOST_BYTES of it.

    Raises what requests raises on the way, and PlayerUnavailableError.
    """
    body = bytearray()
    try:
        for piece in response.iter_content(PIECE_BYTES):
            body += piece
            if len(body) > MOST_BYTES:
                response.close()
                raise PlayerUnavailableError(
                    "Spotify's answer is too long to be one; it is tried again", maybe_obeyed=True
                )
    finally:
        # What requests does itself, which has no other way to give a body back; cut off, it is what there is.
        vars(response).update(_content=bytes(body), _content_consumed=True)


class Connection:
    """For one thread. `session` makes the requests; in between `get_ready` keeps a connection to the API open."""

    def __init__(
        self,
        api_url: str,
        gate: Gate,
        *,
        transport: HTTPAdapter | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        ca_file: str | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """`transport` carries the requests instead of sockets; `ca_file` names certificates to trust instead."""
        self.limit = Limit(monotonic_s)
        self.session = requests.Session()
        self.session.trust_env = False  # no .netrc lookup per request, no proxy from whoever started us
        self.session.max_redirects = 0  # Spotify's API sends nobody elsewhere, the login page of a hotel's network does
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # a gateway is no browser
        self._own: Transport | None = None
        if transport is None:
            transport = self._own = Transport(self.limit, ca_file)
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, _Guarded(transport, gate))
        self._api_url = api_url
        self._monotonic_s = monotonic_s
        self._backoff = backoff or Backoff()
        self._opened_s: float | None = None
        self._not_before_s = float("-inf")

    def close(self) -> None:
        """Give the connections up."""
        self.session.close()

    def get_ready(self) -> Readiness:
        """Have a connection to the API open, TLS and all, without a request. Raises nothing."""
        if self._own is None:
            return Readiness()
        kept = self._own.kept(self._api_url, open_it=False)
        now_s = self._monotonic_s()
        if kept is not None:
            self._opened_s = now_s if self._opened_s is None else self._opened_s
            return Readiness(watch_fd=kept)
        if self._opened_s is not None:
            self._note_end(now_s, now_s - self._opened_s)
        if now_s < self._not_before_s:
            return Readiness(again_in_s=self._not_before_s - now_s)
        try:
            kept = self._own.kept(self._api_url, open_it=True)
        except (OSError, HTTPError):  # the next command says why, if it is still so
            wait_s = self._backoff.next_s()
            self._not_before_s = now_s + wait_s
            return Readiness(again_in_s=wait_s)
        self._opened_s = now_s
        return Readiness(watch_fd=kept)

    def _note_end(self, now_s: float, lasted_s: float) -> None:
        self._opened_s = None
        if lasted_s >= LASTS_S:
            self._backoff.reset()
        else:
            self._not_before_s = now_s + self._backoff.next_s()
