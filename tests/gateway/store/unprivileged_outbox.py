"""Run by test_unwritten.py in a process of its own: the outbox in a read-only folder, for one whom file modes bind."""

import os
import resource
import sys
import tempfile
from pathlib import Path

from tests.gateway.store.mail import BOOT, error, fetch, names, running_outbox, session
from tests.gateway.store.unprivileged import NOBODY
from tests.gateway.store.workbench import PATIENCE_S

from spotty_contract.topics import Kind


def look(folder: Path) -> None:
    """Run an outbox whose files may not be written to any more, and tell what leaves."""
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    with running_outbox(folder) as store:
        store.outbox.put(Kind.SESSION, session("a"), BOOT)
        assert store.flush(PATIENCE_S)
        for path in (*folder.iterdir(), folder):
            path.chmod(0o555)
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))  # what is open for writing fails as well
        store.outbox.put(Kind.ERRORS, error(1), BOOT)
        assert not store.flush(0.1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        assert not store.flush(0.1)
        sys.stdout.write(f"{store.troubles}\n{names(fetch(store, hurried=True))}\n")
        sys.stdout.flush()


def main() -> None:
    """Look from a child process, so that the parent can tidy up."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        Path(name).chmod(0o755)
        folder.mkdir()
        os.chown(folder, NOBODY, NOBODY)
        pid = os.fork()
        if pid == 0:
            look(folder)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        folder.chmod(0o755)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
