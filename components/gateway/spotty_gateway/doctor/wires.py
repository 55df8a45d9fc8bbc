"""Judgements on what the installer has set up: settings, sensors, pins."""

from collections.abc import Sequence
from dataclasses import dataclass

from spotty_gateway.doctor.finding import Finding, fault, ok, warning


@dataclass(frozen=True, slots=True)
class PinTrouble:
    """What a pin error says."""

    problem: str
    cure: str


def settings(where: str | None, faults: Sequence[str], client_id: str) -> list[Finding]:
    """Whether the settings say what they should; None where nobody knows them."""
    if where is None:
        return [ok("settings", "none were named (--settings): their defaults are assumed here")]
    found = [warning("settings", line, f"correct {where}") for line in faults]
    if not client_id:
        found.append(fault("settings", f"{where}: no spotifyClientId", "'spotty login --help' says how to get one"))
    return found or [ok("settings", f"{where} can be used")]


def gateway(answers: bool, wrong: str | None) -> Finding:
    """Whether it runs."""
    if wrong is not None:
        return fault("gateway", wrong, "restart it, and report this if it comes again")
    if not answers:
        return warning("gateway", "it does not run", "start it: spotty run --settings FILE.json")
    return ok("gateway", "it runs and answers")


def wiring(faults: Sequence[str], sensors: int, inputs: int) -> list[Finding]:
    """Whether gateway.json and the policies can be used."""
    found = [fault("wiring", line, "mend that file") for line in faults]
    if not sensors and not faults:
        found.append(fault("wiring", "policies/gateway.json names no sensor", "add the rooms (gateway/README.md)"))
    rooms = "1 room" if sensors == 1 else f"{sensors} rooms"
    return found or [ok("wiring", f"{rooms} with {inputs} input{'' if inputs == 1 else 's'}")]


def factory(kind: str, trouble: PinTrouble | None, *, in_use: bool) -> Finding:
    """Whether there are pins at all."""
    if kind == "mock":
        return warning("pins", "pinFactory is mock: no real pin is watched", 'set "pinFactory" to "gpiod" on a Pi')
    if trouble is not None:
        return fault("pins", trouble.problem, trouble.cure)
    return ok("pins", f"{kind}: {'in use by the running gateway' if in_use else 'the GPIO header was found'}")


def chips(denied: Sequence[str], user: str) -> list[Finding]:
    """GPIO chips that are there and may not be opened; nothing to say where there are none of those."""
    if not denied:
        return []
    cure = f"sudo usermod -aG gpio {user}, then log in again or restart the service"
    return [fault("pins", f"{user} may not open {', '.join(denied)}", cure)]


def inputs(refused: Sequence[PinTrouble], watched: int) -> list[Finding]:
    """Whether each input can be watched."""
    found = [fault("inputs", one.problem, one.cure) for one in refused]
    if not found:
        return [ok("inputs", f"{watched} can be watched")] if watched else []
    return found
