"""A key becomes a gateway of somebody's: a thing, a certificate for it alone, a row.

Every step may be the last one for this time, and each can be done again. So the row comes first, which names what is to
be made: no thing is made that nobody knows. AWS alone names a certificate, so that is made inactive, noted in the row,
bound, and made active last: what breaks off leaves none that could connect, and at worst, between making and noting,
one that is inactive, bound to nothing and allowed nothing.
"""

import contextlib
import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spotty_cloud.errors import ConflictError, NotFoundError, UnavailableError
from spotty_cloud.registration.signing import SigningKey, refused
from spotty_cloud.store import MOST_GATEWAYS, gateways_of
from spotty_cloud.tables import Change, Item, StaleError, Table, apply

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_iot.client import IoTClient

_LETTERS = string.ascii_lowercase + string.digits
_LENGTH = 12
_MOST_TRIES = 4


@dataclass(frozen=True, slots=True)
class Kind:
    """What every gateway is in IoT Core."""

    thing_type: str
    policies: tuple[str, ...]
    """What its certificate is allowed."""


def kind_of(environment: Mapping[str, str]) -> Kind:
    """As the environment says. Raises KeyError."""
    policies = (environment["GATEWAY_POLICY"], environment["CORE_POLICY"])
    return Kind(environment["THING_TYPE"], tuple(one for one in policies if one))


def new_gateway_id() -> str:
    """The cloud names the thing: sixty-two bits of chance, so nobody can take a name before its owner does."""
    return f"spotty-{''.join(secrets.choice(_LETTERS) for _ in range(_LENGTH))}"


