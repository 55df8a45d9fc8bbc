"""What dashboards are told at once of what has just been written. All of it can be read later as well."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from spotty_cloud.ingest.keeping import Written
from spotty_cloud.ingest.rows import Item, Owner

MOST_OF_A_PERSON: Final = 50
"""Of one batch. A gateway that was away for days tells it all at once; nobody watches so fast."""

_OURS = {"userId", "ttl", "seq", "schemaVersion"}


class Push(Protocol):
    """The way to a person's dashboards; what does not get through is lost."""

    def push(self, user_id: str, message: Mapping[str, object]) -> None:
        """Send it."""


def messages(written: Iterable[Written], said: Iterable[tuple[Owner, Item]], now_ms: int) -> Iterator[tuple[str, Item]]:
    """To whom, and what."""
    for one in written:
        told = one.row.told(one.before)
        if told is not None:
            yield one.row.owner.user_id, _message(*told, now_ms)
    for owner, data in said:
        yield owner.user_id, _message("error", data, now_ms)


def latest(found: Iterable[tuple[str, Item]]) -> Iterator[tuple[str, Item]]:
    """The last ones of each person, where there are too many."""
    of: dict[str, list[Item]] = {}
    for user_id, message in found:
        of.setdefault(user_id, []).append(message)
    for user_id, all_of_them in of.items():
        yield from ((user_id, message) for message in all_of_them[-MOST_OF_A_PERSON:])


def _message(kind: str, data: Item, now_ms: int) -> Item:
    return {"type": kind, "at": now_ms, "data": {name: value for name, value in data.items() if name not in _OURS}}
