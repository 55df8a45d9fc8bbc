"""The music of the demo: nobody made it."""

from __future__ import annotations

from .catalogue import Catalogue, Context, Track, invented_id

_ALBUMS: dict[tuple[str, str], dict[str, int]] = {
    ("Mira Quillfeather", "Breakfast Weather"): {
        "Kettle On": 161,
        "Slow Blinds": 204,
        "Paper Boats": 187,
        "First Bus": 173,
        "Butter": 142,
        "Window Seat": 231,
    },
    ("The Porcelain Larks", "Splash"): {
        "Warm Tiles": 196,
        "Bubbles, Mostly": 154,
        "Rubber Duck Regatta": 178,
        "Fogged Mirror": 243,
        "Towel Flag": 133,
    },
    ("Otto Lindenstep", "Rooms at Night"): {
        "Lamp Number Two": 268,
        "Porch Weather": 221,
        "The Long Way Home": 305,
        "Embers": 247,
        "Half Past Quiet": 199,
    },
    ("Tin Kettle Eleven", "Suds"): {"Elbow Grease": 149, "Saucepan Samba": 165},
}
"""Artist and album, with the length of each song in seconds."""

_PLAYLISTS: dict[str, tuple[str, ...]] = {
    "Morning Light": ("Kettle On", "Slow Blinds", "Paper Boats", "First Bus", "Butter", "Window Seat"),
    "Steam and Soap": ("Warm Tiles", "Bubbles, Mostly", "Rubber Duck Regatta", "Fogged Mirror", "Towel Flag"),
    "Evening, Low": ("Lamp Number Two", "Porch Weather", "The Long Way Home", "Embers", "Half Past Quiet"),
    "Washing Up": ("Elbow Grease", "Saucepan Samba", "Rubber Duck Regatta", "Kettle On"),
}

_SHOW = "Two People and a Kettle"
_EPISODES = {"Why Taps Drip": 1511, "A Short History of Towels": 1874, "The Ninth Radiator": 1299}


def advertisement(seconds: int = 30) -> Track:
    """What interrupts the music of an account that does not pay; put it among the tracks of a context."""
    return Track(invented_id("advertisement"), "Advertisement", "Somebody", "", seconds * 1000, "ad")


def demo_catalogue() -> Catalogue:
    """Four playlists, albums and artists and a podcast for a demo and for tests; the same URIs at every call."""
    songs = [
        Track(invented_id(f"track {artist} {title}"), title, artist, album, seconds * 1000)
        for (artist, album), titles in _ALBUMS.items()
        for title, seconds in titles.items()
    ]
    named = {song.name: song for song in songs}
    found = [
        Context("playlist", invented_id(f"playlist {name}"), name, tuple(named[title] for title in titles))
        for name, titles in _PLAYLISTS.items()
    ]
    for artist, album in _ALBUMS:
        of_album = tuple(song for song in songs if song.album == album)
        found.append(Context("album", invented_id(f"album {album}"), album, of_album))
        found.append(Context("artist", invented_id(f"artist {artist}"), artist, of_album))
    episodes = tuple(
        Track(invented_id(f"episode {_SHOW} {title}"), title, _SHOW, _SHOW, seconds * 1000, "episode")
        for title, seconds in _EPISODES.items()
    )
    found.append(Context("show", invented_id(f"show {_SHOW}"), _SHOW, episodes))
    return Catalogue(found)
