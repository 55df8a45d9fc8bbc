"""A gateway leaves its owner, and nothing stays of it but the past: sessions and decisions are the owner's.

Every step can be done again, and the row goes last: whatever broke off, the same request finishes. The certificates are
taken out of use before anything else, and before the row loses its owner: so none can be in use that nobody sees.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from spotty_cloud.errors import NotFoundError, UnavailableError
from spotty_cloud.registration.joining import certificate_id, key_item
from spotty_cloud.registration.past import close_sessions, disown_sensors
from spotty_cloud.rooms import former
from spotty_cloud.settings_of import wiring_of
from spotty_cloud.store import LEAVING, Store
from spotty_cloud.tables import Change, Item, StaleError, apply
from spotty_contract.gateway import RESERVED_SENSOR_ID
from spotty_contract.topics import TopicError, cloud_id, shadow_name

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_iot.client import IoTClient
    from types_boto3_iot_data.client import IoTDataPlaneClient

_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
"""AWS lets go of a certificate some seconds after it has said so."""
_CERTIFICATE = ":cert/"
"""What else may be attached to a thing, people's identities, is not ours to delete."""


class Cores(Protocol):
    """Greengrass, as much of it as we use."""

    def forget(self, gateway_id: str) -> None:
        """Take a core out of the list; none there is as good."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """Deregisters gateways."""

    store: Store
    iot: "IoTClient" = field(repr=False)
    shadows: "IoTDataPlaneClient" = field(repr=False)
    shadow_names: Callable[[str], list[str]]
    cores: Cores | None
    """None without Greengrass."""
    now_ms: Callable[[], int]
    wait_s: Callable[[float], None]

    def leave(self, user_id: str, gateway_id: str) -> None:
        """Remove everything. Raises NotFoundError where there is no such gateway, or no longer, or it is not theirs."""
        row = self._row(user_id, gateway_id)
        arns = list(dict.fromkeys([*self._principals(gateway_id), *_noted(row)]))
        for arn in arns:
            self._take_out_of_use(arn)
        apply(Change(self.store.gateways, f"{LEAVING}{gateway_id}", {"userId": former(user_id)}, {}))
        row = self._disowned(user_id, row, arns)
        for arn in dict.fromkeys([*arns, *_noted(row)]):
            self._remove_certificate(gateway_id, arn)
        self._remove_shadows(row)
        if self.cores is not None:
            self.cores.forget(gateway_id)
        self._once_let_go(
            lambda: self.iot.delete_thing(thingName=gateway_id), self.iot.exceptions.InvalidRequestException
        )
        close_sessions(self.store, row)
        disown_sensors(self.store, user_id, row, self.now_ms())
        self._forget(row)

    def _row(self, user_id: str, gateway_id: str) -> Item:
        try:
            cloud_id(gateway_id, RESERVED_SENSOR_ID)
        except TopicError as error:
            raise _none(gateway_id) from error
        row = self.store.gateways.get(gateway_id)
        if row is None or user_id not in {row.get("userId"), row.get("leavingOf")}:
            raise _none(gateway_id)
        return row

    def _principals(self, gateway_id: str) -> Iterator[str]:
        pages = self.iot.get_paginator("list_thing_principals").paginate(thingName=gateway_id)
        try:
            for page in pages:
                yield from page["principals"]
        except self.iot.exceptions.ResourceNotFoundException:  # no thing, or no longer
            return

    def _take_out_of_use(self, arn: str) -> None:
        if _CERTIFICATE not in arn:
            return
        with contextlib.suppress(self.iot.exceptions.ResourceNotFoundException):  # deleted already
            self.iot.update_certificate(certificateId=certificate_id(arn), newStatus="INACTIVE")

    def _disowned(self, user_id: str, row: Item, arns: list[str]) -> Item:
        """Nobody's from now on: no list has it, no record of it is taken, no setting is made. The row as it is then."""
        gone = {
            "userId": None,
            "leavingOf": user_id,
            "leavingAt": self.now_ms(),
            "certificateArns": arns,
            "online": None,
            "consentDueDay": None,
        }
        if "leavingOf" not in row:
            with contextlib.suppress(StaleError):  # another request for the same was quicker
                apply(Change(self.store.gateways, row["gatewayId"], gone, {"userId": user_id}))
        return self._row(user_id, row["gatewayId"])

    def _remove_certificate(self, gateway_id: str, arn: str) -> None:
        """What is not found has gone already, last time or by somebody else."""
        gone = self.iot.exceptions.ResourceNotFoundException
        if _CERTIFICATE in arn:
            self._take_out_of_use(arn)
            with contextlib.suppress(gone):
                self._detach_policies(arn)
        with contextlib.suppress(gone):
            self.iot.detach_thing_principal(thingName=gateway_id, principal=arn)
        if _CERTIFICATE in arn:
            with contextlib.suppress(gone):
                self._once_let_go(
                    lambda: self.iot.delete_certificate(certificateId=certificate_id(arn)),
                    self.iot.exceptions.DeleteConflictException,
                )

    def _detach_policies(self, arn: str) -> None:
        pages = self.iot.get_paginator("list_attached_policies").paginate(target=arn)
        for policy in [one["policyName"] for page in pages for one in page["policies"]]:
            self.iot.detach_policy(policyName=policy, target=arn)

    def _remove_shadows(self, row: Item) -> None:
        ours = (RESERVED_SENSOR_ID, *(sensor.id for sensor in wiring_of(row).sensors))
        # Listed too: sensors that were taken away, and what Greengrass keeps of deployments.
        for name in dict.fromkeys([*map(shadow_name, ours), *self.shadow_names(row["gatewayId"])]):
            with contextlib.suppress(self.shadows.exceptions.ResourceNotFoundException):
                self.shadows.delete_thing_shadow(thingName=row["gatewayId"], shadowName=name)

    def _once_let_go(self, deed: Callable[[], object], not_yet: type[Exception]) -> None:
        """The only one who tries again: what was detached is still held for some seconds."""
        for pause_s in (*_PAUSES_S, None):
            try:
                deed()
            except not_yet:
                if pause_s is not None:
                    self.wait_s(pause_s)
                continue
            return
        raise UnavailableError("AWS has not let go of everything yet; repeat this in a minute, and it goes on")

    def _forget(self, row: Item) -> None:
        """The key first, so that it may be registered anew; and only where it still leads here."""
        if "keyHash" in row:
            self.store.gateways.delete(key_item(row["keyHash"]), {"thing": row["gatewayId"]})
        self.store.gateways.delete(f"{LEAVING}{row['gatewayId']}", {"userId": former(row["leavingOf"])})
        self.store.gateways.delete(row["gatewayId"], {"userId": None})


def _noted(row: Item) -> list[str]:
    """Its certificate, and what else was attached to it when it began to leave."""
    return [*filter(None, [row.get("certificateArn")]), *row.get("certificateArns", ())]


def shadow_names_of(client: "IoTDataPlaneClient") -> Callable[[str], list[str]]:
    """Lists the named shadows of a thing; of none that is no more."""

    def listed(gateway_id: str) -> list[str]:
        names: list[str] = []
        try:
            page = client.list_named_shadows_for_thing(thingName=gateway_id)
            names += page["results"]
            while "nextToken" in page:
                page = client.list_named_shadows_for_thing(thingName=gateway_id, nextToken=page["nextToken"])
                names += page["results"]
        except client.exceptions.ResourceNotFoundException:
            return names
        return names

    return listed


def _none(gateway_id: str) -> NotFoundError:
    return NotFoundError(f"you have no gateway {gateway_id[:140]}")
