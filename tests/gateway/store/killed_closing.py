"""Run by test_account.py in a process of its own: a guard is closed, and the process killed once that is on disk.

The parent sees the closing through a pipe, waits until another reader finds it in the file, and kills the child, whose
threads are all still running then. The guard of the next run is what goes to standard output: opens in, calls, limit.
"""

import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from tests.gateway.hand_clock import HandClock
from tests.gateway.store.workbench import PATIENCE_S

from spotty_gateway.account_memory import AccountMemory, decode
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.guard import LEAST_LIMIT, Guard
from spotty_gateway.store import Store

CALLS = LEAST_LIMIT + 5
"""As many as it takes to learn something from a quota that is used up."""


def close_and_live_on(folder: Path, pipe: int) -> None:
    """Make some calls, be told to wait, and say so."""
    store = Store(folder)
    clock = HandClock()
    guard = Guard(clock, "boot-a", None, lambda state, urgent: store.save_account(AccountMemory(state), urgent=urgent))
    store.start()
    for _ in range(CALLS):
        guard.enter()
    guard.close(3600, quota=True)
    os.write(pipe, b"x")
    signal.pause()


def is_on_disk(folder: Path) -> bool:
    """Whether another process finds a closed guard."""
    path = folder / "state.db"
    if not path.exists():
        return False
    with closing(sqlite3.connect(path)) as connection:
        try:
            row = connection.execute("SELECT data FROM account").fetchone()
        except sqlite3.OperationalError:  # not made yet
            return False
    return row is not None and bool(decode(row[0]).guard.closures)


def main(folder: Path) -> None:
    """One life and one death, and what is left."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reads)
        close_and_live_on(folder, writes)
    os.close(writes)
    os.read(reads, 1)
    os.close(reads)
    until_s = time.monotonic() + PATIENCE_S
    while not is_on_disk(folder) and time.monotonic() < until_s:
        os.sched_yield()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    store = Store(folder)
    data = store.load_account()
    store.close()
    seen = Guard(HandClock(), "boot-a", decode(data).guard if data is not None else None).view()
    sys.stdout.write(f"{seen.opens_in_us // SECOND} {seen.calls} {seen.limit}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
