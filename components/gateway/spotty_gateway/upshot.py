"""What came of a command, before it is told."""

from dataclasses import dataclass
from typing import Literal

from spotty_contract.results import ConnectLink, FoundDevice, WhatIfTotals


@dataclass(frozen=True, slots=True)
class Upshot:
    """refused: nothing was tried. failed: it was, in vain. Every reason but success has a `detail` for a person."""

    outcome: Literal["done", "refused", "failed"]
    reason: str | None = None
    detail: str = ""
    devices: tuple[FoundDevice, ...] | None = None
    connect: ConnectLink | None = None
    what_if: WhatIfTotals | None = None
    is_lasting: bool = True
    """Whether it still is an answer after a restart."""


def done(detail: str = "") -> Upshot:
    """It is as it was asked for."""
    return Upshot("done", detail=detail)


def refused(reason: str, detail: str) -> Upshot:
    """Nothing was tried."""
    return Upshot("refused", reason, detail)


def failed(reason: str, detail: str) -> Upshot:
    """It was tried in vain."""
    return Upshot("failed", reason, detail)
