"""`spotty login` and `spotty logout` as a household runs them: processes, a browser, a terminal's words."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import IO, Self

import pytest
import requests
from tests.gateway.person import Remembering, address_after, field_of, follow, leaks

from spotty_gateway.cli.callback import Served
from spotty_gateway.cli.login import connect
from spotty_gateway.consent import LINK_LASTS_S, Consent
from spotty_gateway.local import Answer, Asked, LocalServer
from spotty_sandbox.spotify import Fault, RunningClock, SpotifySimulator, demo_world, json_answer

SPOTTY = [sys.executable, "-m", "spotty_gateway"]
CLIENT = "our-house"
PATIENCE_S = 20


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Home:
    """A gateway's folder with its settings, and a Spotify that remembers every secret."""

    def __init__(self, folder: Path, sim: SpotifySimulator, accounts: Remembering) -> None:
        self.sim, self.accounts = sim, accounts
        self.data = folder / "data"
        self.tokens = self.data / "tokens.json"
        self.settings = folder / "settings.json"
        self.port = free_port()
        self.back = f"http://127.0.0.1:{self.port}/callback"
        self.write()

    def write(self, **other: object) -> None:
        """The settings; None leaves one out."""
        whole = {
            "dataDir": str(self.data),
            "spotifyClientId": CLIENT,
            "spotifyAccountsUrl": self.sim.accounts_url,
            "spotifyApiUrl": self.sim.accounts_url,
            "logLevel": "debug",
        } | other
        self.settings.write_text(json.dumps({name: one for name, one in whole.items() if one is not None}))

    def login(self, *more: str) -> "Login":
        """Start `spotty login`."""
        return Login([*SPOTTY, "login", "--settings", str(self.settings), "--port", str(self.port), *more])

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*SPOTTY, *command],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )


class Login:
    """`spotty login`, running, as a person at the terminal sees it."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        self.said = ""

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self.process.kill()
        self.process.communicate()

    def link(self) -> str:
        """The link that it shows, once it waits for the answer."""
        out = stream(self.process.stdout)
        while not (found := re.search(r"^ +(\S+/authorize\?\S+)\n\n.+\n", self.said, re.MULTILINE)):
            line = out.readline()
            assert line, stream(self.process.stderr).read()
            self.said += line
        return found[1]

    def complaint(self) -> str:
        """The next line on standard error."""
        return stream(self.process.stderr).readline()

    def end(self, typed: str = "") -> tuple[int, str, str]:
        """Exit code, everything said, and what was left to say on standard error."""
        rest, errors = self.process.communicate(typed)
        return self.process.returncode, self.said + rest, errors


def stream(one: IO[str] | None) -> IO[str]:
    """A pipe that is there."""
    assert one is not None
    return one


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A household without consent."""
    world = demo_world(RunningClock())
    world.auth = accounts = Remembering(world.clock)
    with SpotifySimulator(world) as sim:
        yield Home(tmp_path, sim, accounts)


def test_a_browser_on_this_computer_connects(home: Home) -> None:
    """Link, consent, back to the loopback page: the tokens are there, 0600, and browser and terminal say so."""
    home.sim.call(lambda world: world.auth.register(CLIENT, redirect_uris=(home.back,)))
    with home.login() as login:
        seen = follow(login.link())
        code, said, errors = login.end()
    assert (code, errors) == (0, "")
    assert re.search(r"^Connected\. Spotify's consent lasts until \d{4}-\d\d-\d\d\.", said, re.MULTILINE)
    assert f"\n    {home.back}\n" in said
    assert seen.status_code == 200
    assert "You can close this window." in seen.text
    assert stat.S_IMODE(home.tokens.stat().st_mode) == 0o600
    assert json.loads(home.tokens.read_bytes())["consent_at"] > 0


def test_a_running_gateway_is_told(home: Home) -> None:
    """It hears of new tokens at once, over its control socket; without one the login is as good, and says so."""
    home.data.mkdir()
    asked: list[str] = []

    def hear(one: Asked) -> Answer:
        asked.append(one.do)
        return {}

    server = LocalServer(home.data / "spotty.sock", hear)
    server.start()
    with home.login("--paste") as login:
        assert "The gateway uses it from now on." in login.end(address_after(login.link()))[1]
    server.close()
    assert asked == ["account_changed"]
    with home.login("--paste") as login:
        assert "The gateway will use it when it runs." in login.end(address_after(login.link()))[1]


