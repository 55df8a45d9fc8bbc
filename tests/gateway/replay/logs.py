"""What the replay's tests share: logs written in any dressing, and the engine walked by hand."""

import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from spotty_gateway.engine.quiet_hours import EPOCH
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.replay.line import LATEST, STATES
from spotty_gateway.replay.log import Edge, Tally, open_text, read_csv

HEADER = "timestamp,input,state"
NOON = (datetime(2026, 1, 5, 12, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
"""A Monday."""


def iso(at: int, offset_min: int = 0) -> str:
    """The instant in ISO 8601, on clocks that are so many minutes ahead of UTC."""
    return (EPOCH + timedelta(microseconds=at)).astimezone(timezone(timedelta(minutes=offset_min))).isoformat()


def line(seconds: float, state: str = "on", name: str = "pir") -> str:
    """A plain line, so many seconds after noon."""
    return f"{iso(NOON + round(seconds * SECOND))},{name},{state}"


def log(*lines: str) -> bytes:
    """A log of these lines."""
    return "\n".join([HEADER, *lines, ""]).encode()


def edges_in(data: bytes, *, skip: bool = False) -> tuple[list[Edge], Tally]:
    """Everything that is read from these bytes, and what was come across."""
    tally = Tally()
    with open_text(io.BytesIO(data)) as text:
        return list(read_csv(text, tally, skip_bad_lines=skip)), tally


NAMES = st.text(min_size=1, max_size=8).filter(lambda name: name.isprintable() and name == name.strip())


@st.composite
def dressed(draw: st.DrawFn, edge: Edge) -> str:
    """The edge as somebody or other might write it down."""
    words = [word for word, active in STATES.items() if active is edge.active]
    word = draw(st.sampled_from(words))
    word = draw(st.sampled_from([word, word.upper(), word.title()]))
    offset_min = draw(st.sampled_from([0, 60, -480, 345, 840]))
    timestamp = iso(edge.at, offset_min)
    timestamp = draw(st.sampled_from([timestamp, timestamp.replace("+00:00", "Z"), timestamp.replace("T", " ")]))
    must_quote = '"' in edge.input_id or "," in edge.input_id
    return ",".join(
        draw(_around(field, quote=must_quote if field is edge.input_id else None))
        for field in (timestamp, edge.input_id, word)
    )


@st.composite
def _around(draw: st.DrawFn, field: str, *, quote: bool | None) -> str:
    if quote or draw(st.booleans()):
        field = '"' + field.replace('"', '""') + '"'
    spaces = st.sampled_from(["", "", " ", "\t "])
    return draw(spaces) + field + draw(spaces)


def edges(names: st.SearchStrategy[str] = NAMES, most: int = LATEST - 2 * 86_400 * SECOND) -> st.SearchStrategy[Edge]:
    """Edges at any time that can be written with any offset."""
    return st.builds(Edge, st.integers(86_400 * SECOND, most), names, st.booleans())


def written(lines: Iterable[str], *, end: str, bom: bool, final: bool) -> bytes:
    """A file of these lines, with line ends of one sort."""
    return ("\ufeff" if bom else "").encode() + (end.join(lines) + (end if final else "")).encode()
