"""What came of a command: told once, on `results`."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from spotty_contract.commands import CommandId, RedirectUri
from spotty_contract.records import Part, Record
from spotty_contract.status import Counts, leading
from spotty_contract.wire import Count, Percent, Seconds, UtcMs, Word, misfit, told

_MOST_DEVICE_BYTES = 3_000


class FoundDevice(Part):
    """A speaker that Spotify knows of."""

    name: Annotated[str, told(512)]
    """Not cut below what a policy can name, or it could not be found again."""
    type: Annotated[str, told(40)]
    id: Annotated[str, Field(max_length=64)] | None = None
    is_active: bool
    is_restricted: bool
    """It takes no orders from us."""
    volume_pct: Percent | None = None


Devices = Annotated[
    tuple[FoundDevice, ...],
    Field(strict=False),
    AfterValidator(lambda devices: leading(devices, _MOST_DEVICE_BYTES)),
]
"""The first ones; four of the longest names fit, and twenty of ordinary length."""


class ConnectLink(Part):
    """Where a person goes to let this gateway use their Spotify.

    It holds the state that the answer must carry, so it is for the one who asked and for no log. The verifier stays on
    the gateway: without it the answer's code is worth nothing.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    link: Annotated[str, Field(pattern=r"^https?://[!-~]{1,1900}$", repr=False)]
    redirect_uri: RedirectUri
    expires_at: UtcMs


class Outcome(Part):
    """What a policy makes, or would have made, of a stretch of the past."""

    motions: Count
    accepted: Count
    sessions: Count
    session_s: Seconds = Field(ge=0)
    """The length of all sessions together."""
    suppressed: Counts = Field(default_factory=dict)


class WhatIfTotals(Part):
    """The same days twice: as the present policy has them, and as the one asked about would have had them."""

    since: UtcMs
    until: UtcMs
    now: Outcome
    instead: Outcome


class CommandResult(Record):
    """A command has come to its end. The first result of a command holds: a repeated command is answered the same."""

    model_config = ConfigDict(hide_input_in_errors=True)

    command_id: CommandId
    command: Word
    timestamp: UtcMs
    outcome: Literal["done", "refused", "failed"]
    """refused: nothing was tried. failed: it was, in vain."""
    reason: Word | None = None
    detail: Annotated[str, told(400)] = ""
    devices: Devices | None = None
    connect: ConnectLink | None = None
    what_if: WhatIfTotals | None = None

    @model_validator(mode="after")
    def _brings_one_thing(self) -> Self:
        if sum(one is not None for one in (self.devices, self.connect, self.what_if)) > 1:
            raise misfit("a result brings devices, a link or totals: one of them")
        return self
