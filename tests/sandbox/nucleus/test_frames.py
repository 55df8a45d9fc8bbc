import asyncio
import contextlib
import importlib
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sandbox.nucleus.workbench import STEADY

from spotty_sandbox.nucleus.frames import Frame, FrameError, MessageType, decode, encode, read_frame

names = st.text(min_size=1, max_size=40).filter(lambda name: len(name.encode()) < 256 and not name.startswith(":"))
frames = st.builds(
    Frame,
    st.sampled_from(MessageType),
    st.integers(0, 3),
    st.integers(0, 2**31 - 1),
    st.dictionaries(names, st.text(max_size=80), max_size=5),
    st.binary(max_size=2000),
)


@STEADY
@given(frames)
def test_a_frame_comes_back_as_it_was(frame: Frame) -> None:
    """Encoding and decoding are each other's inverse."""
    assert decode(encode(frame)) == frame


@STEADY
@given(frames)
def test_another_reader_agrees(frame: Frame) -> None:
    """The event-stream decoder that AWS ships in botocore reads the same from our bytes."""
    # Typed by nobody, or wrongly by stubs that may be installed: an event's headers are values, not dictionaries.
    botocore: Any = importlib.import_module("botocore.eventstream")
    buffer = botocore.EventStreamBuffer()
    buffer.add_data(encode(frame))
    (event,) = list(buffer)
    numbers = {":message-type": frame.type, ":message-flags": frame.flags, ":stream-id": frame.stream_id}
    assert event.headers == {**numbers, **frame.headers}
    assert event.payload == frame.payload


@STEADY
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    """Whatever comes, it is FrameError and nothing else."""
    with pytest.raises(FrameError):
        decode(data)


@STEADY
@given(frames, st.data())
def test_a_changed_byte_is_noticed(frame: Frame, data: st.DataObject) -> None:
    """The two checksums leave no byte uncovered."""
    spoilt = bytearray(encode(frame))
    spoilt[data.draw(st.integers(0, len(spoilt) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FrameError):
        decode(bytes(spoilt))


def sealed(headers: bytes, payload: bytes = b"") -> bytes:
    """A frame with right lengths and checksums around any headers."""
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    start = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return start + struct.pack(">I", zlib.crc32(start))


@STEADY
@given(st.binary(max_size=120))
def test_headers_of_any_bytes_are_read_or_refused(headers: bytes) -> None:
    """Right checksums around nonsense raise FrameError at most."""
    with contextlib.suppress(FrameError):
        decode(sealed(headers))


@pytest.mark.parametrize(
    "kind, value",
    [
        (0, b""),
        (1, b""),
        (2, b"\x01"),
        (3, b"\x01\x02"),
        (5, b"12345678"),
        (6, b"\x00\x03abc"),
        (8, b"12345678"),
        (9, b"1234567890123456"),
    ],
)
def test_headers_of_other_types_are_passed_over(kind: int, value: bytes) -> None:
    """A header of a type that IPC does not use costs nothing but its bytes."""
    flags = b"\x0e:message-flags\x04\x00\x00\x00\x02"
    assert decode(sealed(bytes((1, 120, kind)) + value + flags)).flags == 2


@pytest.mark.parametrize(
    "headers",
    [
        b"\x0d:message-type\x04\x00\x00\x00\x08",
        b"\x0d:message-type\x04\xff\xff\xff\xff",
        b"\x0d:message-type\x07\x00\x010",
        b"\x0a:stream-id\x07\x00\x011",
    ],
)
def test_a_type_or_stream_that_is_none_is_refused(headers: bytes) -> None:
    """Message types end at 7, and types, flags and streams are numbers."""
    with pytest.raises(FrameError):
        decode(sealed(headers))


@pytest.mark.parametrize("most, fits", [(99, False), (100, True)])
def test_the_longest_frame(most: int, fits: bool) -> None:
    """A frame may be as long as the limit, and not a byte longer."""
    frame = Frame(MessageType.PING)
    frame = Frame(MessageType.PING, payload=bytes(100 - len(encode(frame))))

    async def read() -> Frame:
        reader = asyncio.StreamReader()
        reader.feed_data(encode(frame))
        return await read_frame(reader, most)

    if fits:
        assert asyncio.run(read()) == frame
    else:
        with pytest.raises(FrameError, match="longer"):
            asyncio.run(read())
