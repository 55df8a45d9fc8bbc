"""TLS and distance: what a bench of connections needs."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
import requests

from spotty_sandbox.spotify import SpotifySimulator, SpotifyWorld, fault_of, run
from spotty_sandbox.spotify.certificate import NoCertificateError, self_signed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    try:
        return self_signed(tmp_path_factory.mktemp("tls"))
    except NoCertificateError as error:
        pytest.skip(str(error))


def test_it_speaks_tls(world: SpotifyWorld, session: requests.Session, certificate: tuple[Path, Path]) -> None:
    """With a certificate all addresses are https, for those who trust it and nobody else."""
    with SpotifySimulator(world, tls=certificate) as sim:
        headers = {"Authorization": f"Bearer {sim.call(lambda w: w.auth.grant().access_token)}"}
        assert sim.api_url == f"https://127.0.0.1:{sim.port}/v1/"
        answer = session.get(f"{sim.api_url}me", headers=headers, timeout=3, verify=str(certificate[0]))
        assert answer.json()["href"].startswith(sim.api_url)
        with requests.Session() as stranger, pytest.raises(requests.exceptions.SSLError):
            stranger.get(f"{sim.api_url}me", timeout=3)


def test_connections_break_over_tls_too(
    world: SpotifyWorld, session: requests.Session, certificate: tuple[Path, Path]
) -> None:
    """A reset and a cut answer reach a client of https as broken connections."""
    session.verify = str(certificate[0])
    with SpotifySimulator(world, tls=certificate) as sim:
        for kind in ("reset", "truncated"):
            sim.inject(fault_of(kind, times=1))
            with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
                session.get(f"{sim.api_url}me", timeout=3)
            assert session.get(f"{sim.api_url}me", timeout=3).status_code == 401


def took_ms(session: requests.Session, address: str) -> float:
    """How long one request took."""
    before = time.perf_counter()
    session.get(address, timeout=3)
    return (time.perf_counter() - before) * 1000


@pytest.mark.parametrize("is_tls,set_up_trips", [(False, 1), (True, 2)])
def test_no_answer_comes_before_its_round_trip(
    world: SpotifyWorld,
    session: requests.Session,
    certificate: tuple[Path, Path],
    is_tls: bool,
    set_up_trips: int,
) -> None:
    """Each request waits its round trip, the first of a connection those of setting it up as well."""
    session.verify = str(certificate[0])
    with SpotifySimulator(world, tls=certificate if is_tls else None, round_trip_ms=40) as sim:
        first, second = (took_ms(session, f"{sim.api_url}me") for _ in range(2))
    assert first >= 40 * (1 + set_up_trips)
    assert second >= 40


def test_a_client_that_says_nothing_is_not_held_against_the_others(sim: SpotifySimulator) -> None:
    """An open connection without a request does not keep anybody waiting, nor the simulator from stopping."""
    with socket.create_connection(("127.0.0.1", sim.port)), requests.Session() as other:
        other.trust_env = False
        assert other.get(f"{sim.api_url}me", timeout=3).status_code == 401
        sim.stop()


def test_nobody_who_comes_while_it_stops_is_left_waiting() -> None:
    """Whoever connects at that moment is answered, refused or cut off, and does not sit out a timeout of its own."""
    told: list[str] = []

    def knock(port: int, begin: threading.Barrier) -> None:
        begin.wait()
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), timeout=2) as client:
            client.sendall(b"GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            try:
                client.recv(1)
            except TimeoutError:
                told.append("left waiting")

    for _ in range(12):
        with SpotifySimulator() as sim:
            begin = threading.Barrier(7)
            clients = [threading.Thread(target=knock, args=(sim.port, begin)) for _ in range(6)]
            for client in clients:
                client.start()
            begin.wait()
        for client in clients:
            client.join()
    assert told == []


@pytest.mark.parametrize(
    "arguments,complaint",
    [
        (["--tls-cert", "a.pem"], "--tls-cert and --tls-key go together"),
        (["--tls-cert", "no.pem", "--tls-key", "no.pem"], "--tls-cert: no.pem and its key cannot be used"),
        (["--round-trip-ms", "-1"], "--round-trip-ms: -1 is below 0"),
        (["--window", "0"], "--window and --quota are numbers of calls from 1"),
    ],
)
def test_bad_settings_are_told_in_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be used is named, and nothing is started."""
    assert run(arguments) == 2
    told = capsys.readouterr()
    assert complaint in told.err
    assert (told.err.count("\n"), told.out) == (1, "")
