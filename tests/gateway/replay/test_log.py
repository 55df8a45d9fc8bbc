import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.replay.logs import HEADER, NOON, dressed, edges, edges_in, line, log, written

from spotty_gateway.engine.rules import SECOND
from spotty_gateway.replay.line import LONGEST_LINE, STATES
from spotty_gateway.replay.log import BadLogError, Edge

GOOD = line(0)


@pytest.mark.parametrize(
    "data",
    [
        log(GOOD),
        log(GOOD).rstrip(),
        b"\xef\xbb\xbf" + log(GOOD),
        log(GOOD).replace(b"\n", b"\r\n"),
        log(GOOD).replace(b"\n", b"\r"),
        log("", GOOD, "  ", ""),
        b"\n  \n" + log(GOOD),
        log(GOOD).replace(b"timestamp,input,state", b' "TimeStamp" , Input,STATE '),
        gzip.compress(log(GOOD)),
        gzip.compress(log())[:] + gzip.compress(GOOD.encode()),
    ],
    ids=["plain", "no end", "BOM", "CRLF", "CR", "blank", "blank before", "header", "gzip", "two gzips"],
)
def test_a_log_is_read_whatever_its_dress(data: bytes) -> None:
    """Line ends, blank lines, a byte order mark, the header's quotes and case, and gzip change nothing."""
    assert edges_in(data)[0] == [Edge(NOON, "pir", active=True)]


@pytest.mark.parametrize("word,active", STATES.items())
@pytest.mark.parametrize("dress", ["{}", " {}\t", '"{}"', ' "{}" ', '" {} "'])
def test_every_word_for_a_state_is_known(word: str, dress: str, *, active: bool) -> None:
    """In any case, with spaces or quotes around."""
    spelled = [word, word.upper(), word.title()]
    found, _ = edges_in(log(*(line(number, dress.format(one)) for number, one in enumerate(spelled))))
    assert [edge.active for edge in found] == [active] * 3


@pytest.mark.parametrize(
    "timestamp,seconds",
    [
        ("2026-01-05T12:00:00Z", 0),
        ("2026-01-05t12:00:00z", 0),
        ("2026-01-05 12:00:00+00:00", 0),
        ("2026-01-05T12:00Z", 0),
        ("20260105T120000Z", 0),
        ("2026-01-05T17:45:00+05:45", 0),
        ("2026-01-05T04:00:00-0800", 0),
        ("2026-01-05T12:00:00.25Z", 0.25),
        ("2026-01-05T12:00:00.123456789Z", 0.123456),
        ('"2026-01-05T12:00:00,5Z"', 0.5),
        ("2016-12-31T23:59:60Z", -284_385_600),
        ("2016-12-31T23:59:60.75Z", -284_385_599.25),
        ("2017-01-01T05:29:60+05:30", -284_385_600),
    ],
)
def test_a_time_is_read_to_the_microsecond(timestamp: str, seconds: float) -> None:
    """Any form of ISO 8601 with an offset; finer fractions are cut; a leap second is the next day's first."""
    found, _ = edges_in(log(f"{timestamp},pir,on"))
    assert found[0].at == NOON + round(seconds * SECOND)


