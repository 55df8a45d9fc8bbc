"""Control by hand, without the cloud: one JSON line in, one out, over a Unix socket that only its owner may use.

No network port is opened. The server's thread sleeps in accept; what it is asked becomes an event of the loop. It
answers one after the other, and nobody gets more than a second of it for asking.
"""

import fcntl
import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from spotty_contract.wire import Wire, faults_of
from spotty_gateway.private import make_private_folder

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 4096
ASKED_WITHIN_S = 1.0
"""For the whole line: a program that has connected knows what it wants."""
ANSWER_WITHIN_S = 10.0
CLOSED_WITHIN_S = 1.0
GATEWAY = "gateway"
"""What a gateway has its folder for."""
LOOKS_EVERY_S = 0.1
BREATHE_S = 1.0
"""Between two attempts to accept where the computer has run out of something."""


class AskStatus(Wire):
    """How are all rooms?"""

    do: Literal["status"]


class AskPause(Wire):
    """Silence in this room for the rest of its session."""

    do: Literal["pause"]
    sensor: str


class AskResume(Wire):
    """Music again in this room: lifts snooze and mute."""

    do: Literal["resume"]
    sensor: str


class AskSnooze(Wire):
    """No music in this room for so many seconds, or until tomorrow morning where none are given."""

    do: Literal["snooze"]
    sensor: str
    for_s: Annotated[float, Field(gt=0, le=30 * 86_400)] | None = None


class AskDevices(Wire):
    """What can play now? One call of the account's."""

    do: Literal["devices"]


class AskHealth(Wire):
    """What does only the running gateway know of its own health?"""

    do: Literal["health"]


class AskAccountChanged(Wire):
    """Somebody has connected or disconnected the account: what needs it may be tried again."""

    do: Literal["account_changed"]


class AskForgetAccount(Wire):
    """Pause what is ours, then forget the account: its devices, and where playlists were left."""

    do: Literal["forget_account"]


AskRoom = AskPause | AskResume | AskSnooze
AskAccount = AskDevices | AskHealth | AskAccountChanged | AskForgetAccount
Asked = AskStatus | AskRoom | AskAccount
_ASKED: TypeAdapter[Asked] = TypeAdapter(Annotated[Asked, Field(discriminator="do")])

Answer = dict[str, Any]


class LocalError(Exception):
    """The gateway cannot be asked, refuses, or must not run here; the message says what to do."""


class NobodyAnswersError(LocalError):
    """No gateway listens at that socket."""


