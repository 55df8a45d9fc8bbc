"""Real sockets on both sides; the servers do what servers on the way to Spotify do."""

import gzip
import select
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from tests.gateway.account import CLIENT_ID, Household, a_household
from tests.gateway.wire import CERTIFICATE, Listener, answer, drip, relay_to

from spotty_gateway.connection import FIRST_WAIT_S, LASTS_S, LONGEST_WAIT_S, MOST_BYTES, Backoff, Connection, OpenGate
from spotty_gateway.errors import PlayerError, PlayerLimitError, PlayerUnavailableError
from spotty_gateway.names import Address, Names
from spotty_gateway.sockets import Limit
from spotty_gateway.spotify import SpotifyPlayer
from spotty_sandbox.spotify import Answer, Fault, RunningClock, SpotifySimulator, demo_world, rate_limited, refused

TRUSTED = str(CERTIFICATE)


@dataclass
class Gatekeeper:
    """A Gate that remembers."""

    opens_in_s: float = 0.0
    entered: int = 0
    closed: list[tuple[float, bool]] = field(default_factory=list)

    def enter(self) -> None:
        """Count, or refuse."""
        if self.opens_in_s:
            raise PlayerLimitError("not now", self.opens_in_s)
        self.entered += 1

    def close(self, wait_s: float, *, quota: bool) -> None:
        """Remember."""
        self.closed.append((wait_s, quota))


@dataclass
class Mono:
    """A monotonic clock that stands still until it is moved."""

    s: float = 1000.0

    def __call__(self) -> float:
        """Monotonic seconds."""
        return self.s


@contextmanager
def connected(url: str, **more: object) -> Iterator[Connection]:
    """A connection to a server of the test, with waits that are the longest that can be."""
    given = {"backoff": Backoff(lambda _, longest: longest), "ca_file": TRUSTED, **more}
    connection = Connection(url, OpenGate(), **given)  # type: ignore[arg-type]  # of the constructor's own
    yield connection
    connection.close()


def yes(listener: list[Listener]) -> Callable[[socket.socket, int], None]:
    """Serve every request with 204."""

    def serve(connection: socket.socket, _: int) -> None:
        while listener[0].request_on(connection):
            connection.sendall(answer())

    return serve


@contextmanager
def polite(*, tls: bool = False) -> Iterator[Listener]:
    """A server that says yes to everything."""
    itself: list[Listener] = []
    itself.append(Listener(yes(itself), tls=tls))
    with itself[0]:
        yield itself[0]


@contextmanager
def scripted(*answers: bytes | None) -> Iterator[Listener]:
    """A server that has these answers for its requests, in order; None: it hangs up instead."""
    left = list(answers)
    itself: list[Listener] = []

    def serve(connection: socket.socket, _: int) -> None:
        while itself[0].request_on(connection):
            said = left.pop(0)
            if said is None:
                return
            connection.sendall(said)

    itself.append(Listener(serve))
    with itself[0]:
        yield itself[0]


def is_readable(descriptor: int | None, within_s: float) -> bool:
    """Whether whoever sleeps on it wakes up."""
    assert descriptor is not None
    return bool(select.select([descriptor], [], [], within_s)[0])


# Nothing is repeated


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_what_a_server_refuses_is_not_repeated(status: int, method: str) -> None:
    """One request, one answer, whatever it is: neither requests nor urllib3 asks again."""
    with scripted(answer(status, b"", "Retry-After: 1")) as server, connected(server.url) as connection:
        assert connection.session.request(method, server.url).status_code == status
        assert len(server.heard) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_spotipy_repeats_nothing_either(home: Household, status: int) -> None:
    """The same through spotipy, which would by itself ask four times and sleep in between."""
    home.simulator.inject(refused("* *", status, "no", times=None, retry_after_s=1))
    for do in (home.player.look, lambda: home.player.pause(None)):
        with pytest.raises(PlayerError):
            do()
    assert home.asked() == ["look", "pause"]


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_new_connection_that_breaks_is_not_repeated(method: str) -> None:
    """A server that hangs up on the first request of a connection has heard it: once is enough."""
    with scripted(None) as server, connected(server.url) as connection:
        with pytest.raises(requests.ConnectionError):
            connection.session.request(method, server.url)
        assert (server.connections, len(server.heard)) == (1, 1)


def test_a_redirect_leads_nowhere() -> None:
    """Nobody is sent elsewhere, with a token in hand."""
    with scripted(answer(302, b"", "Location: /elsewhere")) as server, connected(server.url) as connection:
        with pytest.raises(requests.TooManyRedirects):
            connection.session.get(server.url)
        assert len(server.heard) == 1


