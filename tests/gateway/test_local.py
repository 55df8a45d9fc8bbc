import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from spotty_gateway.local import (
    MAX_LINE_BYTES,
    Answer,
    AskAccountChanged,
    AskDevices,
    Asked,
    AskForgetAccount,
    AskHealth,
    AskSnooze,
    FolderLock,
    LocalError,
    LocalServer,
    NobodyAnswersError,
    ask,
)

PATIENCE_S = 10.0


class Desk:
    """What is asked over the socket, and what is answered."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.reply: Callable[[Asked], Answer] = lambda _: {"ok": True}

    def __call__(self, asked: Asked) -> Answer:
        """The server's callback."""
        self.asked.append(asked)
        return self.reply(asked)


@pytest.fixture
def desk() -> Desk:
    """Says ok."""
    return Desk()


@pytest.fixture
def path(tmp_path: Path, desk: Desk) -> Iterator[Path]:
    """The socket of a running server."""
    server = LocalServer(tmp_path / "spotty.sock", desk)
    server.start()
    yield tmp_path / "spotty.sock"
    server.close()


def say(path: Path, sent: bytes, *, end: bool = True) -> Answer | None:
    """Send these bytes; the answer, or None if the server hung up without one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(str(path))
        with suppress(BrokenPipeError):
            connection.sendall(sent)
        if end:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
        received = b""
        with suppress(ConnectionResetError):
            while more := connection.recv(65536):
                received += more
    found: Answer | None = json.loads(received) if received else None
    return found


def test_a_request_is_asked_and_answered(path: Path, desk: Desk) -> None:
    """One JSON line in, one out."""
    assert ask(path, {"do": "snooze", "sensor": "bath", "forS": 90.0}) == {"ok": True}
    assert desk.asked == [AskSnooze(do="snooze", sensor="bath", for_s=90.0)]


def test_only_the_owner_may_use_it(path: Path) -> None:
    """The socket has mode 0600 from the moment it has a name."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\n",
        b"\x00\xff\xfe\n",
        b"status\n",
        b"[]\n",
        b"null\n",
        b'{"do": "explode"}\n',
        b'{"do": "pause"}\n',
        b'{"do": "status", "please": true}\n',
        b'{"do": "snooze", "sensor": "bath", "forS": -1}\n',
        b'{"do": "snooze", "sensor": "bath", "forS": 1e999}\n',
        b'{"do": "status"',
        b"[" * 4000 + b"\n",
        b"x" * (MAX_LINE_BYTES + 1),
        b"x" * 10_000_000,
    ],
)
def test_garbage_is_answered_or_dropped_and_hurts_nobody(path: Path, desk: Desk, sent: bytes) -> None:
    """Whatever comes: at most one line that says what is wrong, nothing is done, and the next one is served."""
    answer = say(path, sent)
    assert answer is None or list(answer) == ["error"]
    assert desk.asked == []
    assert ask(path, {"do": "status"}) == {"ok": True}


def test_a_slow_client_costs_the_others_a_second_at_most(path: Path) -> None:
    """Somebody who connects and says nothing, or half a line, is hung up on; the next one is served."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.connect(str(path))
        silent.sendall(b'{"do": ')
        assert ask(path, {"do": "status"}) == {"ok": True}
        silent.settimeout(PATIENCE_S)
        assert silent.recv(100) == b""


def test_a_client_that_leaves_before_its_answer_hurts_nobody(path: Path, desk: Desk) -> None:
    """Hanging up while the answer is made is the client's own loss."""
    left = threading.Event()
    desk.reply = lambda _: {"waited": left.wait(PATIENCE_S), "long": "x" * 1_000_000}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hasty:
        hasty.connect(str(path))
        hasty.sendall(b'{"do": "status"}\n')
    left.set()
    assert ask(path, {"do": "status"})["waited"]


