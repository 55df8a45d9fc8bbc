"""What Spotify lets an app do: each command of the Web API's player, with the refusals that Spotify gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from . import errors
from .deck import Deck, Repeat, deck_of
from .player import seek as needle_at

if TYPE_CHECKING:
    from .catalogue import Catalogue, Track
    from .devices import Device
    from .player import Asker, Player


@dataclass(frozen=True, slots=True)
class PlayRequest:
    """The body of PUT play. All None means: go on with what there is.

    `offset_position` counts tracks from 0, `offset_uri` names one; at most one of them is set, and only with a context
    that is not an artist.
    """

    context_uri: str | None = None
    uris: tuple[str, ...] | None = None
    offset_position: int | None = None
    offset_uri: str | None = None
    position_ms: int = 0


@dataclass(frozen=True, slots=True)
class Remote:
    """One app's remote control of one account. Every method raises SpotifyError as Spotify refuses.

    `device_id` is the device that the request names, None for the active one.
    """

    player: Player
    catalogue: Catalogue
    asker: Asker
    is_premium: bool = True

    def play(self, request: PlayRequest, device_id: str | None = None) -> None:
        """Start a context or tracks, or resume. Answers 403 to resuming what already plays there."""
        device = self._target(device_id)
        player = self.player
        if request.context_uri is not None or request.uris is not None:
            player.start(device, self._deck(request), self.asker)
        elif player.deck is None or (player.is_playing and player.active is device):
            raise errors.restriction_violated()
        else:
            player.resume(device, self.asker)

    def pause(self, device_id: str | None = None) -> None:
        """Pause, or call off a start that is still to come. Answers 403 when nothing plays there."""
        device = self._target(device_id)
        if self.player.active is not device or not (self.player.is_playing or self.player.is_starting):
            raise errors.restriction_violated()
        self.player.halt(self.asker)

    def transfer(self, device_id: str, *, play: bool) -> None:
        """Make a device the active one, also a dozing one; `play` makes sure that it plays.

        Without it playing or silence goes with it.
        """
        device = self._target(device_id, wakes=True)
        if self.player.active is device and (self.player.is_playing or not play):
            return
        if play:
            self.player.resume(device, self.asker)
        else:
            self.player.move(device, self.asker)

    def volume(self, volume_pct: int, device_id: str | None = None) -> None:
        """Set a device's volume, active or not."""
        if not 0 <= volume_pct <= 100:  # noqa: PLR2004 - per cent
            raise errors.bad_request("Invalid volume_percent")
        device = self._target(device_id)
        if not device.supports_volume or device.refuses_volume:
            raise errors.volume_disallowed()
        if device.volume_needs_active and self.player.active is not device:
            raise errors.no_active_device()
        device.volume_pct = device.nearest_volume(volume_pct)

    def shuffle(self, *, on: bool, device_id: str | None = None) -> None:
        """Shuffle on or off."""
        self._active_target(device_id)
        self.player.set_shuffle(shuffle=on)

    def repeat(self, state: Repeat, device_id: str | None = None) -> None:
        """Repeat off, context or track."""
        self._active_target(device_id)
        self.player.set_repeat(state)

    def seek(self, position_ms: int, device_id: str | None = None) -> None:
        """Move the needle in the present track; beyond its end the next track begins."""
        self._active_target(device_id)
        deck = self._loaded()
        if position_ms < 0:
            raise errors.bad_request("Invalid position_ms")
        if position_ms >= deck.track.duration_ms:
            self.skip(1)
        else:
            self.player.turn(needle_at(deck, position_ms))

    def skip(self, by: Literal[-1, 1], device_id: str | None = None) -> None:
        """The next (1) or the previous (-1) track."""
        self._active_target(device_id)
        turned = self._loaded().stepped(by, self.player.repeat)
        if turned is None:
            raise errors.no_next_track() if by == 1 else errors.no_previous_track()
        self.player.turn(turned)

    def _loaded(self) -> Deck:
        if self.player.deck is None:
            raise errors.restriction_violated()
        return self.player.deck

    def _target(self, device_id: str | None, *, wakes: bool = False) -> Device:
        if not self.is_premium:
            raise errors.premium_required()
        self.player.settle()
        device = self._named(device_id, wakes=wakes) if device_id is not None else self.player.active
        if device is None:
            raise errors.no_active_device()
        if device.is_restricted:
            raise errors.not_controllable()
        return device

    def _active_target(self, device_id: str | None) -> Device:
        device = self._target(device_id)
        if self.player.active is None:
            raise errors.no_active_device()
        if self.player.active is not device:
            raise errors.restriction_violated()
        return device

    def _named(self, device_id: str, *, wakes: bool) -> Device:
        for device in self.player.devices:
            if device.id != device_id:
                continue
            if device.presence == "dozing" and wakes:
                self.player.rouse(device)
            if device.presence == "present":
                return device
            if device.presence == "asleep" and device.wake_ms is not None:
                self.player.rouse(device, device.wake_ms)
        raise errors.device_not_found()

    def _deck(self, request: PlayRequest) -> Deck:
        context = None
        if request.context_uri is not None:
            context = self.catalogue.context(request.context_uri)
            if context is None:
                raise errors.not_found()
            tracks = context.tracks
        else:
            tracks = tuple(self._track(uri) for uri in request.uris or ())
            if not tracks:
                raise errors.bad_request("No tracks specified")
        first = _first(request, tracks)
        if first is not None and context is not None and context.kind == "artist":
            raise errors.bad_request("Can't have offset for context type: ARTIST")
        deck = deck_of(context, tracks, first=first, shuffle=self.player.shuffle, rng=self.player.rng)
        if request.position_ms < deck.track.duration_ms:
            return replace(deck, progress_ms=request.position_ms)
        return deck.stepped(1, self.player.repeat) or deck

    def _track(self, uri: str) -> Track:
        track = self.catalogue.track(uri)
        if track is None:
            raise errors.bad_request(f"Invalid track uri: {uri}")
        return track


def _first(request: PlayRequest, tracks: tuple[Track, ...]) -> int | None:
    if request.offset_position is not None:
        if not 0 <= request.offset_position < len(tracks):
            raise errors.not_found("Can't find offset in context")
        return request.offset_position
    if request.offset_uri is not None:
        for n, track in enumerate(tracks):
            if track.uri == request.offset_uri:
                return n
        raise errors.not_found("Can't find offset in context")
    return None
