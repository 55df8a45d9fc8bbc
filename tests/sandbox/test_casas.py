import io
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from spotty_gateway.replay.log import Edge, Tally, open_text, read_csv
from spotty_sandbox.casas import NotCasasError, read_casas, write_log

IMPORT = [sys.executable, "-m", "spotty_sandbox", "import"]
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


@pytest.mark.parametrize(
    "lines,arguments,said",
    [
        (DAY, ["--sensor", "Bathrom*"], "{log}: no sensor matches 'Bathrom*'; there are BathroomASink, BedroomABed"),
        (
            DAY,
            ["--sensor", "*Bed", "--sensor", "Hall"],
            "{log}: no sensor matches 'Hall'; there are BathroomASink, BedroomABed",
        ),
        (
            [f"2016-07-12 08:15:00 S{number:02} ON\n" for number in range(14)],
            ["--sensor", "Hall"],
            (
                "{log}: no sensor matches 'Hall'; there are S00, S01, S02, S03, S04, S05, "
                "S06, S07, S08, S09, S10, S11 and 2 more"
            ),
        ),
        (DAY[4:], [], "{log}: no sensor in it is ever ON or OFF"),
        (["nonsense\n", *DAY], [], "{log}: line 1: not 'date time<TAB>sensor<TAB>ON|OFF': 'nonsense'"),
        ([*DAY, "nonsense\n"], [], "{log}: line 7: not 'date time<TAB>sensor<TAB>ON|OFF': 'nonsense'"),
        (None, [], "{log}: No such file or directory"),
        (DAY, ["--timezone", "Mars/Olympus"], "Mars/Olympus is no IANA time zone"),
    ],
)
def test_what_cannot_be_imported_is_said_in_one_line(
    tmp_path: Path, lines: list[str] | None, arguments: list[str], said: str
) -> None:
    """One line on standard error that says what is there instead, nothing on standard output, exit code 2."""
    log = tmp_path / "flat.txt"
    if lines is not None:
        log.write_text("".join(lines))
    command = [*IMPORT, str(log), "--timezone", "America/Los_Angeles", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"spotty-sandbox import: {said.format(log=log)}\n"


def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    """As with `| head`: the first line is there, and no complaint about the rest."""
    log = tmp_path / "flat.txt"
    log.write_text(DAY[3] * 20_000)
    with subprocess.Popen(
        [*IMPORT, str(log), "--timezone", "America/Los_Angeles"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"timestamp,input,state\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0