def test_the_page_tells_nobody_the_code(home: Home) -> None:
    """It may load nothing, run nothing and send no referrer, is not stored, and its only style is the one it names."""
    with home.login() as login:
        seen = follow(login.link())
    style = re.search(r"<style>(.*)</style>", seen.text, re.DOTALL)
    assert style is not None
    policy = seen.headers["content-security-policy"]
    assert f"style-src 'sha256-{b64encode(sha256(style[1].encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert (seen.headers["referrer-policy"], seen.headers["cache-control"]) == ("no-referrer", "no-store")


def test_no_is_an_answer(home: Home) -> None:
    """A person who refuses reads what to do in the browser and in one line on the terminal; exit code 1."""
    with home.login() as login:
        seen = follow(login.link(), "deny")
        code, _, errors = login.end()
    assert code == 1
    assert errors == "spotty login: Spotify was told not to allow it: connect again and choose to agree\n"
    assert "<h1>Not connected</h1><p>Spotify was told not to allow it" in seen.text
    assert not home.tokens.exists()


def test_other_visitors_do_not_disturb(home: Home) -> None:
    """Idle connections, another page and an answer with a wrong state leave the login waiting for the right one."""
    with home.login() as login, ExitStack() as idle, requests.Session() as browser:
        browser.trust_env = False
        link = login.link()
        for _ in range(3):
            idle.enter_context(socket.create_connection(("127.0.0.1", home.port), timeout=5))
        assert browser.get(f"http://127.0.0.1:{home.port}/favicon.ico", timeout=5).status_code == 404
        stranger = browser.get(f"{home.back}?code=<b>&state=guessed", timeout=5)
        assert (stranger.status_code, "<b>" in stranger.text) == (400, False)
        assert "not the answer to this link: open the link shown here" in login.complaint()
        assert "Connected" in follow(link).text
        assert login.end()[0] == 0


def test_nobody_else_can_reach_the_page(home: Home) -> None:
    """It listens on 127.0.0.1 and no other address of this computer."""
    with home.login() as login:
        login.link()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", home.port), timeout=5)


def test_an_address_can_be_pasted(home: Home) -> None:
    """Without a browser or a port here: what is no answer is told so, the whole address connects."""
    with socket.create_server(("127.0.0.1", home.port)), home.login("--paste") as login:
        address = address_after(login.link())
        code, said, errors = login.end(f"\nhello\n  {address}\n")
    assert code == 0, errors
    assert "paste its whole address" in said
    assert errors.count("that holds no answer of Spotify") == 2
    assert home.tokens.exists()


def test_the_last_line_needs_no_end(home: Home) -> None:
    """A pasted address counts also when the input ends right behind it."""
    with home.login("--paste") as login:
        assert login.end(address_after(login.link()))[0] == 0


def test_nothing_pasted_is_said(home: Home) -> None:
    """An input that ends without an answer: one line, exit code 1."""
    with home.login("--paste") as login:
        login.link()
        code, _, errors = login.end()
    assert (code, errors) == (1, "spotty login: no address was pasted: connect again and paste the whole address\n")


def test_an_old_answer_is_refused_by_spotify(home: Home) -> None:
    """A code that was used before, put to the new link's state: one line, exit code 1, and the old tokens stay."""
    with home.login("--paste") as login:
        old = address_after(login.link())
        login.end(f"{old}\n")
    before = home.tokens.read_bytes()
    with home.login("--paste") as login:
        state = field_of(login.link(), "state")
        code, _, errors = login.end(f"{home.back}?code={field_of(old, 'code')}&state={state}\n")
    assert code == 1
    assert errors == "spotty login: Spotify refuses the code (too old, or used before): connect again with a new link\n"
    assert home.tokens.read_bytes() == before


def test_no_secret_reaches_the_terminal(home: Home) -> None:
    """No code, verifier or token is on standard output or error, and the state only inside the link."""
    heard = ""
    for fault in (None, Fault("busy", "POST /api/token", answer=json_answer({"error": "x"}, 500))):
        if fault:
            home.sim.inject(fault)
        with home.login("--paste") as login:
            link = login.link()
            address = address_after(link)
            home.accounts.secrets += [field_of(address, "code"), field_of(address, "state")]
            _, said, errors = login.end(f"{home.back}?code={field_of(address, 'code')}&state=x\n{address}\n")
        heard += said.replace(link, "") + errors
    done = home.run("logout", "--settings", str(home.settings))
    heard += done.stdout + done.stderr
    assert "Connected" in heard
    assert "gave no tokens" in heard
    assert len(home.accounts.secrets) >= 7
    assert leaks(heard, home.accounts.secrets) == []


