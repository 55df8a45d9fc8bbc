"""Settings in step: what the table says is what the shadow asks for, whatever broke off between the two.

The table is written first. `in_step` then looks at the shadow and sends what it lacks, so whoever reads a setting also
heals it; the shadow's own version keeps a slow writer from putting an older setting over a newer one.
"""

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from spotty_cloud.errors import UnavailableError, UnfitError
from spotty_contract.records import Part
from spotty_contract.shadow import (
    Order,
    Rejection,
    Reported,
    ShadowError,
    encode_desired,
    order_of,
    read_desired,
    read_reported,
)
from spotty_contract.topics import shadow_name
from spotty_contract.wire import Count, UtcMs, Wire

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_iot_data.client import IoTDataPlaneClient

LOG = logging.getLogger(__name__)

_MOST_TRIES = 5
"""Another writer comes between once in a while, never five times."""


class Standing(Part):
    """How far a setting has come: `pending` until the gateway has answered this very version."""

    version: Count
    state: Literal["pending", "applied", "rejected"]
    answered_version: Count | None = None
    answered_at: UtcMs | None = None
    """To the second: AWS keeps it no finer."""
    rejections: Annotated[tuple[Rejection, ...], Field(strict=False)] = ()


def checked(settings: Wire, version: int, what: str) -> None:
    """That a gateway can be sent this. Raises UnfitError in words where it is too large."""
    try:
        encode_desired(settings, version)
    except ShadowError as error:
        raise UnfitError(f"{what}: {error}", [{"field": what, "value": None, "bound": str(error)}]) from error


@dataclass(frozen=True, slots=True)
class Shadows:
    """The named shadows of all gateways."""

    client: "IoTDataPlaneClient" = field(repr=False)

    def in_step(self, gateway_id: str, sensor_id: str, settings: Wire, version: int) -> Standing:
        """See to it that the shadow asks for this version, or a later one; say what the gateway answered."""
        for _ in range(_MOST_TRIES):
            data = self._get(gateway_id, sensor_id)
            if not _lacks(data, version):
                return _standing(data, version)
            self._update(gateway_id, sensor_id, settings, version, _shadow_version(data))
        raise UnavailableError("these settings are being changed by many at once; try again")

    def next_version(self, gateway_id: str, sensor_id: str, present: int) -> int:
        """One that the gateway has never seen, even where the table has been restored or its owner is a new one."""
        data = self._get(gateway_id, sensor_id)
        try:
            desired, reported = read_desired(data), read_reported(data)
        except ShadowError:  # not ours, so nobody has taken a version from it
            return present + 1
        return max(present, *(one.v for one in (desired, reported) if one is not None), 0) + 1

    def _get(self, gateway_id: str, sensor_id: str) -> bytes:
        try:
            answer = self.client.get_thing_shadow(thingName=gateway_id, shadowName=shadow_name(sensor_id))
        except self.client.exceptions.ResourceNotFoundException:
            return b"{}"
        return answer["payload"].read()

    def _update(self, gateway_id: str, sensor_id: str, settings: Wire, version: int, seen: int | None) -> None:
        document: dict[str, Any] = json.loads(encode_desired(settings, version))
        if seen is not None:
            document["version"] = seen
        try:
            self.client.update_thing_shadow(
                thingName=gateway_id, shadowName=shadow_name(sensor_id), payload=json.dumps(document).encode()
            )
        except self.client.exceptions.ConflictException:
            LOG.info("the shadow of %s has changed meanwhile; looking again", sensor_id)


def _lacks(data: bytes, version: int) -> bool:
    try:
        desired = read_desired(data)
    except ShadowError:  # not ours, so not a setting: it is written over
        return True
    return order_of(version, None if desired is None else desired.v) is Order.NEWER


def _standing(data: bytes, version: int) -> Standing:
    try:
        reported = read_reported(data)
    except ShadowError as error:
        LOG.warning("a gateway's answer cannot be read, so its settings stay pending: %s", error)
        reported = None
    if reported is None:
        return Standing(version=version, state="pending")
    return Standing(
        version=version,
        state=_state(reported, version),
        answered_version=reported.v,
        answered_at=_answered_at_ms(data),
        rejections=reported.rejections,
    )


def _state(reported: Reported, version: int) -> Literal["pending", "applied", "rejected"]:
    return reported.outcome if reported.v == version else "pending"


def _shadow_version(data: bytes) -> int | None:
    found = json.loads(data).get("version")
    return found if isinstance(found, int) else None


def _answered_at_ms(data: bytes) -> int | None:
    """When `reported.v` last changed: AWS stamps it in seconds."""
    stamp = json.loads(data).get("metadata", {}).get("reported", {}).get("v", {}).get("timestamp")
    return stamp * 1000 if isinstance(stamp, int) else None
