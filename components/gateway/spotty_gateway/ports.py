"""What the inside of the gateway asks of the world. Adapters fill these in; tests fill them in by hand."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

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
class Look:
    """What the account plays now."""

    is_playing: bool
    device: SeenDevice | None
    context_uri: str | None
    track_uri: str | None
    progress_ms: int
    shuffle: bool
    repeat: Repeat


class Player(Protocol):
    """One Spotify account. Calls block, at most for some seconds; every one may raise a PlayerError."""

    def within(self, seconds: float) -> None:
        """Let all calls from now until the next `within` take no longer than this together, in real seconds."""

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
