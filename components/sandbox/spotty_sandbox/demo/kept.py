"""What a demo with a cloud keeps in its folder, so that the next one finds the same home."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spotty_gateway.durable_file import replace_durably
from spotty_gateway.private import make_private_folder
from spotty_sandbox.aws.setting import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spotty_sandbox.aws import LocalAws, Person

FOLDER = ROOT / ".cache" / "demo"
EMAIL = "ada@example.org"
_OURS = ("aws", "home", "login.json", "token", "starts")
_PRIVATE = 0o600
_COUNTER = "/demo/starts"
_RENEW_AFTER_S = 1800.0
"""A token lasts for an hour."""


class BusyError(Exception):
    """Another demo is at home in the folder."""


class Kept:
    """The folder: `aws` and `home` are others' to fill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.aws = folder / "aws"
        self.home = folder / "home"
        self.login = folder / "login.json"
        self.token = folder / "token"
        self._starts = folder / "starts"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder. Raises BusyError while another demo does."""
        make_private_folder(self.folder)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, _PRIVATE)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(lock, 20, 0).decode().strip() or "unknown"
                raise BusyError(
                    f"another demo runs in {self.folder} (process {holder}): end it with Ctrl-C, or give this one a "
                    "--folder of its own"
                ) from None
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(lock)

    def forget(self) -> None:
        """Remove what demos have made in here, and nothing else."""
        for name in _OURS:
            one = self.folder / name
            if one.is_dir():
                shutil.rmtree(one)
            else:
                one.unlink(missing_ok=True)

    def counts_on(self, aws: LocalAws) -> bool:
        """Count this start, here and there; False where the cloud has lost count, and so what else came then.

        The local AWS keeps what it holds when it is ended in order; our files are kept at once.
        """
        ssm = aws.client("ssm")
        here = int(self._starts.read_text()) if self._starts.exists() else 0
        try:
            there = int(ssm.get_parameter(Name=_COUNTER)["Parameter"]["Value"])
        except ssm.exceptions.ParameterNotFound:
            there = 0
        following = str(max(here, there) + 1)
        ssm.put_parameter(Name=_COUNTER, Value=following, Type="String", Overwrite=True)
        replace_durably(self._starts, following.encode())
        return here == there

    def password(self) -> str:
        """Of the one who lives here; made once."""
        if self.login.exists():
            known: dict[str, Any] = json.loads(self.login.read_text())
            return str(known["password"])
        made = f"Aa1!{secrets.token_urlsafe(12)}"
        replace_durably(self.login, json.dumps({"email": EMAIL, "password": made}).encode(), _PRIVATE)
        return made


class Owner:
    """Whoever lives there, signed in; call it for their tokens as they are now, also in `kept.token`."""

    def __init__(self, kept: Kept, aws: LocalAws, pool_id: str) -> None:
        self._kept = kept
        self._aws = aws
        self._pool_id = pool_id
        self._until_s = 0.0
        self._person: Person

    def __call__(self) -> Person:
        """Raises LocalAwsError."""
        if time.monotonic() >= self._until_s:
            self._person = self._aws.seed_user(EMAIL, self._pool_id, self._kept.password())
            self._until_s = time.monotonic() + _RENEW_AFTER_S
            replace_durably(self._kept.token, self._person.id_token.encode(), _PRIVATE)
        return self._person
