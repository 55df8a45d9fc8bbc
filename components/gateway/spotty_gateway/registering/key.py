"""The gateway's key: made here, kept here; what leaves is what it has signed and its public part.

By the command `openssl`, which every Raspberry Pi has and the nucleus needs too. Rejected: a library, 4 MB of machine
code on every Pi for three calls in its life.
"""

import base64
import binascii
import hashlib
import subprocess
from pathlib import Path

from spotty_gateway.durable_file import replace_durably
from spotty_gateway.registering.errors import CannotHereError
from spotty_gateway.registering.own_file import settle

KEY_MODE = 0o600
OPENSSL_WITHIN_S = 30.0
FINGERPRINT_BYTES, GROUP = 16, 4

# PKCS #8, which both nuclei read; AWS IoT takes this curve.
_MAKE = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:named_curve")
_NO_PROMPT = ("-passin", "pass:")
_REQUEST = b"[req]\nprompt = no\ndistinguished_name = subject\n[subject]\nCN = SpottyPottySense\n"
"""Who it is for says nothing: the cloud names the gateway."""


class Key:
    """The private key in a file, which stays there."""

    def __init__(self, path: Path) -> None:
        """Reads its public part. Raises CannotHereError."""
        self._path = path
        found = _openssl("pkey", "-in", str(path), *_NO_PROMPT, "-pubout")
        public = b"" if found is None else _der(found)
        if not public:
            raise CannotHereError(f"{path} is no private key that can be used: move it away, and a new one is made")
        self._public = public
        self.fingerprint = fingerprint_of(public)

    def signing_request(self) -> str:
        """A new PKCS #10 request in PEM. Raises CannotHereError."""
        made = _openssl(
            "req", "-new", "-sha256", "-key", str(self._path), *_NO_PROMPT, "-config", "/dev/stdin", given=_REQUEST
        )
        if made is None:
            raise CannotHereError(f"{self._path} cannot sign: move it away, and a new key is made")
        return made.decode("ascii")

    def has(self, certificate_pem: str) -> bool:
        """Whether the certificate is for this key. Raises CannotHereError."""
        found = _openssl("x509", "-noout", "-pubkey", given=certificate_pem.encode())
        return found is not None and _der(found) == self._public


def own_key(path: Path, owner: str | None = None) -> Key:
    """The key that is there, tightened where others could read it; else a new one, on the disk before it is used.

    It is `owner`'s from then on, None leaves it whose it is. Raises CannotHereError, OSError.
    """
    if not path.exists():
        made = _openssl(*_MAKE)
        if made is None:
            raise CannotHereError("openssl cannot make a key (curve P-256): openssl 1.1 or later is needed")
        replace_durably(path, made, KEY_MODE)
    settle(path, KEY_MODE, owner)
    return Key(path)


def fingerprint_of(public: bytes) -> str:
    """As a person compares it: the first 16 bytes of the SHA-256 of the public key (DER SubjectPublicKeyInfo)."""
    digits = hashlib.sha256(public).hexdigest()[: FINGERPRINT_BYTES * 2]
    return ":".join(digits[at : at + GROUP] for at in range(0, len(digits), GROUP))


def _openssl(*arguments: str, given: bytes = b"") -> bytes | None:
    """What it writes; None where it refuses. Raises CannotHereError where it cannot be run."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words and a path
            ["openssl", *arguments],  # noqa: S607 - whichever the system has
            input=given,
            capture_output=True,
            check=False,
            timeout=OPENSSL_WITHIN_S,
        )
    except FileNotFoundError:
        raise CannotHereError("there is no openssl here: sudo apt install openssl") from None
    except subprocess.TimeoutExpired:
        raise CannotHereError(f"openssl did not answer within {OPENSSL_WITHIN_S:.0f} s: run this again") from None
    return done.stdout if done.returncode == 0 else None


def _der(public_pem: bytes) -> bytes:
    """A public key in PEM as DER; empty where it is none."""
    try:
        return base64.b64decode(b"".join(public_pem.split(b"\n")[1:-2]), validate=True)
    except binascii.Error:
        return b""
