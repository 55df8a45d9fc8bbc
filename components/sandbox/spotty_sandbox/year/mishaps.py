"""What befalls the speakers, the computer and the consent, and what the residents want otherwise. By seed."""

import random
from collections.abc import Callable
from functools import partial

from spotty_gateway.engine.events import RoomConfigured, RoomRemoved
from spotty_gateway.engine.rules import SECOND, InputKind
from spotty_sandbox.spotify import Device, SpotifyWorld
from spotty_sandbox.spotify.catalogue import invented_id

from .account import HouseholdAccount
from .agenda import Agenda
from .computer import Computer
from .home import Home, Room, kind_of
from .music_promises import MusicPromises
from .story import Story
from .trouble import DAY, HOUR, MINUTE
from .truth import Truth


class Mishaps:
    """Some of everything, every few days; nothing in calm times."""

    def __init__(  # noqa: PLR0917 - everything there is
        self,
        rng: random.Random,
        agenda: Agenda,
        home: Home,
        computer: Computer,
        account: HouseholdAccount,
        world: SpotifyWorld,
        truth: Truth,
        promises: MusicPromises,
        story: Story,
    ) -> None:
        """Everything that things can happen to."""
        self._rng = rng
        self._agenda = agenda
        self._home = home
        self._computer = computer
        self._account = account
        self._world = world
        self._truth = truth
        self._promises = promises
        self._story = story
        self._ids = 0
        self.is_calm: Callable[[], bool] = lambda: False

    def befall_for_a_day(self) -> None:
        """Plan a day that begins now, and the next."""
        self._agenda.after(DAY, self.befall_for_a_day)
        plan: tuple[tuple[float, Callable[[], None]], ...] = (
            (0.5, self._kill),
            (0.15, self._lose_power),
            (0.2, self._update),
            (0.1, self._shut_down),
            (0.1, self._change_policy),
            (0.02, self._remove_room),
            (0.2, self._spoil_speaker),
            (0.01, self._withdraw_consent),
        )
        for chance, befalls in plan:
            if self._rng.random() < chance:
                # While somebody is up: what happens to a sleeping house is seldom of interest.
                self._agenda.after(self._rng.randrange(5 * HOUR, DAY), partial(self._unless_calm, befalls))

    def mend_everything(self) -> None:
        """Calm times begin: speakers are plugged in and behave, nobody else's music plays."""
        for device in self._home.speakers():
            self._mend(device)
        player = self._world.player()
        if player.active is not None and not self._truth.scene().is_ours:
            self._world.hand().pause(player.active)

    def _unless_calm(self, befalls: Callable[[], None]) -> None:
        if not self.is_calm():
            befalls()

    # The computer.

    def _kill(self) -> None:
        """Best where it hurts: while a command is under way, if there is one soon."""
        if self._rng.random() < 0.7:  # noqa: PLR2004 - most of the time
            self._computer.at_next_command(lambda: self._agenda.after(self._rng.randrange(1_500_000), self._kill_now))
        else:
            self._kill_now()

    def _kill_now(self) -> None:
        self._unless_calm(lambda: self._computer.kill(self._down_us()))

    def _down_us(self) -> int:
        return self._rng.choice([SECOND, 10 * SECOND, 60 * SECOND, HOUR])

    def _lose_power(self) -> None:
        rng = self._rng
        behind_us = rng.choice([0, 20 * MINUTE, 5 * HOUR, 3 * DAY])
        told_after_us = rng.choice([0, 20 * SECOND, 90 * SECOND, 10 * MINUTE, 6 * HOUR])
        self._computer.lose_power(rng.choice([30 * SECOND, 5 * MINUTE, 3 * HOUR]), behind_us, told_after_us)

    def _update(self) -> None:
        self._computer.update(self._rng.randrange(2 * SECOND, 60 * SECOND))

    def _shut_down(self) -> None:
        self._computer.shut_down(self._rng.choice([MINUTE, HOUR]), self._rng.choice([0, 30 * SECOND]))

    # The policies.

    def _change_policy(self) -> None:
        room = self._rng.choice(list(self._home.rooms.values()))
        self._home.change_policy(room)
        self._configure(room)

    def _configure(self, room: Room) -> None:
        run = self._computer.run
        if run is not None:
            self._story.note("person", f"wants {room.id} otherwise: {room.policy.to_json()}")
            inputs = tuple((one, InputKind(kind_of(one))) for one in room.inputs)
            run.take(RoomConfigured(*run.now(), room.id, room.rules(self._home.zone), inputs))
            self._agenda.after(MINUTE, self._promises.look_at_volume)

    def _remove_room(self) -> None:
        run = self._computer.run
        room = self._rng.choice(list(self._home.rooms.values()))
        if run is not None:
            self._story.note("person", f"removes {room.id} for a while")
            run.take(RoomRemoved(*run.now(), room.id))
            self._agenda.after(self._rng.randrange(SECOND, 2 * HOUR), lambda: self._configure(room))

    # The speakers.

    def _spoil_speaker(self) -> None:
        device, rng = self._rng.choice(self._home.speakers()), self._rng
        hand = self._world.hand()
        spoils: tuple[Callable[[], None], ...] = (
            lambda: hand.unplug(device),
            lambda: self._fall_asleep(device),
            lambda: setattr(device, "id", self._new_id()),
            lambda: setattr(device, "id", self._new_id()),
            lambda: setattr(device, "id", None),
            lambda: setattr(device, "start_delay_ms", rng.randrange(500, 8000)),
            lambda: setattr(device, "ignores_play", True),
            lambda: setattr(device, "volume_needs_active", True),
            lambda: setattr(device, "is_restricted", True),
        )
        which = rng.randrange(len(spoils))
        self._story.note("speaker", f"{device.name} is spoilt in way {which}")
        spoils[which]()
        self._agenda.after(rng.randrange(5 * MINUTE, 20 * HOUR), lambda: self._mend(device))

    def _fall_asleep(self, device: Device) -> None:
        device.wake_ms = self._rng.choice([None, 500, 4000, 20_000])
        self._world.hand().put_to_sleep(device)

    def _mend(self, device: Device) -> None:
        self._story.note("speaker", f"{device.name} is well")
        self._world.hand().plug_in(device)
        device.id = device.id or self._new_id()
        device.start_delay_ms = 0
        device.ignores_play = device.volume_needs_active = device.is_restricted = False

    def _new_id(self) -> str:
        self._ids += 1
        return invented_id(f"device {self._ids}").lower()

    def _withdraw_consent(self) -> None:
        self._account.withdraw(self._rng.randrange(HOUR, 30 * HOUR))
