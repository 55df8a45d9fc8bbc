"""urllib3's connections with a limit that holds: name, connecting, TLS, each header and each byte share one instant.

A read timeout alone is none: who sends a byte every nine seconds never meets one of ten. Here every wait of a socket is
for what is left of the limit, at the price of a system call for each.
"""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from socket import (
    IPPROTO_TCP,
    SO_KEEPALIVE,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_NODELAY,
    TCP_USER_TIMEOUT,
    gaierror,
    socket,
)
from typing import Any, ClassVar, Protocol, cast

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import wait_for_read

from spotty_gateway.names import Names

CONNECT_S, READ_S = 3.0, 10.0
"""For each of name, connection and TLS; for each read of an answer."""

OPTIONS = (
    (IPPROTO_TCP, TCP_NODELAY, 1),
    # The kernel asks whether anybody is there, so that a router does not forget us; nobody is woken for it here.
    (SOL_SOCKET, SO_KEEPALIVE, 1),
    (IPPROTO_TCP, TCP_KEEPIDLE, 30),
    (IPPROTO_TCP, TCP_KEEPINTVL, 10),
    (IPPROTO_TCP, TCP_KEEPCNT, 3),
    (IPPROTO_TCP, TCP_USER_TIMEOUT, 20_000),  # ms that something sent may stay unacknowledged
)


class Limit:
    """The instant by which everything has to be done."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._until_s = float("inf")

    def within(self, seconds: float) -> None:
        """From now on, everything together."""
        self._until_s = self._monotonic_s() + seconds

    @contextlib.contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Inside, this long and no longer than outside."""
        outside_s = self._until_s
        self._until_s = min(outside_s, self._monotonic_s() + seconds)
        try:
            yield
        finally:
            self._until_s = outside_s

    def left_s(self) -> float:
        """What is left; 0 or less where nothing is."""
        return self._until_s - self._monotonic_s()

    def patience_s(self, longest_s: float) -> float:
        """How long to wait for one thing. Raises TimeoutError where no time is left."""
        left_s = self.left_s()
        if left_s <= 0:
            raise TimeoutError("no time is left")
        return min(left_s, longest_s)


@dataclass
class Opened:
    """How many connections were made."""

    count: int = 0


class _TimedSocket(socket):
    limit: Limit

    def recv_into(self, *arguments: Any, **named: Any) -> int:  # noqa: ANN401 - as the socket takes them
        self.settimeout(self.limit.patience_s(READ_S))
        return super().recv_into(*arguments, **named)

    def sendall(self, *arguments: Any) -> None:  # noqa: ANN401 - as the socket takes them
        self.settimeout(self.limit.patience_s(READ_S))
        super().sendall(*arguments)


class _TimedTlsSocket(ssl.SSLSocket):
    @property
    def _limit(self) -> Limit:
        return cast("TimedTls", self.context).limit

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(self._limit.patience_s(CONNECT_S))
        super().do_handshake(block)

    def recv_into(self, *arguments: Any, **named: Any) -> int:  # noqa: ANN401 - as the socket takes them
        self.settimeout(self._limit.patience_s(READ_S))
        return super().recv_into(*arguments, **named)

    def sendall(self, *arguments: Any) -> None:  # noqa: ANN401 - as the socket takes them
        self.settimeout(self._limit.patience_s(READ_S))
        super().sendall(*arguments)


class TimedTls(ssl.SSLContext):
    """TLS as a client, the server's name and certificate verified, within a limit."""

    sslsocket_class = _TimedTlsSocket
    limit: Limit


def timed_tls(limit: Limit, ca_file: str) -> TimedTls:
    """`ca_file` holds the certificates to trust; reading the world's takes some ten milliseconds."""
    context = TimedTls(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.limit = limit
    context.load_verify_locations(ca_file)
    return context


class _Urllib3(Protocol):
    """What urllib3's connections have."""

    sock: socket | None


class _Timed:
    """One of urllib3's connections, in time and with eyes for its end."""

    limit: ClassVar[Limit]
    names: ClassVar[Names]
    opened: ClassVar["Opened"]

    def connect(self) -> None:
        """What fails here has not left this computer: it is told so, also where TLS is what failed."""
        here = cast("HTTPConnection", self)
        try:
            super().connect()  # type: ignore[misc]  # one of urllib3's stands behind this class
        except TimeoutError as error:
            here.close()
            raise ConnectTimeoutError(here, f"Connecting to {here.host} took too long") from error
        except ssl.SSLError:
            here.close()
            raise
        except OSError as error:
            here.close()
            raise NewConnectionError(here, f"Failed to establish a new connection: {error}") from error
        self.opened.count += 1

    def _new_conn(self) -> socket:
        here = cast("HTTPConnection", self)
        try:
            addresses = self.names.look_up(here.host, here.port, self.limit.patience_s(CONNECT_S))
        except gaierror as error:
            raise NameResolutionError(here.host, here, error) from error
        failure: OSError = gaierror("the name has no address")
        for number, (family, kind, protocol, address) in enumerate(addresses):
            share_s = self.limit.patience_s(CONNECT_S) / (len(addresses) - number)
            connecting = _TimedSocket(family, kind, protocol)
            connecting.limit = self.limit
            try:
                for option in OPTIONS:
                    connecting.setsockopt(*option)
                connecting.settimeout(share_s)
                connecting.connect(address)
            except OSError as error:
                connecting.close()
                failure = error
            else:
                return connecting
        raise failure

    @property
    def is_connected(self) -> bool:
        """Whether the other side is still there, as far as this one has heard."""
        found = cast("_Urllib3", self).sock
        return found is not None and _is_quiet(found)


def _is_quiet(idle: socket) -> bool:
    """Whether nothing has come that ends the connection. What TLS says on its own account is read on the way.

    A server's session tickets come after the handshake; urllib3 would take them for the end of an unused connection.
    """
    if not wait_for_read(idle, timeout=0.0):
        return True
    if not isinstance(idle, ssl.SSLSocket):
        return False
    idle.settimeout(0.0)
    try:
        idle.recv(1)
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False
    return False  # its end, or words that nobody asked for


class Pool:
    """A pool whose connection can be had before it is needed."""

    def kept(self) -> HTTPConnection:
        """The connection that the next request will use; closed, if its other side has left."""
        pool = cast("HTTPConnectionPool", self)
        connection = pool._get_conn()  # noqa: SLF001 - of itself: urllib3 has no other way to look at it
        pool._put_conn(connection)  # noqa: SLF001 - see above
        return cast("HTTPConnection", connection)


def timed_pools(limit: Limit, opened: Opened) -> dict[str, type[HTTPConnectionPool]]:
    """Pools by scheme, for urllib3's pool manager. Their connections keep the limit, and count themselves."""

    class Here(_Timed):
        pass

    Here.limit, Here.names, Here.opened = limit, Names(), opened

    class Plain(Here, HTTPConnection):
        pass

    class Tls(Here, HTTPSConnection):
        pass

    class PlainPool(Pool, HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(Pool, HTTPSConnectionPool):
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}
