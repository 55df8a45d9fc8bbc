"""What the engine wants done (commands to the player) and what it tells (facts for records, log and status).

Both leave `step` in one list, in the order in which they came about. Wall instants are microseconds since 1970.
"""

from dataclasses import dataclass

from spotty_gateway.engine.events import Position
from spotty_gateway.engine.reasons import EndedBy, Fault, Reason
from spotty_gateway.engine.rules import Device, Target
from spotty_gateway.engine.values import record


@dataclass(frozen=True, slots=True)
class Claim:
    """What we hold to be ours: this context on this device.

    `confirmed` is False for an intent whose success nobody has seen; then only an exact match counts as ours.
    """

    device: Device
    context_uri: str
    confirmed: bool


@dataclass(frozen=True, slots=True)
class StartMusic:
    """Look; unless somebody else's music plays, play `target`; verify.

    `ours` may be found playing and is then kept as it is. `others` are our other rooms' claims: not somebody else's
    music. `take_over` plays even though another device plays somebody else's.
    """

    sensor_id: str
    token: int
    target: Target
    ours: Claim | None
    others: tuple[Claim, ...]
    take_over: bool
    position: Position | None


@dataclass(frozen=True, slots=True)
class PauseMusic:
    """Look; pause if `claim` still holds, then bring the volume back to `restore_volume_pct` if there is one."""

    sensor_id: str
    token: int
    claim: Claim
    even_if_taken_over: bool
    restore_volume_pct: int | None


@dataclass(frozen=True, slots=True)
class SetVolume:
    """Set the device's volume; with `only_if_ours`, look first and leave it alone if the claim is lost.

    With `must_hold`, look afterwards too where it was to come down: it has failed if it did not.
    """

    sensor_id: str
    token: int
    claim: Claim
    volume_pct: int
    only_if_ours: bool
    must_hold: bool = False


@record(frozen=True, slots=True)
class Judged:
    """One motion, judged: accepted (reason None) or suppressed. `recorded` is False where it is only counted."""

    sensor_id: str
    at: int
    reason: Reason | None
    recorded: bool
    session_id: str | None


@record(frozen=True, slots=True)
class SessionFacts:
    """A session as it stands; `ended_by` is None while it runs. `silent_reason` says why no music plays in it."""

    sensor_id: str
    session_id: str
    start_at: int
    end_at: int | None
    duration_us: int
    last_motion_at: int
    motions: int
    ended_by: EndedBy | None
    playback_started: bool
    silent_reason: str | None
    time_to_music_us: int | None
    device: Device | None
    context_uri: str | None
    clock_trusted: bool
    policy_version: int
    corrected: bool = False
    """Whether this session was told as over before, and only now it is known what had ended it."""


@dataclass(frozen=True, slots=True)
class MusicDecided:
    """What became of the music in a session: started, resumed, left alone, silent, muted, paused, and why."""

    sensor_id: str
    session_id: str
    at: int
    action: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FaultRaised:
    """Something is wrong and stays so until cleared. `subject` is the input or the room it is about."""

    sensor_id: str
    subject: str
    fault: Fault
    detail: str
    at: int


@dataclass(frozen=True, slots=True)
class FaultCleared:
    """The fault is over."""

    sensor_id: str
    subject: str
    fault: Fault
    at: int


@dataclass(frozen=True, slots=True)
class SaveState:
    """What must survive a crash has changed: write the snapshot."""


PlayerCommand = StartMusic | PauseMusic | SetVolume
Fact = Judged | SessionFacts | MusicDecided | FaultRaised | FaultCleared | SaveState
Effect = PlayerCommand | Fact

SAVE_STATE = SaveState()
