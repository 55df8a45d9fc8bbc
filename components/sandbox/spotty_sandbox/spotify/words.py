"""Requests in words, for the page: what was wanted, and how it went."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from .catalogue import invented_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from .journal import Entry
    from .world import SpotifyWorld

_PLAIN = {
    ("GET", "/v1/me"): "look up whose account this is",
    ("GET", "/v1/me/player"): "look at what is playing",
    ("GET", "/v1/me/player/currently-playing"): "look at the song that is playing",
    ("GET", "/v1/me/player/devices"): "list the speakers",
    ("GET", "/v1/me/playlists"): "list the playlists",
    ("GET", "/v1/search"): "search for music",
    ("POST", "/api/token"): "get a new access token",
    ("PUT", "/v1/me/player/seek"): "move within the song",
    ("POST", "/v1/me/player/next"): "skip to the next song",
    ("POST", "/v1/me/player/previous"): "go back to the previous song",
    ("GET", "/authorize"): "ask a person for permission",
    ("POST", "/authorize"): "take the person's answer",
}


def wanted(world: SpotifyWorld, entry: Entry) -> str:
    """What a request wanted, whether or not it came to be: for example "pause Kitchen"."""
    known = (entry.method, entry.path)
    if known in _PLAIN:
        return _PLAIN[known]
    if known in _PLAYER:
        return _PLAYER[known](world, entry)
    if entry.method == "GET" and entry.path.startswith("/v1/playlists/"):
        return f"look up {_context(world, 'spotify:playlist:' + entry.path.split('/')[3])}"
    return f"send {entry.method} {entry.path}"


def _play(world: SpotifyWorld, entry: Entry) -> str:
    uri = (entry.body or {}).get("context_uri")
    where = _named_device(world, entry)
    return f"start {_context(world, uri)} on {where}" if isinstance(uri, str) else f"press play on {where}"


def _transfer(world: SpotifyWorld, entry: Entry) -> str:
    devices = (entry.body or {}).get("device_ids")
    return f"move the music to {_device(world, devices[0] if isinstance(devices, list) and devices else None)}"


def _volume(world: SpotifyWorld, entry: Entry) -> str:
    return f"set the volume of {_named_device(world, entry)} to {entry.query.get('volume_percent', '?')} %"


_PLAYER: dict[tuple[str, str], Callable[[SpotifyWorld, Entry], str]] = {
    ("PUT", "/v1/me/player"): _transfer,
    ("PUT", "/v1/me/player/play"): _play,
    ("PUT", "/v1/me/player/pause"): lambda world, entry: f"pause {_named_device(world, entry)}",
    ("PUT", "/v1/me/player/volume"): _volume,
    ("PUT", "/v1/me/player/shuffle"): lambda _, entry: (
        f"turn shuffle {'on' if entry.query.get('state') == 'true' else 'off'}"
    ),
    ("PUT", "/v1/me/player/repeat"): lambda _, entry: f"set repeat to {entry.query.get('state', '?')}",
}


def outcome(entry: Entry) -> str:
    """How it went, in a few words: "done", "refused: Device not found (404)", "no answer"."""
    if entry.status is None:
        return "no answer"
    if entry.status < HTTPStatus.BAD_REQUEST:
        return "done"
    why = entry.refusal.removeprefix("Player command failed: ")
    return f"refused: {why} ({entry.status})" if why else f"refused ({entry.status})"


def _named_device(world: SpotifyWorld, entry: Entry) -> str:
    return _device(world, entry.query.get("device_id"))


def _device(world: SpotifyWorld, device_id: object) -> str:
    if device_id is None:
        return "the active speaker"
    for account in world.accounts.values():
        for device in account.player.devices:
            if device.id == device_id:
                return device.name
    return "an unknown speaker"


def _context(world: SpotifyWorld, uri: str) -> str:
    context = world.catalogue.context(uri)
    if context is not None:
        return f"“{context.name}”"
    try:
        return f"an unknown {invented_context(uri).kind}"
    except ValueError:
        return "something unknown"
