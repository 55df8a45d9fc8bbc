"""A stand-in for Greengrass's Stream Manager: its wire protocol over TCP, and whatever can go wrong with it.

A frame is its length (four bytes, big-endian, of what follows), an operation (one byte) and CBOR. A connection begins
with one byte of the client's, its version, and a Connect; the answer begins with such a byte too.
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from queue import SimpleQueue
from typing import Any

import cbor2

from spotty_contract.streamed import Streamed, decode_streamed

PATIENCE_S = 10.0
CONNECT_VERSION = b"\x01"
MOST_BYTES = 1 << 20


class Operation(IntEnum):
    """What a client asks; the answer's number is `ANSWERS`'s."""

    CONNECT = 1
    CREATE = 2
    APPEND = 4


ANSWERS = {Operation.CONNECT: 6, Operation.CREATE: 7, Operation.APPEND: 9}


class Status(IntEnum):
    """How an answer begins."""

    SUCCESS = 0
    UNKNOWN_FAILURE = 1
    UNAUTHORIZED = 2
    INVALID_REQUEST = 3
    PAYLOAD_TOO_LARGE = 4
    NOT_FOUND = 5
    SERVER_TIMEOUT = 6
    OUT_OF_MEMORY = 15
    FROM_THE_FUTURE = 99


class Trouble(Enum):
    """What comes instead of an answer."""

    SILENCE = "silence"
    SILENCE_AFTER = "done, and silence"
    HANGS_UP = "hangs up"
    HANGS_UP_AFTER = "done, and hangs up"
    RESETS = "the connection is reset"
    GIBBERISH = "gibberish"


Reaction = Status | Trouble
THE_END = {Trouble.HANGS_UP, Trouble.HANGS_UP_AFTER, Trouble.RESETS}
LINGER_NOT = struct.pack("ii", 1, 0)
"""Who closes so, resets."""
DONE_ALL_THE_SAME = {Status.SUCCESS, Trouble.SILENCE_AFTER, Trouble.HANGS_UP_AFTER, Trouble.GIBBERISH}


@dataclass
class Stored:
    """A stream, as its maker defined it, and the messages in it."""

    definition: dict[str, Any]
    messages: list[bytes] = field(default_factory=list)

    def read(self) -> list[Streamed]:
        """As its readers do."""
        return [decode_streamed(one) for one in self.messages]


class StreamManagerServer:
    """`start` it, `stop` it, `start` it again: the port and what is in the streams stay. `react` is the test's."""

    def __init__(self, token: str | None = None) -> None:
        self.react: Callable[[Operation], Reaction] = lambda _: Status.SUCCESS
        self.streams: dict[str, Stored] = {}
        self.asked: SimpleQueue[Operation] = SimpleQueue()
        """Everything, when it has been dealt with."""
        self.connections = 0
        self.port = 0
        self._token = token
        self._lock = threading.Lock()

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._begin(self._accept)

    def stop(self) -> None:
        """Break every connection, and take no new one."""
        if self._listener.fileno() < 0:
            return  # it is
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(PATIENCE_S)  # so that nobody comes in behind us
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # the other side was quicker
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def wait_for(self, operation: Operation) -> None:
        """Until one such has been dealt with."""
        while self.asked.get(timeout=PATIENCE_S) is not operation:
            pass

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # stopped
            self.connections += 1
            with self._lock:
                self._open.add(connection)
            self._begin(lambda connection=connection: self._serve(connection))  # type: ignore[misc] # one at a time

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, EOFError), connection, connection.makefile("rwb") as wire:
            assert _exactly(wire, 1) == CONNECT_VERSION
            goes_on = True
            while goes_on:
                size = int.from_bytes(_exactly(wire, 4), "big")
                operation = Operation(_exactly(wire, 1)[0])
                reaction = self._answer(wire, operation, cbor2.loads(_exactly(wire, size - 1)))
                goes_on = reaction not in THE_END
                if reaction is Trouble.RESETS:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        with self._lock:
            self._open.discard(connection)

    def _answer(self, wire: Any, operation: Operation, request: dict[str, Any]) -> Reaction:  # noqa: ANN401 - a file
        """Do it, and answer or not."""
        reaction = self.react(operation)
        if reaction in DONE_ALL_THE_SAME:
            status = self._do(operation, request)
            reaction = status if reaction is Status.SUCCESS else reaction
        answer = {"requestId": request["requestId"], "status": int(reaction)} if isinstance(reaction, Status) else {}
        if operation is Operation.CONNECT:
            answer |= {"protocolVersion": request["protocolVersion"], "serverVersion": "stand-in"}
        elif answer and reaction is not Status.SUCCESS:
            answer["errorMessage"] = f"no {operation.name}"
        if isinstance(reaction, Status) or reaction is Trouble.GIBBERISH:
            if operation is Operation.CONNECT:
                wire.write(CONNECT_VERSION)
            payload = b"\xff\x00" if reaction is Trouble.GIBBERISH else cbor2.dumps(answer)
            wire.write((len(payload) + 1).to_bytes(4, "big") + bytes([ANSWERS[operation]]) + payload)
            wire.flush()
        self.asked.put(operation)
        return reaction

    def _do(self, operation: Operation, request: dict[str, Any]) -> Status:
        if operation is Operation.CONNECT:
            return Status.SUCCESS if request.get("authToken") == self._token else Status.UNAUTHORIZED
        if operation is Operation.CREATE:
            definition = request["definition"]
            if definition["name"] in self.streams:
                return Status.INVALID_REQUEST
            self.streams[definition["name"]] = Stored(definition)
            return Status.SUCCESS
        if len(request["payload"]) > MOST_BYTES:
            return Status.PAYLOAD_TOO_LARGE
        if request["name"] not in self.streams:
            return Status.NOT_FOUND
        self.streams[request["name"]].messages.append(request["payload"])
        return Status.SUCCESS


def _exactly(wire: Any, size: int) -> bytes:  # noqa: ANN401 - a file
    found: bytes = wire.read(size)
    if len(found) < size:
        raise EOFError
    return found


@contextmanager
def running_server(token: str | None = None) -> Iterator[StreamManagerServer]:
    """One that runs; stopped at the end, unless it is already."""
    server = StreamManagerServer(token)
    server.start()
    try:
        yield server
    finally:
        server.stop()
