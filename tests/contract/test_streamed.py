import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotty_contract.messages import RecordError
from spotty_contract.streamed import Streamed, decode_streamed, encode_streamed


@given(st.text(st.characters(exclude_categories=["Cs"])), st.binary())
def test_a_message_comes_back_as_it_went(topic: str, payload: bytes) -> None:
    """Topic and payload, whatever they hold."""
    assert decode_streamed(encode_streamed(Streamed(topic, payload))) == Streamed(topic, payload)


@pytest.mark.parametrize(
    "data, why",
    [
        (b"\x01x", "not JSON"),
        (b"[]", "an object with the texts topic and body"),
        (b'{"topic":"sensors/gw/bath/motion"}', "an object with the texts topic and body"),
        (b'{"topic":"sensors/gw/bath/motion","body":7}', "an object with the texts topic and body"),
        (b'{"topic":"sensors/gw/bath/motion","body":"?"}', "no base64"),
        ('{"topic":"sensors/gw/bath/motion","body":"ä"}'.encode(), "no base64"),
    ],
)
def test_what_is_none_is_told(data: bytes, why: str) -> None:
    """One line that says what it should be."""
    with pytest.raises(RecordError, match=why):
        decode_streamed(data)


def test_what_is_new_in_it_does_no_harm() -> None:
    """A later gateway may add to it."""
    assert decode_streamed(b'{"topic":"t","body":"eA==","more":1}') == Streamed("t", b"x")
