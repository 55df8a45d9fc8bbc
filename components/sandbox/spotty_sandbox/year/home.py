"""A household: its rooms, their inputs and policies, its speakers. All by seed."""

import random
from dataclasses import dataclass
from typing import Any

from spotty_contract.gateway import SensorWiring
from spotty_contract.policy import Policy
from spotty_gateway.engine.rules import Rules
from spotty_gateway.rules_of import rules_of
from spotty_sandbox.spotify import Device, SpotifyWorld, invented_context
from spotty_sandbox.spotify.catalogue import invented_id

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata")
ROOMS = ("Bathroom", "Kitchen", "Study", "Bedroom")
PHONE = "Ana's phone"

QUIET: tuple[list[dict[str, Any]], ...] = (
    [],
    [{"start": "22:30", "end": "06:30"}],
    [{"start": "23:00", "end": "07:00", "days": [4, 5]}, {"start": "22:00", "end": "06:00", "days": [0, 1, 2, 3, 6]}],
    [{"start": "01:30", "end": "02:45"}, {"start": "13:00", "end": "14:00"}],
    [{"start": "20:00", "end": "24:00"}],
)


@dataclass(slots=True)
class Room:
    """One room as it is now: its policy may be changed."""

    id: str
    name: str
    speaker: str
    inputs: tuple[str, ...]
    policy: Policy
    version: int = 0

    def rules(self, zone: str) -> Rules:
        """The policy as the engine wants it."""
        return rules_of(self.policy, zone, self.version)

    def wiring(self, first_pin: int) -> SensorWiring:
        """The sensor as it stands in gateway.json."""
        inputs = [{"id": one, "kind": kind_of(one), "pin": first_pin + n} for n, one in enumerate(self.inputs)]
        return SensorWiring.model_validate({"id": self.id, "name": self.name, "inputs": inputs})


def kind_of(input_id: str) -> str:
    """What an input of that name is."""
    return {"door": "contact", "button": "button"}.get(input_id, "pir")


class Home:
    """The rooms by id, and where they are."""

    def __init__(self, rng: random.Random, world: SpotifyWorld) -> None:
        """Furnishes the world with speakers, and with the music that policies will name."""
        self._rng = rng
        self._world = world
        self.zone = rng.choice(ZONES)
        self.rooms: dict[str, Room] = {}
        names = ROOMS[: rng.randint(2, 4)]
        shares = rng.random() < 0.35 and len(names) > 2  # noqa: PLR2004 - two rooms that share leave no other
        for name in names:
            speaker = names[0] if shares and name == names[-1] else name
            self.rooms[name.lower()] = Room(name.lower(), name, speaker, self._inputs(), Policy())
        for name in dict.fromkeys(room.speaker for room in self.rooms.values()):
            world.add_device(name, volume_pct=rng.randrange(20, 90), supports_volume=rng.randrange(10) > 0)
        world.add_device(PHONE, type="Smartphone", volume_pct=100)
        for room in self.rooms.values():
            self.change_policy(room)

    def change_policy(self, room: Room) -> None:
        """The people who live there want it otherwise."""
        room.version += 1
        room.policy = Policy.model_validate(a_policy(self._rng, room))
        uris = [room.policy.playback.context_uri, *(entry.context_uri for entry in room.policy.schedule)]
        for uri in uris:
            if uri is not None and self._world.catalogue.context(uri) is None:
                long = self._rng.random() < 0.7  # noqa: PLR2004 - some records are over before the visit is
                self._world.catalogue.add(invented_context(uri, tracks=30 if long else 3))

    def speakers(self) -> list[Device]:
        """The devices that rooms play on."""
        return [self._world.device(name) for name in dict.fromkeys(room.speaker for room in self.rooms.values())]

    def _inputs(self) -> tuple[str, ...]:
        return ("pir", *(name for name in ("pir2", "door", "button") if self._rng.random() < 0.5))  # noqa: PLR2004 - or not


def a_policy(rng: random.Random, room: Room) -> dict[str, Any]:
    """What somebody may want for a room, as they would write it."""
    vacancy_s = rng.choice([30, 60, 120, 300, 600])
    kind = rng.choice(["playlist", "album", "artist"])
    record = invented_id(f"{room.id} {rng.randrange(3)}")
    return {
        "enabled": rng.random() > 0.03,  # noqa: PLR2004 - seldom is a room switched off
        "holdOffS": rng.choice([None, 0, 10]),
        "vacancyDelayS": vacancy_s,
        "confirmS": rng.choice([0, 0, 0, 10, 60]),
        "cooldownS": rng.choice([0, 0, 30, 300]),
        "maxSessionS": rng.choice([0, 900, 3600, 14400]),
        "warmUpS": rng.choice([0, 60]),
        "startRetryS": rng.choice([0, 120, 600, 600, 3600]),
        "quietHours": rng.choice(QUIET),
        "quietGraceS": rng.choice([0, 300, 1800]),
        "schedule": [{"start": "06:00", "end": "10:00", "volumePct": 15}] if rng.random() < 0.3 else [],  # noqa: PLR2004 - some do
        "playback": {
            "device": {"name": room.speaker, "type": "Speaker"},
            "contextUri": f"spotify:{kind}:{record}",
            "shuffle": rng.random() < 0.5,  # noqa: PLR2004 - or not
            "repeat": rng.choice(["context", "context", "off"]),
            "volumePct": rng.choice([None, 25, 50]),
            "volumeCapPct": rng.choice([100, 60, 40, 20]),
            "fadeInS": rng.choice([0, 0, 10, 30]),
            "fadeOutS": rng.choice([0, 0, 5, 30]),
            "resume": rng.choice(["start", "where_left"]),
            "ifPlayingElsewhere": rng.choice(["skip", "skip", "transfer"]),
            "ifAccountBusy": rng.choice(["skip", "transfer"]),
            "onTakenOver": rng.choice(["leave", "leave", "pause"]),
        },
    }
