"""One component's connection: it says who it is, then asks; each question and what follows it is a stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from .errors import IpcError
from .frames import CONNECTION_ACCEPTED, TERMINATE_STREAM, Frame, FrameError, MessageType, encode, read_frame
from .journal import Entry
from .request import Request, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .journal import Journal
    from .profiles import Profile

VERSION = "0.1.0"
_NAMESPACE = "aws.greengrass#"
_MOST_UNSENT_BYTES = 4 * 1024 * 1024
_JSON = "application/json"
_REFUSAL_HEARD_S = 0.2


class Connection:
    """Serves one client from connect to close.

    `admit(token)`: the component that this token stands for, or None. `handle(request)`: the answer; IpcError refuses.
    """

    def __init__(
        self,
        number: int,
        transport: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        profile: Profile,
        journal: Journal,
        *,
        admit: Callable[[str], str | None],
        handle: Callable[[Request], Awaitable[dict[str, Any]]],
        is_streaming: Callable[[str], bool],
        on_change: Callable[[], None],
    ) -> None:
        self.component = ""
        self.streams: dict[int, Stream] = {}
        self._number = number
        self._reader, self._writer = transport
        self._profile = profile
        self._journal = journal
        self._admit = admit
        self._handle = handle
        self._is_streaming = is_streaming
        self._on_change = on_change

    @property
    def is_admitted(self) -> bool:
        """Whether the client has shown a valid token."""
        return bool(self.component)

    async def serve(self) -> None:
        """Answer until either side closes; whatever a client does, nothing is raised but cancellation."""
        try:
            if not await self._connected():
                return
            while True:
                await self._take(await read_frame(self._reader, self._profile.frame_bytes))
                self._on_change()
                await self._writer.drain()
        except FrameError as error:
            self._journal.add(Entry("(frame)", {"why": str(error)}, "closed", self._number, 0))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection; its streams end."""
        self._writer.close()
        streams, self.streams = list(self.streams.values()), {}
        for stream in streams:
            stream.end()

    def send_event(self, stream_id: int, shape: str, content: dict[str, Any]) -> None:
        """Send an event. What lite's buffer cannot hold is lost; a client that does not read is closed."""
        frame = encode(self._message(stream_id, f"{_NAMESPACE}{shape}", content))
        if len(frame) > self._profile.answer_bytes:
            self._journal.add(Entry(f"({shape})", {"bytes": len(frame)}, "lost", self._number, stream_id))
        elif self._writer.transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            self._writer.transport.abort()
        elif not self._writer.is_closing():
            self._writer.write(frame)

    async def _connected(self) -> bool:
        frame = await read_frame(self._reader, self._profile.frame_bytes)
        if frame.type != MessageType.CONNECT or frame.stream_id != 0 or frame.flags != 0:
            raise FrameError("the first message is no connect")
        token = _object(frame.payload).get("authToken")
        component = self._admit(token) if isinstance(token, str) and frame.headers.get(":version") == VERSION else None
        if component is None:
            self._journal.add(Entry("(connect)", {}, "closed", self._number, 0))
            if self._profile.tells_why:  # lite just closes
                await self._refuse()
            return False
        self.component = component
        self._journal.add(Entry("(connect)", {}, "ok", self._number, 0))
        self._writer.write(encode(Frame(MessageType.CONNECT_ACK, CONNECTION_ACCEPTED)))
        self._on_change()
        return True

    async def _refuse(self) -> None:
        """Say no, and give the client time to hear it: one whose socket closes at once may not."""
        self._writer.write(encode(Frame(MessageType.CONNECT_ACK)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REFUSAL_HEARD_S):
                while await self._reader.read(4096):
                    pass

    async def _take(self, frame: Frame) -> None:
        if frame.type == MessageType.PING and self._profile.tells_why:
            self._writer.write(encode(Frame(MessageType.PING_RESPONSE, payload=frame.payload)))
            return
        if frame.stream_id <= 0:
            raise FrameError("a request is on no stream")
        if frame.flags & TERMINATE_STREAM:
            stream = self.streams.pop(frame.stream_id, None)
            if stream is not None:
                stream.end()
            return
        if frame.type != MessageType.APPLICATION_MESSAGE:
            raise FrameError(f"a client sends no {frame.type.name}")
        if frame.stream_id in self.streams:
            raise FrameError("a second request came on a stream")
        await self._answer(frame)

    async def _answer(self, frame: Frame) -> None:
        stream = self.streams[frame.stream_id] = Stream(self, frame.stream_id)
        operation = frame.headers.get("operation", "")
        content: dict[str, Any] = {}
        outcome = "ok"
        try:
            content = self._content(frame.payload)
            answer = await self._handle(Request(operation, content, stream))
            ends = self._profile.ends_streams and not self._is_streaming(operation)
            message = self._fitting(self._message(frame.stream_id, f"{operation}Response", answer, ends=ends))
        except IpcError as error:
            outcome, ends = error.model, True
            message = self._error(frame.stream_id, error)
        self._journal.add(Entry(operation.removeprefix(_NAMESPACE), content, outcome, self._number, frame.stream_id))
        self._writer.write(encode(message))
        stream.answered()
        if ends:
            self.streams.pop(frame.stream_id, None)
            stream.end()

    def _content(self, payload: bytes) -> dict[str, Any]:
        try:
            content = _object(payload)
        except FrameError as error:
            raise IpcError("ServiceError", str(error)) from None
        profile = self._profile
        if _depth(content) > profile.depth:
            raise IpcError("ServiceError", "the request is nested too deeply")
        if profile.sub_objects is not None and _sub_objects(content) > profile.sub_objects:
            raise IpcError("ServiceError", "the request has too many sub-objects")
        return content

    def _fitting(self, message: Frame) -> Frame:
        if len(encode(message)) > self._profile.answer_bytes:
            raise IpcError("ServiceError", "the answer does not fit")
        return message

    def _message(self, stream_id: int, model: str, content: dict[str, Any], *, ends: bool = False) -> Frame:
        headers = {":content-type": _JSON, "service-model-type": model}
        flags = TERMINATE_STREAM if ends else 0
        payload = json.dumps(content, separators=(",", ":")).encode()
        return Frame(MessageType.APPLICATION_MESSAGE, flags, stream_id, headers, payload)

    def _error(self, stream_id: int, error: IpcError) -> Frame:
        content = {"_message": error.message, "_errorCode": error.model}
        if self._profile.tells_why:
            content["message"] = error.message  # the only key that the client reads
        headers = {":content-type": _JSON, "service-model-type": f"{error.namespace}#{error.model}"}
        payload = json.dumps(content).encode()
        return Frame(MessageType.APPLICATION_ERROR, TERMINATE_STREAM, stream_id, headers, payload)


def _object(payload: bytes) -> dict[str, Any]:
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        raise FrameError("a payload is no JSON") from None
    if not isinstance(content, dict):
        raise FrameError("a payload is no JSON object")
    return content


def _sub_objects(content: object) -> int:
    """List items and map entries, all the way down. A request that is nested too deeply was refused before."""
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return sum(1 + _sub_objects(item) for item in inner)


def _depth(content: object) -> int:
    """Nested lists and maps; json.loads has bounded it by the interpreter's own recursion."""
    deepest, level = 0, [content]
    while level := [one for one in level if isinstance(one, dict | list)]:
        deepest += 1
        level = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
    return deepest
