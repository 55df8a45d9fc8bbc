"""Each judgement at each of its levels, each probe on the real thing, and the doctor who keeps his head."""

import json
import os
import pty
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.gateway.person import leaks
from tests.gateway.test_processes import Pi

from spotty_contract.policy import DeviceChoice, Playback, Policy
from spotty_gateway.consent import CONSENT_LASTS_S, DAY_S
from spotty_gateway.devices import Use
from spotty_gateway.doctor import account, computer, probes, wires
from spotty_gateway.doctor.account import ConsentFacts, GuardFacts, Reached
from spotty_gateway.doctor.computer import FolderFacts
from spotty_gateway.doctor.examination import examine
from spotty_gateway.doctor.finding import Finding, Level, as_json, ok, warning, worst
from spotty_gateway.doctor.wires import PinTrouble
from spotty_gateway.engine.rules import Device
from spotty_gateway.ports import SeenDevice
from spotty_gateway.store import Store, unsound
from spotty_hardware.inputs import InputKind, InputSpec
from spotty_sandbox.spotify import Fault, json_answer, rate_limited, text_answer

PATIENCE_S = 2.0
OK, WARNING, FAULT = Level.OK, Level.WARNING, Level.FAULT
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=ZoneInfo("Europe/Berlin"))
DATA = Path("/data")
MINE = FolderFacts(DATA, "ggc", "ggc", 0o700, is_writable=True, tokens_mode=0o600, tokens_owner="ggc")
SPEAKER = Device("Hall", "Speaker", "id")
LOUD = Policy(playback=Playback(device=DeviceChoice(name="Hall"), context_uri="spotify:album:1", volume_cap_pct=40))
HALL = SeenDevice(SPEAKER, is_active=False, is_restricted=False, volume_pct=50)
MUTE = SeenDevice(SPEAKER, is_active=False, is_restricted=False, volume_pct=None)
RENAMED = SeenDevice(Device("Attic", "Speaker", "id"), is_active=False, is_restricted=False, volume_pct=50)
NO_TARGET = Policy()
NO_MUSIC = Policy(playback=Playback(device=DeviceChoice(name="Hall")))


def lapsing(in_s: float) -> ConsentFacts:
    """A consent that ends so long from now."""
    return ConsentFacts(consent_at_s=NOW.timestamp() + in_s - CONSENT_LASTS_S)


def use(seen: SeenDevice | None, why: str | None = None) -> Use:
    """The hall, with its speaker found or not."""
    return Use("hall", "Hall", SPEAKER, seen, why)


