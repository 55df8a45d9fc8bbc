"""What can happen to the engine. Every event says when: the engine never looks at a clock.

`mono` is monotonic time and `wall` the UTC instant, both integers in microseconds (`wall` since 1970); `trusted` says
whether the wall clock is known to be right. Timers run on `mono`; only quiet hours, schedules and snoozes ask `wall`.
"""

from dataclasses import dataclass
from typing import Literal

from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import Device, InputKind, Rules, Target
from spotty_gateway.engine.values import record


@record(frozen=True, slots=True)
class Report:
    """An input reports its level.

    `initial` marks the level found when the input was first watched: evidence, never motion. An input that is not
    among the room's is taken for a PIR.
    """

    mono: int
    wall: int
    trusted: bool
    sensor_id: str
    input_id: str
    active: bool
    initial: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed, or the clock has been looked at."""

    mono: int
    wall: int
    trusted: bool


@dataclass(frozen=True, slots=True)
class RoomConfigured:
    """A room is new or its policy or inputs are. `inputs` are all of the room's inputs; the others are gone."""

    mono: int
    wall: int
    trusted: bool
    sensor_id: str
    rules: Rules
    inputs: tuple[tuple[str, InputKind], ...]


@dataclass(frozen=True, slots=True)
class RoomRemoved:
    """The room is no longer there: its session ends as `disabled`; what it owes is still paid."""

    mono: int
    wall: int
    trusted: bool
    sensor_id: str


@dataclass(frozen=True, slots=True)
class PauseAsked:
    """A person wants this room silent for the rest of its session."""

    mono: int
    wall: int
    trusted: bool
    sensor_id: str


@dataclass(frozen=True, slots=True)
class ResumeAsked:
    """A person wants music again: lifts a snooze and a mute."""

    mono: int
    wall: int
    trusted: bool
    sensor_id: str


@dataclass(frozen=True, slots=True)
class SnoozeAsked:
    """A person wants no music in this room before the wall instant `until`."""

    mono: int
    wall: int
    trusted: bool
    sensor_id: str
    until: int


@dataclass(frozen=True, slots=True)
class VolumeAsked:
    """A person wants this room's music louder or softer."""

    mono: int
    wall: int
    trusted: bool
    sensor_id: str
    volume_pct: int


@dataclass(frozen=True, slots=True)
class TrialAsked:
    """A person wants to hear for a while which speaker this room's is, or what `target` sounds like."""

    mono: int
    wall: int
    trusted: bool
    sensor_id: str
    target: Target
    for_us: int


@dataclass(frozen=True, slots=True)
class AccountForgotten:
    """The account is disconnected, and with it goes what was known of its playlists."""

    mono: int
    wall: int
    trusted: bool


@dataclass(frozen=True, slots=True)
class PlayerReady:
    """What kept the player from answering is gone (the guard opened, consent was given): try again now."""

    mono: int
    wall: int
    trusted: bool


@dataclass(frozen=True, slots=True)
class CallsShort:
    """Whether few calls are left for today: then music does without fades."""

    mono: int
    wall: int
    trusted: bool
    short: bool


@dataclass(frozen=True, slots=True)
class Stopping:
    """The component is about to stop. `pause` says whether the music stops with it."""

    mono: int
    wall: int
    trusted: bool
    pause: bool


@dataclass(frozen=True, slots=True)
class Position:
    """Where a context was left: the track and how far into it."""

    context_uri: str
    track_uri: str
    progress_ms: int


@dataclass(frozen=True, slots=True)
class Started:
    """Our context plays on our device, looked at and verified.

    `adopted` is True where it was still playing and was not started again. `volume_pct` is the volume it was brought
    to, or will be at the end of a fade; None where the device has none.
    """

    device: Device
    context_uri: str
    adopted: bool
    volume_pct: int | None
    detail: str = ""
    """What a person has to know of it, if anything."""


@dataclass(frozen=True, slots=True)
class Declined:
    """A look found music that is not ours, and it was left alone."""

    reason: Literal["already_playing", "playing_elsewhere"]


@dataclass(frozen=True, slots=True)
class Superseded:
    """A newer command of the room came first; nothing was asked of Spotify."""


@dataclass(frozen=True, slots=True)
class OwnVolume:
    """The volume that a speaker had before we changed it."""

    device: Device
    volume_pct: int


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be done. `detail` is for a person; `retry_after_us` is the least wait where Spotify named one."""

    reason: SilentReason
    detail: str
    retry_after_us: int = 0
    started_anyway: bool = False
    """A start whose request may have been obeyed although no proof came: what plays may be ours."""
    unrestored: OwnVolume | None = None
    """What a start has changed before its music was asked for, and could not put back."""


@dataclass(frozen=True, slots=True)
class Paused:
    """Ours was paused. `left_at` is where; `volume_restored` is False where the speaker's own volume is still owed."""

    left_at: Position | None
    volume_restored: bool = True


@dataclass(frozen=True, slots=True)
class NotOurs:
    """A look found that what plays (or does not) is no longer ours to touch."""

    reason: Literal["manual_stop", "taken_over", "finished"]


@dataclass(frozen=True, slots=True)
class VolumeSet:
    """The device has the volume that was asked for. `before_pct` is what a look found; None where none was made."""

    before_pct: int | None = None


Outcome = Started | Declined | Superseded | Failed | Paused | NotOurs | VolumeSet


@dataclass(frozen=True, slots=True)
class PlayerAnswered:
    """A command with this token has come to its end."""

    mono: int
    wall: int
    trusted: bool
    sensor_id: str
    token: int
    outcome: Outcome


Event = (
    Report
    | Tick
    | RoomConfigured
    | RoomRemoved
    | PauseAsked
    | ResumeAsked
    | SnoozeAsked
    | VolumeAsked
    | TrialAsked
    | AccountForgotten
    | PlayerReady
    | CallsShort
    | Stopping
    | PlayerAnswered
)
