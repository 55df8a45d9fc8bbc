"""Run by test_process.py in a process of its own: a read-only folder, met by a user whom file modes bind."""

import os
import sys
import tempfile
from pathlib import Path

from tests.gateway.store.workbench import edge, house

from spotty_gateway.store import Store, read_edges

NOBODY = 65534


def prepare(folder: Path) -> None:
    """A stopped gateway's files, and the right to write taken away from everybody."""
    store = Store(folder)
    store.start()
    for number in (1, 2, 3):
        store.note_edge(edge(number))
    store.save(house(1), "boot-a")
    store.close()
    list(read_edges(folder / "history.db"))  # leaves an empty log; and loads all of Python that nobody may not read
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)


def look(folder: Path) -> None:
    """What a user sees there whom file modes bind, as they do not bind root."""
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    edges = [row.mono_us for row in read_edges(folder / "history.db")]
    said: list[str] = []
    store = Store(folder, said.append)
    loaded = store.load()
    store.close()
    sys.stdout.write(f"{edges}\n{loaded is None}\n{said[0]}\n")
    sys.stdout.flush()


def main() -> None:
    """Look from a child process, so that the parent can tidy up."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        pid = os.fork()
        if pid == 0:
            look(folder)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        folder.chmod(0o755)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
