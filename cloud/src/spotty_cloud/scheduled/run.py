"""What came of a run."""

from dataclasses import dataclass


@dataclass(slots=True)
class Run:
    """How many were seen to, and whether that was all of them; the next run takes up what is left."""

    gateways: int = 0
    sessions: int = 0
    told: int = 0
    failed: int = 0
    complete: bool = True


class UnfinishedError(Exception):
    """AWS refused a part of it, which the log tells. The next run tries again; the alarm on errors hears of it."""
