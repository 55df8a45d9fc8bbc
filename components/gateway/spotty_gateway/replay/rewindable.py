"""A log as a file that can be read more than once: only a second reading can sort, and a pipe has no second one."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

from spotty_gateway.replay.log import BadLogError

STDIN = "-"


@contextmanager
def rewindable(source: str) -> Iterator[BinaryIO]:
    """The file at the path `source`; standard input ("-") or a pipe is kept on disk first. Raises BadLogError."""
    try:
        flows_by = source == STDIN or Path(source).is_fifo()
        file = _spool(source) if flows_by else Path(source).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise BadLogError(f"{error.strerror}; name a CSV log or a gateway's history.db") from error
    with file:
        yield file


def _spool(source: str) -> BinaryIO:
    """A copy on disk, in a file without a name: nothing stays behind, however the program ends."""
    spool = tempfile.TemporaryFile(prefix="spotty-replay-")  # noqa: SIM115 - for the caller to close
    try:
        if source != STDIN:
            with Path(source).open("rb") as pipe:
                copyfileobj(pipe, spool)
        elif sys.stdin is None:
            raise BadLogError("it is closed; pipe a CSV log into it")
        else:
            copyfileobj(sys.stdin.buffer, spool)
    except OSError as error:
        spool.close()
        raise BadLogError(f"{error.strerror}; it is kept on disk while it is read") from error
    return spool
