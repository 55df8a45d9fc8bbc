"""`spotty register` as a household runs it: processes, a real key, a cloud with faults."""

import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, Self

import pytest
import yaml
from tests.gateway.claims_cloud import Authority, ClaimsCloud, Reply, as_json, fingerprint_of_request, openssl
from tests.gateway.wire import CERTIFICATE

from spotty_gateway.__main__ import main

SPOTTY = [sys.executable, "-m", "spotty_gateway"]
PATIENCE_S = 60
NOBODY = 65534


class Watched:
    """A process that is killed when the test has seen enough, or waits for too long."""

    def __init__(self, process: "subprocess.Popen[Any]") -> None:
        self.process = process
        self._watchdog = threading.Timer(PATIENCE_S, process.kill)

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self.process.kill()
        self.process.communicate()


class Registering(Watched):
    """`spotty register`, running, as a program sees it."""

    def __init__(self, *arguments: str, **surroundings: str) -> None:
        super().__init__(
            subprocess.Popen(
                [*SPOTTY, "register", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **surroundings},
            )
        )
        self.said = ""

    def line(self) -> str:
        """The next line on standard output."""
        line = stream(self.process.stdout).readline()
        self.said += line
        return line

    def end(self) -> tuple[int, str, str]:
        """Exit code, all that was said, and all complaints."""
        rest, errors = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, self.said + (rest or ""), errors


def stream(one: IO[str] | None) -> IO[str]:
    """A pipe that is there."""
    assert one is not None
    return one


def run(*arguments: str, **surroundings: str) -> tuple[int, str, str]:
    """The command to its end."""
    with Registering(*arguments, **surroundings) as registering:
        return registering.end()


def is_secret_in(cloud: ClaimsCloud, folder: Path, *said: str) -> bool:
    """Whether the claim's secret, or a line of the private key, was said."""
    key = (folder / "private.pem.key").read_text().splitlines()[1:-1]
    return any(secret in one for one in said for secret in [*cloud.secrets, *key])


