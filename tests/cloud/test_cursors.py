import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotty_cloud.cursors import Cursors
from spotty_cloud.errors import MalformedError

CURSORS = Cursors(b"a key of the tests")
STEADY = settings(deadline=None, derandomize=True)
POSITION: dict[str, str | int] = {"sensorId": "gw.bath", "startTime": 1_795_262_400_000}
FILTERS = {"since": 5, "sensorId": None}

_WORDS = st.text(max_size=8)
_POSITIONS = st.dictionaries(_WORDS, _WORDS | st.integers(0, 2**53), max_size=3)
_FILTERS = st.dictionaries(_WORDS, st.none() | _WORDS | st.integers(0, 9), max_size=3)


@STEADY
@given(_POSITIONS, _WORDS, _WORDS, _FILTERS)
def test_a_cursor_brings_back_its_position(
    position: dict[str, str | int], tenant: str, route: str, filters: dict[str, object]
) -> None:
    """Whatever stands in it comes out as it went in."""
    assert CURSORS.open(CURSORS.seal(position, tenant, route, filters), tenant, route, filters) == position


@STEADY
@given(_POSITIONS, st.tuples(_WORDS, _WORDS, _FILTERS), st.tuples(_WORDS, _WORDS, _FILTERS))
def test_a_cursor_is_good_for_its_own_list_only(
    position: dict[str, str | int],
    one: tuple[str, str, dict[str, object]],
    other: tuple[str, str, dict[str, object]],
) -> None:
    """Another tenant, route or filter is refused, however the parts are divided."""
    if one != other:
        with pytest.raises(MalformedError):
            CURSORS.open(CURSORS.seal(position, *one), *other)


@STEADY
@given(st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    """Not one bit of it can be changed."""
    cursor = CURSORS.seal(POSITION, "ada", "list", FILTERS)
    sealed = bytearray(base64.urlsafe_b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MalformedError):
        CURSORS.open(base64.urlsafe_b64encode(sealed).rstrip(b"=").decode(), "ada", "list", FILTERS)


@STEADY
@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda some: base64.urlsafe_b64encode(some).decode()))
def test_anything_else_is_refused(text: str) -> None:
    """What somebody made up is malformed, never a failure."""
    with pytest.raises(MalformedError):
        CURSORS.open(text, "ada", "list", FILTERS)


def test_another_key_makes_other_cursors() -> None:
    """A cursor of another deployment is refused, and the key shows nowhere."""
    with pytest.raises(MalformedError):
        Cursors(b"another key").open(CURSORS.seal(POSITION, "ada", "list", FILTERS), "ada", "list", FILTERS)
    assert "key" not in repr(CURSORS)