def test_nothing_is_taken_from_the_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy, no .netrc and no cookie: what was sent is what we meant to send."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with (
        scripted(answer(204, b"", "Set-Cookie: a=b"), answer()) as server,
        connected(server.url) as connection,
    ):
        for _ in range(2):
            sent = connection.session.get(server.url).request.headers
            assert not {"Authorization", "Cookie"} & set(sent)


# A kept connection, and its end


def test_a_connection_that_ended_in_idle_time_is_replaced() -> None:
    """A server that hung up while nobody asked is asked on a new connection, once."""
    for method in ("GET", "PUT"):
        with polite() as server, connected(server.url) as connection:
            connection.session.request(method, server.url)
            watch_fd = connection.get_ready().watch_fd
            server.hang_up()
            assert is_readable(watch_fd, 10)
            connection.session.request(method, server.url)
            assert (server.connections, len(server.heard)) == (2, 2)


def test_a_question_that_met_the_end_of_its_connection_is_asked_again() -> None:
    """The server hangs up just as a question arrives on a kept connection: it is asked anew, once, on another."""
    with scripted(answer(), None, answer()) as server, connected(server.url) as connection:
        assert [connection.session.get(server.url).status_code for _ in range(2)] == [204, 204]
        assert (server.connections, len(server.heard)) == (2, 3)
    with scripted(answer(), None, None) as server, connected(server.url) as connection:
        connection.session.get(server.url)
        with pytest.raises(requests.ConnectionError):
            connection.session.get(server.url)
        assert (server.connections, len(server.heard)) == (2, 3)


def test_a_command_that_met_the_end_of_its_connection_may_have_been_obeyed(home: Household) -> None:
    """The same with a command: it is not repeated, and its error says that nobody knows."""
    with scripted(answer(), None) as server:
        player = SpotifyPlayer(CLIENT_ID, home.tokens, server.url, server.url, lambda: home.clock.now_ms() / 1000)
        player.pause(None)
        with pytest.raises(PlayerUnavailableError) as raised:
            player.pause(None)
        player.close()
        assert raised.value.maybe_obeyed
        assert len(server.heard) == 2


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_can_be_had_before_it_is_needed(tls: bool) -> None:
    """Opened ahead without a request, TLS and its late session tickets included; the first request uses it."""
    with polite(tls=tls) as server, connected(server.url) as connection:
        ready = connection.get_ready()
        assert ready.again_in_s is None
        if tls:
            assert is_readable(ready.watch_fd, 10)  # the tickets: read on the way, no end
        assert connection.get_ready().watch_fd == ready.watch_fd
        assert not is_readable(ready.watch_fd, 0)
        connection.session.get(server.url)
        assert (server.connections, server.heard) == (1, ["GET / HTTP/1.1"])
        assert connection.get_ready().watch_fd == ready.watch_fd


@pytest.mark.parametrize("tls", [False, True])
def test_the_end_of_a_connection_wakes_and_is_mended(tls: bool) -> None:
    """When the server hangs up, the descriptor becomes readable, and getting ready opens another."""
    mono = Mono()
    with polite(tls=tls) as server, connected(server.url, monotonic_s=mono) as connection:
        connection.get_ready()
        mono.s += LASTS_S
        connection.session.get(server.url)
        watch_fd = connection.get_ready().watch_fd
        server.hang_up()
        assert is_readable(watch_fd, 10)
        assert connection.get_ready().watch_fd is not None
        connection.session.get(server.url)
        assert (server.connections, len(server.heard)) == (2, 2)


def test_a_server_that_hangs_up_at_once_is_not_pestered() -> None:
    """A connection that did not last is opened anew after a wait, which doubles, and is short again once one lasts."""
    mono = Mono()
    with polite() as server, connected(server.url, monotonic_s=mono) as connection:
        waits = []
        for lasted_s in (1, 1, 1, LASTS_S, 1):
            watch_fd = connection.get_ready().watch_fd
            server.hang_up()
            assert is_readable(watch_fd, 10)
            mono.s += lasted_s
            again_in_s = connection.get_ready().again_in_s
            waits.append(again_in_s)
            mono.s += again_in_s or 0
        assert waits == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S, None, FIRST_WAIT_S]


def test_a_network_that_is_down_is_tried_now_and_then() -> None:
    """Without anybody there the waits grow from seconds to minutes; a call in between opens the connection itself."""
    mono = Mono()
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    with connected(url, monotonic_s=mono) as connection:
        waits = []
        for _ in range(8):
            waits.append(connection.get_ready().again_in_s or 0)
            assert connection.get_ready().again_in_s == waits[-1]  # asked too early: nothing is tried
            mono.s += waits[-1]
    assert waits == [5, 10, 20, 40, 80, 160, LONGEST_WAIT_S, LONGEST_WAIT_S]