@pytest.mark.parametrize("timestamp", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z"])
def test_the_first_and_the_last_instant_are_read(timestamp: str) -> None:
    """The years 1970 to 2199 are read."""
    assert len(edges_in(log(f"{timestamp},pir,on"))[0]) == 1


BAD_TIME = "line 2, column 1 (timestamp): "
BAD_LINES = {
    "2026-01-05T12:00:00,pir,on": BAD_TIME + "'2026-01-05T12:00:00' has no offset; end it with Z or +01:00",
    "2026-01-05,pir,on": BAD_TIME + "'2026-01-05' has no offset",
    "yesterday,pir,on": BAD_TIME + "'yesterday' is no ISO 8601 time",
    ",pir,on": BAD_TIME + "'' is no ISO 8601 time",
    "2026-02-30T12:00:00Z,pir,on": BAD_TIME + "'2026-02-30T12:00:00Z' is no ISO 8601 time",
    "2026-01-05T12:00:60Z,pir,on": BAD_TIME + "'2026-01-05T12:00:60Z': no leap second is at that time of day",
    "2016-12-31T23:59:61Z,pir,on": BAD_TIME + "'2016-12-31T23:59:61Z' is no ISO 8601 time",
    "1969-12-31T23:59:59Z,pir,on": BAD_TIME + "'1969-12-31T23:59:59Z' is not between 1970 and 2200",
    "2200-01-01T00:00:00Z,pir,on": BAD_TIME + "'2200-01-01T00:00:00Z' is not between 1970 and 2200",
    "0001-01-01T00:00:00+14:00,pir,on": BAD_TIME + "'0001-01-01T00:00:00+14:00' is not between 1970 and 2200",
    "9999-12-31T23:59:60-14:00,pir,on": BAD_TIME + "'9999-12-31T23:59:60-14:00' is not between 1970 and 2200",
    f"{GOOD}x": "line 2, column 3 (state): 'onx' is none of on, true, 1, active, detected, off, false, 0, inactive, ",
    "2026-01-05T12:00:00Z,pir,": "line 2, column 3 (state): '' is none of ",
    "2026-01-05T12:00:00Z,,on": "line 2, column 2 (input): the input has no name",
    '2026-01-05T12:00:00Z," ",on': "line 2, column 2 (input): the input has no name",
    "2026-01-05T12:00:00Z,p\0r,on": r"line 2, column 2 (input): 'p\x00r' is not plain UTF-8 text",
    "2026-01-05T12:00:00Z,pir": "line 2, column 3: 2 fields instead of 3 (timestamp,input,state)",
    "2026-01-05T12:00:00Z,pir,on,1": "line 2, column 4: 4 fields instead of 3 (timestamp,input,state)",
    "2026-01-05T12:00:00Z;pir;on": "line 2, column 2: 1 fields instead of 3 (timestamp,input,state)",
    '2026-01-05T12:00:00Z,"pir,on': "line 2, column 2: a quote is open or out of place in '\"pir,on'",
    '2026-01-05T12:00:00Z,"p"ir,on': "line 2, column 2: a quote is open or out of place in '\"p\"ir,on'",
    "\0\0\0\0": "line 2, column 2: 1 fields instead of 3",
    "x" * (LONGEST_LINE + 1): f"line 2, column 1: the line is longer than {LONGEST_LINE} characters, 'xxx",
    "x" * 1_000_000: f"line 2, column 1: the line is longer than {LONGEST_LINE} characters, 'xxx",
}


@pytest.mark.parametrize("bad,told", BAD_LINES.items(), ids=range(len(BAD_LINES)))
def test_a_bad_line_is_told_by_line_and_column(bad: str, told: str) -> None:
    """The message names the line, the column and the value, in one short line, and says what to do."""
    with pytest.raises(BadLogError) as caught:
        edges_in(log(bad, GOOD))
    message = str(caught.value)
    assert message.startswith(told)
    assert message.endswith("; correct it or leave such lines out with --skip-bad-lines")
    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize("bad", BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_is_left_out_if_asked(bad: str) -> None:
    """It is counted, the first is remembered, and the lines after it are read."""
    found, tally = edges_in(log(bad, GOOD, bad, GOOD), skip=True)
    assert len(found) == 2
    assert tally.skipped == 2
    assert tally.first_skipped.startswith("line 2, column ")


def test_bytes_that_are_not_utf8_are_a_bad_line() -> None:
    """A name in Latin-1 is told where it stands, and shown as far as it can be."""
    with pytest.raises(BadLogError, match=r"line 3, column 2 \(input\): 'K\\udcfcche' is not plain UTF-8 text"):
        edges_in(log(GOOD, "2026-01-05T12:00:01Z,K~che,on").replace(b"~", b"\xfc"))


@pytest.mark.parametrize(
    "header,told",
    [
        (b"", "line 1, column 1: the log is empty; its first line should be timestamp,input,state"),
        (b"\n \n", "line 1, column 1: the log is empty"),
        (
            b"timestamp,sensor,state\n",
            "line 1, column 2: the header should be timestamp,input,state, not 'timestamp,se",
        ),
        (b"timestamp,input\n", "line 1, column 3: the header should be"),
        (b"timestamp,input,state,room\n", "line 1, column 4: the header should be"),
        (b"timestamp;input;state\n", "line 1, column 1: the header should be"),
        (GOOD.encode(), "line 1, column 1: the header should be"),
        (b'"timestamp,input,state\n', "line 1, column 1: the header should be"),
        (log(GOOD).decode().encode("utf-16"), "line 1, column 1: the header should be"),
        (b"\n\n" + GOOD.encode(), "line 3, column 1: the header should be"),
        (b"x" * 1_000_000, "line 1, column 1: the header should be"),
    ],
)
def test_a_header_is_required(header: bytes, told: str) -> None:
    """Without it nobody knows what the columns are, so such a log is refused even where bad lines are skipped."""
    for skip in (False, True):
        with pytest.raises(BadLogError) as caught:
            edges_in(header, skip=skip)
        assert str(caught.value).startswith(told)


def test_a_log_of_nothing_but_a_header_is_empty() -> None:
    """Nothing happened, and that is no fault."""
    assert edges_in(log())[0] == []
    assert edges_in(HEADER.encode())[0] == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "followed by junk"])
def test_a_damaged_gzip_is_told_with_a_cure(damage: str) -> None:
    """What is left of it can be had, and the message says how."""
    whole = gzip.compress(log(*(line(number) for number in range(1000))))
    data = {"cut": whole[:-20], "flipped": whole[:-6] + b"\0" + whole[-5:], "followed by junk": whole + b"junk"}
    with pytest.raises(BadLogError, match=r"the log is damaged after line \d+: .*; if it is gzip, `gzip -dc LOG"):
        edges_in(data[damage])


def test_a_line_across_two_reads_is_whole() -> None:
    """Lines are read in blocks, and no line is lost or cut where one block ends and the next begins."""
    lines = [line(number, name="p" * (number % 97 + 1)) for number in range(5000)]
    found, _ = edges_in(log(*lines))
    assert [(edge.at, len(edge.input_id)) for edge in found] == [
        (NOON + number * SECOND, number % 97 + 1) for number in range(5000)
    ]


@given(
    st.lists(edges().flatmap(lambda edge: st.tuples(st.just(edge), dressed(edge))), max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.booleans(),
)
def test_reading_is_the_inverse_of_writing(drawn: list[tuple[Edge, str]], end: str, bom: bool, final: bool) -> None:
    """Any edges, written in any dressing the format allows, are read as what they were."""
    data = written([HEADER, *(text for _, text in drawn)], end=end, bom=bom, final=final)
    assert edges_in(data)[0] == [edge for edge, _ in drawn]
    assert edges_in(gzip.compress(data))[0] == [edge for edge, _ in drawn]


@given(st.binary() | st.lists(st.text("01239-:TZ,\" \0\r+onOF'ü;"), max_size=5).map(lambda lines: log(*lines)))
def test_any_bytes_are_a_log_or_one_line(data: bytes) -> None:
    """Whatever is given as a log is read, or refused in one line."""
    for skip in (False, True):
        try:
            edges_in(data, skip=skip)
        except BadLogError as error:
            assert str(error).isprintable()  # noqa: PT017 - that it is raised is allowed, not required
