"""What the engine remembers. Values only: a step never changes one, it makes the next.

A `record` is a dataclass that every motion makes anew (values.py says why that matters).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from spotty_gateway.engine.commands import Claim, SessionFacts
from spotty_gateway.engine.events import Position
from spotty_gateway.engine.quiet_hours import Span
from spotty_gateway.engine.reasons import EndedBy, Reason, SilentReason
from spotty_gateway.engine.rules import NEVER, InputKind, Rules, Target
from spotty_gateway.engine.values import record

LONG_AGO = -NEVER
"""An instant earlier than any that occurs."""


@record(frozen=True, slots=True)
class Input:
    """One input of a room. `since` is when its unbroken evidence began, None while it is none."""

    kind: InputKind
    active: bool | None = None
    changed_at: int = LONG_AGO
    active_at: int = LONG_AGO
    """Of its last active report; of a closed door: of the last motion behind it. Evidence is limited from here."""
    since: int | None = None
    stuck: bool = False


@record(frozen=True, slots=True)
class Presence:
    """What the inputs say. `evident` counts the inputs that are evidence now; `last_at` is when one last stopped."""

    inputs: dict[str, Input]
    evident: int = 0
    last_at: int = LONG_AGO
    last_motion_at: int = LONG_AGO


@record(frozen=True, slots=True)
class Session:
    """Somebody is there. `target` was chosen when they came and stays theirs."""

    id: str
    started_at: int
    motions: int
    target: Target | None
    quiet_since: int | None = None
    silent_told: SilentReason | None = None
    """The reason for silence that was last told: it is told again only when it changes."""
    played: Claim | None = None
    music_after_us: int | None = None
    policy_version: int = 0


@record(frozen=True, slots=True)
class Past:
    """What a room remembers between sessions. `blocked` stands from a `max_session` end until the room was empty."""

    sessions: int = 0
    accepted_at: int = LONG_AGO
    ended_at: int = LONG_AGO
    blocked: bool = False
    snooze_in_doubt: bool = False
    """The snooze until the morning was asked for while nobody knew the time: it is reckoned anew once it is known."""
    recorded_at: dict[Reason, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A motion waiting to be confirmed, and until when."""

    at: int
    confirm_at: int


@dataclass(frozen=True, slots=True)
class VolumeStep:
    """One step of a fade: at this instant, this volume."""

    at: int
    volume_pct: int


class Hold(StrEnum):
    """Whose the music in a room is."""

    OURS = "ours"
    SHARED = "shared"
    """Another of our rooms started it on the speaker that both have."""
    THEIRS = "theirs"
    """It played before we came: left alone."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nobody is there, nothing is asked of the player."""

    kind: Literal["idle"] = "idle"


@dataclass(frozen=True, slots=True)
class Silent:
    """Somebody is there and no music plays; tried again at `retry_at`, or when the cause goes."""

    reason: SilentReason
    attempt: int = 0
    retry_at: int = NEVER
    kind: Literal["silent"] = "silent"


@dataclass(frozen=True, slots=True)
class Starting:
    """The player has been asked. `claim` is the intent that makes the music ours if we crash now."""

    token: int
    claim: Claim
    attempt: int = 0
    fades: bool = True
    """Whether the fade-in that the policy may want was asked for."""
    kind: Literal["starting"] = "starting"


@dataclass(frozen=True, slots=True)
class Playing:
    """Music plays. `fade` are the volume steps still to come."""

    claim: Claim
    hold: Hold
    volume_pct: int | None = None
    fade: tuple[VolumeStep, ...] = ()
    kind: Literal["playing"] = "playing"


@dataclass(frozen=True, slots=True)
class Muted:
    """Stopped by a person or by another room, and not started again in this session."""

    reason: EndedBy
    kind: Literal["muted"] = "muted"


Playback = Idle | Silent | Starting | Playing | Muted


@dataclass(frozen=True, slots=True)
class AwaitedStart:
    """A start that nobody wants any more; its answer decides whether there is anything to pause."""

    token: int
    claim: Claim
    closed: SessionFacts | None = None
    trial_us: int | None = None
    """For how long it is to be heard, where it was asked for as a trial."""


@dataclass(frozen=True, slots=True)
class OwedPause:
    """Music of ours that nobody is there for: looked at and paused at `due_at`, again and again until settled.

    `token` is that of the pause under way (0: none). Dormant while somebody is there again. `fade` comes first, its
    first step with a look (`fade_token`); the pause follows at `pause_at` and puts the volume back.
    """

    claim: Claim
    due_at: int
    token: int = 0
    attempt: int = 0
    dormant: bool = False
    even_if_taken_over: bool = False
    closed: SessionFacts | None = None
    """How the session was closed: corrected when the look finds that a person had stopped the music before."""
    fade: tuple[VolumeStep, ...] = ()
    fade_token: int = 0
    pause_at: int = NEVER
    restore_volume_pct: int | None = None
    refusals: int = 0
    """How often in a row it was refused, which no mere waiting changes."""


@dataclass(frozen=True, slots=True)
class OwedVolume:
    """A volume the speaker must still be brought to: after a fade, a pause or a lowered cap."""

    claim: Claim
    volume_pct: int
    only_if_ours: bool
    due_at: int
    token: int = 0
    attempt: int = 0


@record(frozen=True, slots=True)
class Music:
    """A room's music and what is owed for it."""

    playback: Playback = Idle()
    awaited: tuple[AwaitedStart, ...] = ()
    owed_pause: OwedPause | None = None
    owed_volume: OwedVolume | None = None
    left_at: Position | None = None
    faulty: bool = False
    unstoppable: bool = False


NO_PAST = Past()
NO_MUSIC = Music()


@record(frozen=True, slots=True)
class Room:
    """One sensor: a room's inputs, rules, session and music.

    `due_at` is an instant before which no deadline of the room falls; LONG_AGO asks for a look at all of them.
    """

    rules: Rules
    presence: Presence
    session: Session | None = None
    past: Past = NO_PAST
    candidate: Candidate | None = None
    quiet: Span | None = None
    snoozed_until: int | None = None
    music: Music = NO_MUSIC
    has_contact: bool = False
    removed: bool = False
    due_at: int = LONG_AGO


@record(frozen=True, slots=True)
class House:
    """Everything the engine knows. `offset` is wall minus mono; `run` names this run of the component in ids."""

    run: str
    started_at: int
    mono: int
    offset: int
    trusted: bool
    rooms: dict[str, Room]
    token: int = 0
    due_at: int = LONG_AGO
    calls_short: bool = False
    """Whether few calls are left for today: then music does without fades."""
    seed: int = 0
    """Of what makes this house's waits differ a little from those of others; 0: nothing does."""


def new_house(run: str, mono: int, wall: int, trusted: bool, seed: int = 0) -> House:
    """A house without rooms, started now. `run` must differ between runs: session ids are made from it."""
    return House(run, mono, mono, wall - mono, trusted, {}, seed=seed)