@pytest.mark.parametrize(
    "found, level, said",
    [
        (wires.settings("s.json", [], "id"), OK, "s.json can be used"),
        (wires.settings(None, [], ""), OK, "defaults are assumed"),
        (wires.settings("s.json", ["s.json: onStpo: unknown field; it is left out"], "id"), WARNING, "onStpo"),
        (wires.settings("s.json", [], ""), FAULT, "no spotifyClientId"),
        ([wires.gateway(True, None)], OK, "runs and answers"),
        ([wires.gateway(False, None)], WARNING, "does not run"),
        ([wires.gateway(False, "no answer: timed out")], FAULT, "timed out"),
        (wires.wiring([], 2, 5), OK, "2 rooms with 5 inputs"),
        (wires.wiring([], 0, 0), FAULT, "names no sensor"),
        (wires.wiring(["gateway.json: the pin 17 is used twice; no sensor is known"], 0, 0), FAULT, "used twice"),
        ([wires.factory("gpiod", None, in_use=False)], OK, "header was found"),
        ([wires.factory("mock", None, in_use=True)], WARNING, "no real pin"),
        ([wires.factory("gpiod", PinTrouble("GPIO header: not found", "use a Pi"), in_use=False)], FAULT, "not found"),
        (wires.chips(["/dev/gpiochip0"], "ggc"), FAULT, "ggc may not open /dev/gpiochip0"),
        (wires.inputs([], 3), OK, "3 can be watched"),
        (wires.inputs([PinTrouble("input 'pir' on GPIO17: the pin is in use", "stop it")], 3), FAULT, "in use"),
        (computer.folder(MINE, DATA), OK, "belongs to ggc"),
        (computer.folder(None, DATA), FAULT, "does not exist"),
        (computer.folder(FolderFacts(DATA, "ggc", "pi", 0o700, False, 0o600, "ggc"), DATA), WARNING, "this is pi"),
        (computer.folder(FolderFacts(DATA, "ggc", "ggc", 0o500, False, None, None), DATA), FAULT, "cannot be written"),
        (computer.folder(FolderFacts(DATA, "ggc", "ggc", 0o777, True, 0o600, "ggc"), DATA), WARNING, "may write"),
        (computer.folder(FolderFacts(DATA, "ggc", "ggc", 0o755, True, 0o600, "ggc"), DATA), WARNING, "may look into"),
        (computer.folder(FolderFacts(DATA, "ggc", "ggc", 0o700, True, 0o644, "ggc"), DATA), FAULT, "others may read"),
        (computer.folder(FolderFacts(DATA, "ggc", "ggc", 0o700, True, 0o600, "root"), DATA), FAULT, "belongs to root"),
        (computer.clock(NOW, "Europe/Berlin", trusted=True, assumed=False, has_quiet_hours=True), OK, "12:00 CET"),
        (computer.clock(NOW, "UTC", trusted=True, assumed=True, has_quiet_hours=False), OK, "assume_trusted"),
        (computer.clock(NOW, "UTC", trusted=True, assumed=False, has_quiet_hours=True), WARNING, "kept in UTC"),
        (computer.clock(NOW, "UTC", trusted=False, assumed=False, has_quiet_hours=False), WARNING, "not been set"),
        (computer.clock(NOW, "UTC", trusted=False, assumed=False, has_quiet_hours=True), FAULT, "stay silent"),
        ([computer.disk(DATA, 1 << 30, read_only=False)], OK, "1024 MiB"),
        ([computer.disk(DATA, 100 << 20, read_only=False)], WARNING, "100 MiB"),
        ([computer.disk(DATA, 1 << 20, read_only=False)], FAULT, "1 MiB"),
        ([computer.disk(DATA, 1 << 30, read_only=True)], FAULT, "read-only"),
        (computer.databases({"state.db": None, "history.db": None}, []), OK, "state.db and history.db are sound"),
        (computer.databases({}, []), OK, "none yet"),
        (computer.databases({"state.db": "malformed"}, []), FAULT, "state.db: malformed"),
        (computer.databases({}, ["history.db cannot be written (full): free some space"]), FAULT, "cannot be written"),
        ([computer.ipc(None, None)], OK, "on its own"),
        ([computer.ipc("/gg.sock", None)], OK, "answers at /gg.sock"),
        ([computer.ipc("/gg.sock", "Connection refused")], FAULT, "Connection refused"),
        ([account.network("api", None, has_name=True)], OK, "takes connections"),
        ([account.network("api", "timed out", has_name=True)], FAULT, "takes no connection"),
        ([account.network("api", "unknown", has_name=False)], FAULT, "has no address"),
        ([account.reach(Reached(401, "application/json", False), None, is_tls=False)], OK, "it answers"),
        ([account.reach(Reached(503, "text/plain", False), None, is_tls=False)], WARNING, "503"),
        ([account.reach(Reached(200, "text/html", False), None, is_tls=False)], FAULT, "login page"),
        ([account.reach(Reached(302, "", True), None, is_tls=False)], FAULT, "login page"),
        ([account.reach(None, "SSLError", is_tls=True)], FAULT, "somebody else answers"),
        ([account.reach(None, "ConnectTimeout", is_tls=False)], FAULT, "no answer"),
        ([account.consent(lapsing(100 * DAY_S), NOW)], OK, "lapses at 2026-06-09 13:00 CEST"),
        ([account.consent(lapsing(30 * DAY_S), NOW)], WARNING, "within 30 days"),
        ([account.consent(lapsing(7 * DAY_S), NOW)], WARNING, "within 7 days"),
        ([account.consent(lapsing(3600), NOW)], WARNING, "within a day"),
        ([account.consent(lapsing(0), NOW)], FAULT, "it lapsed at 2026-03-01 12:00 CET"),
        ([account.consent(ConsentFacts(), NOW)], WARNING, "nobody knows when"),
        ([account.consent(ConsentFacts(wrong="Spotify is not connected"), NOW)], FAULT, "not connected"),
        (
            [account.consent(ConsentFacts(barred_until_s=NOW.timestamp() + 900), NOW)],
            FAULT,
            "not used before 2026-03-01 12:15 CET",
        ),
        ([account.guard(GuardFacts(0, 0, 12, 2000), NOW)], OK, "open; 12 of 2000 calls in 24 h"),
        ([account.guard(GuardFacts(30, 0, 12, 2000), NOW)], WARNING, "no request before 2026-03-01 12:00 CET (30 s)"),
        ([account.guard(GuardFacts(7200, 0, 12, 2000), NOW)], FAULT, "before 2026-03-01 14:00 CET (2 h 00 min)"),
        ([account.guard(GuardFacts(0, 600, 1800, 2000), NOW)], WARNING, "none starts before 2026-03-01 12:10 CET"),
        ([account.guard(None, NOW)], WARNING, "unknown"),
        ([account.unlisted("Spotify asks to wait")], WARNING, "Spotify asks to wait"),
        ([account.room(use(HALL), LOUD, ["Hall"])], OK, "Hall is there"),
        ([account.room(use(MUTE), LOUD, ["Hall"])], WARNING, "volumeCapPct cannot be kept"),
        ([account.room(use(RENAMED), LOUD, ["Attic"])], WARNING, "Hall is called Attic now"),
        ([account.room(use(None), NO_TARGET, ["Hall"])], WARNING, "no speaker is chosen; there is Hall"),
        ([account.room(use(None), NO_MUSIC, ["Hall"])], WARNING, "no music is chosen"),
        ([account.room(use(None, "the speaker Hall is not there; switch it on"), LOUD, [])], WARNING, "is not there"),
        ([account.room(use(None, "Hall (it is restricted); choose another device"), LOUD, [])], FAULT, "restricted"),
    ],
)  # fmt: skip
def test_judgements(found: list[Finding], level: Level, said: str) -> None:
    """A fact leads to its level, in words that name it, and everything that is not well has a cure."""
    assert worst(found) is level
    assert said in " ".join(one.fact for one in found if one.level is level)
    assert all(bool(one.cure) is (one.level is not OK) for one in found)


