"""What one account plays, where, and since when: the transitions and the passing of time, without any permission.

Who may do what is decided elsewhere: `commands` for apps (Spotify's rules), `hand` for people (none).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from .deck import Deck, Repeat, deck_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .catalogue import Context, Track
    from .clock import Clock
    from .devices import Absence, Device
    from .messages import Answer

IDLE_AFTER_MS = 30 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Asker:
    """Who caused a change: an app (by its name, client id and user agent), a person by hand, or Spotify itself."""

    kind: Literal["app", "person", "spotify"]
    name: str
    client_id: str | None = None
    user_agent: str | None = None


BY_HAND = Asker("person", "by hand")
BY_ITSELF = Asker("spotify", "by itself")


class Player:
    """One account's devices and its one playback.

    Call `settle` before reading: it brings everything to the clock's present. The transitions settle by themselves.
    Public attributes are for reading; `asked_by` and `since_ms` tell who brought the present state about, and when.
    `autoplay` are the tracks that go on when a context that does not repeat runs out (none: the music stops), under
    `autoplay_context` or none. A device that has played nothing for `idle_after_ms` stops being active, as at Spotify
    (None: never). `echoes` are answers of before a command, and until when they are still given.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 0,
        autoplay: tuple[Track, ...] = (),
        idle_after_ms: int | None = IDLE_AFTER_MS,
    ) -> None:
        self.clock = clock
        self.rng = random.Random(seed)  # noqa: S311 - shuffling songs, not secrets
        self.autoplay = autoplay
        self.autoplay_context: Context | None = None
        self.idle_after_ms = idle_after_ms
        self.devices: list[Device] = []
        self.active: Device | None = None
        self.deck: Deck | None = None
        self.is_playing = False
        self.shuffle = False
        self.repeat: Repeat = "off"
        self.since_ms = clock.now_ms()
        self.asked_by = BY_ITSELF
        self.has_ended = False
        self._as_of_ms = self.since_ms
        self._starts_at_ms: int | None = None
        self._wakes: list[tuple[int, Device]] = []
        self.echoes: list[tuple[int, Mapping[str, Answer]]] = []

    @property
    def settled_ms(self) -> int:
        """Up to when everything has happened."""
        return self._as_of_ms

    @property
    def is_starting(self) -> bool:
        """Whether a late device has said yes and will play by itself."""
        return self._starts_at_ms is not None

    # Time.

    def settle(self) -> None:
        """Bring everything to the present: sleepers that wake, late starts, songs that pass, music that ends."""
        now_ms = self.clock.now_ms()
        for wake in [wake for wake in self._wakes if wake[0] <= now_ms]:
            self._wakes.remove(wake)
            if wake[1].presence == "asleep":
                wake[1].presence = "present"
        if self._starts_at_ms is not None and self._starts_at_ms <= now_ms:
            self._set_playing(self._starts_at_ms)
        if self.is_playing and self.deck is not None:
            self._play_until(self.deck, now_ms)
        if self.active is not None and self._idle_at_ms is not None and self._idle_at_ms <= now_ms:
            if self.active.idles_into is not None:
                self.active.presence = self.active.idles_into
            self.active = None
        self._as_of_ms = now_ms

    def next_change_ms(self) -> int | None:
        """When the next thing happens by itself (track end, late start, waking, idling), or None if nothing will."""
        due = [at_ms for at_ms, _ in self._wakes]
        due += [at_ms for at_ms in (self._starts_at_ms, self._idle_at_ms) if at_ms is not None]
        if self.is_playing and self.deck is not None:
            due.append(self._as_of_ms + self.deck.left_ms)
        return min(due, default=None)

    # Playback.

    def start(self, device: Device, deck: Deck, asker: Asker) -> None:
        """Play `deck` on `device`, with the device's manners; whatever played before stops."""
        self.settle()
        self.deck = deck
        self._begin(device, asker)

    def resume(self, device: Device, asker: Asker) -> None:
        """Go on with the deck on `device`. Without a deck nothing happens but that the device becomes active."""
        self.settle()
        self._begin(device, asker)

    def halt(self, asker: Asker) -> None:
        """Pause. The device stays active."""
        self.settle()
        self._stop(asker, self.clock.now_ms())

    def move(self, device: Device, asker: Asker) -> None:
        """Make `device` the active one and keep playing or being silent."""
        self.settle()
        if self.is_playing or self.is_starting:
            self._begin(device, asker)
        else:
            self.active = device
            self._mark(asker, self.clock.now_ms())

    def turn(self, deck: Deck) -> None:
        """Put the needle elsewhere; playing or not stays as it is."""
        self.settle()
        self.deck = deck
        self.has_ended = False

    def set_shuffle(self, *, shuffle: bool) -> None:
        """Shuffle what comes next, or put it back in order; the present track plays on."""
        self.settle()
        if self.deck is not None and shuffle != self.shuffle:
            self.deck = self.deck.reordered(shuffle=shuffle, rng=self.rng)
        self.shuffle = shuffle

    def set_repeat(self, repeat: Repeat) -> None:
        """Repeat the track, the context or nothing, from now on."""
        self.settle()
        self.repeat = repeat

    # Devices.

    def withdraw(self, device: Device, presence: Absence) -> None:
        """The device dozes off, goes to sleep or loses its power; music on it stops and nothing is active then."""
        self.settle()
        device.presence = presence
        if self.active is device:
            self._stop(BY_ITSELF, self.clock.now_ms())
            self.active = None

    def rouse(self, device: Device, in_ms: int = 0) -> None:
        """Wake an absent device: at once, or (asleep only) in `in_ms` milliseconds."""
        self.settle()
        if in_ms == 0:
            device.presence = "present"
        elif all(sleeper is not device for _, sleeper in self._wakes):
            self._wakes.append((self.clock.now_ms() + in_ms, device))

    # Inside.

    @property
    def _idle_at_ms(self) -> int | None:
        if self.active is None or self.is_playing or self._starts_at_ms is not None or self.idle_after_ms is None:
            return None
        return self.since_ms + self.idle_after_ms

    def _begin(self, device: Device, asker: Asker) -> None:
        now_ms = self.clock.now_ms()
        self.active = device
        self.is_playing = False
        self.has_ended = False
        self._starts_at_ms = None
        self._mark(asker, now_ms)
        if self.deck is None or device.ignores_play:
            return
        if device.start_delay_ms:
            self._starts_at_ms = now_ms + device.start_delay_ms
        else:
            self._set_playing(now_ms)

    def _set_playing(self, at_ms: int) -> None:
        self.is_playing = True
        self._starts_at_ms = None
        self._as_of_ms = at_ms
        self._mark(self.asked_by, at_ms)

    def _play_until(self, deck: Deck, now_ms: int) -> None:
        self.deck, spare_ms = deck.advanced(now_ms - self._as_of_ms, self.repeat)
        if spare_ms is None:
            return
        if self.autoplay:
            radio = deck_of(self.autoplay_context, self.autoplay, first=0, shuffle=False, rng=self.rng)
            self.deck, _ = radio.advanced(spare_ms, "context")
            self._mark(BY_ITSELF, now_ms - spare_ms)
        else:
            self._stop(BY_ITSELF, now_ms - spare_ms)
            self.has_ended = True

    def _stop(self, asker: Asker, at_ms: int) -> None:
        self.is_playing = False
        self._starts_at_ms = None
        self._mark(asker, at_ms)

    def _mark(self, asker: Asker, at_ms: int) -> None:
        self.asked_by, self.since_ms = asker, at_ms


def seek(deck: Deck, position_ms: int) -> Deck:
    """The deck with the needle `position_ms` into its track. Raises ValueError beyond the track's end."""
    if not 0 <= position_ms < deck.track.duration_ms:
        raise ValueError(f"{position_ms} ms is outside the track ({deck.track.duration_ms} ms)")
    return replace(deck, progress_ms=position_ms)
