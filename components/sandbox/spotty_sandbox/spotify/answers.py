"""The JSON that Spotify sends: devices, what plays, playlists, tracks. Shapes only; nothing is decided here.

Fields that Spotify has marked as going away are left out where it already leaves them out itself. Pictures are always
empty lists: the simulator names no foreign host that a page would load from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .catalogue import invented_id

if TYPE_CHECKING:
    from .accounts import TokenSet
    from .catalogue import Context, Track
    from .deck import Deck
    from .devices import Device
    from .messages import Json
    from .player import Player
    from .world import Account

_ADDED_AT = "2026-01-01T00:00:00Z"


class Shapes:
    """Builds answers whose `href`s lie under `api_url` (with its trailing slash), so that a client can follow them."""

    def __init__(self, api_url: str) -> None:
        self.api_url = api_url

    def device(self, device: Device, player: Player) -> Json:
        """A DeviceObject."""
        return {
            "id": device.id,
            "is_active": player.active is device,
            "is_private_session": device.is_private_session,
            "is_restricted": device.is_restricted,
            "name": device.name,
            "type": device.type,
            "volume_percent": device.volume_pct,
            "supports_volume": device.supports_volume,
        }

    def devices(self, player: Player) -> Json:
        """The devices that are there."""
        return {"devices": [self.device(each, player) for each in player.devices if each.is_listed]}

    def currently_playing(self, player: Player) -> Json:
        """A CurrentlyPlayingObject; `context` and `item` are null where Spotify sends null.

        An advertisement has no item, and an episode only for those who ask for episodes, which nobody here can.
        """
        deck = player.deck
        kind = deck.track.kind if deck else "unknown"
        is_forgotten = player.active is not None and player.active.forgets_context
        return {
            "timestamp": player.since_ms,
            "context": None if is_forgotten else self.context_of(deck),
            "progress_ms": deck.progress_ms if deck else 0,
            "item": self.track(deck.track) if deck and kind == "track" else None,
            "currently_playing_type": kind,
            "actions": {"disallows": {"resuming": True} if player.is_playing else {"pausing": True}},
            "is_playing": player.is_playing,
        }

    def playback(self, player: Player, device: Device) -> Json:
        """A CurrentlyPlayingContextObject on the active `device`."""
        return {
            "device": self.device(device, player),
            "shuffle_state": player.shuffle,
            "repeat_state": player.repeat,
            **self.currently_playing(player),
        }

    def context_of(self, deck: Deck | None) -> Json | None:
        """A ContextObject, or None for loose tracks and autoplay."""
        return self._identity(deck.context.kind, deck.context.id, with_id=False) if deck and deck.context else None

    def track(self, track: Track) -> Json:
        """A TrackObject."""
        return {
            **self._identity("track", track.id),
            "name": track.name,
            "album": self.album(track.album, (track.artist,), 1),
            "artists": [self.artist(track.artist)],
            "disc_number": 1,
            "track_number": 1,
            "duration_ms": track.duration_ms,
            "explicit": False,
            "external_ids": {},
            "is_local": False,
            "is_playable": True,
        }

    def artist(self, name: str) -> Json:
        """A SimplifiedArtistObject."""
        return {**self._identity("artist", invented_id(f"artist {name}")), "name": name}

    def album(self, name: str, artists: tuple[str, ...], total: int) -> Json:
        """A SimplifiedAlbumObject."""
        return {
            **self._identity("album", invented_id(f"album {name}")),
            "name": name,
            "album_type": "album",
            "total_tracks": total,
            "available_markets": [],
            "images": [],
            "release_date": "2026",
            "release_date_precision": "year",
            "artists": [self.artist(artist) for artist in artists],
        }

    def user(self, account: Account) -> Json:
        """A PrivateUserObject; product, country and e-mail are no longer told."""
        return {
            **self._identity("user", account.id),
            "account_id": invented_id(f"account {account.id}"),
            "display_name": account.display_name,
            "images": [],
        }

    def playlist(self, context: Context, owner: Account, *, limit: int = 100) -> Json:
        """A PlaylistObject with its first `limit` items."""
        items_path = f"playlists/{context.id}/items"
        items = self.paging(items_path, [self._playlist_item(t, owner) for t in context.tracks], limit, 0)
        return {**self.simplified_playlist(context, owner), "followers": {"href": None, "total": 0}, "items": items}

    def playlist_items(self, context: Context, owner: Account, limit: int, offset: int) -> Json:
        """A PagingPlaylistTrackObject."""
        items = [self._playlist_item(track, owner) for track in context.tracks]
        return self.paging(f"playlists/{context.id}/items", items, limit, offset)

    def simplified_playlist(self, context: Context, owner: Account) -> Json:
        """A SimplifiedPlaylistObject."""
        return {
            **self._identity("playlist", context.id),
            "name": context.name,
            "description": "",
            "collaborative": False,
            "public": False,
            "images": [],
            "owner": {**self._identity("user", owner.id), "display_name": owner.display_name},
            "snapshot_id": invented_id(f"snapshot {context.uri}"),
            "items": {"href": f"{self.api_url}playlists/{context.id}/items", "total": len(context.tracks)},
        }

    def found(self, context: Context, owner: Account) -> Json:
        """A context as a search result of its kind."""
        if context.kind == "playlist":
            return self.simplified_playlist(context, owner)
        if context.kind == "album":
            artists = tuple(dict.fromkeys(track.artist for track in context.tracks))
            album = self.album(context.name, artists, len(context.tracks))
            return {**album, **self._identity("album", context.id)}
        return {**self._identity("artist", context.id), "name": context.name, "images": []}

    def paging(self, path: str, items: list[Any], limit: int, offset: int) -> Json:
        """A PagingObject over `items` with working `next` and `previous`. `path` has no leading slash."""
        glue = "&" if "?" in path else "?"

        def page(at: int) -> str:
            return f"{self.api_url}{path}{glue}offset={at}&limit={limit}"

        return {
            "href": page(offset),
            "limit": limit,
            "offset": offset,
            "total": len(items),
            "next": page(offset + limit) if offset + limit < len(items) else None,
            "previous": page(max(0, offset - limit)) if offset > 0 else None,
            "items": items[offset : offset + limit],
        }

    def _playlist_item(self, track: Track, owner: Account) -> Json:
        return {
            "added_at": _ADDED_AT,
            "added_by": self._identity("user", owner.id),
            "is_local": False,
            "item": self.track(track),
        }

    def _identity(self, kind: str, identity: str, *, with_id: bool = True) -> Json:
        path = "me" if kind == "user" else f"{kind}s/{identity}"
        shape = {
            "type": kind,
            "uri": f"spotify:{kind}:{identity}",
            "href": f"{self.api_url}{path}",
            "external_urls": {"spotify": f"https://open.spotify.com/{kind}/{identity}"},
        }
        return {"id": identity, **shape} if with_id else shape


def token_set(tokens: TokenSet) -> Json:
    """The token endpoint's success."""
    shape: Json = {
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
        "scope": tokens.scope,
    }
    return shape if tokens.refresh_token is None else {**shape, "refresh_token": tokens.refresh_token}
