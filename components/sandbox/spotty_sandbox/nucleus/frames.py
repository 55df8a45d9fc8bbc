"""The frames of Greengrass IPC: the event-stream encoding, as bytes and back."""

from __future__ import annotations

import enum
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import StreamReader
    from collections.abc import Mapping

PRELUDE_BYTES = 12
LEAST_BYTES = 16
_INT32, _STRING = 4, 7
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of each header type that has a fixed length; 6 and 7 carry their length."""
_VARIABLE = {6, 7}


class MessageType(enum.IntEnum):
    """`:message-type`."""

    APPLICATION_MESSAGE = 0
    APPLICATION_ERROR = 1
    PING = 2
    PING_RESPONSE = 3
    CONNECT = 4
    CONNECT_ACK = 5
    PROTOCOL_ERROR = 6
    INTERNAL_ERROR = 7


CONNECTION_ACCEPTED = 1
TERMINATE_STREAM = 2


class FrameError(ValueError):
    """These bytes are no frame, or one that is not taken; the connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. `headers` are those beside the three that every message has."""

    type: MessageType
    flags: int = 0
    stream_id: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """The bytes of a frame."""
    headers = b"".join(
        (
            _int_header(":message-type", frame.type),
            _int_header(":message-flags", frame.flags),
            _int_header(":stream-id", frame.stream_id),
            *(_string_header(name, value) for name, value in frame.headers.items()),
        )
    )
    lengths = struct.pack(">II", LEAST_BYTES + len(headers) + len(frame.payload), len(headers))
    start = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + frame.payload
    return start + struct.pack(">I", zlib.crc32(start))


def decode(data: bytes) -> Frame:
    """The frame that `data` is, no byte more or less; FrameError if it is none."""
    total, headers_bytes = lengths_of(data[:PRELUDE_BYTES])
    if total != len(data):
        raise FrameError(f"a frame of {total} bytes was announced, {len(data)} came")
    if struct.pack(">I", zlib.crc32(data[:-4])) != data[-4:]:
        raise FrameError("the checksum of a frame is wrong")
    values = _headers(data[PRELUDE_BYTES : PRELUDE_BYTES + headers_bytes])
    numbers = {name: values.pop(name, 0) for name in (":message-type", ":message-flags", ":stream-id")}
    kind, flags, stream_id = numbers.values()
    if not (isinstance(kind, int) and isinstance(flags, int) and isinstance(stream_id, int)):
        raise FrameError("a frame's type, flags or stream id is no number")
    if kind not in list(MessageType):
        raise FrameError(f"{kind} is no type of message")
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    return Frame(MessageType(kind), flags, stream_id, texts, data[PRELUDE_BYTES + headers_bytes : -4])


def lengths_of(prelude: bytes) -> tuple[int, int]:
    """(bytes of the whole frame, bytes of its headers), from its first twelve bytes."""
    if len(prelude) != PRELUDE_BYTES:
        raise FrameError("a frame ended within its first twelve bytes")
    total, headers_bytes, checksum = struct.unpack(">III", prelude)
    if checksum != zlib.crc32(prelude[:8]):
        raise FrameError("the checksum of a frame's lengths is wrong")
    if total < LEAST_BYTES or headers_bytes > total - LEAST_BYTES:
        raise FrameError(f"a frame of {total} bytes cannot have {headers_bytes} bytes of headers")
    return total, headers_bytes


async def read_frame(reader: StreamReader, most_bytes: int) -> Frame:
    """The next frame; FrameError if it is none or longer than `most_bytes`, IncompleteReadError at the end."""
    prelude = await reader.readexactly(PRELUDE_BYTES)
    total, _ = lengths_of(prelude)
    if total > most_bytes:
        raise FrameError(f"a frame of {total} bytes is longer than {most_bytes}")
    return decode(prelude + await reader.readexactly(total - PRELUDE_BYTES))


def _int_header(name: str, value: int) -> bytes:
    return _name(name) + struct.pack(">Bi", _INT32, value)


def _string_header(name: str, value: str) -> bytes:
    text = value.encode()
    return _name(name) + struct.pack(">BH", _STRING, len(text)) + text


def _name(name: str) -> bytes:
    text = name.encode()
    return struct.pack(">B", len(text)) + text


def _headers(data: bytes) -> dict[str, int | str | bytes]:
    found: dict[str, int | str | bytes] = {}
    at = 0
    try:
        while at < len(data):
            name_bytes = data[at]
            name = data[at + 1 : at + 1 + name_bytes].decode()
            kind = data[at + 1 + name_bytes]
            at += 2 + name_bytes
            if kind in _VARIABLE:
                length = struct.unpack_from(">H", data, at)[0]
                at += 2
            else:
                length = _FIXED[kind]
            value = data[at : at + length]
            if len(value) != length:
                raise FrameError("a frame's header goes beyond its end")
            found[name] = _value(kind, value)
            at += length
    except (IndexError, KeyError, UnicodeDecodeError, struct.error):
        raise FrameError("a frame's headers cannot be read") from None
    return found


def _value(kind: int, value: bytes) -> int | str | bytes:
    if kind == _INT32:
        return int.from_bytes(value, "big", signed=True)
    return value.decode() if kind == _STRING else value
