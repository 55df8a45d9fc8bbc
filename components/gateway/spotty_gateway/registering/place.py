"""Where a nucleus looks for what it needs to connect, and whose those files are."""

import fcntl
import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from spotty_gateway.private import FOLDER_MODE
from spotty_gateway.registering.errors import CannotHereError
from spotty_gateway.registering.own_file import settle

OPEN_MODE = 0o755
MOST_PATH_BYTES = 126
"""Lite keeps paths in 128 bytes."""
_THING = re.compile(rb'thingName:\s*"?([A-Za-z0-9:_-]{1,128})')


class NucleusKind(StrEnum):
    """The two there are."""

    LITE = "lite"
    CLASSIC = "classic"


@dataclass(frozen=True, slots=True)
class Place:
    """Four files. `owner` is whose the first three are, None for whoever runs this; the configuration is root's."""

    nucleus: NucleusKind
    root: Path
    """Greengrass's own folder, in which it works."""
    credentials: Path
    configuration: Path
    owner: str | None

    @property
    def key(self) -> Path:
        """The private key."""
        return self.credentials / "private.pem.key"

    @property
    def certificate(self) -> Path:
        """What the cloud gave for the key."""
        return self.credentials / "device.pem.crt"

    @property
    def root_ca(self) -> Path:
        """Who signs for the cloud's endpoints."""
        return self.credentials / "AmazonRootCA1.pem"

    @property
    def files(self) -> dict[str, Path]:
        """All four, by what they are."""
        names = ("key", "certificate", "rootCa", "configuration")
        return dict(zip(names, (self.key, self.certificate, self.root_ca, self.configuration), strict=True))

    @property
    def is_standard(self) -> bool:
        """Whether a nucleus looks here of its own accord."""
        return self.owner is not None

    def gateway_id(self) -> str | None:
        """As which gateway this place is registered, as far as its configuration says; None where there is none."""
        try:
            found = _THING.search(self.configuration.read_bytes())
        except FileNotFoundError:
            return None
        return found[1].decode() if found else "somebody"


def place_of(nucleus: NucleusKind, to: Path | None) -> Place:
    """Where the nucleus looks; or the folder `to`, for whoever wants to take the files elsewhere."""
    lite = nucleus is NucleusKind.LITE
    root = Path("/var/lib/greengrass" if lite else "/greengrass/v2")
    if to is not None:
        folder = to.absolute()
        return Place(nucleus, root, folder, folder / "config.yaml", None)
    if lite:
        return Place(nucleus, root, root / "credentials", Path("/etc/greengrass/config.yaml"), "ggcore")
    return Place(nucleus, root, root, root / "config/config.yaml", "root")


def check_path(place: Place) -> None:
    """Whether a nucleus can read from there. Raises CannotHereError."""
    if not str(place.key).isprintable() or len(os.fsencode(place.key)) > MOST_PATH_BYTES:
        raise CannotHereError(
            f"no nucleus can read the path {str(place.credentials)[:200]!r}: choose a shorter, plain one"
        )


def private_keys() -> list[Path]:
    """Where on this computer a gateway's key may lie; the last is where AWS's connection kit puts it."""
    return [*(place_of(kind, None).key for kind in NucleusKind), Path("/etc/greengrass/private.pem.key")]


@contextmanager
def prepared(place: Place) -> Iterator[None]:
    """The folders are there, can be written, and are this program's alone. Raises CannotHereError."""
    _check_rights(place)
    try:
        _make_folders(place)
        folder = os.open(place.credentials, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise cannot_write(error, place.credentials) from error
    try:
        _lock(folder, place)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, place: Place) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotHereError(f"another spotty register is at work in {place.credentials}: wait for its end") from None


def cannot_write(error: OSError, where: Path) -> CannotHereError:
    """The disk's refusal in words."""
    path = error.filename or where
    return CannotHereError(f"{path}: {error.strerror}; make room or mend it, then run this again: the key stays")


def _check_rights(place: Place) -> None:
    if place.owner is None:
        return
    if os.geteuid() != 0:
        raise CannotHereError(
            f"the files for nucleus {place.nucleus} belong to {place.owner} and root: run this with sudo, or name a "
            "folder of your own with --to"
        )
    try:
        pwd.getpwnam(place.owner)
    except KeyError:
        raise CannotHereError(
            f"there is no user {place.owner} here: install nucleus {place.nucleus} first (recipes/README.md), or name "
            "a folder with --to"
        ) from None


def _make_folders(place: Place) -> None:
    if place.owner is None:
        place.credentials.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
    else:
        place.root.mkdir(OPEN_MODE, parents=True, exist_ok=True)
        place.configuration.parent.mkdir(OPEN_MODE, parents=True, exist_ok=True)
        if not place.credentials.exists():
            place.credentials.mkdir(FOLDER_MODE)
            settle(place.credentials, FOLDER_MODE, place.owner)
    for folder in {place.credentials, place.configuration.parent}:
        if not os.access(folder, os.W_OK | os.X_OK):
            raise CannotHereError(f"{folder} cannot be written: choose a folder of your own with --to, or mend it")
