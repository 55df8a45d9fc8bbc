"""A certificate for 127.0.0.1 that nobody else signed: for tests and benches over TLS."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class NoCertificateError(Exception):
    """No certificate can be made here; the text is one line that says why."""


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a certificate (two days) and its key in `folder`; a client has to be told to trust the first.

    Raises NoCertificateError when there is no openssl on this computer or it refuses.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        raise NoCertificateError("openssl is not installed")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=127.0.0.1",
               "-addext", "subjectAltName=IP:127.0.0.1"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no word of it from outside
    if done.returncode != 0:
        raise NoCertificateError(f"openssl made no certificate: {done.stderr.strip().splitlines()[-1:]}")
    return certificate, key