def test_ctrl_c_gives_up_cleanly(home: Home) -> None:
    """Interrupted while it waits: one line, exit code 1, the port is free again."""
    for more in ([], ["--paste"]):
        with home.login(*more) as login:
            login.link()
            login.process.send_signal(signal.SIGINT)
            assert login.end()[::2] == (1, "spotty login: interrupted\n")
        socket.create_server(("127.0.0.1", home.port)).close()


def test_ten_minutes_without_an_answer_are_enough(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """When the link's time is over the waiting ends by itself, with a line that says to begin anew."""
    home.data.mkdir()
    instants = iter([0.0, LINK_LASTS_S - 0.01, LINK_LASTS_S - 0.01, LINK_LASTS_S])
    consent = Consent(CLIENT, home.sim.accounts_url, home.tokens, lambda: next(instants))
    with Served(home.port) as answers:
        assert connect(consent, consent.ask(home.back), answers) == 1
    assert capsys.readouterr().err == (
        "spotty login: no answer came within ten minutes: connect again with a new link\n"
    )


@pytest.mark.parametrize(
    "settings,said",
    [
        ({"spotifyClientId": None}, "has no spotifyClientId: create an app at https://developer.spotify.com/dashboard"),
        ({"dataDir": "/dev/null/data"}, "/dev/null/data: Not a directory; the gateway keeps its tokens there"),
        ({"dataDir": None}, "settings.json: "),
    ],
)
def test_what_is_in_the_way_is_said_before_anyone_is_asked(home: Home, settings: dict[str, object], said: str) -> None:
    """Settings that cannot lead to tokens: one line, exit code 2, no link."""
    home.write(**settings)
    done = home.run("login", "--settings", str(home.settings))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_busy_port_is_named(home: Home) -> None:
    """A port in use: one line with the way out, exit code 2; what is no port is refused too."""
    with socket.create_server(("127.0.0.1", home.port)):
        done = home.run("login", "--settings", str(home.settings), "--port", str(home.port))
    assert done.returncode == 2
    assert done.stderr == (
        f"spotty login: port {home.port} cannot be had (Address already in use): end what uses it, "
        "or choose another with --port and register that redirect URI too\n"
    )
    assert "is no port" in home.run("login", "--settings", str(home.settings), "--port", "70000").stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_root_does_not_lock_the_gateway_out(home: Home) -> None:
    """In a folder of the gateway's own user root is told to run it as that user, for it could not read root's file."""
    home.data.mkdir()
    os.chown(home.data, 65_534, -1)
    done = home.run("login", "--settings", str(home.settings))
    assert done.returncode == 2
    assert re.search(r"belongs to (\S+): run this with sudo -u \1\n$", done.stderr)


def test_the_help_says_what_to_register() -> None:
    """A household reads in --help what its own Spotify app needs, before the first login."""
    done = subprocess.run([*SPOTTY, "login", "--help"], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    for needed in ("http://127.0.0.1:8888/callback", "spotifyClientId", "developer.spotify.com/dashboard", "ssh -L"):
        assert needed in done.stdout


def test_logout_leaves_nothing_and_says_what_remains(home: Home) -> None:
    """The tokens go, also what a save cut short left; the rest stays; a second time is as good as the first."""
    home.data.mkdir()
    home.tokens.write_text("{}")
    (home.data / ".tokens-cut-short").write_text("{}")
    (home.data / "history.db").write_text("ours")
    done = [home.run("logout", "--settings", str(home.settings)) for _ in range(2)]
    assert [one.returncode for one in done] == [0, 0], done
    assert [path.name for path in home.data.iterdir()] == ["history.db"]
    assert done[0].stdout.startswith("Spotify is disconnected: its tokens are deleted.")
    assert done[1].stdout.startswith("Spotify was not connected.")
    for one in done:
        assert one.stdout.endswith("until you remove it at https://www.spotify.com/account/apps\n")


def test_logout_needs_settings(home: Home) -> None:
    """A settings file that is not there: one line, exit code 2."""
    done = home.run("logout", "--settings", "nowhere.json")
    assert (done.returncode, done.stderr) == (
        2,
        "spotty logout: nowhere.json: No such file or directory; name a JSON file with the gateway's settings\n",
    )
