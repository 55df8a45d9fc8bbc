"""What is kept tells when somebody is at home: it is for the eyes of the gateway's own user."""

import os
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600
OTHERS = 0o077


def make_private_folder(path: Path) -> None:
    """Make it for its owner alone. One that is there stays as it is: whoever made it may have had a reason.

    Raises OSError.
    """
    path.mkdir(FOLDER_MODE, parents=True, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make it for its owner alone, empty, or tighten the one that is there, if it is ours. Raises OSError.

    An existing file is not opened: to close it again would take from SQLite the locks that this process has on it.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    except FileExistsError:
        found = path.stat()
        if found.st_mode & OTHERS and found.st_uid == os.geteuid():
            path.chmod(FILE_MODE)
