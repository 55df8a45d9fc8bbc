"""Run by test_outbox.py in a process of its own: puts and settles records, is killed, and looks at what is left.

Each round forks a writer that tells through a pipe what is durable and what it is about to settle. One line a round
goes to standard output: `whole` or what is missing, and how many records were durable so far.
"""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from tests.gateway.store.killed import CHANCE, kill_soon
from tests.gateway.store.mail import BOOT, decision, fetch, name_of
from tests.gateway.store.workbench import PATIENCE_S

from spotty_contract.topics import Kind
from spotty_gateway.ports import Fate
from spotty_gateway.store import Store


def put_until_killed(folder: Path, first: int, pipe: int) -> None:
    """Put records in threes, and settle some, for ever."""
    store = Store(folder)
    store.begin_outbox("boot-a")
    store.start()
    number = first
    while True:
        for one in range(number, number + 3):
            store.outbox.put(Kind.MOTION, decision(one, f"room-{one % 2}"), BOOT)
        number += 3
        if store.flush(PATIENCE_S):
            os.write(pipe, b"d%d\n" % (number - 1))
        for out in fetch(store, at_most=1) if number % 2 else []:
            for row_id, line in list(zip(out.ids, out.lines, strict=True))[:2]:
                os.write(pipe, b"s%s\n" % name_of(line)[1:].encode())
                store.outbox.settle([row_id], Fate.DONE)


def one_round(folder: Path, first: int) -> tuple[int, set[int]]:
    """Let a writer get so far and kill it; the last number that was durable, and what may have been settled."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reads)
        put_until_killed(folder, first, writes)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        told = [pipe.readline() for _ in range(CHANCE.randrange(12))]
        kill_soon(pid)
        told += pipe.readlines()
    durable = max((int(one[1:]) for one in told if one.startswith(b"d")), default=first - 1)
    return durable, {int(one[1:]) for one in told if one.startswith(b"s")}


def numbers_in(path: Path) -> list[int]:
    """The records in the file, in the order in which they would leave."""
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").fetchone():
            return []
        return [int(name_of(data)[1:]) for (data,) in connection.execute("SELECT data FROM outbox ORDER BY id")]


def main(folder: Path, rounds: int) -> None:
    """Rounds in one folder, each going on behind all that the last may have begun."""
    first, settled = 1, set[int]()
    promised = set[int]()
    for _ in range(rounds):
        durable, more = one_round(folder, first)
        promised.update(range(first, durable + 1))
        settled |= more
        found = numbers_in(folder / "state.db")
        lost = promised - settled - set(found)
        rooms = [[one for one in found if one % 2 == room] for room in (0, 1)]
        verdict = "whole"
        if lost or len(set(found)) != len(found) or rooms != [sorted(room) for room in rooms]:
            verdict = f"lost:{sorted(lost)[:5]},of:{len(found)}"
        sys.stdout.write(f"{verdict} {len(promised)}\n")
        first = max([durable, *found]) + 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
