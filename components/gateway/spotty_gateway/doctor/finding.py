"""What one check has found."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """Music plays, or would; but somebody should know."""
    FAULT = "fault"
    """Something does not work before it is mended."""


EXIT_CODES = {Level.OK: 0, Level.WARNING: 1, Level.FAULT: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it where it is not well."""

    check: str
    level: Level
    fact: str
    cure: str = ""


def ok(check: str, fact: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, fact)


def warning(check: str, fact: str, cure: str) -> Finding:
    """To be known."""
    return Finding(check, Level.WARNING, fact, cure)


def fault(check: str, fact: str, cure: str) -> Finding:
    """To be mended."""
    return Finding(check, Level.FAULT, fact, cure)


def told(make: Level, check: str, line: str) -> Finding:
    """From a line of the gateway's own, "what is wrong; what to do"."""
    fact, _, cure = line.rpartition("; ")
    return Finding(check, make, fact or cure, cure if fact else "see above")


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level among them."""
    return max((one.level for one in findings), key=EXIT_CODES.__getitem__, default=Level.OK)


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """For programs: the worst level, and each finding in the order it was made."""
    found = list(findings)
    lines = [{"check": one.check, "level": one.level, "fact": one.fact, "cure": one.cure or None} for one in found]
    return {"level": worst(found), "findings": lines}