def test_nothing_is_said_of_chips_that_may_be_opened() -> None:
    """Nor of inputs where there are none."""
    assert wires.chips([], "ggc") == wires.inputs([], 0) == []


# The examination.


def test_a_check_that_fails_or_hangs_is_a_finding_among_the_others() -> None:
    """The others are told, in their order, whatever happens to one."""
    stuck = threading.Event()

    def hang() -> list[Finding]:
        stuck.wait(PATIENCE_S)
        return [ok("hanging", "at last")]

    checks = {
        "first": lambda: [ok("first", "well")],
        "broken": lambda: [ok("broken", str(1 // 0))],
        "hanging": hang,
        "last": lambda: [warning("last", "so so", "rest")],
    }
    told: list[str] = []
    found = list(examine(checks, 0.2, told.append))
    stuck.set()
    assert told == list(checks)
    assert [(one.check, one.level) for one in found] == [
        ("first", OK),
        ("broken", FAULT),
        ("hanging", FAULT),
        ("last", WARNING),
    ]
    assert found[1].fact == "this check failed itself: ZeroDivisionError"


def test_the_json_is_what_the_help_says() -> None:
    """The worst level and every finding, null where there is no cure."""
    assert as_json([ok("a", "well"), warning("b", "so so", "rest")]) == {
        "level": "warning",
        "findings": [
            {"check": "a", "level": "ok", "fact": "well", "cure": None},
            {"check": "b", "level": "warning", "fact": "so so", "cure": "rest"},
        ],
    }


# Probes.


def test_who_answers_in_spotify_s_place_is_told_apart(pi: Pi) -> None:
    """JSON is Spotify; a web page, and a way elsewhere, are not; nobody is an error's name without an address."""
    url = pi.simulator.accounts_url
    assert probes.reach(url)[0] == Reached(401, "application/json; charset=utf-8", leads_elsewhere=False)
    pi.simulator.inject(Fault("page", "* /v1/*", times=1, answer=text_answer("<html>", "text/html")))
    assert "login page" in account.reach(*probes.reach(url)[:2], is_tls=False).fact
    elsewhere = json_answer({}, 302, {"location": "http://login.example/"})
    pi.simulator.inject(Fault("portal", "* /v1/*", times=1, answer=elsewhere))
    assert "login page" in account.reach(*probes.reach(url)[:2], is_tls=False).fact
    nobody = probes.reach(f"http://127.0.0.1:{free_port()}")
    assert nobody == (None, "ConnectionError", False)


def test_somebody_without_spotify_s_certificate_is_told() -> None:
    """What listens there speaks no TLS: not a network's fault, but somebody else."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert probes.reach(f"https://127.0.0.1:{listener.getsockname()[1]}") == (None, "SSLError", True)
        thread.join()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_network_is_tried() -> None:
    """A host without a name, one that takes no connection, and one that does."""
    assert probes.network("https://nowhere.invalid")[2] is False
    assert probes.network(f"http://127.0.0.1:{free_port()}") == ("127.0.0.1", "Connection refused", True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert probes.network(f"http://127.0.0.1:{listener.getsockname()[1]}") == ("127.0.0.1", None, True)


def test_a_nucleus_is_tried(tmp_path: Path) -> None:
    """A socket that nobody listens on, and one that somebody does."""
    path = str(tmp_path / "gg.sock")
    assert probes.connects(path) == "No such file or directory"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nucleus:
        nucleus.bind(path)
        assert probes.connects(path) == "Connection refused"
        nucleus.listen()
        assert probes.connects(path) is None


def test_pins_are_opened_and_let_go_again() -> None:
    """Two inputs on one pin are told; afterwards the pins can be opened by somebody else."""
    specs = [InputSpec("bath/pir", InputKind.PIR, 17), InputSpec("bath/door", InputKind.CONTACT, 17)]
    for _ in range(2):
        trouble, refused = probes.pins("mock", specs)
        assert trouble is None
        assert [one.problem for one in refused] == ["input 'bath/door' on GPIO17: input 'bath/pir' is on that pin"]


def test_a_damaged_database_is_found(tmp_path: Path) -> None:
    """A sound file has nothing against it; one with a torn page and one that is none have; nothing is changed."""
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE one (text TEXT)")
        connection.executemany("INSERT INTO one VALUES (?)", [("x" * 500,)] * 200)
    connection.close()
    assert unsound(path, 5) is None
    whole = bytearray(path.read_bytes())
    whole[4096:12288] = b"\xff" * 8192
    path.write_bytes(whole)
    assert unsound(path, 5)
    assert path.read_bytes() == whole
    path.write_bytes(b"no database at all, but long enough to be read as one" * 20)
    assert unsound(path, 5) == "file is not a database"


def test_the_token_file_tells_dates_and_no_tokens(tmp_path: Path) -> None:
    """When consent was given and until when the token is barred; what is wrong where there is nothing to be used."""
    tokens = tmp_path / "tokens.json"
    assert "is missing" in (probes.consent(tokens).wrong or "")
    whole = {"refresh_token": "secret", "consent_at": 5, "quarantine": {"until": 9, "wait_s": 900}}
    tokens.write_text(json.dumps(whole))
    assert probes.consent(tokens) == ConsentFacts(consent_at_s=5, barred_until_s=9)


# The command.


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Pi]:
    """A gateway's folder and its Spotify, all well but for the pins; whatever runs is ended."""
    made = Pi(tmp_path)
    tokens = tmp_path / "tokens.json"
    given = json.loads(tokens.read_text()) | {"consent_at": (datetime.now(tz=NOW.tzinfo) - timedelta(1)).timestamp()}
    tokens.write_text(json.dumps(given))
    tokens.chmod(0o600)
    yield made
    for component in made.components:
        if component.process.poll() is None:
            component.end(signal.SIGKILL)
    made.simulator.stop()


def doctor(pi: Pi, *more: str) -> dict[str, tuple[str, str]]:
    """Level and fact of each check, by name; the last finding of a check counts."""
    done = pi.typed("doctor", "--settings", str(pi.folder / "settings.json"), "--json", *more)
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert done.returncode == {"ok": 0, "warning": 1, "fault": 2}[found["level"]]
    return {one["check"]: (one["level"], one["fact"]) for one in found["findings"]}


CHECKS = "settings gateway wiring pins inputs rights clock disk databases greengrass network spotify consent guard"


def test_a_gateway_that_runs_is_asked(pi: Pi) -> None:
    """All is well but for the mock pins; the gateway lists the speakers, one call, and its guard counts it."""
    component = pi.run()
    pi.simulator.forget_requests()
    found = doctor(pi)
    assert list(found) == [*CHECKS.split(), "room bath"]
    assert {check for check, (level, _) in found.items() if level != "ok"} == {"pins"}
    asked = [one.path for one in pi.simulator.requests() if one.path.startswith("/v1/me")]
    assert asked == ["/v1/me/player/devices"]
    component.end(signal.SIGTERM)


def test_a_gateway_that_does_not_run_is_examined_from_outside(pi: Pi) -> None:
    """Its pins are tried, its guard is read, its account is asked, and the next run knows of the call."""
    kept_by_a_gateway(pi.folder)
    found = doctor(pi)
    assert {check for check, (level, _) in found.items() if level != "ok"} == {"gateway", "pins"}
    assert found["room bath"] == ("ok", "Bathroom is there")
    assert doctor(pi)["guard"][1] in {"open; 1 of 2000 calls in 24 h", "open; 2 of 2000 calls in 24 h"}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("was", ["empty", "damaged", "torn", "foreign", "of before"])
def test_what_cannot_count_a_call_is_left_as_it_is(pi: Pi, was: str) -> None:
    """No file is made, moved or written, nobody's lock is taken, and Spotify is not asked what can play."""
    state = pi.folder / "state.db"
    if was == "damaged":
        state.write_bytes(b"no database at all, but long enough to be read as one" * 20)
    elif was == "torn":
        kept_by_a_gateway(pi.folder)
        state.write_bytes(state.read_bytes()[:4096] + b"\xff" * 8192)
    elif was == "foreign":
        with closing(sqlite3.connect(state)) as connection, connection:
            connection.execute("CREATE TABLE other (text TEXT)")
    elif was == "of before":
        kept_by_a_gateway(pi.folder)
        with closing(sqlite3.connect(state)) as connection, connection:
            connection.execute("DROP TABLE account")
            connection.execute("PRAGMA journal_mode = DELETE")
    before = contents(pi.folder)
    found = doctor(pi)
    assert contents(pi.folder) == before
    assert found["guard"][0] == ("ok" if was == "empty" else "warning")
    assert found["devices"][0] == "warning"
    assert "could not be counted" in found["devices"][1]
    assert [one.path for one in pi.simulator.requests()] == ["/v1/"]


def kept_by_a_gateway(folder: Path) -> None:
    """The databases of one that has run and ended."""
    store = Store(folder)
    store.load()
    store.start()
    assert store.close()


def test_a_sound_store_is_not_touched_by_a_look(pi: Pi) -> None:
    """Without settings no call is made: what a gateway has left is byte for byte what it was, without a log beside."""
    kept_by_a_gateway(pi.folder)
    before = contents(pi.folder)
    done = pi.typed("doctor", "--json")
    found = {one["check"]: one["fact"] for one in json.loads(done.stdout)["findings"]}
    assert found["guard"] == "open; 0 of 2000 calls in 24 h"
    assert contents(pi.folder) == before


def test_a_closed_guard_is_not_disturbed(pi: Pi) -> None:
    """Spotify has asked for an hour: told with its end, and no request with a token leaves."""
    kept_by_a_gateway(pi.folder)
    pi.simulator.inject(rate_limited(3600, "GET /v1/me/player/devices"))
    doctor(pi)
    pi.simulator.forget_requests()
    found = doctor(pi)
    assert found["guard"][0] == "fault"
    assert re.search(r"no request before \d{4}-\d\d-\d\d \d\d:\d\d CES?T \((59|60) min\)", found["guard"][1])
    assert found["devices"][0] == "warning"
    assert [one.path for one in pi.simulator.requests()] == ["/v1/"]


def test_without_network_every_check_answers(pi: Pi) -> None:
    """Nobody listens at Spotify's address: three checks say so, the others are as ever."""
    kept_by_a_gateway(pi.folder)
    pi.settings({"spotifyApiUrl": f"http://127.0.0.1:{free_port()}"})
    found = doctor(pi)
    assert list(found) == [*CHECKS.split(), "devices"]
    bad = {check for check, (level, _) in found.items() if level != "ok"}
    assert bad == {"gateway", "pins", "network", "spotify", "devices"}


def test_a_house_in_disorder_is_told(pi: Pi) -> None:
    """A pin used twice, tokens for all to read, no speaker, a dead nucleus: each its own finding, exit code 2."""
    kept_by_a_gateway(pi.folder)
    (pi.folder / "tokens.json").chmod(0o644)
    (pi.folder / "policies" / "sensor-bath.json").write_text("{}")
    found = doctor(pi)
    assert found["rights"][0] == "fault"
    assert found["room bath"] == ("warning", "no speaker is chosen; there is Bathroom, Kitchen, Bedroom")
    wiring = {"sensors": [{"id": "bath", "name": "B", "inputs": [{"id": "a", "pin": 1}, {"id": "b", "pin": 1}]}]}
    (pi.folder / "policies" / "gateway.json").write_text(json.dumps(wiring))
    assert "the pin 1 is used twice" in doctor(pi)["wiring"][1]


def test_nothing_secret_is_said(pi: Pi) -> None:
    """No token, in no spelling, in either shape of the report."""
    tokens = json.loads((pi.folder / "tokens.json").read_text())
    said = [pi.typed("doctor", "--settings", str(pi.folder / "settings.json"), *more) for more in ((), ("--json",))]
    text = "".join(one.stdout + one.stderr for one in said)
    assert leaks(text, [tokens["access_token"], tokens["refresh_token"]]) == []


def test_what_cannot_be_examined_is_one_line(pi: Pi) -> None:
    """No such settings: exit code 2, one line."""
    done = pi.typed("doctor", "--settings", "nowhere.json")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_colours_and_progress_are_for_terminals(pi: Pi) -> None:
    """On a terminal levels are coloured and what is waited for is shown; in a pipe there is plain text only."""
    kept_by_a_gateway(pi.folder)
    command = [sys.executable, "-m", "spotty_gateway", "doctor", "--settings", str(pi.folder / "settings.json")]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, stdin=subprocess.DEVNULL) as process:
        os.close(theirs)
        shown = b""
        try:
            while more := os.read(ours, 65_536):
                shown += more
        except OSError:  # how a terminal says that nobody writes any more
            pass
        finally:
            os.close(ours)
        assert process.wait(20) == 1
    assert b"...      network" in shown
    assert b"\x1b[32mok      \x1b[0m network:" in shown
    plain = pi.spotty(*command[3:]).stdout
    assert "\x1b" not in plain
    assert plain.endswith("2 warnings.\n")
