"""What can play, told to a person, and the speaker that a person chooses for a room."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spotty_contract.policy import Policy
from spotty_contract.wire import faults_of
from spotty_gateway.durable_file import replace_durably
from spotty_gateway.engine.rules import Device
from spotty_gateway.errors import NoActiveDeviceError, PlayerRefusedError
from spotty_gateway.ports import SeenDevice
from spotty_gateway.residents import Resident
from spotty_gateway.speakers import FULL_PCT, chosen_from

RESTRICTED = "cannot be used: takes no commands from apps; choose another device"
ASLEEP = "asleep: play anything on it once from the Spotify app"
NO_VOLUME = "its volume cannot be set by apps"


class ChoiceError(Exception):
    """This device cannot be chosen for this room; one line says why, and what can."""


class PolicyFileError(Exception):
    """The policy cannot be read or written; one line says why."""


@dataclass(frozen=True, slots=True)
class Use:
    """How a room's chosen speaker is found among those that are there: `seen`, or the `fault` that keeps it from it."""

    sensor_id: str
    room: str
    wanted: Device | None
    seen: SeenDevice | None
    fault: str | None


def as_json(seen: Iterable[SeenDevice]) -> list[dict[str, Any]]:
    """Devices for the control socket and for `--json`."""
    return [
        {
            "name": one.device.name,
            "type": one.device.type,
            "id": one.device.id,
            "isActive": one.is_active,
            "isRestricted": one.is_restricted,
            "volumePct": one.volume_pct,
        }
        for one in seen
    ]


def from_json(told: list[dict[str, Any]]) -> list[SeenDevice]:
    """The devices in the gateway's answer."""
    return [
        SeenDevice(Device(one["name"], one["type"], one["id"]), one["isActive"], one["isRestricted"], one["volumePct"])
        for one in told
    ]


def uses_of(residents: Iterable[Resident], seen: Sequence[SeenDevice]) -> list[Use]:
    """Each room with the speaker it is to play on."""
    return [_use(one, seen) for one in residents]


def _use(resident: Resident, seen: Sequence[SeenDevice]) -> Use:
    sensor_id, room, target = resident.wiring.id, resident.wiring.name, resident.rules.target
    if target is None:
        return Use(sensor_id, room, None, None, None)
    try:
        found = chosen_from(seen, target.device)
    except (NoActiveDeviceError, PlayerRefusedError) as error:
        return Use(sensor_id, room, target.device, None, str(error))
    return Use(sensor_id, room, target.device, found, None)


def choice(seen: Sequence[SeenDevice], name: str, kind: str | None) -> SeenDevice:
    """The device that a person names, to be a room's speaker from now on. Raises ChoiceError."""
    same = [one for one in seen if one.device.called == Device(name, kind or one.device.type).called]
    if not same:
        there = "; ".join(f"{plain(one.device.name)} ({one.device.type})" for one in seen) or "none"
        what = f"no {kind} called {name}" if kind else f"no device called {name}"
        raise ChoiceError(
            f"{what} is there; there are: {there}. If one is missing, play anything on it once from the Spotify app"
        )
    kinds = sorted({one.device.type for one in same})
    if len(kinds) > 1:
        raise ChoiceError(f"several devices are called {name}: say which with --type ({' or '.join(kinds)})")
    wanted = same[0].device
    if all(one.is_restricted for one in same):
        raise ChoiceError(f"{wanted.name} {RESTRICTED}")
    usable = [one for one in same if not one.is_restricted]
    active = [one for one in usable if one.is_active]
    if len(usable) > 1 and not active:
        raise ChoiceError(
            f"{len(usable)} devices are called {name}: give each a name of its own, or play anything on the right one "
            "now and choose again"
        )
    return (active or usable)[0]


def write_target(path: Path, device: Device) -> Policy:
    """Make `device` the speaker in this policy file, all else as it is; the policy as it now stands on disk.

    Atomic and durable: a power cut leaves the old file or the new one. Raises PolicyFileError.
    """
    try:
        before = path.read_bytes() if path.exists() else b"{}"
        Policy.from_json(before)
        whole = json.loads(before.decode("utf-8-sig"))
        chosen = {"name": device.name, "type": device.type} | ({} if device.id is None else {"id": device.id})
        whole["playback"] = {**whole.get("playback", {}), "device": chosen}
        content = json.dumps(whole, indent=2, ensure_ascii=False).encode() + b"\n"
        policy = Policy.from_json(content)
        replace_durably(path, content)
    except ValidationError as error:
        raise PolicyFileError(f"{path}: {'; '.join(faults_of(error, 'policy'))}; mend that first") from error
    except OSError as error:
        raise PolicyFileError(f"{path}: {error.strerror}; run this as the user that owns the data folder") from error
    return policy


def remarks_on(policy: Policy, seen: SeenDevice) -> list[str]:
    """What a person who has just chosen this speaker should know."""
    said = []
    if policy.playback.context_uri is None:
        said.append("no music has been chosen yet: set playback.contextUri in the same file")
    limits = limits_of(policy)
    if limits and seen.volume_pct is None:
        said.append(f"{NO_VOLUME}, so the policy's {', '.join(limits)} cannot be kept on it")
    if seen.device.id is None:
        said.append(f"it is {ASLEEP}")
    return said


def limits_of(policy: Policy) -> list[str]:
    """What the policy wants of the speaker's volume."""
    playback = policy.playback
    wishes = {
        "volumePct": playback.volume_pct is not None,
        "volumeCapPct": playback.volume_cap_pct < FULL_PCT,
        "fadeInS": playback.fade_in_s > 0,
        "fadeOutS": playback.fade_out_s > 0,
    }
    return [name for name, is_wished in wishes.items() if is_wished]


def as_table(seen: Sequence[SeenDevice], uses: Sequence[Use]) -> str:
    """For people: a line for each device, then what stands between a room and its speaker."""
    if not seen:
        lines = ["Nothing that can play is there: open the Spotify app on a device, or switch a speaker on."]
    else:
        names = max(len(plain(one.device.name)) for one in seen)
        types = max(len(one.device.type) for one in seen)
        lines = [
            f"{plain(one.device.name):{names}}  {one.device.type:{types}}  {_state(one)}{_rooms(one, uses)}"
            for one in seen
        ]
    for use in uses:
        if use.wanted is None:
            lines.append(f"{use.room} [{use.sensor_id}] has no speaker or no music yet (spotty devices --help)")
        elif use.fault is not None:
            lines.append(f"{use.room} [{use.sensor_id}]: {plain(use.fault)}")
    return "\n".join(lines)


def _state(one: SeenDevice) -> str:
    if one.is_restricted:
        return RESTRICTED
    if one.device.id is None:
        return ASLEEP
    volume = NO_VOLUME if one.volume_pct is None else f"volume {one.volume_pct} %"
    return f"{volume}, active" if one.is_active else volume


def _rooms(one: SeenDevice, uses: Sequence[Use]) -> str:
    rooms = ", ".join(f"{use.room} [{use.sensor_id}]" for use in uses if use.seen is one)
    return f"; plays for {rooms}" if rooms else ""


def plain(text: str) -> str:
    """A name that somebody else gave, fit for a terminal: what would steer it is shown as a question mark."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
