"""The page a report is drawn on: columns, signs and colours, as wide as the terminal allows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from itertools import groupby

from spotty_gateway.engine.rules import SECOND
from spotty_gateway.replay.strip import Strip

CELLS = (96, 48, 24, 12)
"""In how many parts a day may be drawn: from quarters of an hour to two hours."""

_BEFORE_THE_STRIP = 13
_AFTER_THE_STRIP = 19
_COLUMN = 16


class Ink(Enum):
    """Colours by what they say; the value is the terminal's own code."""

    HEADING = "1"
    MUSIC = "36"
    FAINT = "2"
    MORE = "32"
    LESS = "31"


@dataclass(frozen=True, slots=True)
class Page:
    """Plain text of 80 columns, unless there is a terminal that offers more. `is_ascii`: it shows nothing else."""

    width: int = 80
    has_colours: bool = False
    is_ascii: bool = False

    def ink(self, text: str, ink: Ink) -> str:
        """The text in a colour, where there are colours."""
        return f"\033[{ink.value}m{text}\033[0m" if self.has_colours and text.strip() else text

    @property
    def cells(self) -> int:
        """In how many parts a day is drawn here."""
        room = self.width - _BEFORE_THE_STRIP - _AFTER_THE_STRIP
        return next((cells for cells in CELLS if cells <= room), CELLS[-1])

    @property
    def heights(self) -> str:
        """The signs for nothing and for each of eight heights of a bar."""
        return ".:-=+*%#@" if self.is_ascii else "·▁▂▃▄▅▆▇█"

    @property
    def quiet(self) -> str:
        """The sign for quiet hours."""
        return "~" if self.is_ascii else "░"

    def legend(self) -> Iterator[str]:
        """What the signs mean, and the hours above the strips."""
        minutes = 24 * 60 // self.cells
        part = f"{minutes} minutes" if minutes < 60 else count(minutes // 60, "hour")  # noqa: PLR2004 - an hour has 60
        heights = f"{self.heights[1]} to {self.heights[-1]} how much of it has music, {self.heights[0]} none"
        yield f"One sign is {part}: {heights}, {self.quiet} quiet hours"
        every_h = 3 if self.cells > CELLS[-1] else 6
        hours = "".join(f"{hour:02}".ljust(self.cells * every_h // 24) for hour in range(0, 24, every_h))
        yield self.ink(f"{'':{_BEFORE_THE_STRIP}}{hours} {'began':>5} {'music':>12}", Ink.FAINT)

    def fold(self, dates: Sequence[date]) -> str:
        """Days without music, in one line."""
        first, last = dates[0], dates[-1]
        since, until = _label(first), _label(last)
        if first.year != last.year:
            since, until = f"{since} {first.year}", f"{until} {last.year}"
        return self.ink(f"{since} to {until}: {len(dates):,} days without music", Ink.FAINT)

    def day(self, day: date, strips: Sequence[Strip]) -> Iterator[str]:
        """The day's strip; where two policies differ, one above the other, and what the second has more or less."""
        if len(strips) == 1:
            yield self._line(_label(day), " ", strips[0])
            return
        one, other = strips
        if (one.heights, one.music_us, one.began) == (other.heights, other.music_us, other.began):
            yield self._line(_label(day), "=", one)
            return
        yield self._line(_label(day), "A", one)
        yield self._line("", "B", other)
        signs = [(b > a) - (b < a) for a, b in zip(one.heights, other.heights, strict=True)]
        marks = "".join(self.ink(" +-"[sign], Ink.MORE if sign > 0 else Ink.LESS) for sign in signs)
        sessions = f"{other.began - one.began:+}" if other.began != one.began else ""
        music = more(other.music_us - one.music_us) if other.music_us != one.music_us else ""
        yield f"{'':{_BEFORE_THE_STRIP}}{marks} {sessions:>5} {music:>12}".rstrip()

    def _line(self, label: str, whose: str, strip: Strip) -> str:
        signs = [
            (self.heights[height], Ink.MUSIC) if height else (self.quiet if is_quiet else self.heights[0], Ink.FAINT)
            for height, is_quiet in zip(strip.heights, strip.quiet, strict=True)
        ]
        cells = "".join(
            self.ink("".join(sign for sign, _ in run), ink) for ink, run in groupby(signs, key=lambda one: one[1])
        )
        music = length(strip.music_us) if strip.music_us else ""
        return f"{label:10} {whose} {cells} {strip.began or '':>5} {music:>12}".rstrip()

    def table(self, names: Sequence[str], rows: Sequence[tuple[str, int, int, bool]]) -> Iterator[str]:
        """Rows of a label and two numbers, held against each other; the last item tells whether they are lengths."""
        wide = max(len(label) for label, *_ in rows) + 1
        heads = [f"A {names[0]}", f"B {names[1]}", "B against A"]
        yield self.ink(f"{'':{wide}}" + "".join(f" {_cut(head):>{_COLUMN}}" for head in heads), Ink.HEADING)
        for label, one, other, are_lengths in rows:
            told = [length(number) if are_lengths else f"{number:,}" for number in (one, other)]
            change = "" if one == other else more(other - one) if are_lengths else f"{other - one:+,}"
            yield (f"{label:{wide}}" + "".join(f" {text:>{_COLUMN}}" for text in [*told, change])).rstrip()


def count(number: int, what: str) -> str:
    """A number of things, in the plural where it has one."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def length(us: int) -> str:
    """How long something took, in its two largest units."""
    seconds = us // SECOND
    if seconds < 60:  # noqa: PLR2004 - a minute has 60
        return f"{seconds} s"
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {seconds % 60:02} s"


def more(us: int) -> str:
    """How much longer or shorter."""
    return f"{'-' if us < 0 else '+'}{length(abs(us))}"


def _label(day: date) -> str:
    return f"{day:%a %d %b}"


def _cut(text: str) -> str:
    return text if len(text) <= _COLUMN else f"{text[: _COLUMN - 3]}..."
