"""Every secret is a canary: whatever the gateway says, raises or writes is searched for all of them in any spelling."""

import json
import logging
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.canaries import MAY_HOLD_TOKENS, files_with_tokens
from tests.gateway.person import Remembering, address_after, field_of, leaks
from tests.gateway.test_processes import Component, Pi

from spotty_gateway.consent import Answer as Brought
from spotty_gateway.consent import Consent, ConsentError, read_answer
from spotty_gateway.errors import PlayerError
from spotty_gateway.spotify import SpotifyPlayer
from spotty_sandbox.spotify import Answer, Fault, ManualClock, SpotifySimulator, demo_world, refused, text_answer

CLIENT = "our-house"
BACK = "http://127.0.0.1:8888/callback"
EXCHANGE = "POST /api/token"


class Spied:
    """A household whose accounts service remembers every secret, and everything that it was told."""

    def __init__(self, folder: Path, simulator: SpotifySimulator, accounts: Remembering, clock: ManualClock) -> None:
        self.simulator, self.accounts, self.clock = simulator, accounts, clock
        self.folder = folder
        self.tokens = folder / "tokens.json"
        self.heard: list[str] = []
        url = simulator.accounts_url
        self.consent = Consent(CLIENT, url, self.tokens, lambda: 0.0, self.now_s)
        self.player = SpotifyPlayer(CLIENT, self.tokens, url, url, self.now_s, wait=self._wait)

    def now_s(self) -> float:
        """Simulated seconds since 1970."""
        return self.clock.now_ms() / 1000

    def connect(self, faults: tuple[Fault, ...] = ()) -> None:
        """Ask a person, and exchange what comes back, also with a wrong state and a second time."""
        pending = self.consent.ask(BACK)
        answer = read_answer(address_after(pending.link))
        self.accounts.secrets += [answer.code, answer.state]
        self.heard += [repr(pending), repr(answer), repr(self.consent), str(vars(self.consent))]
        self.simulator.inject(*faults)
        for brought in (Brought(f"{answer.state}x", answer.code), answer, answer):
            self.listen(partial(self.consent.finish, pending, brought))

    def listen(self, do: Callable[[], object]) -> None:
        """Do it, and take down the error with everything that hangs on it."""
        try:
            self.heard.append(repr(do()))
        except (ConsentError, PlayerError) as error:
            self.heard += traceback.format_exception(error)
            one: BaseException | None = error
            while one is not None:
                self.heard.append(f"{one} {one!r} {one.args} {vars(one)}")
                one = one.__cause__ or one.__context__

    def _wait(self, seconds: float) -> None:
        self.clock.advance_ms(round(seconds * 1000))


@pytest.fixture
def spied(tmp_path: Path) -> Iterator[Spied]:
    """A household that has not been connected yet."""
    clock = ManualClock()
    world = demo_world(clock)
    world.auth = accounts = Remembering(clock, refresh_style="rotate")
    with SpotifySimulator(world) as simulator:
        found = Spied(tmp_path, simulator, accounts, clock)
        yield found
        found.player.close()


def echo(home: Spied) -> list[Fault]:
    """A service that repeats what it was sent, or worse, in each place from which something is quoted."""
    held = home.tokens.read_text() if home.tokens.exists() else "{}"
    token = json.loads(held).get("access_token", "none")
    in_json = json.dumps(
        {"error": {"status": 400, "message": f"Bad {token}", "reason": token}, "error_description": token}
    )
    return [
        Fault("text", answer=text_answer(held, status=400)),
        Fault("html", answer=text_answer(f"<html>{held}", "text/html", 502)),
        Fault("json", answer=Answer(403, in_json.encode(), {"content-type": "application/json"})),
        Fault("word", answer=Answer(400, json.dumps({"error": token}).encode(), {"content-type": "application/json"})),
        Fault("wait", answer=Answer(429, b"{}", {"retry-after": token})),
        Fault("away", answer=Answer(302, headers={"location": f"https://127.0.0.1:1/{token}"})),
    ]


def odd(_: Spied) -> list[Fault]:
    """Everything else that Spotify may do."""
    return [
        *(refused("* *", status, "no", times=None) for status in (400, 401, 403, 404, 429, 500)),
        refused("* *", 403, "no", "UNKNOWN", times=None),
        Fault("html", answer=text_answer("<html>", "text/html")),
        Fault("string", answer=Answer(502, b'{"error":"x"}')),
        Fault("reset", ending="reset"),
        Fault("truncate", ending="truncate"),
        Fault("late", performed=True, ending="reset"),
    ]