def test_a_bug_in_answering_is_told_and_the_next_is_served(path: Path, desk: Desk) -> None:
    """The thread lives on; whoever asked is told that the fault is ours."""
    desk.reply = lambda _: {"never": 1 // 0}
    with pytest.raises(LocalError, match="a fault in the gateway: ZeroDivisionError"):
        ask(path, {"do": "status"})
    desk.reply = lambda _: {"ok": True}
    assert ask(path, {"do": "status"}) == {"ok": True}


def test_no_gateway_is_one_clear_line(tmp_path: Path) -> None:
    """Nobody there: said, with the path that was tried."""
    with pytest.raises(LocalError, match=r"no gateway answers at .*spotty\.sock"):
        ask(tmp_path / "spotty.sock", {"do": "status"})


@pytest.mark.parametrize("asked", [AskDevices, AskHealth, AskAccountChanged, AskForgetAccount])
def test_the_account_s_requests_have_no_fields(path: Path, desk: Desk, asked: type[AskDevices]) -> None:
    """Each is a word, and nothing may be said besides."""
    word = asked.model_fields["do"].annotation.__args__[0]  # type: ignore[union-attr]  # a Literal
    assert ask(path, {"do": word}) == {"ok": True}
    assert desk.asked == [asked(do=word)]
    with pytest.raises(LocalError, match="please: unknown field"):
        ask(path, {"do": word, "please": True})


def test_a_gateway_that_hangs_is_not_taken_for_none(path: Path, desk: Desk, tmp_path: Path) -> None:
    """Nobody there is one thing, somebody who does not answer in time another: the folder is not free then."""
    goes_on = threading.Event()
    desk.reply = lambda _: {"waited": goes_on.wait(PATIENCE_S)}
    with pytest.raises(LocalError) as hanging:
        ask(path, {"do": "status"}, within_s=0.05)
    goes_on.set()
    assert not isinstance(hanging.value, NobodyAnswersError)
    with pytest.raises(NobodyAnswersError):
        ask(tmp_path / "nobody.sock", {"do": "status"})


def test_closing_leaves_no_socket_and_can_come_before_starting(tmp_path: Path, desk: Desk) -> None:
    """A server that never started closes too, and its file is gone."""
    server = LocalServer(tmp_path / "spotty.sock", desk)
    server.close()
    assert list(tmp_path.iterdir()) == []


def test_the_socket_of_a_dead_gateway_is_replaced(tmp_path: Path, desk: Desk) -> None:
    """A socket's file that nobody listens on, as a kill leaves it, is no hindrance."""
    path = tmp_path / "spotty.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    server = LocalServer(path, desk)
    server.start()
    assert ask(path, {"do": "status"}) == {"ok": True}
    server.close()


def test_a_path_too_long_is_one_clear_line(tmp_path: Path, desk: Desk) -> None:
    """A socket's path has 107 characters at most: the line says what to do."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with pytest.raises(LocalError, match="shorter path"):
        LocalServer(deep / "spotty.sock", desk)


def test_one_gateway_a_folder(tmp_path: Path) -> None:
    """While one has the folder another is refused, with the way out; afterwards it may have it."""
    lock = FolderLock(tmp_path)
    with pytest.raises(LocalError, match=f"another gateway runs with the data folder .* \\(process {os.getpid()}\\)"):
        FolderLock(tmp_path)
    lock.release()
    FolderLock(tmp_path).release()


def test_a_folder_that_is_made_is_its_owner_s_alone(tmp_path: Path) -> None:
    """What lies in it tells when somebody is at home. One that was there stays as a person has made it."""
    FolderLock(tmp_path / "away" / "data").release()
    assert stat.S_IMODE((tmp_path / "away" / "data").stat().st_mode) == 0o700
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o750)
    FolderLock(shared).release()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o750


def test_a_gateway_waits_for_a_tool_that_has_the_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A doctor's visit while the gateway starts keeps it waiting, and not from its work; it says for whom it waits."""
    tool = FolderLock(tmp_path, "spotty doctor")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            tool.release()

    FolderLock(tmp_path, patience_s=PATIENCE_S, wait=wait).release()
    assert len(waits) == 3
    assert [record.getMessage() for record in caplog.records] == [
        f"spotty doctor (process {os.getpid()}) works in the data folder {tmp_path}: it is waited for"
    ]


@pytest.mark.parametrize("purpose", ["spotty doctor", ""])
def test_a_tool_that_stays_is_named(tmp_path: Path, purpose: str) -> None:
    """After its time the gateway says who is in its way, as far as that can be known; so does another tool, at once."""
    tool = FolderLock(tmp_path, purpose)
    if not purpose:
        (tmp_path / "spotty.lock").write_bytes(b"")
    named = f"spotty doctor \\(process {os.getpid()}\\)" if purpose else "another program"
    for asked_for in ("gateway", "spotty devices"):
        with pytest.raises(LocalError, match=f"^{named} works in the data folder .*: try again when it is done"):
            FolderLock(tmp_path, asked_for, patience_s=0.0)
    tool.release()


def test_nobody_waits_for_another_gateway(tmp_path: Path) -> None:
    """Two gateways on one folder are a mistake, and told at once; a tool is told what to do."""
    gateway = FolderLock(tmp_path)
    with pytest.raises(LocalError, match="another gateway runs"):
        FolderLock(tmp_path, patience_s=PATIENCE_S, wait=_never)
    with pytest.raises(LocalError, match=r"the gateway \(process \d+\) has the data folder .*: try again in a moment"):
        FolderLock(tmp_path, "spotty devices")
    gateway.release()


def test_who_is_told_to_stop_does_not_wait(tmp_path: Path) -> None:
    """A SIGTERM that is held back for later ends the waiting."""
    tool = FolderLock(tmp_path, "spotty doctor")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        with pytest.raises(LocalError, match="spotty doctor"):
            FolderLock(tmp_path, patience_s=PATIENCE_S, wait=_never)
        assert signal.sigwait([signal.SIGTERM]) == signal.SIGTERM
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    tool.release()


def _never(_: float) -> None:
    raise AssertionError("nobody was to wait")


def test_a_killed_gateway_holds_nothing(tmp_path: Path) -> None:
    """The lock dies with its process, however that comes."""
    holder = "import sys, pathlib; from spotty_gateway.local import FolderLock\n"
    holder += f"lock = FolderLock(pathlib.Path({str(tmp_path)!r})); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(LocalError):
            FolderLock(tmp_path)
        process.kill()
    FolderLock(tmp_path).release()


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    """A data folder below a file: the line names the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(LocalError, match=r"cannot be written .*: set dataDir"):
        FolderLock(tmp_path / "file" / "data")
