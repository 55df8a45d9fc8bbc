"""The computer that the component runs on: switched on and off, killed, updated, and told the time or not."""

from collections.abc import Callable
from typing import Protocol

from spotty_gateway.awakening import Before
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.engine.state import House
from spotty_gateway.residents import Resident
from spotty_gateway.snapshot import decode, encode

from .gateway import Makers, Run
from .home import Home
from .surroundings import Surroundings

STOPS_WITHIN_US = 6 * SECOND


class Account(Protocol):
    """What a run cannot change about the household's account."""

    @property
    def hindrance(self) -> str:
        """What keeps the gateway from using it, in a word; empty if nothing does."""


class Computer:
    """A Gateway, whichever run of it lives now; and the pins, which keep their levels while nobody looks."""

    def __init__(self, around: Surroundings, makers: Makers, home: Home, account: Account) -> None:
        """Switched on, with nothing running on it yet."""
        self._around = around
        self._agenda = around.agenda
        self._clock = around.agenda.clock
        self._makers = makers
        self._home = home
        self._account = account
        self._runs = 0
        self._boots = 1
        self._plan = 0
        """Number of the newest plan to start: an older one is none any more."""
        self._levels: dict[tuple[str, str], bool] = {}
        self._at_next_command: Callable[[], None] | None = None
        self.run: Run | None = None

    # As promises see it.

    @property
    def house(self) -> House | None:
        """The state, where somebody acts on it."""
        return None if self.run is None else self.run.house

    @property
    def hindrance(self) -> str:
        """What keeps it from acting."""
        return (self.run.hindrance if self.run is not None else "it is off") or self._account.hindrance

    @property
    def asked_at(self) -> int:
        """When the command under way was begun."""
        return 0 if self.run is None else self.run.asked_at

    # What happens to it.

    def start(self) -> None:
        """The component comes up, and finds the pins as they are."""
        if self.run is not None:
            return
        self._runs += 1
        boot_id = f"boot{self._boots}"
        run = self.run = Run(self._around, self._makers, f"run{self._runs}", boot_id, self._begins, self._has_ended)
        self._note(
            f"comes up as {boot_id}/run{self._runs}, {'knows' if self._clock.trusted() else 'does not know'} the time"
        )
        run.start(self._residents(), self._before(boot_id))
        for (sensor_id, input_id), active in self._levels.items():
            run.report(sensor_id, input_id, active=active, initial=True)

    def kill(self, down_us: int) -> None:
        """Whoever supervises the component, or a lack of memory, ends it at once."""
        self._note("is killed")
        self._plan_to(self.start, down_us)
        self._end()

    def lose_power(self, down_us: int, behind_us: int, told_after_us: int) -> None:
        """Somebody pulls the plug; afterwards the clock is `behind_us` behind, until it is told the time."""
        self._note(f"loses its power for {down_us / SECOND:.0f} s")
        self._switch_on_after(down_us, behind_us, told_after_us)
        self._end()

    def update(self, down_us: int) -> None:
        """A deployment: the component is stopped, and started again."""
        self._note("is updated")
        if self.run is not None:
            self._plan_to(self.start, down_us + STOPS_WITHIN_US)
            self.run.stop(pause=False)

    def shut_down(self, down_us: int, told_after_us: int) -> None:
        """The whole computer is shut down, and switched on later."""
        self._note("is shut down")
        if self.run is not None:
            self._switch_on_after(down_us + STOPS_WITHIN_US, 0, told_after_us)
            self.run.stop(pause=True)

    def feel(self, sensor_id: str, input_id: str, *, active: bool) -> None:
        """A pin's level changes, whether anybody looks or not. A PIR may say active twice."""
        self._levels[sensor_id, input_id] = active
        if self.run is not None and self.house is not None:
            self.run.report(sensor_id, input_id, active=active)

    def account_changed(self) -> None:
        """Somebody has logged in anew; `spotty login` tells the gateway."""
        if self.run is not None:
            self.run.account_changed()

    def at_next_command(self, happens: Callable[[], None]) -> None:
        """Let it happen when the next command begins."""
        self._at_next_command = happens

    def level(self, sensor_id: str, input_id: str) -> bool:
        """As it is now."""
        return self._levels.get((sensor_id, input_id), False)

    # Inside.

    def _switch_on_after(self, down_us: int, behind_us: int, told_after_us: int) -> None:
        def switch_on() -> None:
            self._boots += 1
            boot = self._boots
            self._clock.boot(behind_us)
            self._agenda.after(told_after_us, lambda: self._be_told(boot))
            self.start()

        self._plan_to(switch_on, down_us)

    def _plan_to(self, start: Callable[[], None], after_us: int) -> None:
        self._plan += 1
        plan = self._plan
        self._agenda.after(after_us, lambda: start() if plan == self._plan else None)

    def _be_told(self, boot: int) -> None:
        if boot != self._boots:
            return
        self._clock.be_told()
        if self.run is not None:
            self.run.look_at_clock()

    def _before(self, boot_id: str) -> Before | None:
        """What the card holds, through the very bytes that would stand on it."""
        if self._around.disk.written is None:
            return None
        saved, saved_in = self._around.disk.written
        rules = {room.id: room.rules(self._home.zone) for room in self._home.rooms.values()}
        again = decode(encode(saved), rules)
        self._around.engine.restored(saved, again)
        return Before(again, same_boot=saved_in == boot_id)

    def _residents(self) -> list[Resident]:
        return [
            Resident(room.wiring(4 * n), room.rules(self._home.zone))
            for n, room in enumerate(self._home.rooms.values())
        ]

    def _begins(self) -> None:
        happens, self._at_next_command = self._at_next_command, None
        if happens is not None:
            happens()

    def _has_ended(self) -> None:
        self.run = None

    def _end(self) -> None:
        run, self.run = self.run, None
        if run is not None:
            self._around.story.count("deaths")
            self._around.disk.lose_unwritten()
            self._forget()
            run.end()

    def _forget(self) -> None:
        disk, ours = self._around.disk, self._around.truth.ours
        lost_music = ours is not None and not disk.knows_music_on(ours.device.name)
        self._around.truth.forget(music=lost_music, closure=not disk.knows_closure)

    def _note(self, what: str) -> None:
        self._around.story.note("computer", what)