@pytest.mark.parametrize("faults", [odd, echo])
def test_no_secret_is_said_whatever_goes_wrong(
    spied: Spied, caplog: pytest.LogCaptureFixture, faults: Callable[[Spied], list[Fault]]
) -> None:
    """Consent, renewals and calls with every fault at either service: no log of any level and no error has a secret."""
    caplog.set_level(logging.DEBUG)
    spied.connect()
    for fault in faults(spied):
        for is_expired in (False, True):
            spied.simulator.heal()
            spied.simulator.call(lambda world: world.auth.expire_access_tokens())
            spied.connect()
            if is_expired:
                spied.clock.advance_ms(3_600_000)
            spied.simulator.inject(fault)
            for do in (
                spied.player.look,
                spied.player.devices,
                lambda: spied.player.pause(None),
                spied.player.get_ready,
            ):
                spied.listen(do)
        spied.simulator.heal()
        spied.connect((fault,))
    spied.heard += [repr(spied.player), str(vars(spied.player))]
    # Not the request lines of the browser, which is the person's and runs in this process too.
    logged = [record.getMessage() for record in caplog.records if "/authorize" not in record.getMessage()]
    assert any("/api/token" in line for line in logged)
    assert any("/v1/me/player" in line for line in logged)
    assert len(set(spied.accounts.secrets)) > 60
    assert leaks("\n".join([*spied.heard, *logged]), spied.accounts.secrets) == []
    assert {path.name for path in spied.folder.iterdir()} == {"tokens.json"}


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Pi]:
    """A gateway's computer."""
    made = Pi(tmp_path)
    yield made
    for component in made.components:
        component.process.kill()
        component.process.wait()
    made.simulator.stop()


def connect_by_hand(pi: Pi, accounts: Remembering) -> str:
    """`spotty login --paste`; what it said, without the link, which is for the person's eyes."""
    command = [
        sys.executable,
        "-m",
        "spotty_gateway",
        "login",
        "--settings",
        str(pi.folder / "settings.json"),
        "--paste",
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as login:
        assert login.stdout is not None
        said = ""
        while "/authorize?" not in (line := login.stdout.readline()):
            assert line, said
            said += line
        address = address_after(line.strip())
        accounts.secrets += [field_of(address, "code"), field_of(address, "state")]
        return said + login.communicate(f"{address}\n")[0]


def test_a_process_tells_no_secret_in_its_life_nor_in_its_crash(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Login, music, trouble, status and a crash with a dump, all at DEBUG: output, answers and files are clean."""
    accounts = pi.simulator.call(lambda world: Remembering(world.clock, refresh_style="rotate"))
    pi.simulator.call(lambda world: setattr(world, "auth", accounts))
    pi.settings({"logLevel": "debug"})
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")
    heard = connect_by_hand(pi, accounts)
    assert "Connected" in heard
    component: Component = pi.run()
    heard += connect_by_hand(pi, accounts)  # while it runs: it is told so
    component.motion()
    component.wait_for("music")
    pi.simulator.inject(refused("PUT */pause", 403, "no", times=None))
    pi.simulator.call(lambda world: world.auth.expire_access_tokens())
    for command in (["status", "--json"], ["status"], ["pause", "bath"], ["status", "--json"]):
        done = pi.spotty(*command)
        heard += done.stdout + done.stderr
    component.wait_for("api/token")
    code, _ = component.end(signal.SIGABRT)
    assert code == -signal.SIGABRT
    heard += "\n".join(component.lines)
    assert "Current thread" in heard
    files = [path for path in pi.folder.rglob("*") if path.is_file() and not MAY_HOLD_TOKENS.fullmatch(path.name)]
    written = {path: path.read_bytes() for path in files}
    assert any(path.name.startswith("state.db") for path in written)
    told = {"output": heard, **{path.name: content.decode("latin-1") for path, content in written.items()}}
    assert len(set(accounts.secrets)) >= 10
    assert [where for where, text in told.items() if leaks(text, accounts.secrets)] == []


@pytest.mark.parametrize("name, is_leak", [("history.db", True), ("tokens.json", False), ("log.txt", True)])
def test_a_planted_token_is_found(tmp_path: Path, name: str, is_leak: bool) -> None:
    """The search at the end of the suite finds what it is there for, and nothing where tokens belong."""
    granted = demo_world(ManualClock()).auth.grant(client_id=CLIENT)
    for token in (granted.access_token, granted.refresh_token):
        (tmp_path / name).write_bytes(os.urandom(100) + b"\0" + str(token).encode() + b"\xff")
        assert bool(list(files_with_tokens(tmp_path))) is is_leak
    (tmp_path / name).unlink()
