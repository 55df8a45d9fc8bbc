"""What Spotify's answers must hold, in our own words: the fields a client may count on, and their types."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}


def shape(**fields: Schema) -> Schema:
    """An object in which every one of `fields` is there."""
    return {"type": "object", "properties": fields, "required": sorted(fields)}


def maybe(schema: Schema) -> Schema:
    """Either `schema` or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def many(schema: Schema) -> Schema:
    """A list of `schema`."""
    return {"type": "array", "items": schema}


def paging(item: Schema) -> Schema:
    """A page of items."""
    return shape(
        href=TEXT, items=many(item), limit=WHOLE, next=maybe(TEXT), offset=WHOLE, previous=maybe(TEXT), total=WHOLE
    )


IDENTITY = {"href": TEXT, "id": TEXT, "uri": TEXT, "external_urls": shape(spotify=TEXT)}

DEVICE = shape(
    id=maybe(TEXT),
    is_active=FLAG,
    is_private_session=FLAG,
    is_restricted=FLAG,
    name=TEXT,
    type=TEXT,
    volume_percent=maybe({"type": "integer", "minimum": 0, "maximum": 100}),
    supports_volume=FLAG,
)
DEVICES = shape(devices=many(DEVICE))
CONTEXT = shape(
    type={"enum": ["album", "artist", "playlist", "show"]}, href=TEXT, uri=TEXT, external_urls=shape(spotify=TEXT)
)
ARTIST = shape(**IDENTITY, name=TEXT, type={"const": "artist"})
ALBUM = shape(
    **IDENTITY,
    name=TEXT,
    type={"const": "album"},
    album_type={"enum": ["album", "single", "compilation"]},
    total_tracks=WHOLE,
    available_markets=many(TEXT),
    images={"type": "array"},
    release_date=TEXT,
    release_date_precision={"enum": ["year", "month", "day"]},
    artists=many(ARTIST),
)
TRACK = shape(**IDENTITY, name=TEXT, type={"const": "track"}, duration_ms=WHOLE, album=ALBUM, artists=many(ARTIST))
PLAYING_FIELDS = {
    "context": maybe(CONTEXT),
    "timestamp": WHOLE,
    "progress_ms": {"type": "integer", "minimum": 0},
    "is_playing": FLAG,
    "item": maybe(TRACK),
    "currently_playing_type": {"enum": ["track", "episode", "ad", "unknown"]},
    "actions": {"type": "object"},
}
CURRENTLY_PLAYING = shape(**PLAYING_FIELDS)
PLAYBACK = shape(
    device=DEVICE, repeat_state={"enum": ["off", "track", "context"]}, shuffle_state=FLAG, **PLAYING_FIELDS
)
USER = shape(**IDENTITY, type={"const": "user"}, account_id=TEXT, display_name=TEXT)
PLAYLIST_ITEM = shape(added_at=TEXT, is_local=FLAG, item=TRACK)
PLAYLIST_FIELDS = {**IDENTITY, "name": TEXT, "type": {"const": "playlist"}, "snapshot_id": TEXT, "images": many({})}
PLAYLIST = shape(**PLAYLIST_FIELDS, items=paging(PLAYLIST_ITEM))
PLAYLISTS = paging(shape(**PLAYLIST_FIELDS))
SEARCH = shape(playlists=PLAYLISTS, albums=paging(ALBUM), artists=paging(ARTIST))
ERROR = {
    **shape(error=shape(status={"type": "integer", "minimum": 400, "maximum": 599}, message=TEXT)),
    "additionalProperties": False,
}
TOKENS = shape(access_token=TEXT, token_type={"const": "Bearer"}, expires_in=WHOLE, scope=TEXT)
OAUTH_ERROR = shape(error=TEXT, error_description=TEXT)
