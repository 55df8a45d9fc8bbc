"""Small files that a power cut leaves as they were or as they should be, never in between."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from spotty_gateway.private import make_private_folder

NEW_FILE_MODE = 0o644


def replace_durably(path: Path, content: bytes, new_mode: int = NEW_FILE_MODE) -> None:
    """Write beside it, sync, rename, sync the folder; mode and owner stay those of the file before. Raises OSError.

    What a kill leaves beside it begins with a dot and the file's name, and is swept away by the next call.
    """
    make_private_folder(path.parent)
    for left in path.parent.glob(f".{path.name}-*"):
        left.unlink(missing_ok=True)
    like = (path if path.exists() else path.parent).stat()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(handle, like.st_mode & 0o777 if path.exists() else new_mode)
            if os.geteuid() == 0:  # the gateway's own user must be able to read what root writes for it
                os.fchown(handle, like.st_uid, like.st_gid)
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync(path.parent)


def remove_durably(path: Path) -> None:
    """Delete it if it is there, so that it stays deleted. Raises OSError."""
    if path.exists():
        path.unlink(missing_ok=True)
        _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
