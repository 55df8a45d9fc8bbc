"""What the routes ask for: claims opened, confirmed and met, gateways registered and deregistered."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from spotty_cloud.errors import ConflictError
from spotty_cloud.registration.claims import Claims, key_of, shown_by
from spotty_cloud.registration.joining import Joining
from spotty_cloud.registration.leaving import Leaving
from spotty_cloud.registration.signing import SigningKey, read_request
from spotty_cloud.registration.whereabouts import Whereabouts
from spotty_cloud.registration.wrong_codes import WrongCodes
from spotty_contract.registering import ClaimOpened, ClaimSeen, ClaimStanding, Registered


@dataclass(frozen=True, slots=True)
class Desk:
    """Registration as a whole."""

    claims: Claims
    wrong_codes: WrongCodes
    joining: Joining
    leaving: Leaving
    whereabouts: Callable[[], Whereabouts]

    def open_claim(self, csr: str) -> ClaimOpened:
        """Anybody may; it comes to nothing unless somebody confirms it."""
        return self.claims.open(read_request(csr))

    def standing(self, claim_id: str, secret: str) -> ClaimStanding:
        """How far the claim has come; once it is confirmed the certificate, as often as it is asked for."""
        claim = self.claims.of_gateway(claim_id, secret)
        if "gatewayId" not in claim:
            return ClaimStanding(state="waiting")
        return ClaimStanding(state="registered", registered=self._registered(claim["owner"], claim["gatewayId"]))

    def confirm(self, user_id: str, code: str, fingerprint: str | None, name: str | None) -> ClaimSeen:
        """Which key asks by this code; with that key's fingerprint it becomes this person's gateway.

        Raises ConflictError for another fingerprint, NotFoundError for a code that no gateway shows, and after five
        of those TooManyTriesError.
        """
        self.wrong_codes.count(user_id)
        claim = self.claims.of_code(code, user_id)
        self.wrong_codes.give_back(user_id)
        shown, gateway_id = shown_by(claim), claim.get("gatewayId")
        if fingerprint is not None:
            if not hmac.compare_digest(fingerprint, shown):
                raise ConflictError("the gateway shows another key; confirm only the very fingerprint that it shows")
            self.claims.bind(claim, user_id)
            gateway_id = self.joining.join(user_id, key_of(claim), name)
            self.claims.done(claim, user_id, gateway_id)
        return ClaimSeen(fingerprint=shown, expires_at=claim["expiresAt"], gateway_id=gateway_id)

    def register(self, user_id: str, csr: str, name: str | None) -> Registered:
        """Claim and confirmation in one, by an owner who has the request in hand."""
        key: SigningKey = read_request(csr)
        return self._registered(user_id, self.joining.join(user_id, key, name))

    def deregister(self, user_id: str, gateway_id: str) -> None:
        """Remove all of it."""
        self.leaving.leave(user_id, gateway_id)

    def _registered(self, user_id: str, gateway_id: str) -> Registered:
        certificate, where = self.joining.certificate(user_id, gateway_id), self.whereabouts()
        return Registered(
            gateway_id=gateway_id,
            certificate_pem=certificate,
            root_ca_pem=where.root_ca_pem,
            region=where.region,
            data_endpoint=where.data_endpoint,
            data_port=where.data_port,
            credentials_endpoint=where.credentials_endpoint,
            role_alias=where.role_alias,
        )
