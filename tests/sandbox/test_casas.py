import io
from zoneinfo import ZoneInfo

import pytest

from spotty_gateway.replay.log import Edge, Tally, open_text, read_csv
from spotty_sandbox.casas import NotCasasError, read_casas, write_log

PACIFIC = ZoneInfo("America/Los_Angeles")
DAY = [
    "2016-07-12 00:00:30.600670\tBedroomABed\tON\t\n",
    '2016-07-12 00:00:31.7\tBedroomABed\tOFF\tSleep="end"\r\n',
    "\n",
    "2016-07-12 08:15:00 BathroomASink ON\n",
    "2016-07-12 08:15:01\tBathroomATemp\t21.5\n",
    "2016-07-12 08:15:02\tEntryDoor\tOPEN\n",
]


def imported(lines: list[str], *patterns: str) -> list[tuple[str, str, str]]:
    """The rows of our log."""
    return list(read_casas(lines, PACIFIC, list(patterns) or ["*"]))


def test_motion_is_kept_with_the_offset_of_the_place() -> None:
    """Tabs or spaces, with or without an annotation; doors and temperatures are no motion."""
    assert imported(DAY) == [
        ("2016-07-12T00:00:30.600670-07:00", "BedroomABed", "on"),
        ("2016-07-12T00:00:31.700000-07:00", "BedroomABed", "off"),
        ("2016-07-12T08:15:00-07:00", "BathroomASink", "on"),
    ]


@pytest.mark.parametrize(
    "patterns,count", [(["Bathroom*"], 1), (["BedroomABed", "Bathroom*"], 3), (["bathroom*"], 0), (["*Bed"], 2)]
)
def test_sensors_are_chosen_by_pattern(patterns: list[str], count: int) -> None:
    """Any of the patterns, upper and lower case told apart."""
    assert len(imported(DAY, *patterns)) == count


@pytest.mark.parametrize(
    "line,told",
    [
        ("2016-07-12\tBedroomABed\tON\n", r"line 2: not 'date time<TAB>sensor<TAB>ON\|OFF': '2016-07-12"),
        ("timestamp,input,state\n", "line 2: not 'date time"),
        ("2016-07-12 25:00:00\tBedroomABed\tON\n", "line 2: '2016-07-12 25:00:00' is no date and time"),
    ],
)
def test_what_is_no_such_log_is_told_by_line(line: str, told: str) -> None:
    """The line's number and what was found there."""
    with pytest.raises(NotCasasError, match=told):
        imported([DAY[0], line])


def test_the_hour_that_comes_twice_is_put_in_order() -> None:
    """Local times have no offset: when they would go back, it is the hour's second time round."""
    times = ["01:10:00", "01:50:00", "01:10:00", "01:20:00", "02:00:00"]
    rows = imported([f"2016-11-06 {time}\tHall\tON\n" for time in times])
    assert [stamp[11:] for stamp, _, _ in rows] == [
        "01:10:00-07:00",
        "01:50:00-07:00",
        "01:10:00-08:00",
        "01:20:00-08:00",
        "02:00:00-08:00",
    ]


def test_lines_out_of_order_stay_what_they_are() -> None:
    """Outside of that hour a time that goes back is a line out of order, for the replay to sort."""
    rows = imported([f"2016-11-07 {time}\tHall\tON\n" for time in ("01:10:00", "01:00:00")])
    assert [stamp[11:] for stamp, _, _ in rows] == ["01:10:00-08:00", "01:00:00-08:00"]


def test_the_log_is_one_that_replay_reads() -> None:
    """Header and rows come back as edges, names with commas too."""
    text = io.StringIO()
    assert write_log([*imported(DAY, "*Sink"), ("2016-07-12T15:15:05+00:00", "sink, left", "off")], text) == 2
    edges = list(read_csv(open_text(io.BytesIO(text.getvalue().encode())), Tally(), skip_bad_lines=False))
    start = 1_468_336_500_000_000
    assert edges == [Edge(start, "BathroomASink", active=True), Edge(start + 5_000_000, "sink, left", active=False)]
