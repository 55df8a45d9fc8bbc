"""Starting and stopping, in a test and from the command line."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from spotty_sandbox.spotify import ManualClock, PortTakenError, SpotifySimulator, SpotifyWorld, demo_world, run
from spotty_sandbox.spotify.cli_text import log_line
from spotty_sandbox.spotify.journal import Entry, Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import requests


def test_it_stops_without_a_trace(world: SpotifyWorld, session: requests.Session) -> None:
    """After `stop` the thread is gone and the port is free; it can be started again on the same port."""
    before = threading.active_count()
    sim = SpotifySimulator(world)
    for _ in range(2):
        with sim:
            assert session.get(sim.page_url, timeout=3).status_code == 200
        assert threading.active_count() == before
    sim.stop()


def test_stopping_does_not_wait_for_those_who_watch(world: SpotifyWorld, session: requests.Session) -> None:
    """An open page does not keep the simulator alive."""
    with SpotifySimulator(world) as sim:
        stream = session.get(sim.page_url + "events", stream=True, timeout=3)
        next(stream.iter_lines())
    stream.close()


def test_only_this_address_is_served(sim: SpotifySimulator) -> None:
    """Another address than 127.0.0.1, even of the loopback, finds nobody."""
    assert sim.api_url == f"http://127.0.0.1:{sim.port}/v1/"
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", sim.port))


def test_a_taken_port_is_told(sim: SpotifySimulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Two cannot have one port: the second one gets a line that says what to do."""
    with pytest.raises(PortTakenError, match="is in use: choose another one"):
        SpotifySimulator(demo_world(), port=sim.port).start()
    assert run(["--port", str(sim.port)]) == 2
    assert capsys.readouterr().err == (
        f"spotty-sandbox spotify: port {sim.port} is in use: choose another one with --port\n"
    )


def test_calls_return_and_raise(sim: SpotifySimulator) -> None:
    """`call` gives back what the function returns, and lets its error out, on the caller's thread."""
    assert sim.call(lambda world: world.device("Kitchen").name) == "Kitchen"
    with pytest.raises(KeyError):
        sim.call(lambda world: world.device("Cellar"))
    assert sim.call(lambda _: threading.current_thread().name) == "spotify-simulator"


def test_waiting_ends_when_it_holds(sim: SpotifySimulator, spotify: Callable[..., Any], steam: str) -> None:
    """`wait_until` sees what a request changed, without polling, and gives up in time."""
    client = spotify()
    device_id = client.devices()["devices"][0]["id"]
    player = threading.Thread(target=client.start_playback, args=(device_id,), kwargs={"context_uri": steam})
    player.start()
    sim.wait_until(lambda world: world.player().is_playing)
    player.join()
    with pytest.raises(TimeoutError):
        sim.wait_until(lambda _: False, timeout_s=0.01)


def test_every_request_is_heard_and_written_down(
    world: SpotifyWorld, session: requests.Session, clock: ManualClock, steam: str
) -> None:
    """The callback sees each request of an app as it comes in, the journal what became of it; neither sees secrets."""
    heard: list[tuple[str, str, int]] = []
    with SpotifySimulator(world, on_request=lambda *request: heard.append(request)) as sim:
        token = sim.call(lambda w: w.auth.grant().access_token)
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "a-client/1"}
        clock.advance_ms(500)
        for body in ({"context_uri": steam}, {}):
            session.put(sim.api_url + "me/player/play?device_id=x", json=body, headers=headers, timeout=3)
        form = {"grant_type": "refresh_token", "refresh_token": "secret"}
        session.post(sim.accounts_url + "/api/token", data=form, timeout=3)
        link = {"client_id": "app", "state": "secret", "code_challenge": "secret"}
        session.get(sim.accounts_url + "/authorize", params=link, timeout=3)
        session.get(sim.page_url, timeout=3)
        entries = sim.requests()
        sim.forget_requests()
        assert sim.requests() == ()
    assert [each[:2] for each in heard] == [(each.method, each.path) for each in entries]
    assert heard == sorted(heard, key=lambda each: each[2])
    assert entries[0] == Entry(
        "PUT", "/v1/me/player/play", {"device_id": "x"}, 404, clock.now_ms(), "a-client/1", "spottypottysense",
        {"context_uri": steam}, None, "Device not found",
    )  # fmt: skip
    assert [entry.path for entry in entries[2:]] == ["/api/token", "/authorize"]
    assert token not in repr(entries)
    assert "secret" not in repr(entries)


