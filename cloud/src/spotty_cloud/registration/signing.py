"""A gateway's signing request: read once, judged here, and handed on as we write it."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spotty_cloud.errors import UnfitError

if TYPE_CHECKING:
    from cryptography.x509 import CertificateSigningRequest

_CURVES = {"secp256r1", "secp384r1"}
_RSA_BITS = range(2048, 4097)
_HASHES = {"sha256", "sha384", "sha512"}
_FINGERPRINT_BYTES = 16
_GROUP = 4


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key whose holder has proved to have the private one, and the request that proves it."""

    request_pem: str
    sha256: str
    """Of the key as DER SubjectPublicKeyInfo, in hex."""

    @property
    def fingerprint(self) -> str:
        """What a person compares."""
        return fingerprint_of(self.sha256)


def fingerprint_of(key_sha256: str) -> str:
    """The beginning of a key's hash, in groups that a person can compare."""
    told = key_sha256[: _FINGERPRINT_BYTES * 2]
    return ":".join(told[start : start + _GROUP] for start in range(0, len(told), _GROUP))


def read_request(pem: str) -> SigningKey:
    """What a signing request holds. Raises UnfitError for one that AWS would refuse, or that proves nothing."""
    # Not at the top: a tenth of a second, which asking for a claim's standing would pay too.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        _check(request)
        proved = request.is_signature_valid
        # Written anew, so that nothing travels on which stood beside it.
        written = request.public_bytes(Encoding.PEM).decode()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise refused("it is not a signing request (PKCS #10) that can be read") from error
    if not proved:
        raise refused("it is not signed with the key that it asks for")
    return SigningKey(written, hashlib.sha256(key).hexdigest())


def _check(request: "CertificateSigningRequest") -> None:
    """Before the signature is looked at: a key of any size could be made to cost."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415 - as above

    match request.public_key():
        case ec.EllipticCurvePublicKey() as key if key.curve.name in _CURVES:
            pass
        case rsa.RSAPublicKey() as key if key.key_size in _RSA_BITS:
            pass
        case _:
            raise refused("its key must be EC on P-256 or P-384, or RSA of 2048 to 4096 bits")
    signed_with = request.signature_hash_algorithm
    if signed_with is None or signed_with.name not in _HASHES:
        raise refused("it must be signed with SHA-256, SHA-384 or SHA-512")


def refused(bound: str) -> UnfitError:
    """The request cannot be taken, and what it should be."""
    return UnfitError(f"csr: {bound}", [{"field": "csr", "value": None, "bound": bound}])
