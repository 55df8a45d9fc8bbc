"""How things are now: a room (on its sensor's `status`) and the whole gateway (as sensor `gateway`).

One message a room, not one for all: sixteen rooms with their faults would not fit into one.
"""

from collections.abc import Iterable
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from spotty_contract.records import LocalId, Part, Record, Versions
from spotty_contract.wire import Count, Seconds, UtcMs, Word, told

Counts = Annotated[dict[Word, Count], Field(max_length=12)]
"""How often, by reason."""

PartT = TypeVar("PartT", bound=Part)

_MOST_FAULT_BYTES = 2_000


def leading(parts: Iterable[PartT], most_bytes: int) -> tuple[PartT, ...]:
    """As many of the first parts as fit into so many bytes of JSON: what must be told comes first."""
    kept: list[PartT] = []
    for part in parts:
        most_bytes -= len(part.to_json().encode()) + 1
        if most_bytes < 0:
            break
        kept.append(part)
    return tuple(kept)


class StandingFault(Part):
    """Something is wrong and stays so until it is mended."""

    fault: Word
    subject: Annotated[str, told(64)]
    detail: Annotated[str, told(200)]
    cure: Annotated[str, told(200)]
    """What a person can do."""


Faults = Annotated[
    tuple[StandingFault, ...],
    Field(strict=False),
    AfterValidator(lambda faults: leading(faults, _MOST_FAULT_BYTES)),
]
"""The first ones; at least three fit, and a dozen of ordinary length."""


class NextDeadline(Part):
    """What the room waits for, and when it comes."""

    what: Word
    at: UtcMs


class Status(Record):
    """What both say. The one with the higher `seq` holds: it rises with every status of this sensor, for ever."""

    seq: Count
    timestamp: UtcMs
    faults: Faults = ()


class RoomStatus(Status):
    """How one room is doing, and why no music plays there.

    Told when it changes, and where nothing does only once an hour: it holds for as long as the gateway is heard of.
    """

    state: Literal["vacant", "occupied", "starting", "playing", "silent", "muted"]
    why: Annotated[str, told(200)] = ""
    session_id: LocalId | None = None
    snoozed_until: UtcMs | None = None
    next: NextDeadline | None = None
    last_decision: Annotated[str, told(240)] = ""
    last_decision_at: UtcMs | None = None
    day: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    """The date in the room's own zone that the counts are of."""
    suppressed_today: Counts = Field(default_factory=dict)
    """Motions that started nothing, by reason. They only rise within a day."""
    policy_version: Count


class Outbox(Part):
    """What waits to be sent, and what was given up since the component was installed."""

    records: Count
    size_bytes: Count
    dropped: Count


class Consent(Part):
    """Whether the household's Spotify is connected, and for how long."""

    state: Literal["given", "missing", "lapsed", "refused"]
    given_at: UtcMs | None = None
    ends_at: UtcMs | None = None


class Guard(Part):
    """Whether Spotify may be asked, and how much of the day's calls is used."""

    closed_until: UtcMs | None = None
    reason: Word | None = None
    calls_today: Count
    """In the last 24 hours."""


class DeviceStatus(Status):
    """How the gateway itself is doing. Told every five minutes: who says nothing for three of these is not there."""

    sensor_id: Literal["gateway"]
    versions: Versions
    uptime_s: Seconds = Field(ge=0)
    outbox: Outbox
    consent: Consent
    guard: Guard
    policy_version: Count
    """Of the list of sensors."""
