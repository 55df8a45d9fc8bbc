"""What a person does at the speaker: no app's permission is asked, nothing is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .deck import deck_of
from .player import BY_HAND, Asker

if TYPE_CHECKING:
    from .catalogue import Context
    from .devices import Device
    from .player import Player


@dataclass(frozen=True, slots=True)
class Hand:
    """A person's hand on one account's speakers. `by` is who it was; a guest may be told from the owner.

    Doing what is impossible (pausing silence, playing on an unplugged speaker) does nothing, as at a real speaker.
    """

    player: Player
    by: Asker = BY_HAND

    def play(self, device: Device, context: Context) -> None:
        """Play `context` on `device` from its first track, or any track if shuffle is on."""
        if self._reaches(device):
            deck = deck_of(context, context.tracks, first=None, shuffle=self.player.shuffle, rng=self.player.rng)
            self.player.start(device, deck, self.by)

    def resume(self, device: Device) -> None:
        """Press play on `device`; the music comes over if it played elsewhere."""
        if self._reaches(device) and not (self.player.is_playing and self.player.active is device):
            self.player.resume(device, self.by)

    def pause(self, device: Device) -> None:
        """Press pause on `device`."""
        self.player.settle()
        if self.player.active is device and (self.player.is_playing or self.player.is_starting):
            self.player.halt(self.by)

    def skip(self, device: Device) -> None:
        """Press next on `device`; after the last track the first one comes again."""
        self.player.settle()
        if self.player.active is device and self.player.deck is not None:
            turned = self.player.deck.stepped(1, "context")
            if turned is not None:
                self.player.turn(turned)

    def turn_volume(self, device: Device, volume_pct: int) -> None:
        """Turn the knob to `volume_pct`, cut to 0..100. A device without remote volume still has a knob."""
        device.volume_pct = min(100, max(0, volume_pct))

    def unplug(self, device: Device) -> None:
        """Pull the plug: the device vanishes and its music stops."""
        self.player.withdraw(device, "unplugged")

    def put_to_sleep(self, device: Device) -> None:
        """Let the device fall asleep: it is no longer listed until something wakes it."""
        self.player.withdraw(device, "asleep")

    def doze(self, device: Device) -> None:
        """Let the device doze: it is still listed, and takes nothing but a transfer."""
        self.player.withdraw(device, "dozing")

    def plug_in(self, device: Device) -> None:
        """Give the device power, or wake it: it is there at once, silent."""
        self.player.rouse(device)

    def _reaches(self, device: Device) -> bool:
        if device.presence == "dozing":
            self.player.rouse(device)
        return device.presence == "present"
