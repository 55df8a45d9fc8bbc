"""Looks at the world, each a fact for a judgement. They change nothing, and wait for nothing without a limit."""

import json
import os
import pwd
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import requests

from spotty_gateway.doctor.account import ConsentFacts, Reached
from spotty_gateway.doctor.computer import FolderFacts
from spotty_gateway.doctor.wires import PinTrouble
from spotty_gateway.errors import PlayerAuthError
from spotty_gateway.quarantine import Quarantine
from spotty_gateway.token_file import TokenFile
from spotty_hardware.inputs import FactoryKind, InputSpec, PinError, PinInputs, pin_factory

CONNECT_S, READ_S = 3.0, 5.0
MODE_BITS = 0o777
EVERYBODY = 0o007
MAX_BYTES = 2048


def folder(path: Path) -> FolderFacts | None:
    """The data folder; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    try:
        tokens = (path / "tokens.json").stat()
    except OSError:
        tokens = None
    return FolderFacts(
        path,
        user_name(found.st_uid),
        user_name(os.geteuid()),
        found.st_mode & MODE_BITS,
        os.access(path, os.W_OK | os.X_OK),
        None if tokens is None else tokens.st_mode & MODE_BITS,
        None if tokens is None else user_name(tokens.st_uid),
    )


def exposed(keys: Sequence[Path]) -> list[tuple[Path, int]]:
    """Which of these private keys everybody may read, with their modes."""
    found = []
    for key in keys:
        try:
            mode = key.stat().st_mode & MODE_BITS
        except OSError:  # not there, or in a folder that is closed to us, as it should be
            continue
        if mode & EVERYBODY:
            found.append((key, mode))
    return found


def user_name(user: int) -> str:
    """A user's name, or number where it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"


def free_bytes(path: Path) -> tuple[int, bool]:
    """The room on the disk for this user, and whether it is mounted read-only. Raises OSError."""
    return shutil.disk_usage(path).free, bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def connects(path: str) -> str | None:
    """Why nobody takes a connection at this Unix socket; None where somebody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(CONNECT_S)
        try:
            connection.connect(path)
        except OSError as error:
            return error.strerror or str(error)
    return None


def pins(kind: FactoryKind, specs: Sequence[InputSpec]) -> tuple[PinTrouble | None, list[PinTrouble]]:
    """Open the inputs and let go of them again: what is wrong with the pins as a whole, and with single ones."""
    try:
        with pin_factory(kind) as factory, PinInputs(factory, lambda _: None) as watched:
            refused = watched.watch(specs)
            return None, [PinTrouble(one.problem, one.cure) for one in refused.values()]
    except PinError as error:
        return PinTrouble(error.problem, error.cure), []


def denied_chips() -> list[str]:
    """GPIO chips that are there and that this user may not open."""
    return [str(path) for path in sorted(Path("/dev").glob("gpiochip*")) if not os.access(path, os.R_OK | os.W_OK)]


def network(url: str) -> tuple[str, str | None, bool]:
    """The host of a URL, what is wrong on the way to it, and whether it has an address."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return host, error.strerror or str(error), False
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError as error:
        return host, error.strerror or str(error), True
    return host, None, True


def reach(api_url: str) -> tuple[Reached | None, str | None, bool]:
    """What answers at Spotify's address to a question without a token, which nobody counts; else what went wrong."""
    with requests.Session() as session:
        session.trust_env = False  # as the gateway itself: no proxy from whoever started us
        try:
            with session.get(
                f"{api_url}/v1/", timeout=(CONNECT_S, READ_S), allow_redirects=False, stream=True
            ) as found:
                return _reached(found), None, False
        except requests.exceptions.SSLError as error:
            return None, _kind(error), True
        except requests.RequestException as error:
            return None, _kind(error), False


def _reached(found: requests.Response) -> Reached:
    return Reached(found.status_code, found.headers.get("content-type", ""), leads_elsewhere=found.is_redirect)


def _kind(error: requests.RequestException) -> str:
    """Its name; what it says may quote addresses at length."""
    return type(error).__name__


def consent(tokens: Path) -> ConsentFacts:
    """What stands beside the tokens; never the tokens."""
    try:
        found = TokenFile(tokens).get_cached_token()
    except PlayerAuthError as error:
        return ConsentFacts(wrong=str(error))
    quarantine = Quarantine.read(found.get("quarantine"))
    consent_at = found.get("consent_at")
    return ConsentFacts(
        consent_at_s=float(consent_at) if isinstance(consent_at, int | float) else None,
        barred_until_s=None if quarantine is None else quarantine.until_s,
    )


def policy_bytes(path: Path) -> bytes:
    """A policy file's content; an empty policy where it cannot be read."""
    try:
        content = path.read_bytes()
        json.loads(content)
    except (OSError, ValueError):
        return b"{}"
    return content
