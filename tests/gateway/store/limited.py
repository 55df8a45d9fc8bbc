"""Run by test_process.py in a process of its own: a limit on the size of files is met and then lifted."""

import resource
import sys
from pathlib import Path

from tests.gateway.store.workbench import PATIENCE_S, edge

from spotty_gateway.store import Store, read_edges

LIMIT = 40_000
"""Bytes; two thousand rows take more."""


def main(folder: Path) -> None:
    """Note rows before, against and after the limit; what happened goes to standard output."""
    said: list[str] = []
    store = Store(folder, said.append)
    store.start()
    store.note_edge(edge(0))
    assert store.flush(PATIENCE_S)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, most))
    for number in range(1, 2_000):
        store.note_edge(edge(number))
    refused = store.flush(0.2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert store.flush(PATIENCE_S)
    store.close()
    found = [row.mono_us for row in read_edges(folder / "history.db")]
    order = "in order" if found == list(range(len(found))) else "in disorder"
    sys.stdout.write(f"{refused}\n{said[0]}\n{order}: {len(found)}\n{said[1]}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
