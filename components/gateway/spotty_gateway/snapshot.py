"""The engine's memory as bytes, so that a restart goes on where the last run stopped.

Everything a house holds is carried but the rooms' rules (policies live elsewhere and may have changed meanwhile) and
what is only reckoned from them (quiet spans, `due_at`). The bytes are one line that names the schema, then JSON under
zlib: a house of eight rooms shrinks from three database pages to a part of one, which is what wears an SD card, and
zlib's checksum tells damage from data.

Pydantic reads the engine's plain dataclasses as they are: measured, the adapter costs 7 ms at start-up where a policy
model exists anyway, and C code keeps the encoding short, since it shares the interpreter with the hot path. A field
that is new and has a default needs no new schema: older bytes leave it out and older code passes over it.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from spotty_gateway.engine.rules import Rules
from spotty_gateway.engine.state import Candidate, House, Music, Past, Presence, Room, Session

SCHEMA = 1
"""Raised when bytes of before can no longer be read as what they meant."""

_MARK = b"spotty snapshot "
_HEADER = b"%s%d\n" % (_MARK, SCHEMA)
_A_LINE = 200
_UNCONFIGURED = Rules(enabled=False)
_FAST = 1
"""Zlib's quickest level: repeated field names shrink as well, in a third of the time."""


class SnapshotError(Exception):
    """The bytes are no snapshot this version can read. One clear line; the caller starts without it."""


@dataclass(frozen=True, slots=True)
class _Room:
    """What is kept of a Room."""

    presence: Presence
    session: Session | None
    past: Past
    candidate: Candidate | None
    snoozed_until: int | None
    music: Music
    has_contact: bool
    removed: bool


@dataclass(frozen=True, slots=True)
class _House:
    """What is kept of a House."""

    run: str
    started_at: int
    mono: int
    offset: int
    trusted: bool
    rooms: dict[str, _Room]
    token: int


_ADAPTER = TypeAdapter(_House)


def encode(house: House) -> bytes:
    """The house as bytes that `decode` understands. SnapshotError if it holds what could not be read back."""
    rooms = {sensor_id: _kept(room) for sensor_id, room in house.rooms.items()}
    kept = _House(house.run, house.started_at, house.mono, house.offset, house.trusted, rooms, house.token)
    try:
        body = _ADAPTER.dump_json(kept, warnings="error")
    except PydanticSerializationError as error:
        line = " ".join(str(error).split())
        raise SnapshotError(f"the state cannot be written down: {line[:_A_LINE]}") from error
    return _HEADER + zlib.compress(body, _FAST)


def decode(data: bytes, rules: Mapping[str, Rules]) -> House:
    """The house that `encode` saw, its rooms under the `rules` of today.

    A room that has none is taken for removed: it is disabled, and what it owes is still paid. Rooms that only `rules`
    knows are not made here. Raises SnapshotError for bytes that are damaged or of a schema this version does not know.
    """
    kept = _read(data)
    rooms = {sensor_id: _room(room, rules.get(sensor_id)) for sensor_id, room in kept.rooms.items()}
    return House(kept.run, kept.started_at, kept.mono, kept.offset, kept.trusted, rooms, kept.token)


def _read(data: bytes) -> _House:
    header, newline, body = data.partition(b"\n")
    if header + newline != _HEADER:
        if header.startswith(_MARK) and newline:
            raise SnapshotError(f"the snapshot's schema is {header[len(_MARK) :]!r}; this version knows {SCHEMA}")
        raise SnapshotError("the snapshot is damaged: it does not begin like one")
    try:
        return _ADAPTER.validate_json(zlib.decompress(body), strict=True)
    except zlib.error as error:
        raise SnapshotError(f"the snapshot is damaged: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise SnapshotError(f"the snapshot does not fit this version: {where}: {first['msg']}") from error


def _kept(room: Room) -> _Room:
    return _Room(
        room.presence,
        room.session,
        room.past,
        room.candidate,
        room.snoozed_until,
        room.music,
        room.has_contact,
        room.removed,
    )


def _room(kept: _Room, rules: Rules | None) -> Room:
    return Room(
        rules=rules or _UNCONFIGURED,
        presence=kept.presence,
        session=kept.session,
        past=kept.past,
        candidate=kept.candidate,
        snoozed_until=kept.snoozed_until,
        music=kept.music,
        has_contact=kept.has_contact,
        removed=kept.removed or rules is None,
    )