def test_waits_are_not_the_same_everywhere() -> None:
    """A thousand gateways do not come back in the same second."""
    assert len({Backoff().next_s() for _ in range(20)}) > 10
    assert all(FIRST_WAIT_S / 2 <= Backoff().next_s() <= FIRST_WAIT_S for _ in range(20))


def test_the_kernel_watches_an_idle_connection() -> None:
    """Keep-alive after half a minute without a wake-up of ours, no Nagle, and an end to what stays unacknowledged."""
    with polite() as server, connected(server.url) as connection:
        watch_fd = connection.get_ready().watch_fd
        assert watch_fd is not None
        with socket.socket(fileno=watch_fd) as seen:
            found = [
                seen.getsockopt(level, option)
                for level, option in (
                    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                    (socket.IPPROTO_TCP, socket.TCP_NODELAY),
                    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
                )
            ]
            seen.detach()
    assert found == [1, 30, 1, 20_000]


# A limit that holds

SLOW = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100 + b"\r\nContent-Length: 100\r\n\r\n" + b"y" * 100
"""At ten milliseconds a byte, longer than any limit here; it comes to its end all the same."""


@pytest.mark.parametrize("at_once", [0, SLOW.index(b"\r\n\r\n") + 4])
@pytest.mark.parametrize("tls", [False, True])
def test_an_answer_that_drips_is_cut_off(home: Household, at_once: int, tls: bool) -> None:
    """A byte of headers, or of the body, every hundredth of a second: no wait is long, yet the whole is bounded."""
    done = threading.Event()

    def serve(connection: socket.socket, _: int) -> None:
        server.request_on(connection)
        connection.sendall(SLOW[:at_once])
        drip(connection, SLOW[at_once:], done)

    with Listener(serve, tls=tls) as server:
        player = SpotifyPlayer(
            CLIENT_ID, home.tokens, server.url, server.url, lambda: home.clock.now_ms() / 1000, ca_file=TRUSTED
        )
        player.within(0.2)
        with pytest.raises(PlayerUnavailableError, match="cannot be reached") as raised:
            player.pause(None)
        assert raised.value.maybe_obeyed
        with pytest.raises(PlayerUnavailableError, match="took too long"):
            player.pause(None)
        assert len(server.heard) == 1
        done.set()
        player.close()


def test_a_handshake_that_drips_is_cut_off(home: Household) -> None:
    """TLS that would take a second, a few bytes at a time, is given up in the midst, and nothing was obeyed."""
    ended: list[str] = []

    def serve(near: socket.socket, _: int) -> None:
        with socket.create_connection(("127.0.0.1", real.port)) as far:
            far.sendall(near.recv(65536))
            drip(near, far.recv(65536), threading.Event(), piece=16)
            ended.append("the handshake")

    with polite(tls=True) as real:
        with Listener(serve) as server:
            url = f"https://127.0.0.1:{server.port}"
            player = SpotifyPlayer(
                CLIENT_ID, home.tokens, url, url, lambda: home.clock.now_ms() / 1000, ca_file=TRUSTED
            )
            player.within(0.2)
            with pytest.raises(PlayerUnavailableError) as raised:
                player.pause(None)
            assert not raised.value.maybe_obeyed
            player.close()
        assert ended == []


def test_a_resolver_that_hangs_is_not_waited_for() -> None:
    """The limit holds for names too; what is known from before is used, and a new answer replaces it."""
    held = threading.Event()
    answers: list[list[Address]] = [[(2, 1, 6, ("192.0.2.1", 443))], [(2, 1, 6, ("192.0.2.2", 443))]]

    def ask(_: str, __: int) -> list[Address]:
        if len(answers) < 2:
            held.wait(10)
        return answers.pop(0) if answers else []

    names = Names(ask)
    assert names.look_up("api", 443, 10)[0][3][0] == "192.0.2.1"
    assert names.look_up("api", 443, 0.05)[0][3][0] == "192.0.2.1"
    with pytest.raises(TimeoutError):
        names.look_up("accounts", 443, 0.05)
    held.set()


def test_a_limit_inside_a_limit() -> None:
    """A part may have less than the whole, never more; afterwards the whole goes on."""
    mono = Mono()
    limit = Limit(mono)
    limit.within(10)
    with limit.at_most(3):
        assert limit.left_s() == 3
    with limit.at_most(30):
        assert limit.left_s() == 10
    mono.s += 10
    with pytest.raises(TimeoutError):
        limit.patience_s(1)


