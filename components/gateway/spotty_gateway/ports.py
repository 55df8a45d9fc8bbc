"""What the inside of the gateway asks of the world. Adapters fill these in; tests fill them in by hand."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple, Protocol

from spotty_contract.records import Record
from spotty_contract.topics import Kind
from spotty_gateway.engine.events import Position
from spotty_gateway.engine.rules import Device, InputKind, Repeat
from spotty_gateway.engine.state import House


class Clock(Protocol):
    """The two clocks of a computer."""

    def mono(self) -> int:
        """Monotonic time in microseconds (CLOCK_MONOTONIC: the kernel's timestamps are on it)."""

    def offset(self) -> int:
        """What to add to `mono` for the UTC instant in microseconds since 1970."""

    def trusted(self) -> bool:
        """Whether the wall clock has been synchronised since this boot."""

    def real_s(self, us: int) -> float:
        """How many real seconds to wait for that much of this clock's time to pass (a demonstration runs faster)."""


@dataclass(frozen=True, slots=True)
class SeenDevice:
    """A Connect device as Spotify describes it now."""

    device: Device
    is_active: bool
    is_restricted: bool
    volume_pct: int | None
    """None where the device has no volume that can be set."""


@dataclass(frozen=True, slots=True)
class RememberedDevice:
    """What outlives a restart of a device that a person chose: its last id, and whether its volume cannot be set."""

    name: str
    type: str
    id: str
    refuses_volume: bool
    refused_at_s: float | None = None
    """Since when, in seconds since 1970; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the account plays now."""

    is_playing: bool
    device: SeenDevice | None
    context_uri: str | None
    track_uri: str | None
    progress_ms: int
    shuffle: bool
    repeat: Repeat


class Gate(Protocol):
    """What every request passes on its way to Spotify, a renewed token's too: one for the whole account."""

    def enter(self) -> None:
        """Count a request that is about to leave. Raises PlayerLimitError where none may."""

    def close(self, wait_s: float, *, quota: bool) -> None:
        """Spotify wants no request for so long; `quota` where it said that the day's quota is used up."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What an idle player waits for before it has something to do again; nothing where both are None."""

    watch_fd: int | None = None
    """Readable when the connection has gone stale."""
    again_in_s: float | None = None


class Player(Protocol):
    """One Spotify account. Calls block, at most for some seconds; every one may raise a PlayerError."""

    def within(self, seconds: float) -> None:
        """Let all calls from now until the next `within` take no longer than this together, in real seconds."""

    def get_ready(self) -> Readiness:
        """Do in idle time what the next command should not have to wait for: a fresh token, an open connection.

        Raises nothing and asks the Web API nothing; what does not succeed is tried again later.
        """

    def look(self) -> Look | None:
        """What plays; None where nothing is active."""

    def devices(self) -> list[SeenDevice]:
        """The devices that are there now."""

    def play(self, device_id: str, context_uri: str, position: Position | None) -> None:
        """Play a context on a device, from its start or from where it was left."""

    def transfer(self, device_id: str) -> None:
        """Make this the active device; what plays goes on there, silence stays silence."""

    def pause(self, device_id: str | None) -> None:
        """Pause; it is no error if nothing plays."""

    def set_volume(self, device_id: str | None, volume_pct: int) -> None:
        """Set the device's volume."""

    def set_shuffle(self, device_id: str, on: bool) -> None:
        """Shuffle the context that plays there, or not."""

    def set_repeat(self, device_id: str, repeat: Repeat) -> None:
        """Repeat the context or the track that plays there, or not."""


class EdgeRow(NamedTuple):
    """An input's report as it came: enough to replay it.

    `mono_us` counts within one `run` of the component only. `initial` marks the level found at start-up.
    """

    mono_us: int
    wall_us: int
    trusted: bool
    run: str
    sensor_id: str
    input_id: str
    kind: InputKind
    active: bool
    initial: bool


class DecisionRow(NamedTuple):
    """What was decided, and why, in the words that a person reads."""

    at_wall_us: int
    trusted: bool
    sensor_id: str
    session_id: str | None
    action: str
    reason: str
    detail: str = ""


class Store(Protocol):
    """What survives. Every call returns at once; trouble with the disk is the store's own."""

    def save(self, house: House, boot_id: str) -> None:
        """Write the snapshot soon; a newer one replaces one that is still waiting."""

    def note_edge(self, edge: EdgeRow) -> None:
        """Remember an input's report."""

    def note_decision(self, decision: DecisionRow) -> None:
        """Remember a decision."""


class Cloud(Protocol):
    """The way to the cloud, through the nucleus."""

    keeps_acknowledged: bool
    """Whether what was taken may be lost even a day later: classic takes it into memory. Of lite, uplink.py tells."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message over, at least once; at most 4,500 bytes. Blocks some seconds at most. Raises CloudError."""

    def subscribe(
        self, topic_filter: str, hear: Callable[[str, bytes], None], stands: Callable[[], None] = lambda: None
    ) -> None:
        """Let `hear` be told topic and payload of what comes, and `stands` each time that the subscription does.

        Returns at once; it is set up as soon and as often as need be. Both are called on one thread, in order.
        """


class Stamp(NamedTuple):
    """By which clock a record was stamped: the boot's, and what it added to `mono` then."""

    boot_id: str
    offset_us: int


class Fate(Enum):
    """What has become of records that were handed over."""

    DONE = "done"
    """They have arrived: they can be forgotten."""
    KEPT = "kept"
    """They were acknowledged, perhaps from memory only: they are kept for a while, and may be sent again."""
    ASIDE = "aside"
    """They were refused for good."""


class Lane(NamedTuple):
    """Records whose order is kept: those of one topic."""

    sensor_id: str
    kind: Kind


class Outgoing(NamedTuple):
    """Records of one sensor and kind, oldest first, that may go out in one message."""

    sensor_id: str
    kind: Kind
    ids: tuple[int, ...]
    lines: tuple[bytes, ...]


NOTHING_FAILED: Mapping[Lane, int] = MappingProxyType({})

HandOver = Callable[[Sequence[Outgoing], Mapping[str, int]], None]
"""Told what goes out next, and how many records of each sensor wait in all."""


class OutboxView(NamedTuple):
    """How much waits in the outbox, what was given up or refused, and the highest `seq` ever put."""

    records: int = 0
    size_bytes: int = 0
    dropped: int = 0
    aside: int = 0
    seq: int = 0


class Refused(NamedTuple):
    """Records that the cloud, or the wire's shape, will not have: set aside, or waiting where nobody says never."""

    topic: str
    why: str
    number: int
    cure: str = "see that the component may publish there"


class Records(Protocol):
    """Where records for the cloud are put. Every call returns at once."""

    @property
    def view(self) -> OutboxView:
        """How much waits, and what was given up since the component was installed."""

    def put(self, kind: Kind, record: Record, stamp: Stamp) -> None:
        """Send this record some time. `stamp` is of the clock that the record's instants are by."""

    def trust(self, stamp: Stamp) -> None:
        """The clock has turned out to be right: what was stamped before in this boot is corrected and goes out."""


class Outbox(Protocol):
    """What waits to be sent, for whoever sends it. Every call returns at once."""

    def fetch(
        self,
        busy: Collection[str],
        at_most: int,
        hand_over: HandOver,
        *,
        resting: Collection[Lane] = (),
        failed: Mapping[Lane, int] = NOTHING_FAILED,
    ) -> None:
        """Have what goes out next handed over, of at most so many sensors and of none that is `busy`.

        Nothing of a lane that is `resting`; of those that have `failed`, whichever failed least, after all others.
        """

    def settle(self, ids: Iterable[int], fate: Fate) -> None:
        """Say what has become of rows that were handed over."""

    def send_again(self) -> None:
        """What was acknowledged may be lost after all: send again what has been kept."""
