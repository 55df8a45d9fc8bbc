import re
from collections import Counter
from zoneinfo import ZoneInfo

import pytest
from tests.gateway.replay.logs import NOON

from spotty_gateway.engine.reasons import EndedBy, Fault, Reason
from spotty_gateway.engine.rules import SECOND, Rules, Window
from spotty_gateway.replay.judge import Past, Verdict
from spotty_gateway.replay.page import CELLS, Page, length
from spotty_gateway.replay.text_report import ENDED, FAULTS, SUPPRESSED, as_text

HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
NIGHT = Rules(quiet_windows=(Window(frozenset(), 22 * 60, 7 * 60),))


def verdict(*sessions: tuple[int, int], days: int = 1, rules: Rules = NIGHT) -> Verdict:
    """A verdict over some days from Monday noon; sessions are given by start and length in seconds."""
    pasts = [Past(NOON + s * SECOND, NOON + (s + long) * SECOND, EndedBy.TIMEOUT, 2) for s, long in sessions]
    return Verdict(rules, NOON, NOON + days * DAY, pasts, 12, 2 * len(pasts))


def test_a_summary_and_a_strip_for_each_day() -> None:
    """The whole page, as it is printed where there is no terminal."""
    told = verdict((0, 1800), (3600, 300))
    told.suppressed = Counter({Reason.QUIET_HOURS: 7, Reason.DEBOUNCED: 1})
    assert as_text([told], ["now.json"], "week.csv", Page()).splitlines() == [
        "week.csv: Mon 05 Jan 2026 12:00 to Tue 06 Jan 2026 12:00 (UTC)",
        "",
        "2 sessions, 35 min 00 s of music under now.json",
        "          2 ended because nobody moved any more (timeout)",
        "  the longest began Mon 05 Jan at 12:00 and lasted 30 min 00 s",
        "12 motions, 4 counted",
        "          7 came in quiet hours (quiet_hours)",
        "          1 came too soon after a counted one (debounced)",
        "",
        "One sign is 30 minutes: ▁ to █ how much of it has music, · none, ░ quiet hours",
        "             00    03    06    09    12    15    18    21     began        music",
        "Mon 05 Jan   ░░░░░░░░░░░░░░··········█·▁·················░░░░     2  35 min 00 s",
        "Tue 06 Jan   ░░░░░░░░░░░░░░······························░░░░",
    ]


def test_days_without_music_are_folded() -> None:
    """Three days or more in a row become one line, with years where they differ; two stay as they are."""
    told = verdict((0, 60), (3 * 86_400, 60), (400 * 86_400, 60), days=404, rules=Rules())
    assert [line[:60].rstrip("·▁ ") for line in as_text([told], [""], "", Page()).splitlines()[9:]] == [
        "Mon 05 Jan",
        "Tue 06 Jan",
        "Wed 07 Jan",
        "Thu 08 Jan",
        "Fri 09 Jan 2026 to Mon 08 Feb 2027: 396 days without music",
        "2027",
        "Tue 09 Feb",
        "Wed 10 Feb to Sat 13 Feb: 4 days without music",
    ]


def test_two_policies_stand_above_each_other() -> None:
    """Figures beside each other, strips above each other, and what the second has more or less; alike days once."""
    one = verdict((0, 1800), (86_400, 900), rules=Rules())
    other = verdict((0, 900), (7200, 900), (86_400, 900), rules=Rules())
    other.suppressed = Counter({Reason.COOLDOWN: 6})
    page = as_text([one, other], ["now.json", "a-rather-long-name.json"], "week.csv", Page()).splitlines()
    assert page[2:12] == [
        "                          A now.json B a-rather-lo...      B against A",
        "sessions                           2                3               +1",
        "  ended by timeout                 2                3               +1",
        "music                    45 min 00 s      45 min 00 s",
        "  longest session        30 min 00 s      15 min 00 s     -15 min 00 s",
        "motions                           12               12",
        "  counted                          4                6               +2",
        "  cooldown                         0                6               +6",
        "",
        "One sign is 30 minutes: ▁ to █ how much of it has music, · none, ░ quiet hours",
    ]
    assert page[13:] == [
        "Mon 05 Jan A ························█·······················     1  30 min 00 s",
        "           B ························▄···▄···················     2  30 min 00 s",
        "                                     -   +                       +1",
        "Tue 06 Jan = ························▄·······················     1  15 min 00 s",
    ]


def test_the_zones_of_two_policies_are_told() -> None:
    """The days are those of one zone, and the page says which."""
    berlin = verdict(rules=Rules())
    assert "B has its quiet hours" not in as_text([berlin, verdict(rules=Rules())], ["a", "b"], "", Page())
    assert "The days below are those of UTC; B has" in as_text(
        [berlin, verdict(rules=Rules(zone=ZoneInfo("Asia/Tokyo")))], ["", ""], "", Page()
    )


def test_an_empty_log_is_told_in_a_line() -> None:
    """There is no day to draw."""
    told = as_text([Verdict(Rules())], ["now.json"], "week.csv", Page())
    assert told == "week.csv: no line in it, so nothing would have happened"


def test_a_fault_is_told() -> None:
    """A stuck input is worth a line of its own."""
    told = verdict()
    told.faults[Fault.INPUT_STUCK] = 3
    assert "3 x an input reported motion for longer than can be believed" in as_text([told], [""], "", Page())


@pytest.mark.parametrize("words,vocabulary", [(SUPPRESSED, Reason), (ENDED, EndedBy), (FAULTS, Fault)])
def test_every_reason_has_words(words: dict[str, str], vocabulary: type[Reason | EndedBy | Fault]) -> None:
    """A reason added to the engine is told here too."""
    assert set(words) == set(vocabulary)


@pytest.mark.parametrize("width", [20, 40, 60, 79, 80, 100, 128, 200])
def test_a_page_is_as_wide_as_the_terminal(width: int) -> None:
    """Strips grow and shrink in steps, and fit wherever the narrowest does."""
    page = Page(width)
    strips = as_text([verdict((0, 60))], ["now.json"], "week.csv", page).splitlines()[8:]
    widest = max(map(len, strips))
    assert widest <= max(width, 44)
    assert page.cells in CELLS
    assert page.cells == CELLS[0] or page.width < 128


def test_colours_change_nothing_but_the_colour() -> None:
    """Without its escape sequences a coloured page is the plain one."""
    verdicts = [verdict((0, 60)), verdict((900, 60))]
    plain = as_text(verdicts, ["a", "b"], "week.csv", Page())
    coloured = as_text(verdicts, ["a", "b"], "week.csv", Page(has_colours=True))
    assert re.sub(r"\033\[[0-9]*m", "", coloured) == plain
    assert coloured != plain
    assert coloured.count("\033[0m") * 2 == coloured.count("\033[")


def test_a_terminal_without_signs_gets_letters() -> None:
    """What cannot be shown is not printed."""
    assert as_text([verdict((0, 60))], ["a"], "week.csv", Page(is_ascii=True)).isascii()


@pytest.mark.parametrize(
    "us,told",
    [
        (0, "0 s"),
        (59_999_999, "59 s"),
        (60 * SECOND, "1 min 00 s"),
        (HOUR - 1, "59 min 59 s"),
        (HOUR, "1 h 00 min"),
        (9999 * HOUR, "9,999 h 00 min"),
    ],
)
def test_a_length_is_told_in_two_units(us: int, told: str) -> None:
    """The two largest, cut and not rounded."""
    assert length(us) == told
