"""Tokens that a stranger might try, made of a real one; with MiniStack's own signing key, one that has expired."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

from tests.sandbox.nucleus.mosquitto import program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Claims = dict[str, Any]


def claims_of(token: str) -> Claims:
    """What a token says."""
    read: Claims = json.loads(_bytes(token.split(".")[1]))
    return read


def header_of(token: str) -> Claims:
    """How a token says that it is signed."""
    read: Claims = json.loads(_bytes(token.split(".", maxsplit=1)[0]))
    return read


def saying(token: str, claims: Mapping[str, object]) -> str:
    """The same signature under other claims."""
    header, _, signature = token.split(".")
    return f"{header}.{_part(claims)}.{signature}"


def unsigned(claims: Mapping[str, object], kid: str) -> str:
    """Algorithm: none."""
    return f"{_part({'alg': 'none', 'kid': kid})}.{_part(claims)}."


def signed(claims: Mapping[str, object], kid: str, key: Path) -> str:
    """Signed with RSA by whoever has the key."""
    said = f"{_part({'alg': 'RS256', 'kid': kid})}.{_part(claims)}"
    openssl = [program("openssl"), "dgst", "-sha256", "-sign", str(key)]
    return f"{said}.{_text(subprocess.run(openssl, input=said.encode(), capture_output=True, check=True).stdout)}"


def signed_with_what_is_public(claims: Mapping[str, object], kid: str, public_key: bytes) -> str:
    """HMAC by the pool's public key, for a reader that lets the token choose its algorithm."""
    said = f"{_part({'alg': 'HS256', 'kid': kid})}.{_part(claims)}"
    return f"{said}.{_text(hmac.digest(public_key, said.encode(), hashlib.sha256))}"


def own_key(folder: Path) -> Path:
    """An RSA key that nobody knows."""
    key = folder / "stranger.pem"
    subprocess.run([program("openssl"), "genrsa", "-out", str(key), "2048"], capture_output=True, check=True)
    return key


def public_half(key: Path) -> bytes:
    """PEM."""
    openssl = [program("openssl"), "pkey", "-in", str(key), "-pubout"]
    return subprocess.run(openssl, capture_output=True, check=True).stdout


def expired(claims: Claims) -> Claims:
    """The same, an hour and a minute ago."""
    ago = int(time.time()) - 3660
    return {**claims, "iat": ago, "auth_time": ago, "exp": ago + 3600}


def _part(content: Mapping[str, object]) -> str:
    return _text(json.dumps(content).encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
