"""How every room is doing, as data for programs and as a table for people."""

from collections.abc import Mapping
from typing import Any

from spotty_gateway.chronicle import RoomStory, local_day
from spotty_gateway.engine.deadlines import next_of
from spotty_gateway.engine.quiet_hours import to_local
from spotty_gateway.engine.rules import NEVER
from spotty_gateway.engine.state import House, Muted, Playing, Room, Silent, Starting


def status_of(
    house: House,
    names: Mapping[str, str],
    stories: Mapping[str, RoomStory],
    account: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """JSON-ready: each room's state and why, next deadline, last decision, faults and today's suppressed motion.

    `account` is how the Spotify account is, JSON-ready too.
    """
    return {
        "clockTrusted": house.trusted,
        "account": account,
        "rooms": [
            _room(house, sensor_id, room, names.get(sensor_id, sensor_id), stories.get(sensor_id, RoomStory()))
            for sensor_id, room in house.rooms.items()
        ],
    }


def _room(house: House, sensor_id: str, room: Room, name: str, story: RoomStory) -> dict[str, Any]:
    state, why = state_of(room)
    due_at, due = next_of(room, house.offset, trusted=house.trusted)
    today = local_day(house.mono + house.offset, room.rules.zone)
    return {
        "sensorId": sensor_id,
        "name": name,
        "state": state,
        "why": why,
        "timezone": str(room.rules.zone),
        "snoozedUntil": None if room.snoozed_until is None else _local(room.snoozed_until, room),
        "next": None if due_at >= NEVER else {"what": due.name.lower(), "at": _local(due_at + house.offset, room)},
        "lastDecision": story.last_decision or None,
        "lastDecisionAt": _local(story.last_at, room) if story.last_at else None,
        "faults": [f"{subject}: {detail}" for (subject, _), detail in story.faults.items()],
        "suppressedToday": dict(story.suppressed) if story.day == today else {},
    }


def state_of(room: Room) -> tuple[str, str]:
    """What the room does in one word, and why in a few."""
    playback = room.music.playback
    if room.session is None:
        return "vacant", "switched off" if not room.rules.enabled else ""
    match playback:
        case Playing():
            return "playing", f"{playback.claim.context_uri} on {playback.claim.device.name} ({playback.hold})"
        case Muted():
            return "muted", playback.reason
        case Silent():
            return "silent", playback.reason
        case Starting():
            return "starting", f"{playback.claim.context_uri} on {playback.claim.device.name}"
        case _:
            return "occupied", ""


def _local(wall: int, room: Room) -> str:
    return to_local(wall, room.rules.zone).isoformat(timespec="seconds")


def as_table(status: dict[str, Any]) -> str:
    """For people: a few lines a room."""
    lines = [] if status["clockTrusted"] else ["The clock has not been set yet: rooms with quiet hours stay silent."]
    for room in status["rooms"]:
        why = f" ({room['why']})" if room["why"] else ""
        lines.append(f"{room['name']} [{room['sensorId']}]: {room['state']}{why}")
        if room["snoozedUntil"]:
            lines.append(f"    snoozed until {_short(room['snoozedUntil'])} {room['timezone']}")
        if room["next"]:
            lines.append(f"    next: {room['next']['what']} at {_short(room['next']['at'])} {room['timezone']}")
        if room["lastDecision"]:
            lines.append(f"    last: {room['lastDecision']}, at {_short(room['lastDecisionAt'])} {room['timezone']}")
        lines.extend(f"    fault: {fault}" for fault in room["faults"])
        if room["suppressedToday"]:
            counts = ", ".join(f"{number} {reason}" for reason, number in room["suppressedToday"].items())
            lines.append(f"    motion without a start today: {counts}")
    lines = lines or ["No sensor is configured."]
    if status["account"]:
        lines.extend(_account_lines(status["account"]))
    return "\n".join(lines)


def _account_lines(account: Mapping[str, Any]) -> list[str]:
    guard, consent, zone = account["guard"], account["consent"], account["timezone"]
    line = f"Spotify: {guard['calls']} of {guard['limit']} calls in 24 h"
    if guard["opensAt"]:
        line += f"; asked us to wait until {_short(guard['opensAt'])} {zone}"
    elif guard["short"]:
        line += "; few are left, so music does without fades"
    if consent is None:
        return [line]
    lapses = f"    consent lapses on {consent['lapsesAt'][:10]}"
    return [line, f"    {consent['warning']}" if consent["warning"] else lapses]


def _short(iso: str) -> str:
    return iso[:19].replace("T", " ")
