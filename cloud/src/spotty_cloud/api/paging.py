"""Pages of an index: each goes on where the last one ended, whatever has come in above."""

from collections.abc import Mapping, Sequence
from typing import Any

from spotty_cloud.api.asking import Caller, PageAsked, Parts
from spotty_cloud.tables import Item, Query, Table


def page_of(
    parts: Parts,
    caller: Caller,
    table: Table,
    query: Query,
    asked: PageAsked,
    filters: Mapping[str, Any],
) -> tuple[Sequence[Item], str | None]:
    """The items that were asked for, and the cursor of the next page where there may be one."""
    route = f"{table.key}/{query.index}"
    after = None
    if asked.cursor is not None:
        position = parts.cursors.open(asked.cursor, caller.user_id, route, filters)
        after = {**position, query.partition[0]: query.partition[1]}
    found = table.page(query, asked.limit, after)
    if not found.more or not found.items:
        return found.items, None
    last = found.items[-1]
    position = {name: last[name] for name in {table.key, query.sort}}
    return found.items, parts.cursors.seal(position, caller.user_id, route, filters)
