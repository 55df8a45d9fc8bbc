"""The policy of a sensor: what the people who live there want. Every field with its bounds and default."""

import re
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from spotty_contract.wire import Percent, Seconds, Wire, misfit

MAX_POLICY_BYTES = 1800
"""As compact JSON: a shadow's answer to a gateway on nucleus lite must stay below 4.9 kB (design §5)."""

MAX_QUIET_WINDOWS = 7
MAX_SCHEDULE_ENTRIES = 5
SHORTEST_SESSION_LIMIT_S, LONGEST_SESSION_LIMIT_S = 60, 86_400

START_WORDS = "a time of day HH:MM, 00:00 to 23:59"
END_WORDS = "a time of day HH:MM, 00:00 to 24:00"
ZONE_WORDS = "an IANA time zone such as Europe/Berlin"
CONTEXT_WORDS = "spotify:playlist:..., spotify:album:... or spotify:artist:..., or the open.spotify.com link of one"
SESSION_LIMIT_WORDS = f"0 (no limit) or a number from {SHORTEST_SESSION_LIMIT_S} to {LONGEST_SESSION_LIMIT_S}"

_START = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_NO_ZONE_OF_IANA = re.compile(r"(posix|right)/.*|localtime|posixrules|Factory")
"""What a computer's zone folder holds besides: the same zones by another clock, or whichever it was set to."""

_CONTEXT_URI = re.compile(r"spotify:(playlist|album|artist):([A-Za-z0-9]+)")
_CONTEXT_LINK = re.compile(
    r"https?://open\.spotify\.com/(?:intl-[A-Za-z-]+/)?(playlist|album|artist)/([A-Za-z0-9]+)/?(?:[?#].*)?"
)


def _start_time(text: str) -> str:
    if not _START.fullmatch(text):
        raise ValueError(START_WORDS)
    return text


def _end_time(text: str) -> str:
    if text != "24:00" and not _START.fullmatch(text):
        raise ValueError(END_WORDS)
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(ZONE_WORDS) from error
    if _NO_ZONE_OF_IANA.fullmatch(name):
        raise ValueError(ZONE_WORDS)
    return name


def _context_uri(text: object) -> object:
    """A link is kept as the URI of what it leads to."""
    if not isinstance(text, str):
        return text
    found = _CONTEXT_URI.fullmatch(text.strip()) or _CONTEXT_LINK.fullmatch(text.strip())
    if not found:
        raise ValueError(CONTEXT_WORDS)
    return f"spotify:{found[1]}:{found[2]}"


def _session_limit(seconds: float) -> float:
    if seconds != 0 and not SHORTEST_SESSION_LIMIT_S <= seconds <= LONGEST_SESSION_LIMIT_S:
        raise ValueError(SESSION_LIMIT_WORDS)
    return seconds


StartTime = Annotated[str, AfterValidator(_start_time), Field(description=START_WORDS)]
EndTime = Annotated[str, AfterValidator(_end_time), Field(description=END_WORDS)]
Zone = Annotated[str, AfterValidator(_zone), Field(description=ZONE_WORDS)]
ContextUri = Annotated[str, BeforeValidator(_context_uri), Field(description=CONTEXT_WORDS)]
SessionLimit = Annotated[Seconds, AfterValidator(_session_limit), Field(description=SESSION_LIMIT_WORDS)]
Weekday = Annotated[int, Field(ge=0, le=6, description="a day from 0 (Monday) to 6 (Sunday)")]


class Window(Wire):
    """Local wall-clock time from `start` (inclusive) to `end` (exclusive) on `days` (0 = Monday; none = every day).

    A start after the end runs over midnight and belongs to the day on which it starts.
    """

    start: StartTime
    end: EndTime
    days: tuple[Weekday, ...] = Field(default=(), strict=False, max_length=7)

    @field_validator("days")
    @classmethod
    def _name_a_day_once(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        twice = sorted({day for day in days if days.count(day) > 1})
        if twice:
            raise misfit(f"the day {twice[0]} is listed twice")
        return days

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.start == self.end:
            raise misfit(f"start and end are both {self.start}; a whole day is 00:00 to 24:00")
        return self


class ScheduleEntry(Window):
    """A session that starts inside the window plays this context and volume instead of the policy's own."""

    context_uri: ContextUri | None = None
    volume_pct: Percent | None = None


class DeviceChoice(Wire):
    """The speaker a person chose. It is found again by name and type; ids change."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    type: Annotated[str, Field(min_length=1, max_length=32)] = "Speaker"
    id: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class Playback(Wire):
    """What plays, where, how loud, and how it behaves towards other people's music."""

    device: DeviceChoice | None = None
    context_uri: ContextUri | None = None
    shuffle: bool = True
    repeat: Literal["off", "context", "track"] = "context"
    volume_pct: Percent | None = None
    volume_cap_pct: Percent = 100
    fade_in_s: Seconds = Field(default=0, ge=0, le=30)
    fade_out_s: Seconds = Field(default=0, ge=0, le=30)
    resume: Literal["start", "where_left"] = "start"
    if_playing_elsewhere: Literal["skip", "transfer"] = "skip"
    if_account_busy: Literal["skip", "transfer"] = "skip"
    on_taken_over: Literal["leave", "pause"] = "leave"


class Policy(Wire):
    """Everything that is decided for one sensor. Every field may be left out."""

    enabled: bool = True
    hold_off_s: Seconds | None = Field(default=None, ge=0, le=3600)
    vacancy_delay_s: Seconds = Field(default=300, ge=30, le=7200)
    confirm_s: Seconds = Field(default=0, ge=0, le=120)
    cooldown_s: Seconds = Field(default=0, ge=0, le=3600)
    max_session_s: SessionLimit = 14_400
    stuck_after_s: Seconds = Field(default=3600, ge=60, le=86_400)
    warm_up_s: Seconds = Field(default=60, ge=0, le=300)
    start_retry_s: Seconds = Field(default=600, ge=0, le=3600)
    timezone: Zone | None = None
    """None: the gateway's own."""
    quiet_hours: tuple[Window, ...] = Field(default=(), strict=False, max_length=MAX_QUIET_WINDOWS)
    quiet_grace_s: Seconds = Field(default=1800, ge=0, le=7200)
    schedule: tuple[ScheduleEntry, ...] = Field(default=(), strict=False, max_length=MAX_SCHEDULE_ENTRIES)
    playback: Playback = Playback()

    @property
    def effective_hold_off_s(self) -> float:
        """The hold-off in force: the policy's, or two minutes, or half the vacancy delay if that is shorter."""
        return min(120, self.vacancy_delay_s / 2) if self.hold_off_s is None else self.hold_off_s

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.hold_off_s is not None and self.hold_off_s >= self.vacancy_delay_s:
            raise misfit(
                f"holdOffS, {self.hold_off_s:g}, should be less than vacancyDelayS, {self.vacancy_delay_s:g} "
                "(holdOffS is 0 to 3600, vacancyDelayS 30 to 7200)"
            )
        size = len(self.to_json().encode())
        if size > MAX_POLICY_BYTES:
            raise misfit(f"it is {size} bytes as compact JSON; at most {MAX_POLICY_BYTES} fit")
        return self