def test_a_gateway_is_registered_over_tls(authority: Authority, tmp_path: Path) -> None:
    """Code and fingerprint are shown, and once confirmed everything that a nucleus needs stands there, key 0600."""
    folder = tmp_path / "spotty"
    with ClaimsCloud(authority, tls=True) as cloud:
        cloud.confirmed = True
        code, said, errors = run(cloud.url, "--to", str(folder), SSL_CERT_FILE=str(CERTIFICATE))
    assert (code, errors) == (0, "")
    assert "    code          BCDF-GHJK\n" in said
    assert f"    fingerprint   {fingerprint_of_request(cloud.requests[0].encode())}\n" in said
    assert f"open {cloud.url.removesuffix('/api')}, sign in" in said
    assert "Registered as spotty-000000000000." in said
    assert not is_secret_in(cloud, folder, said, errors)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {
        "private.pem.key": 0o600,
        "device.pem.crt": 0o644,
        "AmazonRootCA1.pem": 0o644,
        "config.yaml": 0o644,
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    system = yaml.safe_load((folder / "config.yaml").read_text())["system"]
    ours = [openssl("pkey", "-in", system["privateKeyPath"], "-pubout")]
    ours += [openssl("x509", "-in", system["certificateFilePath"], "-noout", "-pubkey")]
    assert ours[0] == ours[1]
    assert Path(system["rootCaPath"]).read_text() == authority.pem


def test_a_cloud_that_does_not_prove_who_it_is_is_not_told_anything(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """TLS is verified: with the world's authorities alone the test's own certificate is worth nothing."""
    monkeypatch.setenv("SSL_CERT_FILE", "")
    with ClaimsCloud(authority, tls=True) as cloud:
        assert main(["register", cloud.url, "--to", str(tmp_path)]) == 3
        assert cloud.requests == []
    said, errors = capsys.readouterr()
    assert said == ""
    assert errors.startswith("spotty register: that address does not prove who it is: check it, the network, and this")
    assert errors.count("\n") == 1


def test_killed_while_it_waits_it_goes_on_with_the_same_key(cloud: ClaimsCloud, tmp_path: Path) -> None:
    """Kill -9 between key and certificate: the next run asks for the same key, so no second gateway comes to be."""
    with Registering(cloud.url, "--to", str(tmp_path), "--json") as first:
        waiting = json.loads(first.line())
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
    assert waiting == {
        "state": "waiting",
        "code": "BCDF-GHJK",
        "fingerprint": fingerprint_of_request(cloud.requests[0].encode()),
        "expiresInS": pytest.approx(600, abs=2),
    }
    assert [path.name for path in tmp_path.iterdir()] == ["private.pem.key"]
    cloud.confirmed = True
    code, said, errors = run(cloud.url, "--to", str(tmp_path), "--json")
    assert (code, errors) == (0, "")
    again, registered = map(json.loads, said.splitlines())
    assert again["fingerprint"] == waiting["fingerprint"]
    assert registered == {
        "state": "registered",
        "gatewayId": "spotty-000000000000",
        "greengrass": True,
        "files": {
            "key": str(tmp_path / "private.pem.key"),
            "certificate": str(tmp_path / "device.pem.crt"),
            "rootCa": str(tmp_path / "AmazonRootCA1.pem"),
            "configuration": str(tmp_path / "config.yaml"),
        },
    }
    assert len(cloud.gateways) == 1
    assert not is_secret_in(cloud, tmp_path, said, first.said)


def test_ctrl_c_ends_it_in_one_line(cloud: ClaimsCloud, tmp_path: Path) -> None:
    """Code 130, no traceback, the key stays; what happens next is said."""
    with Registering(cloud.url, "--to", str(tmp_path), "--json") as registering:
        registering.line()
        registering.process.send_signal(signal.SIGINT)
        code, _, errors = registering.end()
    assert (code, errors) == (130, "spotty register: stopped; run this again to go on: the key stays\n")
    assert (tmp_path / "private.pem.key").exists()


def test_an_owner_who_is_signed_in_needs_no_code(
    cloud: ClaimsCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ID token comes from standard input, and turns up nowhere else; the name goes with it."""
    arguments = ["register", cloud.url, "--to", str(tmp_path), "--signed-in", "--name", "The flat"]
    for token in ("not a token", f"{cloud.id_token}-of-yesterday"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{token}\n"))
        assert main(arguments) == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{cloud.id_token}\n"))
    assert main([*arguments, "--name", "x" * 81]) == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{cloud.id_token}\n"))
    assert main(arguments) == 0
    said, errors = capsys.readouterr()
    assert cloud.names == ["The flat"]
    assert "Registered as spotty-000000000000." in said
    assert [line.split(":")[1].strip() for line in errors.splitlines()] == [
        "that is no ID token",
        "the cloud does not take this ID token",
        "name",
    ]
    assert "CANARY" not in said + errors
    cloud.lasts_s = 0.0  # nobody would confirm
    assert main(["register", cloud.url, "--to", str(tmp_path / "new"), "--name", "The flat"]) == 2


def test_a_terminal_shows_how_long_there_is_and_what_is_wrong(cloud: ClaimsCloud, tmp_path: Path) -> None:
    """A line that is written over: the time left, and the trouble that the last question met."""
    cloud.replies["GET"].append(Reply(503))
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [*SPOTTY, "register", cloud.url, "--to", str(tmp_path)], stdout=theirs
        )
        os.close(theirs)
        with Watched(process):
            seen = b""
            while b"tried again" not in seen:
                seen += screen.read(4096)
    assert re.search(rb"\r\x1b\[K(10:00|9:5\d) left\r\x1b\[K", seen)
    assert re.search(rb"left; it is tried again, as the cloud has trouble of its own \(503\)$", seen)


def test_a_program_that_listens_no_more_is_no_failure(cloud: ClaimsCloud, tmp_path: Path) -> None:
    """Who has closed the pipe behind the code is told nothing, but what was registered is: code 0, no traceback."""
    with Registering(cloud.url, "--to", str(tmp_path), "--json") as registering:
        registering.line()
        stream(registering.process.stdout).close()
        registering.process.stdout = None
        cloud.confirmed = True
        code, _, errors = registering.end()
    assert (code, errors, (tmp_path / "config.yaml").exists()) == (0, "", True)


def test_two_at_once_are_one_too_many(cloud: ClaimsCloud, tmp_path: Path) -> None:
    """The second is told so, and makes no key of its own."""
    with Registering(cloud.url, "--to", str(tmp_path), "--json") as first:
        first.line()
        code, _, errors = run(cloud.url, "--to", str(tmp_path))
    assert (code, errors) == (
        2,
        f"spotty register: another spotty register is at work in {tmp_path}: wait for its end\n",
    )
    assert len(cloud.requests) == 1


def test_without_the_rights_one_line_says_so(cloud: ClaimsCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever is not root is sent to sudo before anything is made or asked."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(NOBODY)
    try:
        assert main(["register", cloud.url]) == 2
    finally:
        os.seteuid(me)
    said, errors = capsys.readouterr()
    assert said == ""
    assert errors == (
        "spotty register: the files for nucleus lite belong to ggcore and root: run this with sudo, or name a folder "
        "of your own with --to\n"
    )
    assert cloud.requests == []


def test_who_does_not_register_does_not_load_it() -> None:
    """The gateway that runs for years, and the other commands, carry nothing of it."""
    program = """
import sys
import spotty_gateway.cli.component
assert not [one for one in sys.modules if one.startswith(("spotty_gateway.regist", "spotty_gateway.cli.regist"))]
import spotty_gateway.__main__
assert not [one for one in sys.modules if one.startswith("spotty_gateway.regist")]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    "reply, code, line",
    [
        (
            as_json(400, {"error": {"code": "invalid", "message": "csr:\nit should be P-256"}}),
            3,
            "the cloud refuses (400): csr:�it should be P-256\n",
        ),
        (as_json(404, {"message": "Not Found"}), 3, "nothing registers gateways at that address (404): it should be"),
        (as_json(429, {}, **{"Retry-After": "17"}), 3, "the cloud is asked too much just now: run this again in 17 s"),
        (as_json(503, {}), 3, "the cloud has trouble of its own (503): run this again in a few minutes"),
        (
            as_json(429, {}, **{"Retry-After": f"Thu, 01 Jan 2026 00:00:00 +{'9' * 20}"}),
            3,
            "the cloud is asked too much just now: run this again in a few minutes\n",
        ),
        (
            Reply(302, b"", {"Location": "https://elsewhere.example/"}),
            3,
            "that address leads elsewhere (302), which is",
        ),
        (
            Reply(200, b"<!doctype html>Welcome!"),
            3,
            "what answers is not SpottyPottySense's API, or its answer was cut",
        ),
        (as_json(201, {"claimId": "x", "secret": "CANARY"}), 3, "the cloud's answer cannot be used (claimId, code, ex"),
        (Reply(201, b"[" * 100_000), 3, "what answers is not SpottyPottySense's API: check the address"),
        (Reply(201, b'{"claimId":', truncated=True), 3, "the cloud cannot be reached (ChunkedEncodingError): check"),
    ],
)
def test_a_claim_that_cannot_be_opened_is_one_line(
    cloud: ClaimsCloud, tmp_path: Path, reply: Reply, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every answer that is not the one asked for has its line, with what to do, and no value of it."""
    cloud.replies["POST"].append(reply)
    assert main(["register", cloud.url, "--to", str(tmp_path)]) == code
    said, errors = capsys.readouterr()
    assert said == ""
    assert errors.startswith(f"spotty register: {line}")
    assert errors.count("\n") == 1
    assert "CANARY" not in errors
