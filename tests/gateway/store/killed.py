"""Run by test_process.py in a process of its own: writes, is killed in the middle, and looks at what is left.

Each round forks a writer that saves ever newer snapshots and notes edges, telling through a pipe what it began and
what is durable; it is killed at a random instant. One line a round goes to standard output:
`durable begun found edges_durable last_edge in_order`.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from tests.gateway.store.workbench import PATIENCE_S, edge, house, saved_in

from spotty_gateway.store import Store, is_history, read_edges

EDGES_A_SAVE = 5
CHANCE = random.SystemRandom()


def write_until_killed(folder: Path, first: int, pipe: int) -> None:
    """Save `first`, `first` + 1, … and five edges with each, for ever."""
    store = Store(folder)
    store.load()
    store.start()
    number = first
    while True:
        os.write(pipe, b"b%d\n" % number)
        store.save(house(number), "boot-a")
        for one in range(EDGES_A_SAVE):
            store.note_edge(edge(number * EDGES_A_SAVE + one))
        if store.flush(PATIENCE_S):
            os.write(pipe, b"d%d\n" % number)
        number += 1


def kill_soon(pid: int) -> None:
    """Kill the writer within a few milliseconds; spinning is finer than any sleep."""
    until = time.perf_counter() + CHANCE.uniform(0, 0.004)
    while time.perf_counter() < until:
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def one_round(folder: Path, first: int) -> tuple[int, int]:
    """Let a writer get so far and kill it; returns the last number that was durable (0: none) and the last begun."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reads)
        write_until_killed(folder, first, writes)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        told = [pipe.readline() for _ in range(CHANCE.randrange(12))]
        kill_soon(pid)
        told += pipe.readlines()
    durable = max((int(one[1:]) for one in told if one.startswith(b"d")), default=0)
    return durable, max((int(one[1:]) for one in told), default=first - 1)


def main(folder: Path, rounds: int) -> None:
    """Rounds in one folder, each going on where the last was killed."""
    first, durable = 1, 0
    for _ in range(rounds):
        latest, begun = one_round(folder, first)
        durable = max(durable, latest)
        found = saved_in(folder) or 0
        history = folder / "history.db"
        edges = [row.mono_us for row in read_edges(history)] if is_history(history) else []
        durable_edges = (durable + 1) * EDGES_A_SAVE - 1 if durable else 0
        sys.stdout.write(
            f"{durable} {begun} {found} {durable_edges} {max(edges, default=0)} {edges == sorted(edges)}\n"
        )
        first = begun + 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
