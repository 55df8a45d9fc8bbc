"""Modes and owners of files in a folder that is somebody else's: root follows no link that they have put there."""

import os
import pwd
import stat
from pathlib import Path

from spotty_gateway.registering.errors import CannotHereError

_ITSELF = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def settle(path: Path, mode: int, owner: str | None) -> None:
    """Give the file or folder this mode, and to this user and their group; None leaves it whose it is.

    Through a handle on itself: by its name, a link in its place would make root give away what it leads to. Raises
    CannotHereError where it is no plain one, OSError.
    """
    if path.is_symlink():
        raise _no_plain(path)
    handle = os.open(path, _ITSELF)
    try:
        found = os.fstat(handle)
        if not stat.S_ISDIR(found.st_mode) and not (stat.S_ISREG(found.st_mode) and found.st_nlink == 1):
            raise _no_plain(path)
        if stat.S_IMODE(found.st_mode) != mode:
            os.fchmod(handle, mode)
        if owner is not None:
            user = pwd.getpwnam(owner)
            os.fchown(handle, user.pw_uid, user.pw_gid)
    finally:
        os.close(handle)


def _no_plain(path: Path) -> CannotHereError:
    return CannotHereError(f"{path} is a link, or no plain file: put the file itself there, or move it away")
