"""An ordinary day of two people in two rooms, as data: what the demo plays."""

from dataclasses import dataclass
from typing import Any

TIMEZONE = "Europe/Berlin"
DATE = (2026, 3, 14)

BATHROOM, KITCHEN = "bathroom", "kitchen"

PLAYLISTS = {BATHROOM: "spotify:playlist:37i9dQZF1DX0MorningBath", KITCHEN: "spotify:playlist:37i9dQZF1DX1KitchenSlow"}
PLAYLIST_NAMES = {BATHROOM: "Slow Mornings", KITCHEN: "Pots and Pans"}
SPEAKERS = {BATHROOM: "Bathroom", KITCHEN: "Kitchen"}

WIRING: dict[str, Any] = {
    "timezone": TIMEZONE,
    "sensors": [
        {"id": BATHROOM, "name": "Bathroom", "inputs": [{"id": "pir", "kind": "pir", "pin": 17}]},
        {"id": KITCHEN, "name": "Kitchen", "inputs": [{"id": "pir", "kind": "pir", "pin": 27}]},
    ],
}


def policy(room: str) -> dict[str, Any]:
    """A room's policy: quiet at night, five minutes of silence after the last motion."""
    return {
        "vacancyDelayS": 300,
        "quietHours": [{"start": "22:30", "end": "06:30"}],
        "playback": {
            "device": {"name": SPEAKERS[room], "type": "Speaker"},
            "contextUri": PLAYLISTS[room],
            "ifAccountBusy": "transfer" if room == KITCHEN else "skip",
        },
    }


@dataclass(frozen=True, slots=True)
class Stay:
    """Somebody is in a room from one time of day to another, HH:MM."""

    room: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Meddling:
    """At a time of day a person does something at a speaker itself."""

    at: str
    speaker: str
    does: str


STAYS = (
    Stay(BATHROOM, "03:10", "03:14"),  # at night: nothing plays
    Stay(BATHROOM, "06:50", "07:15"),
    Stay(KITCHEN, "07:16", "07:50"),  # the kitchen takes the music with it
    Stay(BATHROOM, "08:05", "08:07"),
    Stay(KITCHEN, "12:30", "13:20"),
    Stay(BATHROOM, "13:25", "13:32"),
    Stay(KITCHEN, "18:30", "19:40"),
    Stay(BATHROOM, "22:10", "22:50"),  # runs into quiet hours
)
MEDDLINGS = (
    Meddling("12:50", "Kitchen", "pause"),  # stopped by hand: stays silent for that session
    Meddling("18:45", "Kitchen", "play something else"),  # taken over: left alone
)