def test_the_journal_is_bounded() -> None:
    """The ring forgets the oldest and counts them all."""
    journal = Journal(3)
    for n in range(5):
        journal.add(Entry("GET", f"/{n}", {}, 200, n))
    assert [entry.path for entry in journal] == ["/2", "/3", "/4"]
    assert [entry.path for entry in journal.last(2)] == ["/4", "/3"]
    assert (len(journal), journal.total) == (3, 5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_runs_until_it_is_stopped(
    number: signal.Signals, session: requests.Session, tmp_path: Path
) -> None:
    """It says where it is and with which token, serves the speakers asked for with their faults, and ends with 0."""
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"faults": [{"name": "once", "on": "GET *", "times": 1, "status": 503}]}))
    code = "import sys; from spotty_sandbox.spotify import run; sys.exit(run(sys.argv[1:]))"
    arguments = [
        "--port",
        "0",
        "--devices",
        "Bath",
        "Phone:Smartphone:no-volume,late",
        "--faults",
        str(faults),
        "--log",
    ]
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().split()[-1] for _ in range(4)]
        address, headers = said[1], {"Authorization": f"Bearer {said[3]}"}
        assert session.get(address + "me", headers=headers, timeout=3).status_code == 503
        devices = session.get(address + "me/player/devices", headers=headers, timeout=3).json()["devices"]
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert [(each["name"], each["type"], each["supports_volume"]) for each in devices] == [
        ("Bath", "Speaker", True),
        ("Phone", "Smartphone", False),
    ]
    assert (process.returncode, err) == (0, "")
    logged, devices_line, *sums = [line for line in out.splitlines() if line]
    assert logged.endswith("  503  look up whose account this is: refused (503)  (fault: once)")
    assert devices_line.endswith("  200  list the speakers: done")
    assert sums == ["     1  GET /v1/me", "     1  GET /v1/me/player/devices", "The speakers are silent."]


@pytest.mark.parametrize(
    "arguments,complaint",
    [
        (["--devices", "Bath:Speaker:loud"], "'loud' in 'Bath:Speaker:loud' is no trait; there are restricted"),
        (["--devices", ":Speaker"], "is not NAME"),
        (["--music", "spotify:track:abc"], "'spotify:track:abc' is not spotify:playlist"),
        (["--faults", "no-such-file.json"], "no-such-file.json cannot be read"),
        (["--speed", "0"], "must be above 0"),
        (["--port", "70000"], "70000 is not a port"),
    ],
)
def test_a_bad_argument_is_told_in_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be used is named with what was expected, and nothing is started."""
    assert run(arguments) == 2
    told = capsys.readouterr()
    assert complaint in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_bad_file_of_faults_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule that cannot be read is named with its file."""
    faults = tmp_path / "faults.json"
    faults.write_text('{"faults": [{"name": "x", "chance": 7}]}')
    assert run(["--faults", str(faults)]) == 2
    assert f"{faults}: line 1, fault 1 (x): chance is 7" in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    """--help shows how to point a client at it."""
    with pytest.raises(SystemExit) as leaving:
        run(["--help"])
    assert leaving.value.code == 0
    assert "client.prefix" in capsys.readouterr().out


def test_a_terminal_obeys_no_client(world: SpotifyWorld) -> None:
    """What a client asked for is logged on one line without what a terminal would act on; rudeness is named."""
    entry = Entry("GET", "/v1/\x1b[2J\n", {}, None, 0, fault="hang", is_rude=True)
    assert (
        log_line(world, entry) == "00:00:00  ---  send GET /v1/?[2J?: no answer  (fault: hang; had been told to wait)"
    )
