import base64
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from tests.cloud.registry import new_key

from spotty_cloud.errors import UnfitError
from spotty_cloud.registration.signing import read_request
from spotty_contract.registering import ClaimAsked, ClaimSeen

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

SIGNED = "it must be signed with SHA-256, SHA-384 or SHA-512"
KIND = "its key must be EC on P-256 or P-384, or RSA of 2048 to 4096 bits"


def request(key: Key, algorithm: hashes.SHA256 | hashes.SHA512 | hashes.SHA224 | None) -> str:
    """A signing request for this key."""
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return asked.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    "make, algorithm",
    [
        (lambda: ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()),
        (lambda: ec.generate_private_key(ec.SECP384R1()), hashes.SHA512()),
        (lambda: rsa.generate_private_key(65537, 2048), hashes.SHA256()),
    ],
    ids=["P-256", "P-384", "RSA 2048"],
)
def test_a_good_request_is_read(make: Callable[[], Key], algorithm: hashes.SHA256) -> None:
    """Its key's hash is of the whole public key; its fingerprint is that one's beginning, as the contract writes it."""
    key = make()
    found = read_request(request(key, algorithm))
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    assert bytes.fromhex(found.sha256) == digest.finalize()
    assert ClaimSeen(fingerprint=found.fingerprint, expires_at=0).fingerprint.replace(":", "") == found.sha256[:32]


@pytest.mark.parametrize(
    "make, algorithm, bound",
    [
        (lambda: ec.generate_private_key(ec.SECP521R1()), hashes.SHA256(), KIND),
        (lambda: ec.generate_private_key(ec.SECP256K1()), hashes.SHA256(), KIND),
        (lambda: rsa.generate_private_key(65537, 1024), hashes.SHA256(), KIND),  # noqa: S505 - that is what is refused
        (ed25519.Ed25519PrivateKey.generate, None, KIND),
        (lambda: ec.generate_private_key(ec.SECP256R1()), hashes.SHA224(), SIGNED),
    ],
    ids=["P-521", "secp256k1", "RSA 1024", "Ed25519", "SHA-224"],
)
def test_a_weak_or_strange_key_is_refused(make: Callable[[], Key], algorithm: hashes.SHA256, bound: str) -> None:
    """What AWS would refuse, or nobody should trust: said in words, and no value is repeated."""
    with pytest.raises(UnfitError, match="csr: ") as refused:
        read_request(request(make(), algorithm))
    assert refused.value.details == [{"field": "csr", "value": None, "bound": bound}]


def test_a_request_for_somebody_else_s_key_is_refused() -> None:
    """Signed with another key, it proves nothing."""
    mine, theirs = (x509.load_pem_x509_csr(new_key().csr.encode()) for _ in range(2))
    length = 64
    der = bytearray(mine.public_bytes(Encoding.DER))
    point = mine.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)[-length:]
    start = bytes(der).index(point)
    der[start : start + length] = theirs.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)[
        -length:
    ]
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()
    with pytest.raises(UnfitError, match="not signed with the key that it asks for"):
        read_request(forged)


def test_only_the_request_itself_travels_on() -> None:
    """What stands beside it in the text is left behind."""
    csr = new_key().csr
    assert read_request(f"{csr}and more\n{new_key().csr}").request_pem == csr


_GOOD = x509.load_pem_x509_csr(new_key().csr.encode()).public_bytes(Encoding.DER)


@given(st.lists(st.tuples(st.integers(0, len(_GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_no_bytes_do_anything_but_be_refused(changes: list[tuple[int, int]]) -> None:
    """A request with any bytes changed is refused in words, or proves the key that it was made for."""
    der = bytearray(_GOOD)
    for place, byte in changes:
        der[place] = byte
    try:
        found = read_request(_pem(bytes(der)))
    except UnfitError as refused:
        assert refused.details  # noqa: PT017  # either outcome is right
    else:
        assert found.sha256 == read_request(_pem(_GOOD)).sha256


def test_a_request_of_another_version_is_refused() -> None:
    """There is only one version of PKCS #10."""
    with pytest.raises(UnfitError, match="that can be read"):
        read_request(_pem(_GOOD.replace(b"\x02\x01\x00", b"\x02\x01\x05", 1)))


@given(st.text(max_size=300))
def test_no_text_does_either(text: str) -> None:
    """Whatever follows the first line."""
    with pytest.raises(UnfitError, match=r"csr: "):
        read_request(f"-----BEGIN CERTIFICATE REQUEST-----\n{text}")


def test_the_longest_good_request_fits_the_contract() -> None:
    """RSA of 4096 bits with a long name is below what a body may hold."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "g" * 64)])
    asked = x509.CertificateSigningRequestBuilder().subject_name(name)
    signed = asked.sign(rsa.generate_private_key(65537, 4096), hashes.SHA512())
    assert ClaimAsked(csr=signed.public_bytes(Encoding.PEM).decode()).csr


def _pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE REQUEST-----\n"
