"""Where each room's playlist was left: known as long as the account is."""

from typing import TYPE_CHECKING

from spotty_gateway.engine.values import replace

if TYPE_CHECKING:
    from spotty_gateway.engine.state import House, Room
    from spotty_gateway.engine.turn import Turn


def forget(turn: "Turn") -> None:
    """Whoever is connected next begins every playlist anew."""
    for sensor_id, room in list(turn.rooms.items()):
        if room.music.left_at is not None:
            turn.put_music(sensor_id, _without_place(room).music)
            turn.save()


def without_places(house: "House") -> "House":
    """The same for a house at rest."""
    return replace(house, rooms={sensor_id: _without_place(room) for sensor_id, room in house.rooms.items()})


def _without_place(room: "Room") -> "Room":
    return replace(room, music=replace(room.music, left_at=None))
