"""Judgements on the computer: rights, clock, disk, files, Greengrass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from spotty_gateway.doctor.finding import Finding, fault, ok, warning

MIB = 1 << 20
LITTLE_BYTES, HARDLY_ANY_BYTES = 200 * MIB, 20 * MIB
OTHERS_MAY_WRITE, OTHERS_MAY_ANYTHING = 0o022, 0o077


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """The data folder as this process sees it. `tokens_mode` is None where there are none."""

    path: Path
    owner: str
    me: str
    mode: int
    is_writable: bool
    tokens_mode: int | None
    tokens_owner: str | None


def folder(facts: FolderFacts | None, path: Path) -> list[Finding]:
    """Whose the data folder is, and who else may look into it."""
    if facts is None:
        return [fault("rights", f"{path} does not exist", "name the gateway's data folder, or start the gateway once")]
    found = []
    if facts.owner != facts.me:
        found.append(
            warning(
                "rights",
                f"{path} belongs to {facts.owner}, and this is {facts.me}: not all can be seen as the gateway sees it",
                f"run this with sudo -u {facts.owner}",
            )
        )
    elif not facts.is_writable:
        found.append(fault("rights", f"{path} cannot be written", f"chmod u+rwx {path}"))
    if facts.mode & OTHERS_MAY_WRITE:
        found.append(warning("rights", f"others may write in {path} (mode {facts.mode:o})", f"chmod go-w {path}"))
    elif facts.mode & OTHERS_MAY_ANYTHING:
        told = f"others may look into {path} (mode {facts.mode:o}), which tells when somebody is at home"
        found.append(warning("rights", told, f"chmod go-rwx {path}"))
    tokens = path / "tokens.json"
    if facts.tokens_mode is not None and facts.tokens_mode & OTHERS_MAY_ANYTHING:
        found.append(fault("rights", f"others may read {tokens} (mode {facts.tokens_mode:o})", f"chmod 600 {tokens}"))
    if facts.tokens_owner not in {None, facts.owner}:
        found.append(
            fault(
                "rights",
                f"{tokens} belongs to {facts.tokens_owner}, the folder to {facts.owner}",
                f"sudo chown {facts.owner} {tokens}",
            )
        )
    return found or [ok("rights", f"{path} belongs to {facts.owner}, and nobody else may look at the tokens")]


def keys(exposed: Sequence[tuple[Path, int]]) -> list[Finding]:
    """Whether the gateway's private key is for its nucleus alone; nothing to say where it is."""
    return [
        fault(
            "rights",
            f"everybody here may read {path} (mode {mode:o}), and be this gateway to the cloud",
            f"sudo chmod 600 {path}",
        )
        for path, mode in exposed
    ]


def clock(now: datetime, zone: str, *, trusted: bool, assumed: bool, has_quiet_hours: bool) -> list[Finding]:
    """Whether the time is known. `now` is in the gateway's zone."""
    if not trusted:
        cure = "let the computer reach a time server: sudo timedatectl set-ntp true, then timedatectl"
        if has_quiet_hours:
            return [fault("clock", "it has not been set since the boot, so rooms with quiet hours stay silent", cure)]
        return [warning("clock", "it has not been set since the boot", cure)]
    how = "taken to be right (clock: assume_trusted)" if assumed else "synchronised"
    found = ok("clock", f"{how}; it is {now:%Y-%m-%d %H:%M %Z} in {zone}")
    if zone == "UTC" and has_quiet_hours:
        return [
            found,
            warning("clock", "quiet hours are kept in UTC", 'set "timezone" in gateway.json, such as Europe/Berlin'),
        ]
    return [found]


def disk(path: Path, free_bytes: int, *, read_only: bool) -> Finding:
    """Whether there is room to write."""
    if read_only:
        return fault(
            "disk", f"{path} is on a disk mounted read-only", "a card that fails goes read-only: check and replace it"
        )
    free = f"{free_bytes // MIB} MiB are free at {path}"
    if free_bytes < HARDLY_ANY_BYTES:
        return fault("disk", free, "free some space: nothing can be remembered soon")
    if free_bytes < LITTLE_BYTES:
        return warning("disk", free, "free some space")
    return ok("disk", free)


def databases(checked: Mapping[str, str | None], troubles: Sequence[str]) -> list[Finding]:
    """Files by name with what is wrong with them, None where nothing is; `troubles` are the running gateway's."""
    found = [
        fault("databases", f"{name}: {wrong}", "restart the gateway: it keeps the damaged file and begins a new one")
        for name, wrong in checked.items()
        if wrong is not None
    ]
    for trouble in troubles:
        fact, _, cure = trouble.rpartition(": ")
        found.append(fault("databases", fact or trouble, cure))
    names = " and ".join(checked)
    return found or [
        ok("databases", f"{names} {'is' if len(checked) == 1 else 'are'} sound" if checked else "none yet")
    ]


def ipc(socket_path: str | None, error: str | None) -> Finding:
    """Whether a Greengrass nucleus is there, where one should be."""
    if socket_path is None:
        return ok("greengrass", "no nucleus here: the gateway runs on its own")
    if error is not None:
        return fault(
            "greengrass",
            f"the nucleus does not answer at {socket_path} ({error})",
            "restart Greengrass and look at its log; music goes on without it",
        )
    return ok("greengrass", f"the nucleus answers at {socket_path}")
