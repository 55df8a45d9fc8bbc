"""Greengrass's list of cores, where there is Greengrass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class GreengrassCores:
    """The client is made when the first core leaves: no other request needs it."""

    client: Callable[[], Any]

    def forget(self, gateway_id: str) -> None:
        """Take it out of the list; one that never connected is in none."""
        client = self.client()
        try:
            client.delete_core_device(coreDeviceThingName=gateway_id)
        except client.exceptions.ResourceNotFoundException:
            return
