"""Speakers, phones and televisions as Spotify Connect sees them, good manners and bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Presence = Literal["present", "dozing", "asleep", "unplugged"]
Absence = Literal["dozing", "asleep", "unplugged"]


@dataclass(slots=True)
class Device:
    """One thing that can play.

    `key` is ours and never changes; `id` is Spotify's, may be None and may change. `volume_pct` is 0..100, or None
    where the device does not tell. A command that names a device that is not present is answered "Device not found".
    Asleep or unplugged it is not even listed; dozing it is, and a transfer wakes it.

    Bad manners: `wake_ms`, asleep, it appears that long after the first command that named it (None: it sleeps on);
    `idles_into`, how it is absent once it has idled; `start_delay_ms`, it says yes at once and plays that much later;
    `ignores_play`, it says yes and never plays; `volume_needs_active`, its volume can be set only while it is the
    active device; `refuses_volume`, it is said to support volume and does not; `volume_steps`, it knows only so many
    and takes the nearest; `forgets_context`, what plays on it has no context; `report_lag_ms`, for so long after a
    command Spotify tells what was before.
    """

    key: str
    id: str | None
    name: str
    type: str = "Speaker"
    presence: Presence = "present"
    is_restricted: bool = False
    is_private_session: bool = False
    supports_volume: bool = True
    volume_pct: int | None = 50
    wake_ms: int | None = None
    start_delay_ms: int = 0
    ignores_play: bool = False
    volume_needs_active: bool = False
    refuses_volume: bool = False
    volume_steps: int | None = None
    forgets_context: bool = False
    report_lag_ms: int = 0
    idles_into: Absence | None = None

    @property
    def is_listed(self) -> bool:
        """Whether Spotify counts it among the devices."""
        return self.presence in ("present", "dozing")

    def nearest_volume(self, volume_pct: int) -> int:
        """The volume that it takes when told `volume_pct`."""
        if self.volume_steps is None:
            return volume_pct
        return round(round(volume_pct * self.volume_steps / 100) * 100 / self.volume_steps)


TRAITS: dict[str, tuple[str, bool | int | str | None]] = {
    "restricted": ("is_restricted", True),
    "private": ("is_private_session", True),
    "no-volume": ("supports_volume", False),
    "refuses-volume": ("refuses_volume", True),
    "volume-steps": ("volume_steps", 25),
    "dozing": ("presence", "dozing"),
    "dozes-off": ("idles_into", "dozing"),
    "falls-asleep": ("idles_into", "asleep"),
    "asleep": ("presence", "asleep"),
    "wakes": ("wake_ms", 4000),
    "unplugged": ("presence", "unplugged"),
    "no-id": ("id", None),
    "late": ("start_delay_ms", 3000),
    "silent": ("ignores_play", True),
    "forgets-context": ("forgets_context", True),
    "stale": ("report_lag_ms", 3000),
    "volume-when-active": ("volume_needs_active", True),
}
"""Words for the command line, and the field and value each one sets."""

GOOD_MANNERS: dict[str, bool | int | str | None] = {
    name: getattr(Device("", None, ""), name) for name, _ in TRAITS.values() if name not in ("presence", "id")
}
"""What the traits change, as it is without them; where a device is and what its id is are no manners."""
