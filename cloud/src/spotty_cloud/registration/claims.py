"""Claims: a gateway that nobody owns yet asks for a certificate, and shows a code by which its owner finds it.

Of code and secret the table has hashes. What has run out is as if it were not there, however late DynamoDB deletes it.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from spotty_cloud.errors import NotFoundError, UnavailableError
from spotty_cloud.registration.signing import SigningKey, fingerprint_of
from spotty_cloud.tables import Change, Item, StaleError, Table, apply
from spotty_contract.registering import CLAIM_LASTS_S, CODE_LETTERS, ClaimOpened

_POLL_AFTER_S = 5
_HALF = 4
_MOST_TRIES = 4
_CLAIM_ID = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)


def new_code() -> str:
    """Eight letters, by chance."""
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(2 * _HALF))


@dataclass(frozen=True, slots=True)
class Claims:
    """All claims that are open."""

    table: Table
    now_ms: Callable[[], int]
    make_code: Callable[[], str] = new_code

    def open(self, key: SigningKey) -> ClaimOpened:
        """A claim for this key, with a code that no other one has."""
        claim_id, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        expires_at = self.now_ms() + CLAIM_LASTS_S * 1000
        lasts = {"expiresAt": expires_at, "ttl": expires_at // 1000 + 1}
        asked = {"secretHash": _hash(secret), "csr": key.request_pem, "keyHash": key.sha256}
        for _ in range(_MOST_TRIES):
            code = self.make_code()
            try:
                apply(
                    Change(self.table, claim_id, {**asked, **lasts}, {"csr": None}),
                    Change(self.table, _code_key(code), {"claim": claim_id, **lasts}, {"claim": None}),
                )
            except StaleError:  # another claim has this code
                continue
            return ClaimOpened(
                claim_id=claim_id,
                secret=secret,
                code=f"{code[:_HALF]}-{code[_HALF:]}",
                fingerprint=key.fingerprint,
                expires_at=expires_at,
                poll_after_s=_POLL_AFTER_S,
            )
        raise UnavailableError("no code is free just now; try again")

    def of_gateway(self, claim_id: str, secret: str) -> Item:
        """The claim whose secret this is. Raises NotFoundError for any other, and for one that has run out."""
        found = self._open(claim_id) if _CLAIM_ID.fullmatch(claim_id) else {}
        if not hmac.compare_digest(_hash(secret), found.get("secretHash", "")):
            raise NotFoundError("there is no such claim, or no longer; ask for a new one")
        return found

    def of_code(self, code: str, user_id: str) -> Item:
        """The claim whose code this is, for whoever confirms it first. Raises NotFoundError."""
        pointer = self._open(_code_key(code.replace("-", "")))
        found = self._open(pointer["claim"]) if pointer else {}
        if not found or found.get("owner", user_id) != user_id:
            raise _wrong_code()
        return found

    def bind(self, claim: Item, user_id: str) -> None:
        """This person's from now on. Raises NotFoundError where somebody else was quicker."""
        # The key's hash too: to change what has been deleted meanwhile would make an item that nothing deletes again.
        expected = {"owner": claim.get("owner"), "keyHash": claim["keyHash"]}
        try:
            apply(Change(self.table, claim["claimId"], {"owner": user_id}, expected))
        except StaleError as error:
            if self._open(claim["claimId"]).get("owner") != user_id:
                raise _wrong_code() from error

    def done(self, claim: Item, user_id: str, gateway_id: str) -> None:
        """The claim has become this gateway: its key's holder may have the certificate."""
        try:
            apply(Change(self.table, claim["claimId"], {"gatewayId": gateway_id}, {"owner": user_id}))
        except StaleError as error:  # deleted meanwhile: the next claim of this key becomes the same gateway
            raise _wrong_code() from error

    def _open(self, key: str) -> Item:
        found = self.table.get(key)
        return found if found is not None and found["expiresAt"] > self.now_ms() else {}


def key_of(claim: Item) -> SigningKey:
    """The key that was claimed for."""
    return SigningKey(claim["csr"], claim["keyHash"])


def shown_by(claim: Item) -> str:
    """The fingerprint that its gateway shows."""
    return fingerprint_of(claim["keyHash"])


def _wrong_code() -> NotFoundError:
    return NotFoundError("no gateway shows this code now; look at it again, and whether its ten minutes are over")


def _code_key(code: str) -> str:
    """No claim's id: those have no such sign."""
    return f"code#{_hash(code)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