@dataclass(frozen=True, slots=True)
class Joining:
    """Registers gateways. A key's item in the table of gateways leads to its gateway without a search."""

    gateways: Table
    iot: "IoTClient" = field(repr=False)
    kind: Kind
    now_ms: Callable[[], int]

    def join(self, user_id: str, key: SigningKey, name: str | None) -> str:
        """The id of this key's gateway, which is complete now. The name counts when the gateway is new.

        Raises ConflictError where the key is somebody else's, its gateway is just being deregistered, or this would be
        one too many.
        """
        row = self._row(user_id, key, name)
        gateway_id = str(row["gatewayId"])
        if "registeredAt" not in row:
            self._complete(user_id, row, key)
            return gateway_id
        self.certificate(user_id, gateway_id)
        self._allow(row["certificateArn"])  # a later deployment may have given cores a policy of their own
        return gateway_id

    def certificate(self, user_id: str, gateway_id: str) -> str:
        """The certificate, PEM, of a complete gateway of this person. It is AWS's to keep, so nobody else does."""
        row = self.gateways.get(gateway_id)
        if row is None or row.get("userId") != user_id or "registeredAt" not in row:
            raise NotFoundError("this gateway is registered no more")
        try:
            found = self.iot.describe_certificate(certificateId=certificate_id(row["certificateArn"]))
        except self.iot.exceptions.ResourceNotFoundException as error:
            raise _out_of_use(gateway_id) from error
        described = found["certificateDescription"]
        if described["status"] != "ACTIVE":
            raise _out_of_use(gateway_id)
        return described["certificatePem"]

    def _row(self, user_id: str, key: SigningKey, name: str | None) -> Item:
        """The key's gateway, begun at least."""
        for _ in range(_MOST_TRIES):
            known = self.gateways.get(key_item(key.sha256))
            if known is None:
                self._begin(user_id, key, name)
                continue
            if known["owner"] != user_id:
                raise ConflictError("this key belongs to somebody else's gateway; make a new one for yours")
            row = self.gateways.get(known["thing"])
            if row is not None and row.get("userId") == user_id:
                return row
            self._check_not_leaving(row, known["thing"])
            if row is None:  # taken away by hand
                self.gateways.delete(key_item(key.sha256), {"thing": known["thing"]})
        raise UnavailableError("this gateway is being registered and deregistered at once; try again")

    def _begin(self, user_id: str, key: SigningKey, name: str | None) -> None:
        if sum(1 for _ in self.gateways.all(gateways_of(user_id), MOST_GATEWAYS)) >= MOST_GATEWAYS:
            raise ConflictError(f"you have {MOST_GATEWAYS} gateways, and nobody may have more; deregister one first")
        gateway_id = new_gateway_id()
        row = {"userId": user_id, "name": name or None, "keyHash": key.sha256, "createdAt": self.now_ms()}
        pointer = {"thing": gateway_id, "owner": user_id}
        try:
            apply(
                Change(self.gateways, key_item(key.sha256), pointer, {"thing": None}),
                Change(self.gateways, gateway_id, row, {"createdAt": None, "userId": None}),
            )
        except StaleError:  # another request for this key was quicker: the caller looks again
            return

    def _check_not_leaving(self, row: Item | None, gateway_id: str) -> None:
        if row is not None and "leavingOf" in row:
            raise ConflictError(
                f"{gateway_id} with this key is being deregistered; finish that first (DELETE /gateways/{gateway_id})"
            )

    def _complete(self, user_id: str, row: Item, key: SigningKey) -> None:
        gateway_id = str(row["gatewayId"])
        try:
            self._make(user_id, gateway_id, row, key)
        except (StaleError, self.iot.exceptions.ResourceNotFoundException) as error:
            now = self.gateways.get(gateway_id) or {}
            if now.get("userId") == user_id:
                raise
            self._take_back(gateway_id, now)
            raise ConflictError("this gateway has been deregistered meanwhile") from error

    def _take_back(self, gateway_id: str, row: Item) -> None:
        """Deregistering may have been past the thing or the certificate when this request made or activated it."""
        if "certificateArn" in row:
            with contextlib.suppress(self.iot.exceptions.ResourceNotFoundException):
                self.iot.update_certificate(certificateId=certificate_id(row["certificateArn"]), newStatus="INACTIVE")
        with contextlib.suppress(self.iot.exceptions.InvalidRequestException):  # still attached: deregistering goes on
            self.iot.delete_thing(thingName=gateway_id)

    def _make(self, user_id: str, gateway_id: str, row: Item, key: SigningKey) -> None:
        """Raises StaleError where the gateway is this person's no more."""
        self.iot.create_thing(thingName=gateway_id, thingTypeName=self.kind.thing_type)
        arn = row.get("certificateArn") or self._new_certificate(user_id, gateway_id, key)
        self._allow(arn)
        self.iot.attach_thing_principal(thingName=gateway_id, principal=arn, thingPrincipalType="EXCLUSIVE_THING")
        self.iot.update_certificate(certificateId=certificate_id(arn), newStatus="ACTIVE")
        apply(Change(self.gateways, gateway_id, {"registeredAt": self.now_ms()}, {"userId": user_id}))

    def _allow(self, arn: str) -> None:
        for policy in self.kind.policies:
            self.iot.attach_policy(policyName=policy, target=arn)

    def _new_certificate(self, user_id: str, gateway_id: str, key: SigningKey) -> str:
        try:
            made = self.iot.create_certificate_from_csr(certificateSigningRequest=key.request_pem, setAsActive=False)
        except self.iot.exceptions.InvalidRequestException as error:
            raise refused("AWS makes no certificate for it; make it anew, with a plain name") from error
        arn = made["certificateArn"]
        try:
            expected = {"userId": user_id, "certificateArn": None}
            apply(Change(self.gateways, gateway_id, {"certificateArn": arn}, expected))
        except StaleError:  # another request was quicker, or it is leaving: nobody needs this one
            self.iot.delete_certificate(certificateId=made["certificateId"])
            row = self.gateways.get(gateway_id) or {}
            if row.get("userId") != user_id or "certificateArn" not in row:
                raise
            return str(row["certificateArn"])
        return arn


def key_item(key_sha256: str) -> str:
    """Where a key's gateway is noted: no gateway's id, for those have no such sign."""
    return f"key#{key_sha256}"


def certificate_id(arn: str) -> str:
    """The end of its ARN."""
    return arn.rpartition("/")[2]


def _out_of_use(gateway_id: str) -> ConflictError:
    return ConflictError(
        f"the certificate of {gateway_id} has been taken out of use; deregister the gateway, then register it again"
    )
