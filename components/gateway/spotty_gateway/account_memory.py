"""What must outlive the process about the one Spotify account: when it may be asked again, how often it was asked.

The bytes are one line that names the schema, then JSON under zlib, as a snapshot's are (snapshot.py says why).

Instants are monotonic, in microseconds, on the clock of the boot that is named. `anchor` is what ties them to the
calendar: an instant at which the wall clock was trusted. So a gap across a boot can be measured as soon as the time is
known again, also when the component was restarted in between without anybody knowing it.
"""

import zlib
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from spotty_gateway.ports import RememberedDevice

SCHEMA = 1
"""Raised when bytes of before can no longer be read as what they meant."""

_HEADER = b"spotty account %d\n" % SCHEMA
_FAST = 1


class AccountMemoryError(Exception):
    """The bytes cannot be read. One clear line; the caller begins anew."""


@dataclass(frozen=True, slots=True)
class Closure:
    """Spotify has asked at `asked_at` for no request before `opens_at`."""

    asked_at: int
    opens_at: int


@dataclass(frozen=True, slots=True)
class Calls:
    """So many calls in the quarter of an hour from `since` on."""

    since: int
    number: int


@dataclass(frozen=True, slots=True)
class LearntLimit:
    """What a day's quota turned out to be at `at`."""

    calls: int
    at: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """In the boot of this id the trusted wall clock showed `wall` at `mono`."""

    boot_id: str
    mono: int
    wall: int


@dataclass(frozen=True, slots=True)
class GuardState:
    """All that the guard knows, as it was at `mono`."""

    boot_id: str
    mono: int
    closures: tuple[Closure, ...] = ()
    calls: tuple[Calls, ...] = ()
    learnt: LearntLimit | None = None
    anchor: Anchor | None = None


@dataclass(frozen=True, slots=True)
class AccountMemory:
    """The guard's knowledge, and the speakers'."""

    guard: GuardState
    devices: tuple[RememberedDevice, ...] = ()


_ADAPTER = TypeAdapter(AccountMemory)


def encode(memory: AccountMemory) -> bytes:
    """The memory as bytes that `decode` understands."""
    return _HEADER + zlib.compress(_ADAPTER.dump_json(memory), _FAST)


def decode(data: bytes) -> AccountMemory:
    """The memory that `encode` saw. Raises AccountMemoryError."""
    header, _, body = data.partition(b"\n")
    if header + b"\n" != _HEADER:
        raise AccountMemoryError(f"it does not begin like one of schema {SCHEMA}")
    try:
        return _ADAPTER.validate_json(zlib.decompress(body), strict=True)
    except zlib.error as error:
        raise AccountMemoryError(f"it is damaged: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise AccountMemoryError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
