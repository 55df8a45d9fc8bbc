"""What a gateway tells the cloud and the cloud keeps: sessions, decisions, errors, and what the gateway is.

Every record says which gateway and sensor it is of, whether the clock could be trusted when it was stamped, and the
version of its shape. Times are milliseconds since 1970, UTC. Unknown fields are ignored: a newer gateway may tell more
than this cloud knows. So are words that only explain (a reason): they are `Word`s, not lists of what is known today.
"""

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, computed_field, model_validator

from spotty_contract.gateway import SensorId
from spotty_contract.policy import MAX_POLICY_BYTES
from spotty_contract.topics import GatewayId
from spotty_contract.wire import Count, Seconds, UtcMs, Wire, Word, misfit, told

SCHEMA_VERSION: Final = 1
"""Raised when an older reader would misunderstand a record; not for a new field or word."""

LocalId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,95}$")]
"""An id that the gateway made, unique in it for ever: a sensor's id, the run's and a number, joined by hyphens."""

FAULTY = frozenset({"no_device", "device_refuses", "consent_needed", "premium_needed", "player_unavailable"})
"""Reasons for silence that are a fault of the player, not a wish and not a rule."""

SessionStatus = Literal["active", "timeout", "manual_stop", "error", "ended"]


class Part(Wire):
    """A part of a record: like every shape on the wire, but what is unknown in it is ignored."""

    model_config = ConfigDict(extra="ignore")

    def to_json(self) -> str:
        """Compact JSON in which only what is None is left out: it is kept for years, and defaults may change."""
        return self.model_dump_json(exclude_none=True)


class Record(Part):
    """What all records say."""

    instants: ClassVar[tuple[str, ...]] = ("timestamp",)
    """The fields that a wrong clock makes wrong."""

    schema_version: Literal[1] = SCHEMA_VERSION
    gateway_id: GatewayId
    sensor_id: SensorId
    """The sensor's local id; `gateway` for what concerns the whole gateway."""
    clock_trusted: bool

    def corrected(self, by_ms: int) -> Self:
        """The same record now that it is known how wrong the clock was: its instants moved, and trusted."""
        moved = {
            name: max(0, at + by_ms)
            for name, at in ((name, getattr(self, name)) for name in self.instants)
            if at is not None
        }
        return type(self).model_validate({**dict(self), **moved, "clock_trusted": True})


class PlayedOn(Part):
    """The speaker a session played on."""

    name: Annotated[str, told(160)]
    type: Annotated[str, told(40)]
    id: Annotated[str, told(64)] | None = None


class SessionRecord(Record):
    """A session as it stands: the record with the higher `seq` holds. Sent when it opens, changes and closes."""

    instants: ClassVar[tuple[str, ...]] = ("start_time", "end_time", "last_motion_time")

    session_id: LocalId
    seq: Count
    ended_by: Word | None = None
    start_time: UtcMs
    end_time: UtcMs | None = None
    last_motion_time: UtcMs
    duration_s: Seconds = Field(ge=0)
    """By the monotonic clock: right even where the instants are not."""
    motion_events_count: Count
    playback_started: bool
    silent_reason: Word | None = None
    time_to_music_ms: Count | None = None
    device: PlayedOn | None = None
    context_uri: Annotated[str, told(MAX_POLICY_BYTES)] | None = None
    policy_version: Count

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorator above property; pydantic wants it there
    @property
    def status(self) -> SessionStatus:
        """Always derived, never read: it cannot contradict what it says."""
        return status_of(self.ended_by, self.silent_reason, playback_started=self.playback_started)

    @model_validator(mode="after")
    def _ends_wholly(self) -> Self:
        if (self.ended_by is None) != (self.end_time is None):
            raise misfit("endedBy and endTime come together: a session that is over has both, a running one neither")
        return self


def status_of(ended_by: str | None, silent_reason: str | None, *, playback_started: bool) -> SessionStatus:
    """A session in one word. An unknown `ended_by`, or the cloud's own `gateway_lost`, has just ended it."""
    if ended_by is None:
        return "active"
    if ended_by == "manual_stop":
        return "manual_stop"
    if not playback_started and silent_reason in FAULTY:
        return "error"
    return "timeout" if ended_by == "timeout" else "ended"


class Decision(Record):
    """One thing that was decided: about a motion (on `motion`) or about the music of a session (on `playback`)."""

    event_id: LocalId
    session_id: LocalId | None = None
    timestamp: UtcMs
    event_type: Literal["motion_detected", "motion_cleared", "playback_changed", "heartbeat"]
    action_taken: Word
    """playback_started, playback_resumed, already_playing, ignored_<reason>, error; motion_accepted where a motion in
    a running session did no more than keep it going; and of `playback` alone paused, silent, muted, left_alone."""
    reason: Word | None = None

    @computed_field  # type: ignore[prop-decorator]  # as above
    @property
    def playback_triggered(self) -> bool:
        """Whether music began to play by it."""
        return self.action_taken in {"playback_started", "playback_resumed"}


class ErrorRecord(Record):
    """Something went wrong, or is over again (`cleared`): a fault, a command nobody could read, records dropped."""

    event_id: LocalId
    timestamp: UtcMs
    fault: Word
    cleared: bool = False
    subject: Annotated[str, told(64)] = ""
    """The input, the room or the topic that it is about."""
    detail: Annotated[str, told(400)] = ""
    cure: Annotated[str, told(400)] = ""
    """What a person can do."""
    count: Count = 1
    """How many of this kind are told at once."""


class Versions(Part):
    """What runs there."""

    component: Annotated[str, told(40)]
    python: Annotated[str, told(40)]
    system: Annotated[str, told(120)]
    nucleus: Annotated[str, told(40)] = ""


class Registration(Record):
    """A gateway has come up: what it is and which sensors it watches. Sent once a start, as sensor `gateway`."""

    timestamp: UtcMs
    versions: Versions
    sensors: tuple[SensorId, ...] = Field(default=(), strict=False, max_length=16)
