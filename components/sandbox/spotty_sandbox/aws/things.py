"""A gateway that is registered: a thing, a certificate for a key that never leaves its folder, and its policies."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .clients import refusals
from .errors import LocalAwsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class GatewayCertificate:
    """What a gateway connects with: three PEM files, and the certificate's ARN."""

    thing: str
    ca: Path
    certificate: Path
    key: Path
    arn: str


def key_and_request(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a private key (0600) and a signing request for it in `folder`. Raises LocalAwsError."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise LocalAwsError("openssl is not installed; get it with: sudo apt install openssl")
    key, request = folder / f"{name}.key", folder / f"{name}.csr"
    os.close(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    command = [openssl, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", str(key), "-out", str(request), "-subj", f"/CN={name}"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the name is a thing's
    if done.returncode != 0:
        raise LocalAwsError(f"openssl made no key: {done.stderr.strip().splitlines()[-1:]}")
    return key, request


def register(
    iot: Any,  # noqa: ANN401 - boto3's client
    thing: str,
    policies: Sequence[str],
    folder: Path,
    ca: Path,
    *,
    thing_type: str | None = None,
) -> GatewayCertificate:
    """Make the thing and a certificate for it alone, with these policies. Raises LocalAwsError."""
    folder.mkdir(parents=True, exist_ok=True)
    key, request = key_and_request(folder, thing)
    with refusals(f"registering {thing}"):
        made = iot.create_certificate_from_csr(certificateSigningRequest=request.read_text(), setAsActive=True)
        iot.create_thing(thingName=thing, **({"thingTypeName": thing_type} if thing_type else {}))
        arn = made["certificateArn"]
        for policy in policies:
            iot.attach_policy(policyName=policy, target=arn)
        iot.attach_thing_principal(thingName=thing, principal=arn, thingPrincipalType="EXCLUSIVE_THING")
    certificate = folder / f"{thing}.pem"
    certificate.write_text(made["certificatePem"])
    request.unlink()
    return GatewayCertificate(thing, ca, certificate, key, arn)
