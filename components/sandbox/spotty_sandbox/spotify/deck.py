"""Where in the music one is: tracks in playing order and a needle. Pure arithmetic, no clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import random

    from .catalogue import Context, Track

Repeat = Literal["off", "context", "track"]


@dataclass(frozen=True, slots=True)
class Deck:
    """Tracks, the order in which they are played, and the needle.

    `context` is None for loose tracks and for what autoplay goes on with. `order` holds indexes into `tracks`, `at` is
    the place in `order`, `progress_ms` lies in 0..duration of the track under the needle.
    """

    context: Context | None
    tracks: tuple[Track, ...]
    order: tuple[int, ...]
    at: int = 0
    progress_ms: int = 0

    @property
    def track(self) -> Track:
        """The track under the needle."""
        return self.tracks[self.order[self.at]]

    @property
    def left_ms(self) -> int:
        """Milliseconds until the track under the needle ends."""
        return self.track.duration_ms - self.progress_ms

    def advanced(self, by_ms: int, repeat: Repeat) -> tuple[Deck, int | None]:
        """The deck after `by_ms` of playing, and the milliseconds left over if the music ran out before (else None).

        What ran out is wound back to its first track, as Spotify does.
        """
        progress_ms = self.progress_ms + by_ms
        if progress_ms < self.track.duration_ms:
            return replace(self, progress_ms=progress_ms), None
        if repeat == "track":
            return replace(self, progress_ms=progress_ms % self.track.duration_ms), None
        durations = [self.tracks[n].duration_ms for n in self.order]
        needle_ms, total_ms = sum(durations[: self.at]) + progress_ms, sum(durations)
        if repeat == "off" and needle_ms >= total_ms:
            return replace(self, at=0, progress_ms=0), needle_ms - total_ms
        needle_ms %= total_ms
        at = 0
        while needle_ms >= durations[at]:
            needle_ms -= durations[at]
            at += 1
        return replace(self, at=at, progress_ms=needle_ms), None

    def stepped(self, by: Literal[-1, 1], repeat: Repeat) -> Deck | None:
        """The deck at the start of the next or previous track, or None past an end of music that does not repeat."""
        at = self.at + by
        if repeat == "off" and not 0 <= at < len(self.order):
            return None
        return replace(self, at=at % len(self.order), progress_ms=0)

    def reordered(self, *, shuffle: bool, rng: random.Random) -> Deck:
        """The same track under the needle, the others shuffled after it or back in their own order."""
        current = self.order[self.at]
        if not shuffle:
            return replace(self, order=tuple(range(len(self.tracks))), at=current)
        others = [n for n in range(len(self.tracks)) if n != current]
        rng.shuffle(others)
        return replace(self, order=(current, *others), at=0)


def deck_of(
    context: Context | None, tracks: tuple[Track, ...], *, first: int | None, shuffle: bool, rng: random.Random
) -> Deck:
    """A deck with the needle at the start of track number `first`, or where Spotify would start when that is None.

    In order that is the first track, shuffled it is any. `tracks` is not empty and `first` is one of its indexes.
    """
    begin = rng.randrange(len(tracks)) if first is None and shuffle else first or 0
    deck = Deck(context, tracks, tuple(range(len(tracks))), begin)
    return deck.reordered(shuffle=True, rng=rng) if shuffle else deck
