"""Spotify's tokens on this computer's disk: a power cut while writing leaves the old or the new, never neither."""

import contextlib
import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spotipy.cache_handler import CacheHandler

from spotty_gateway.errors import PlayerAuthError

log = logging.getLogger(__name__)

CONNECT = "connect the household's Spotify account with 'spotty login'"

TokenInfo = dict[str, Any]
"""A token answer of Spotify's accounts service, with `expires_at` (seconds since 1970) and what we keep beside it."""

_UNREAD = (0, 0)
"""The version that no file has: nothing was read, so whatever stands there may be replaced."""


class SupersededError(Exception):
    """Somebody has connected or disconnected the account since these tokens were read: theirs stand, ours are waste."""


class TokenFile(CacheHandler):  # type: ignore[misc]  # spotipy is untyped
    """spotipy's cache as a file of ours: atomic, durable, for its owner's eyes only.

    What was saved is what is read: from disk, or from memory while the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        """`path` need not exist yet; its folder must."""
        self._path = path
        self._read: tuple[int, int] | None = _UNREAD
        self._unsaved: TokenInfo | None = None

    def get_cached_token(self) -> TokenInfo:
        """The tokens. Raises PlayerAuthError, one line that says what to do, where there are none to be used."""
        self.save_again()
        if self._unsaved is not None:
            return self._unsaved
        self._read = None
        try:
            with self._path.open("rb") as file:
                self._read = _version_of(os.fstat(file.fileno()))  # of what is read, whatever replaces it meanwhile
                found = json.loads(file.read())
        except FileNotFoundError:
            raise PlayerAuthError(f"Spotify is not connected, {self._path} is missing: {CONNECT}") from None
        except OSError as error:
            raise PlayerAuthError(f"{self._path} cannot be read ({error.strerror}): give it to this user") from None
        except (ValueError, RecursionError):  # what stands there is nobody's business: the error would quote it
            found = None
        if not isinstance(found, dict) or not is_token(found.get("refresh_token")):
            raise PlayerAuthError(f"{self._path} holds no Spotify tokens: {CONNECT} again")
        return found

    @property
    def is_current(self) -> bool:
        """Whether the file is as it was read or saved: somebody else may connect or disconnect the account."""
        return self._version() == self._read

    @property
    def is_saved(self) -> bool:
        """Whether the disk has what was given to be saved."""
        return self._unsaved is None

    def save_token_to_cache(self, token_info: TokenInfo) -> None:
        """Replace the tokens durably. A disk that refuses is tried again at the next read, and said once.

        Raises SupersededError where what was read to make these is no longer there.
        """
        try:
            with alone_in(self._path.parent):
                if self._read != _UNREAD and not self.is_current:
                    self._unsaved = None
                    raise SupersededError
                _write_durably(self._path, json.dumps(token_info).encode())
                self._read = self._version()
        except OSError as error:
            if self._unsaved is None:
                log.warning("%s cannot be written (%s): free some space", self._path, error.strerror)
            self._unsaved = token_info
        else:
            self._unsaved = None

    def save_again(self) -> None:
        """Try once more what the disk has refused."""
        if self._unsaved is not None:
            with contextlib.suppress(SupersededError):
                self.save_token_to_cache(self._unsaved)

    def _version(self) -> tuple[int, int] | None:
        try:
            return _version_of(self._path.stat())
        except OSError:
            return None


def _version_of(found: os.stat_result) -> tuple[int, int]:
    return found.st_ino, found.st_mtime_ns


def is_token(found: object) -> bool:
    """Whether it can stand in a request: an HTTP library quotes in its error what cannot."""
    return isinstance(found, str) and found.isascii() and found.isprintable() and bool(found) and " " not in found


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Inside, no other process of ours replaces or deletes the tokens in this folder. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # ends with the descriptor, however that ends
        yield
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make what was renamed or deleted in it last. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_durably(path: Path, content: bytes) -> None:
    """New file, fsync, rename, fsync of the folder."""
    descriptor, name = tempfile.mkstemp(prefix=".tokens-", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
