"""Who lives there: they come and go, pass the sensors, press buttons, and have their own ideas about the music."""

import math
import random
from collections.abc import Callable
from functools import partial

from spotty_gateway.engine.events import PauseAsked, ResumeAsked, SnoozeAsked
from spotty_gateway.engine.rules import SECOND
from spotty_sandbox.spotify import Device, SpotifyWorld, invented_context
from spotty_sandbox.spotify.catalogue import invented_id

from .agenda import Agenda
from .computer import Computer
from .home import PHONE, Home, Room, kind_of
from .music_promises import MusicPromises
from .story import Story
from .trouble import DAY, HOUR, MINUTE
from .truth import Truth

HOURS = (1, 1, 1, 1, 1, 2, 6, 9, 8, 4, 3, 3, 5, 5, 3, 3, 4, 6, 8, 8, 7, 6, 4, 2)
"""How likely each hour (UTC) is for a visit."""


class People:
    """A household's people, by seed."""

    def __init__(  # noqa: PLR0917 - everything there is
        self,
        rng: random.Random,
        agenda: Agenda,
        home: Home,
        computer: Computer,
        world: SpotifyWorld,
        truth: Truth,
        promises: MusicPromises,
        story: Story,
        visits_a_day: float,
    ) -> None:
        """Everything that they can touch."""
        self._rng = rng
        self._agenda = agenda
        self._home = home
        self._computer = computer
        self._world = world
        self._truth = truth
        self._promises = promises
        self._story = story
        self._visits_a_day = visits_a_day
        self.is_calm: Callable[[], bool] = lambda: False
        self._records = [
            world.catalogue.add(invented_context(f"spotify:album:{invented_id(f'own {n}')}")) for n in (1, 2)
        ]

    def live_a_day(self) -> None:
        """Plan a day that begins now, and the next."""
        rng, now = self._rng, self._agenda.clock.at
        self._agenda.after(DAY, self.live_a_day)
        for room in self._home.rooms.values():
            visits = _how_many(rng, self._visits_a_day / len(self._home.rooms))
            for _ in range(visits):
                hour = rng.choices(range(24), HOURS)[0]
                self._agenda.at(now + hour * HOUR + rng.randrange(HOUR), partial(self._visit, room))
        if rng.random() < 0.3:  # noqa: PLR2004 - every third day
            self._agenda.after(rng.randrange(DAY), self._play_something_without_a_visit)
        if rng.random() < 1 / 40:
            self._agenda.after(rng.randrange(DAY), self._get_an_input_stuck)

    # Visits.

    def _visit(self, room: Room) -> None:
        """Somebody comes in, moves about for a while, and leaves."""
        rng = self._rng
        lasts_us = min(4 * HOUR, round(rng.lognormvariate(math.log(8), 1.2) * MINUTE))
        ends_at = self._agenda.clock.at + lasts_us
        gap_us = max(20 * SECOND, lasts_us // 8)
        self._story.count("visits")
        if "door" in room.inputs and rng.random() < 0.7:  # noqa: PLR2004 - most close it behind them
            self._pass_the_door(room)
            self._agenda.at(ends_at, lambda: self._pass_the_door(room))
        self._agenda.after(rng.randrange(6 * SECOND), lambda: self._move(room, ends_at, gap_us))
        if not self.is_calm() and rng.random() < 0.25:  # noqa: PLR2004 - every fourth visit
            self._agenda.after(rng.randrange(SECOND, max(lasts_us, 2 * SECOND)), lambda: self._meddle(room))

    def _move(self, room: Room, ends_at: int, gap_us: int) -> None:
        rng = self._rng
        input_id = rng.choice([one for one in room.inputs if kind_of(one) == "pir"])
        self._computer.feel(room.id, input_id, active=True)
        held_us = rng.randrange(2 * SECOND, 30 * SECOND)
        if rng.random() < 0.97:  # noqa: PLR2004 - an edge is lost now and then
            self._agenda.after(held_us, lambda: self._computer.feel(room.id, input_id, active=False))
        next_at = self._agenda.clock.at + held_us + round(rng.expovariate(1.0) * gap_us)
        if next_at < ends_at:
            self._agenda.at(next_at, lambda: self._move(room, ends_at, gap_us))

    def _pass_the_door(self, room: Room) -> None:
        self._computer.feel(room.id, "door", active=True)
        self._agenda.after(
            self._rng.randrange(SECOND, 5 * SECOND), lambda: self._computer.feel(room.id, "door", active=False)
        )

    def _get_an_input_stuck(self) -> None:
        if self.is_calm():
            return
        room = self._rng.choice(list(self._home.rooms.values()))
        self._story.note("person", f"the sensor of the {room.name} is stuck")
        self._computer.feel(room.id, "pir", active=True)
        self._agenda.after(
            self._rng.randrange(HOUR, 20 * HOUR), lambda: self._computer.feel(room.id, "pir", active=False)
        )

    # Meddling.

    def _meddle(self, room: Room) -> None:
        if self.is_calm():
            return
        device = self._world.device(room.speaker)
        other = self._rng.choice(self._world.player().devices)
        acts: tuple[tuple[int, Callable[[], None]], ...] = (
            (4, lambda: self._pause(device)),
            (2, lambda: self._skip(device)),
            (3, lambda: self._resume(device)),
            (2, lambda: self._resume(other)),
            (3, lambda: self._play_own(device)),
            (3, lambda: self._play_own(other)),
            (4, lambda: self._turn_volume(device)),
            (2, lambda: self._press(room)),
            (2, lambda: self._ask(PauseAsked, room)),
            (2, lambda: self._ask(ResumeAsked, room)),
            (1, lambda: self._snooze(room)),
        )
        act = self._rng.choices([act for _, act in acts], [weight for weight, _ in acts])[0]
        self._story.count("meddlings")
        act()
        if self._rng.random() < 0.4:  # noqa: PLR2004 - once at it
            self._agenda.after(self._rng.randrange(SECOND // 10, 2 * MINUTE), lambda: self._meddle(room))

    def _pause(self, device: Device) -> None:
        self._note(f"pauses {device.name}")
        self._world.hand().pause(device)

    def _skip(self, device: Device) -> None:
        self._note(f"skips on {device.name}")
        self._world.hand().skip(device)

    def _resume(self, device: Device) -> None:
        self._note(f"presses play on {device.name}")
        before = self._truth.scene()
        self._world.hand().resume(device)
        after = self._truth.scene()
        if after.is_playing and not (before.is_playing and before.device is after.device):
            self._truth.person_resumed(device)
            self._promises.music_is_heard()
            self._agenda.after(self._rng.randrange(MINUTE, HOUR), lambda: self._have_enough(device))

    def _play_own(self, device: Device) -> None:
        self._note(f"plays something else on {device.name}")
        self._world.hand().play(device, self._rng.choice(self._records))
        if self._truth.scene().is_news_of("person", self._agenda.clock):
            self._truth.person_played()
            self._promises.music_is_heard()
            self._agenda.after(self._rng.randrange(MINUTE, 2 * HOUR), lambda: self._have_enough(device))

    def _have_enough(self, device: Device) -> None:
        """They stop what they have put on, sooner or later."""
        if not self._truth.scene().is_ours:
            self._pause(device)

    def _play_something_without_a_visit(self) -> None:
        if not self.is_calm():
            self._play_own(self._rng.choice([*self._home.speakers(), self._world.device(PHONE)]))

    def _turn_volume(self, device: Device) -> None:
        volume_pct = self._rng.choice([10, 70, 100])
        self._note(f"turns {device.name} to {volume_pct} %")
        self._truth.person_turned_volume()
        self._world.hand().turn_volume(device, volume_pct)

    def _press(self, room: Room) -> None:
        if "button" in room.inputs:
            self._note(f"presses the button of the {room.name}")
            self._computer.feel(room.id, "button", active=True)
            held_us = self._rng.choice([200_000, 200_000, 1_500_000])
            self._agenda.after(held_us, lambda: self._computer.feel(room.id, "button", active=False))

    def _ask(self, kind: type[PauseAsked | ResumeAsked], room: Room) -> None:
        if self._computer.run is not None:
            self._note(f"{kind.__name__} for {room.id}")
            self._computer.run.take(kind(*self._computer.run.now(), room.id))

    def _snooze(self, room: Room) -> None:
        run = self._computer.run
        if run is not None:
            self._note(f"snoozes {room.id}")
            mono, wall, trusted = run.now()
            run.take(SnoozeAsked(mono, wall, trusted, room.id, wall + self._rng.randrange(MINUTE, 10 * HOUR)))

    def _note(self, what: str) -> None:
        self._story.note("person", what)


def _how_many(rng: random.Random, mean: float) -> int:
    """As many as a Poisson process brings."""
    limit, product, number = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        number += 1
    return number
