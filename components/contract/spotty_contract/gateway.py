"""What a gateway watches: its sensors with their inputs, and its time zone. Travels as the shadow named `gateway`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spotty_contract.policy import Zone
from spotty_contract.wire import Wire, misfit

RESERVED_SENSOR_ID = "gateway"
"""Used in topics for what concerns the gateway as a whole."""

SensorId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
InputId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Pin = Annotated[int, Field(ge=0, le=27)]
"""A BCM number; 0 to 27 are on the header of every Raspberry Pi with 40 pins."""


class InputWiring(Wire):
    """One input: what it is and where it is wired. None stands for the default of its kind."""

    id: InputId
    kind: Literal["pir", "contact", "button"] = "pir"
    pin: Pin
    active_high: bool | None = None
    pull: Literal["up", "down", "none"] | None = None


class SensorWiring(Wire):
    """One sensor: a room's inputs and the name people call it by."""

    id: SensorId
    name: Annotated[str, Field(min_length=1, max_length=64)]
    inputs: tuple[InputWiring, ...] = Field(strict=False, min_length=1, max_length=8)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        if self.id == RESERVED_SENSOR_ID:
            raise misfit(f"the sensor id {RESERVED_SENSOR_ID} is reserved")
        if len({one.id for one in self.inputs}) < len(self.inputs):
            raise misfit(f"two inputs of sensor {self.id} have one id")
        return self


class GatewayPolicy(Wire):
    """All sensors of a gateway."""

    timezone: Zone = "UTC"
    sensors: tuple[SensorWiring, ...] = Field(default=(), strict=False, max_length=16)

    @model_validator(mode="after")
    def _nothing_is_used_twice(self) -> Self:
        ids = [sensor.id for sensor in self.sensors]
        pins = [str(one.pin) for sensor in self.sensors for one in sensor.inputs]
        for what, used in (("sensor id", ids), ("pin", pins)):
            twice = sorted({one for one in used if used.count(one) > 1})
            if twice:
                raise misfit(f"the {what} {twice[0]} is used twice")
        return self
