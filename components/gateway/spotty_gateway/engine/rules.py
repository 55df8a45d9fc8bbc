"""What a room has been told to do: the policy, checked and converted once, in the engine's own units.

Instants and durations inside the engine are integers in microseconds, so that two things due at the same time really
are due at the same time. `rules_of.py`, outside the engine, makes these from a Policy.
"""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import StrEnum
from unicodedata import normalize

SECOND = 1_000_000
"""Microseconds in a second: the unit of every instant and duration in the engine."""

NEVER = 2**62
"""An instant later than any that occurs."""

HOLD_WITHOUT_LIMIT_US = 14_400 * SECOND
"""How long a closed door holds a room whose `max_session_s` is 0 (design: four hours, the default session limit)."""

DOOR_SETTLES_US = 5 * SECOND
"""A motion this long after the door closed was made by somebody inside, not by the one who left."""

RECORD_AT_MOST_EVERY_US = SECOND
"""Suppressed motions of one reason are recorded at most this often, however short `hold_off_s` is."""


class InputKind(StrEnum):
    """What is wired to a pin."""

    PIR = "pir"
    CONTACT = "contact"
    """A door or window contact; active means open."""
    BUTTON = "button"


class Repeat(StrEnum):
    """Spotify's repeat modes."""

    OFF = "off"
    CONTEXT = "context"
    TRACK = "track"


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes of a local day, start inclusive, end exclusive; start > end runs over midnight.

    `days` holds weekdays, 0 = Monday, of the date on which the window starts; empty means every day.
    """

    days: frozenset[int]
    start_min: int
    end_min: int


@dataclass(frozen=True, slots=True)
class Device:
    """A Spotify Connect device. The id may be missing or change; name and type are what a person chose."""

    name: str
    type: str
    id: str | None = None

    @property
    def called(self) -> tuple[str, str]:
        """Name and type as they are compared: a phone may write "ü" as two signs, where a keyboard has one."""
        return normalize("NFC", self.name).casefold(), normalize("NFC", self.type).casefold()

    def is_same_as(self, other: "Device") -> bool:
        """True when both stand for one speaker: by id where both have one that agrees, else by name and type."""
        # Twins, two speakers of one name and type, count as one, so a person's play of our context on the twin counts
        # as ours. Two ids alone tell nothing: one speaker has a new id whenever Spotify likes. Both ids in one list
        # would, if a speaker that came back with another id did not stay listed under the old one for a while; then
        # our own music would be left to an empty room. So twins are told apart where one is chosen (`chosen_from`).
        return (self.id is not None and self.id == other.id) or self.called == other.called


@dataclass(frozen=True, slots=True)
class Target:
    """What plays, where and how loud. Volumes are percent of the device's own scale."""

    device: Device
    context_uri: str
    shuffle: bool = True
    repeat: Repeat = Repeat.CONTEXT
    volume_pct: int | None = None
    volume_cap_pct: int = 100
    fade_in_us: int = 0
    fade_out_us: int = 0
    resume_where_left: bool = False
    transfer_if_elsewhere: bool = False
    transfer_if_busy: bool = False
    pause_if_taken_over: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """Inside `window`, a session starts with these instead of the target's own."""

    window: Window
    context_uri: str | None
    volume_pct: int | None


@dataclass(frozen=True, slots=True)
class Rules:
    """A room's policy in the engine's units. `version` is the policy's, for records."""

    enabled: bool = True
    hold_off_us: int = 120 * SECOND
    vacancy_delay_us: int = 300 * SECOND
    confirm_us: int = 0
    cooldown_us: int = 0
    max_session_us: int = 14_400 * SECOND
    stuck_after_us: int = 3_600 * SECOND
    warm_up_us: int = 60 * SECOND
    start_retry_us: int = 600 * SECOND
    zone: tzinfo = UTC
    quiet_windows: tuple[Window, ...] = ()
    quiet_grace_us: int = 1_800 * SECOND
    schedule: tuple[ScheduleEntry, ...] = ()
    target: Target | None = None
    version: int = 0

    @property
    def hold_limit_us(self) -> int:
        """How long after a motion behind a closed door the room is held at most."""
        return self.max_session_us or HOLD_WITHOUT_LIMIT_US
