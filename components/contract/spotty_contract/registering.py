"""How a gateway comes to belong to somebody: what it asks for, what its owner confirms, what it is given.

The private key never leaves the gateway. The gateway opens a claim for its signing request and shows the claim's code
and its key's fingerprint; the owner, signed in, enters the code, compares the fingerprint and confirms; the gateway
asks with the claim's secret until it is given its certificate.
"""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from spotty_contract.records import Part
from spotty_contract.topics import GatewayId
from spotty_contract.wire import UtcMs, Wire

CLAIM_SECRET_HEADER: Final = "X-Claim-Secret"  # noqa: S105  # its name, not itself
"""A header and no parameter: addresses stand in logs."""
CLAIM_LASTS_S: Final = 600

CODE_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ23456789"
"""No vowels, so no words; nothing that looks like something else."""

Code = Annotated[
    str,
    Field(
        pattern=rf"^[{CODE_LETTERS}]{{4}}-?[{CODE_LETTERS}]{{4}}$",
        description="the eight letters and digits that the gateway shows, as in BCDF-2345",
    ),
]
"""Eight of CODE_LETTERS, shown with a hyphen in the middle and read with or without."""

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{4}(:[0-9a-f]{4}){7}$")]
"""The first 16 bytes of the SHA-256 of the public key (DER SubjectPublicKeyInfo), in groups a person can compare."""

SigningRequest = Annotated[str, Field(max_length=4000, pattern=r"^-----BEGIN CERTIFICATE REQUEST-----\r?\n")]
"""A PKCS #10 request in PEM."""

GatewayName = Annotated[str, Field(min_length=1, max_length=64)]
"""What its owner calls it."""


class ClaimAsked(Wire):
    """`POST /devices/claims`, by a gateway that nobody owns yet."""

    csr: SigningRequest


class ClaimOpened(Part):
    """The answer: the code is for the owner's eyes, the secret for the gateway alone."""

    model_config = ConfigDict(hide_input_in_errors=True)

    claim_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    secret: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{32,128}$", repr=False)]
    code: Code
    fingerprint: Fingerprint
    expires_at: UtcMs
    poll_after_s: Annotated[int, Field(ge=1, le=60)]
    """No sooner than so often does asking help."""


class ClaimConfirmed(Wire):
    """`POST /devices/claims/confirm`, by the owner. Without a fingerprint nothing happens but that it is told."""

    code: Code
    fingerprint: Fingerprint | None = None
    """As the gateway shows it and the owner has compared it."""
    name: GatewayName | None = None


class ClaimSeen(Part):
    """The answer: which key asks, and once confirmed which gateway it has become."""

    fingerprint: Fingerprint
    expires_at: UtcMs
    gateway_id: GatewayId | None = None


class RegistrationAsked(Wire):
    """`POST /devices/register`: the same in one step, by an owner who is signed in where the key was made."""

    csr: SigningRequest
    name: GatewayName | None = None


class Registered(Part):
    """Everything that a gateway needs to connect, its key excepted."""

    gateway_id: GatewayId
    certificate_pem: Annotated[str, Field(max_length=8000)]
    root_ca_pem: Annotated[str, Field(max_length=8000)]
    """Who signs for the endpoints."""
    region: Annotated[str, Field(max_length=40)]
    data_endpoint: Annotated[str, Field(max_length=300)]
    """A host, as DescribeEndpoint `iot:Data-ATS` names it."""
    data_port: Annotated[int, Field(ge=1, le=65535)] = 8883
    credentials_endpoint: Annotated[str, Field(max_length=300)] | None = None
    """As DescribeEndpoint `iot:CredentialProvider` names it; this and the next are missing without Greengrass."""
    role_alias: Annotated[str, Field(max_length=128)] | None = None


class ClaimStanding(Part):
    """`GET /devices/claims/{claimId}` with the secret: how far the claim has come."""

    state: Literal["waiting", "registered"]
    registered: Registered | None = None
