import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.samples import SESSION, largest

from spotty_contract.messages import (
    MAX_BATCH_BYTES,
    MAX_BATCH_RECORDS,
    MAX_MESSAGE_BYTES,
    RecordError,
    decode_batch,
    encode_batch,
)

SIGNS = st.characters(codec="utf-8", exclude_categories=["Cc"])
LINES = st.text(SIGNS, max_size=200).map(lambda text: b"{" + text.encode())


def of_size(size: int, seed: int = 0) -> bytes:
    """A line of this many bytes that cannot be made smaller by much."""
    state, signs = seed + 1, bytearray(b"{")
    while len(signs) < size:
        state = state * 6364136223846793005 + 1442695040888963407 & 2**64 - 1
        signs.append(33 + (state >> 33) % 94)
    return bytes(signs)


@given(st.lists(LINES, min_size=1, max_size=150))
def test_what_is_packed_is_unpacked_in_order(records: list[bytes]) -> None:
    """Message after message, every record arrives whole, once, in its place, and no message is too large."""
    arrived: list[bytes] = []
    while len(arrived) < len(records):
        batch = encode_batch(records[len(arrived) :])
        assert len(batch.payload) <= MAX_MESSAGE_BYTES
        assert batch.count >= 1
        unpacked = decode_batch(batch.payload)
        assert len(unpacked) == batch.count
        arrived += unpacked
    assert arrived == records


def test_a_record_alone_travels_as_it_is() -> None:
    """Whoever watches the topic can read it."""
    line = SESSION.to_json().encode()
    assert encode_batch([line]).payload == line


def test_a_message_is_filled() -> None:
    """A hundred ordinary sessions go in one message; of what cannot be squeezed, so many as fit and not one less."""
    sessions = [
        SESSION.model_copy(
            update={"session_id": f"bathroom-a1b2c3-{n}", "start_time": SESSION.start_time + n * 977_123}
        )
        .to_json()
        .encode()
        for n in range(100)
    ]
    assert encode_batch(sessions).count == 100
    dense = [of_size(500, seed) for seed in range(20)]
    batch = encode_batch(dense)
    assert len(zlib.compress(b"\n".join(dense[: batch.count + 1]), 6)) + 1 > MAX_MESSAGE_BYTES


def test_a_long_record_is_squeezed() -> None:
    """One that is too long by itself may still fit as a batch of one."""
    line = b"{" + b"x" * 20_000
    assert decode_batch(encode_batch([line]).payload) == (line,)


@pytest.mark.parametrize("records", [[of_size(6000)], [of_size(6000), b"{}"], [b"{" + b"x" * MAX_BATCH_BYTES]])
def test_a_record_too_big_for_any_message_is_refused(records: list[bytes]) -> None:
    """It is said of the first one, and how big it is: whoever drains an outbox can put it aside."""
    with pytest.raises(RecordError, match=f"a record of {len(records[0])} bytes"):
        encode_batch(records)


@pytest.mark.parametrize("line", [b"", b"[]", b'{"a":\n1}', b"x"])
def test_what_is_no_line_of_json_is_not_packed(line: bytes) -> None:
    """It would come out as something else, or take its neighbours along; those before it go out."""
    for records in ([line], [line, b"{}"]):
        with pytest.raises(RecordError, match="no compact JSON object"):
            encode_batch(records)
    assert encode_batch([b"{}", line]).count == 1


def test_no_message_is_a_byte_too_large() -> None:
    """Every size from what fits with ease to what fits nowhere: up to the bound, and not beyond."""
    packed = []
    for size in range(5200, 5600, 3):
        try:
            packed.append(len(encode_batch([of_size(size)]).payload))
        except RecordError:
            continue
    assert MAX_MESSAGE_BYTES - 10 < max(packed) <= MAX_MESSAGE_BYTES
    assert len(packed) < 134


def test_no_batch_has_more_records_than_a_reader_takes() -> None:
    """However small they are."""
    assert encode_batch([b"{}"] * 150).count == MAX_BATCH_RECORDS


def test_a_bomb_takes_no_memory() -> None:
    """It is inflated no further than a batch may be long."""
    bomb = b"\x01" + zlib.compress(b"\0" * 4_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(RecordError, match="when inflated"):
            decode_batch(bomb)
        assert tracemalloc.get_traced_memory()[1] < 10 * MAX_BATCH_BYTES
    finally:
        tracemalloc.stop()


def test_a_batch_of_nothing_is_a_mistake() -> None:
    """Of the caller's, not of a record's."""
    with pytest.raises(ValueError, match="no records"):
        encode_batch([])


def test_a_large_record_after_a_small_one_waits() -> None:
    """What does not fit with the others goes with the next message, or is refused there."""
    assert encode_batch([b"{}", of_size(6000)]).count == 1


def test_every_largest_record_goes_with_a_second() -> None:
    """Nothing that the contract allows is refused."""
    for record in largest("\U0001f3b5" * 2000):
        line = record.to_json().encode()
        assert decode_batch(encode_batch([line]).payload) == (line,)
        assert encode_batch([line, line]).count == 2


@pytest.mark.parametrize(
    "payload,told",
    [
        (b"", "begins with nothing"),
        (b"\x02abc", "begins with 02 61 62 63"),
        (b"\x01", "cut off"),
        (b"\x01nonsense", "cannot be inflated"),
        (b"\x01" + zlib.compress(b"{}")[:-2], "cut off"),
        (b"\x01" + zlib.compress(b"{}") + b"more", "behind its end"),
        (b"\x01" + zlib.compress(b"\n" * MAX_BATCH_RECORDS), "101 records"),
        (b"\x01" + zlib.compress(b"x" * (MAX_BATCH_BYTES + 1)), "more than 65536 bytes"),
        (b"\x01" + zlib.compress(b"\0" * 3_000_000), "more than 65536 bytes"),
        (b"{" * (MAX_MESSAGE_BYTES + 1), "a message of 4501 bytes"),
    ],
)
def test_what_is_no_batch_is_told(payload: bytes, told: str) -> None:
    """One line for each; a bomb is not inflated to see how large it would be."""
    with pytest.raises(RecordError, match=told):
        decode_batch(payload)


@given(st.binary() | st.binary().map(lambda data: b"\x01" + zlib.compress(data)))
def test_any_bytes_are_a_batch_or_a_record_error(payload: bytes) -> None:
    """Nothing else ever comes out."""
    try:
        assert decode_batch(payload)
    except RecordError:
        return