class FolderLock:
    """The data folder is one program's alone, until `release` or the end of the process, however that comes.

    The lock's file tells whose: a word for its purpose, and its process.
    """

    def __init__(
        self,
        folder: Path,
        purpose: str = GATEWAY,
        patience_s: float = 0.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """A command that has it is waited for so long, unless we are told to stop; another gateway never is.

        Raises LocalError where somebody else has it, or where it cannot be written.
        """
        path = folder / "spotty.lock"
        try:
            make_private_folder(folder)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LocalError(
                f"{path} cannot be written ({error.strerror}): set dataDir to a folder of this user's own"
            ) from error
        until_s = time.monotonic() + patience_s
        has_waited = False
        while not self._is_taken():
            holder, process = self._holder()
            if holder == GATEWAY or time.monotonic() >= until_s or _is_to_stop():
                os.close(self._file)
                raise LocalError(_occupied(folder, purpose, holder, process))
            if not has_waited:
                has_waited = True
                log.warning("%s works in the data folder %s: it is waited for", _named(holder, process), folder)
            wait(LOOKS_EVERY_S)
        self._write(f"{os.getpid()} {purpose}")

    def release(self) -> None:
        """Another gateway may have it. The file stays: who deletes a lock's file makes room for two."""
        self._write("")
        os.close(self._file)

    def _is_taken(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _holder(self) -> tuple[str, str]:
        """The purpose and process of who has it; empty where it has not said so yet."""
        process, _, purpose = os.pread(self._file, MAX_LINE_BYTES, 0).decode(errors="replace").partition(" ")
        return purpose, process

    def _write(self, text: str) -> None:
        with suppress(OSError):  # a full disk keeps nobody from having the lock, only from saying so
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, text.encode(), 0)


def _is_to_stop() -> bool:
    """Whether a signal that is held back until it is asked for says so."""
    return bool(signal.sigpending() & {signal.SIGTERM, signal.SIGINT})


def _named(holder: str, process: str) -> str:
    return f"{holder} (process {process})" if holder else "another program"


def _occupied(folder: Path, purpose: str, holder: str, process: str) -> str:
    """Who has the folder, and what to do about it."""
    if holder != GATEWAY:
        return f"{_named(holder, process)} works in the data folder {folder}: try again when it is done"
    if purpose != GATEWAY:
        return f"the {_named(holder, process)} has the data folder {folder} and does not answer: try again in a moment"
    return (
        f"another gateway runs with the data folder {folder} (process {process}): "
        "stop it, or set dataDir to another folder"
    )


class LocalServer:
    """Answers on the socket. `answer` is called on the server's thread with what was asked."""

    def __init__(self, path: Path, answer: Callable[[Asked], Answer]) -> None:
        """Binds at once; whoever holds the folder's lock may replace a socket that a dead gateway has left there."""
        self._path = path
        self._answer = answer
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="local", daemon=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(self._socket.fileno(), 0o600)  # before it has a name: nobody else can ever connect
            path.unlink(missing_ok=True)
            self._socket.bind(str(path))
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            raise LocalError(
                f"{path}: {error}; set dataDir to a folder with a shorter path that can be written"
            ) from error

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop; the socket's file is gone afterwards. Returns soon, whoever is still being answered."""
        self._closing.set()
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept
        if self._thread.is_alive():
            self._thread.join(CLOSED_WITHIN_S)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError as error:
                if not self._closing.is_set():
                    log.warning("the control socket cannot accept (%s); it is tried again", error.strerror)
                    self._closing.wait(BREATHE_S)
                continue
            with connection:
                try:
                    answer = self._reply(_line_from(connection))
                    connection.settimeout(ASKED_WITHIN_S)
                    connection.sendall(json.dumps(answer).encode() + b"\n")
                except OSError as error:
                    log.debug("whoever asked over the control socket went away: %s", error)

    def _reply(self, line: bytes) -> Answer:
        if len(line) > MAX_LINE_BYTES:
            return {"error": f"a request is one line of JSON, at most {MAX_LINE_BYTES} bytes"}
        try:
            return self._answer(_ASKED.validate_json(line))
        except ValidationError as error:
            return {"error": "; ".join(faults_of(error, "request"))}
        except Exception as error:  # whatever it was must not end the answering
            log.critical("a fault in the gateway itself, please report it", exc_info=error)
            return {"error": f"a fault in the gateway: {type(error).__name__}"}


def _line_from(connection: socket.socket) -> bytes:
    """The line that is asked, cut off where it is too long. Raises OSError if it does not come in time."""
    until_s = time.monotonic() + ASKED_WITHIN_S
    line = b""
    while b"\n" not in line and len(line) <= MAX_LINE_BYTES:
        connection.settimeout(max(0.001, until_s - time.monotonic()))
        more = connection.recv(MAX_LINE_BYTES)
        if not more:
            break
        line += more
    return line


def ask(path: Path, request: dict[str, object], within_s: float = ANSWER_WITHIN_S) -> Answer:
    """Ask the gateway whose socket is at `path`. Raises LocalError, NobodyAnswersError where none runs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(within_s)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer: Answer = json.loads(connection.makefile("rb").readline())
        except (OSError, ValueError) as error:
            no_answer = f"no gateway answers at {path} ({error}); is it running?"
            nobody = isinstance(error, ConnectionRefusedError | FileNotFoundError)
            raise (NobodyAnswersError if nobody else LocalError)(no_answer) from error
    if "error" in answer:
        raise LocalError(answer["error"])
    return answer