def test_a_stranger_s_certificate_is_refused(home: Household) -> None:
    """A server whose certificate nobody vouches for gets no request, and the line says what else to look after."""
    with polite(tls=True) as server:
        player = SpotifyPlayer(CLIENT_ID, home.tokens, server.url, server.url, lambda: home.clock.now_ms() / 1000)
        with pytest.raises(PlayerUnavailableError, match="check the network, and this computer's date") as raised:
            player.pause(None)
        player.close()
        assert not raised.value.maybe_obeyed
        assert server.heard == []


# The gate


@pytest.fixture
def gate() -> Gatekeeper:
    """Open, and of good memory."""
    return Gatekeeper()


@pytest.fixture
def guarded(tmp_path: Path, gate: Gatekeeper) -> Iterator[Household]:
    """A household behind that gate."""
    household = a_household(tmp_path, gate)
    yield household
    household.player.close()
    household.simulator.stop()


def test_every_request_passes_the_gate(guarded: Household, gate: Gatekeeper) -> None:
    """Looks, commands, renewals and repetitions are counted one by one; getting ready without need is none."""
    guarded.player.look()
    guarded.call(lambda world: world.auth.expire_access_tokens())
    guarded.player.look()
    assert guarded.asked() == ["look", "look", "token", "look"]
    assert gate.entered == 4
    guarded.player.get_ready()
    assert gate.entered == 4


def test_a_question_asked_again_passes_the_gate_again(gate: Gatekeeper) -> None:
    """Also the second chance of a question that met the end of its connection is counted."""
    with scripted(answer(), None, answer()) as server:
        connection = Connection(server.url, gate)
        for _ in range(2):
            connection.session.get(server.url)
        connection.close()
        assert gate.entered == len(server.heard) == 3


@pytest.mark.parametrize("expired", [False, True])
def test_a_closed_gate_lets_nothing_out(guarded: Household, gate: Gatekeeper, expired: bool) -> None:
    """Its refusal comes through spotipy as it is, for the API and for the token endpoint, and nothing was asked."""
    if expired:
        guarded.clock.advance_ms(3_600_000)
    gate.opens_in_s = 77.0
    with pytest.raises(PlayerLimitError, match="not now") as raised:
        guarded.player.look()
    assert raised.value.retry_after_s == 77
    if expired:
        assert guarded.player.get_ready().again_in_s == 77
    assert guarded.asked() == []


@pytest.mark.parametrize(
    "fault, closed",
    [
        (rate_limited(17), (17.0, False)),
        (rate_limited(None), (30.0, False)),
        (refused("* *", 429, "slow down", "QUOTA_EXCEEDED"), (0.0, True)),
        (refused("* *", 429, "Daily quota exceeded", retry_after_s=86_400), (86_400.0, True)),
        (Fault("string", "* *", times=1, answer=Answer(429, b'{"error":"QUOTA_EXCEEDED"}')), (0.0, True)),
        (
            Fault(
                "cut", "* *", times=1, ending="truncate", answer=rate_limited(5).answer, headers={"retry-after": "5"}
            ),
            (5.0, False),
        ),
    ],
)
@pytest.mark.parametrize("do", ["look", "pause", "token"])
def test_a_limit_closes_the_gate(
    guarded: Household, gate: Gatekeeper, fault: Fault, closed: tuple[float, bool], do: str
) -> None:
    """A 429 of either service, with a wait or without, of the rate or of the day's quota, whole or cut off."""
    if do == "token":
        guarded.clock.advance_ms(3_600_000)
        fault = Fault(
            fault.name, "POST /api/token", 0, 1, answer=fault.answer, headers=fault.headers, ending=fault.ending
        )
    guarded.simulator.inject(fault)
    with pytest.raises(PlayerUnavailableError):
        guarded.player.pause(None) if do == "pause" else guarded.player.look()
    assert gate.closed == [closed]


@pytest.mark.parametrize("do", ["look", "pause", "token"])
@pytest.mark.parametrize("status", [200, 403, 404, 500, 503])
def test_a_wait_is_a_wait_whatever_it_comes_with(guarded: Household, gate: Gatekeeper, status: int, do: str) -> None:
    """Spotify is in trouble and names a wait: it holds for every request, not only for the room that met it."""
    pattern = "* *"
    if do == "token":
        guarded.clock.advance_ms(3_600_000)
        pattern = "POST /api/token"
    said = Answer(status, b"<html>", {"retry-after": "77", "content-type": "text/html"})
    guarded.simulator.inject(Fault("busy", pattern, times=None, answer=said))
    with pytest.raises(PlayerError):
        guarded.player.pause(None) if do == "pause" else guarded.player.look()
    assert set(gate.closed) == {(77.0, False)}


