"""Speakers, phones and televisions as Spotify Connect sees them, good manners and bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Presence = Literal["present", "asleep", "unplugged"]


@dataclass(slots=True)
class Device:
    """One thing that can play.

    `key` is ours and never changes; `id` is Spotify's, may be None and may change. `volume_pct` is 0..100, or None
    where the device does not tell. A device that is not present is not listed, and a command that names it is answered
    "Device not found".

    Bad manners: `wake_ms`, asleep, it appears that long after the first command that named it (None: it sleeps on);
    `start_delay_ms`, it says yes at once and plays that much later; `ignores_play`, it says yes and never plays;
    `volume_needs_active`, its volume can be set only while it is the active device.
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


TRAITS: dict[str, tuple[str, bool | int | str | None]] = {
    "restricted": ("is_restricted", True),
    "private": ("is_private_session", True),
    "no-volume": ("supports_volume", False),
    "asleep": ("presence", "asleep"),
    "unplugged": ("presence", "unplugged"),
    "no-id": ("id", None),
    "late": ("start_delay_ms", 3000),
    "silent": ("ignores_play", True),
    "volume-when-active": ("volume_needs_active", True),
}
"""Words for the command line, and the field and value each one sets."""
