"""A log as a file that can be read more than once: only a second reading can sort, and a pipe has no second one."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

from spotty_gateway.replay.log import BadLogError

STDIN = "-"


@contextmanager
def rewindable(source: str) -> Iterator[BinaryIO]:
    """The file at the path `source`; standard input ("-") or a pipe is kept on disk first. Raises BadLogError."""
    if source == STDIN and sys.stdin is None:
        raise BadLogError("it is closed; pipe a CSV log into it")
    with ExitStack() as stack:
        try:
            flow = sys.stdin.buffer if source == STDIN else stack.enter_context(Path(source).open("rb"))
            log = flow if flow.seekable() and source != STDIN else stack.enter_context(_copy(flow))
        except OSError as error:
            raise BadLogError(f"{error.strerror}; name a CSV log or a gateway's history.db") from error
        yield log


@contextmanager
def _copy(flow: BinaryIO) -> Iterator[BinaryIO]:
    """A copy on disk, in a file without a name: nothing stays behind, however the program ends."""
    with tempfile.TemporaryFile(prefix="spotty-replay-") as copy:
        try:
            copyfileobj(flow, copy)
        except OSError as error:
            raise BadLogError(f"{error.strerror}; a log that flows by is kept on disk while it is read") from error
        yield copy