def test_trouble_without_a_wait_leaves_the_gate_open(guarded: Household, gate: Gatekeeper) -> None:
    """A 503 that names none is a matter of the one who asked."""
    guarded.simulator.inject(refused("* *", 503, "no"))
    with pytest.raises(PlayerUnavailableError):
        guarded.player.look()
    assert gate.closed == []


# Bodies of any size


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_no_body_is_read_whole_that_is_too_long(gate: Gatekeeper, coding: str) -> None:
    """A megabyte is more than any answer: what is longer, or unpacks to more, is not read, and the next question is."""
    plain = b" " * (2 * MOST_BYTES)
    body = gzip.compress(plain) if coding == "gzip" else plain
    with scripted(answer(200, body, f"Content-Encoding: {coding}"), answer()) as server:
        connection = Connection(server.url, gate)
        with pytest.raises(PlayerUnavailableError, match="too long") as raised:
            connection.session.get(server.url)
        assert raised.value.maybe_obeyed
        assert connection.session.get(server.url).status_code == 204
        connection.close()


def test_a_bomb_is_not_unpacked(gate: Gatekeeper) -> None:
    """A body that unpacks to a thousand times its size costs the memory of what is read of it."""
    bomb = gzip.compress(b" " * (100 << 20))
    with scripted(answer(200, bomb, "Content-Encoding: gzip")) as server:
        connection = Connection(server.url, gate)
        tracemalloc.start()
        try:
            with pytest.raises(PlayerUnavailableError):
                connection.session.get(server.url)
            most_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            connection.close()
        assert most_bytes < 8 << 20


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_body_that_is_not_too_long_arrives_whole(gate: Gatekeeper, coding: str) -> None:
    """To the last byte, and the connection is kept."""
    plain = b"[" + b"1," * (MOST_BYTES // 2 - 1) + b"]"
    body = gzip.compress(plain) if coding == "gzip" else plain
    with scripted(*[answer(200, body, f"Content-Encoding: {coding}")] * 2) as server:
        connection = Connection(server.url, gate)
        for _ in range(2):
            assert connection.session.get(server.url).content == plain
        connection.close()
        assert server.connections == 1


def test_a_used_up_quota_is_said(home: Household) -> None:
    """The day's quota is something else than too many requests."""
    home.simulator.inject(refused("* *", 429, "slow down", "QUOTA_EXCEEDED"))
    with pytest.raises(PlayerLimitError, match="daily quota"):
        home.player.look()


# Both together, as in the morning after an idle night


@pytest.mark.parametrize("tls", [False, True])
def test_after_an_idle_night_everything_is_at_hand(tmp_path: Path, tls: bool) -> None:
    """Eight hours later the first look is one request on a connection that is open, with a token that lives."""
    home = a_household(tmp_path)
    with Listener(relay_to(home.simulator.port), tls=tls) as front:
        player = SpotifyPlayer(
            CLIENT_ID,
            home.tokens,
            front.url,
            home.simulator.accounts_url,
            lambda: home.clock.now_ms() / 1000,
            monotonic_s=lambda: home.clock.now_ms() / 1000,
            ca_file=TRUSTED,
        )
        until_ms = home.clock.now_ms() + 8 * 3_600_000
        while home.clock.now_ms() < until_ms:
            again_in_s = player.get_ready().again_in_s
            assert again_in_s is not None
            home.clock.advance_ms(min(round(again_in_s * 1000), until_ms - home.clock.now_ms()))
        assert home.asked() == ["token"] * 9
        opened = front.connections
        assert player.look() is None
        assert home.asked() == ["look"]
        assert front.connections == opened == 1
        player.close()
    home.player.close()
    home.simulator.stop()


def test_a_player_of_another_transport_is_ready_too(tmp_path: Path) -> None:
    """Where requests need no sockets, the token is all there is to be got ready, and the gate is passed as ever."""

    class Plain(requests.adapters.HTTPAdapter):
        """requests' own, standing for any other."""

    simulator = SpotifySimulator(demo_world(RunningClock()))
    gate = Gatekeeper()
    with simulator:
        connection = Connection(simulator.accounts_url, gate, transport=Plain())
        assert (connection.get_ready().watch_fd, connection.get_ready().again_in_s) == (None, None)
        assert connection.session.get(f"{simulator.accounts_url}/v1/me/player").status_code == 401
        connection.close()
    assert gate.entered == 1
    assert list(tmp_path.iterdir()) == []
