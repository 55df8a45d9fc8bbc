"""The music there is: playlists, albums and artists with their tracks. Every name is invented."""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, cast, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ContextKind = Literal["playlist", "album", "artist", "show"]
TrackKind = Literal["track", "episode", "ad"]

_BASE62 = string.digits + string.ascii_letters
_ID_LENGTH = 22


@dataclass(frozen=True, slots=True)
class Track:
    """One song, episode or advertisement; `id` is Spotify's 22 characters, `duration_ms` is above 0."""

    id: str
    name: str
    artist: str
    album: str
    duration_ms: int
    kind: TrackKind = "track"

    @property
    def uri(self) -> str:
        """`spotify:track:<id>`, or of its kind."""
        return f"spotify:{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Context:
    """Something one can press play on: an ordered, non-empty run of tracks under a name."""

    kind: ContextKind
    id: str
    name: str
    tracks: tuple[Track, ...]

    @property
    def uri(self) -> str:
        """`spotify:<kind>:<id>`."""
        return f"spotify:{self.kind}:{self.id}"


class Catalogue:
    """All contexts by URI, and the tracks in them; grows by `add`, forgets nothing."""

    def __init__(self, contexts: Iterable[Context] = ()) -> None:
        self._contexts: dict[str, Context] = {}
        self._tracks: dict[str, Track] = {}
        for context in contexts:
            self.add(context)

    def __iter__(self) -> Iterator[Context]:
        return iter(self._contexts.values())

    def add(self, context: Context) -> Context:
        """Keep `context` (replacing one of the same URI) and return it. Raises ValueError when it has no track."""
        if not context.tracks:
            raise ValueError(f"{context.uri} has no track")
        self._contexts[context.uri] = context
        self._tracks |= {track.uri: track for track in context.tracks}
        return context

    def context(self, uri: str) -> Context | None:
        """The context of that URI, or None."""
        return self._contexts.get(uri)

    def track(self, uri: str) -> Track | None:
        """The track of that URI, or None."""
        return self._tracks.get(uri)

    def named(self, name: str) -> Context:
        """The first context called `name`. Raises KeyError when there is none."""
        for context in self:
            if context.name == name:
                return context
        raise KeyError(name)


@lru_cache(4096)  # half of an answer's time otherwise: every artist and album in it has an id
def invented_id(seed: str) -> str:
    """22 base-62 characters that depend on `seed` alone, so that a policy written today still fits tomorrow."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big")
    digits = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_BASE62))
        digits.append(_BASE62[digit])
    return "".join(digits)


def invented_context(uri: str, name: str | None = None, *, tracks: int = 12, track_s: int = 200) -> Context:
    """A context for any URI `spotify:(playlist|album|artist|show):ID`, with made-up tracks of about `track_s` seconds.

    Raises ValueError, naming the URI, when it is not of that form.
    """
    kind, identity = split_uri(uri)
    of_kind: TrackKind = "episode" if kind == "show" else "track"
    word, album = of_kind.replace("track", "song").capitalize(), name or "A Household Record"
    made_up = tuple(
        Track(invented_id(f"{uri}/{n}"), f"{word} {n + 1}", "Somebody Else", album, track_s * 1000, of_kind)
        for n in range(tracks)
    )
    return Context(kind, identity, name or f"{kind.capitalize()} {identity[:6]}", made_up)


def split_uri(uri: str) -> tuple[ContextKind, str]:
    """`spotify:kind:id` in its two telling parts. Raises ValueError, naming the URI, when it is no context's."""
    parts = uri.split(":")
    if len(parts) == 3 and parts[0] == "spotify" and parts[1] in get_args(ContextKind) and parts[2].isalnum():  # noqa: PLR2004 - spotify, kind, id
        return cast("ContextKind", parts[1]), parts[2]
    raise ValueError(f"{uri!r} is not spotify:playlist:…, spotify:album:…, spotify:artist:… or spotify:show:…")
