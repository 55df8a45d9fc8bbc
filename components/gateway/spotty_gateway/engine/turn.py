"""One step in the making: the rooms as they will be, and what has been decided on the way.

The step copies the house's rooms into a Turn, the rules below write into it, and the next house is made from it. From
outside the step stays a pure function; inside, nobody has to hand five results back through three callers.
"""

from typing import TYPE_CHECKING

from spotty_gateway.engine.commands import SAVE_STATE
from spotty_gateway.engine.quiet_hours import span_at
from spotty_gateway.engine.state import LONG_AGO, House, Room
from spotty_gateway.engine.values import replace

if TYPE_CHECKING:
    from spotty_gateway.engine.commands import Effect
    from spotty_gateway.engine.state import Music


class Turn:
    """The house between two states.

    `now` is the instant being processed, `present` that of the event: what fell due before it is processed late.
    """

    __slots__ = (
        "calls_short",
        "catching_up",
        "due_at",
        "effects",
        "house",
        "looks_again",
        "now",
        "offset",
        "present",
        "rooms",
        "token",
        "trusted",
    )

    def __init__(self, house: House, present: int) -> None:
        """Begin from `house`, at its own instant, on the way to `present`."""
        self.house = house
        self.rooms = house.rooms.copy()
        self.now = house.mono
        self.present = present
        self.offset = house.offset
        self.trusted = house.trusted
        self.token = house.token
        self.due_at = house.due_at
        self.calls_short = house.calls_short
        self.effects: list[Effect] = []
        self.looks_again = False
        """Whether rooms that wait for the account should try once this step is decided."""
        self.catching_up = False
        """Whether the past is being made up for after a restart: then nothing is asked of the player."""

    def put(self, sensor_id: str, room: Room) -> None:
        """The room is now this, and all its deadlines are looked at again."""
        self.rooms[sensor_id] = replace(room, due_at=LONG_AGO)
        self.due_at = LONG_AGO

    def look_at_all_deadlines(self) -> None:
        """Trust no earlier reckoning: a clock that was slewed little by little may have moved a deadline."""
        for sensor_id, room in self.rooms.items():
            self.rooms[sensor_id] = replace(room, due_at=LONG_AGO)
        self.due_at = LONG_AGO

    def put_music(self, sensor_id: str, music: "Music") -> None:
        """The room's music is now this."""
        self.put(sensor_id, replace(self.rooms[sensor_id], music=music))

    def tell(self, effect: "Effect") -> None:
        """Add a command or a fact to what this step decides."""
        self.effects.append(effect)

    def save(self) -> None:
        """What must survive a crash has changed."""
        if SAVE_STATE not in self.effects:
            self.effects.append(SAVE_STATE)

    def next_token(self) -> int:
        """A number no command had before."""
        self.token += 1
        return self.token

    def wall(self, at: int) -> int:
        """The UTC instant of a monotonic one, by the clocks as they stand."""
        return at + self.offset

    def is_quiet(self, sensor_id: str) -> bool:
        """Whether the room is within its quiet hours now; an untrusted clock cannot tell and says no."""
        room = self.rooms[sensor_id]
        if not room.rules.quiet_windows or not self.trusted:
            return False
        wall = self.now + self.offset
        span = room.quiet
        if span is None or not span.start_at <= wall < span.end_at:
            span = span_at(room.rules.quiet_windows, room.rules.zone, wall)
            self.put(sensor_id, replace(room, quiet=span))
        return span.member

    def is_snoozed(self, room: Room) -> bool:
        """Whether a person's snooze still holds; while the clock is untrusted it does."""
        return room.snoozed_until is not None and (not self.trusted or self.now + self.offset < room.snoozed_until)

    def house_after(self) -> House:
        """The next state."""
        old = self.house
        return House(
            old.run,
            old.started_at,
            self.now,
            self.offset,
            self.trusted,
            self.rooms,
            self.token,
            self.due_at,
            self.calls_short,
            old.seed,
        )
