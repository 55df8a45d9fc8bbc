"""The gateway put together. Its account's part and its cloud's part are put together next door."""

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import tzinfo
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from spotty_contract.gateway import SensorWiring
from spotty_gateway.account_desk import AccountDesk
from spotty_gateway.account_side import AccountSide
from spotty_gateway.awakening import Awake, Before, awake
from spotty_gateway.chronicle import Chronicle
from spotty_gateway.cloud_side import CloudAccess, CloudSide, Inside
from spotty_gateway.engine.commands import Effect, SessionFacts
from spotty_gateway.engine.events import Event, Report, Stopping, Tick
from spotty_gateway.engine.state import House
from spotty_gateway.front_desk import ANSWER_WITHIN_S, FrontDesk
from spotty_gateway.in_force import InForce
from spotty_gateway.local import Answer, AskAccount, Asked, FolderLock, LocalServer
from spotty_gateway.loop import Loop, Question
from spotty_gateway.ports import Clock
from spotty_gateway.residents import read_residents
from spotty_gateway.settings import Settings
from spotty_gateway.snapshot import SnapshotError, decode
from spotty_gateway.store import Store
from spotty_hardware.inputs import Edge, InputKind, InputSpec, PinError

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

RUN_BYTES = 6
"""Of a run's name, which makes the ids of its sessions unique for ever: no two in a thousand years of daily starts."""

FOLDER_WITHIN_S = 15.0
"""A command that has our folder is done sooner than this."""

STOP_WITHIN_S = 4.3
"""Greengrass gives a component five seconds after SIGTERM."""
PLAYER_STOPS_WITHIN_S = 2.5
"""Of these: a call to Spotify that hangs must leave time for the disk."""
LAST_MESSAGES_WITHIN_S = 1.0
"""And what is under way to the cloud: what does not arrive then is sent again."""


class Inputs(Protocol):
    """The watched pins (spotty_hardware.inputs.PinInputs)."""

    def watch(self, specs: list[InputSpec]) -> Mapping[str, PinError]:
        """Watch exactly these; the ones that cannot be watched come back with the reason."""

    def close(self) -> None:
        """Watch nothing any more."""


class Gateway:
    """One gateway, from pins to Spotify. `start` it, `stop` it; in between everything happens on its own threads."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        make_inputs: Callable[[Callable[[Edge], None]], Inputs],
        say: Callable[[str], None] = log.info,
        edge_at: Callable[[Edge], int] = lambda edge: edge.mono_us,
        record: Callable[[SessionFacts], None] = lambda _: None,
        give_up: Callable[[], None] = lambda: None,
        cloud: CloudAccess | None = None,
    ) -> None:
        """`make_inputs` gets the callback for edges; `edge_at` gives an edge's instant on `clock`.

        `say` is told what a person would want to know, `record` every session whenever it changes; both must be quick.
        `give_up` is called when a fault in the gateway keeps it from going on. Without `cloud` nothing leaves the house
        and nothing is kept to be sent. Raises LocalError where the data folder cannot be used.
        """
        self._give_up = give_up
        with ExitStack() as undo:
            self._lock = FolderLock(settings.data_dir, patience_s=FOLDER_WITHIN_S)
            undo.callback(self._lock.release)
            self._local = LocalServer(settings.socket, self._answer)
            undo.callback(self._local.close)
            self._put_together(settings, clock, make_inputs, say, record)
            self._cloud = None if cloud is None else self._cloud_side(cloud)
            undo.pop_all()
        self._edge_at = edge_at
        self._loop: Loop | None = None
        self._stopped: bool | None = None

    def _put_together(
        self,
        settings: Settings,
        clock: Clock,
        make_inputs: Callable[[Callable[[Edge], None]], Inputs],
        say: Callable[[str], None],
        record: Callable[[SessionFacts], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._say = say
        self._boot_id = BOOT_ID.read_text().strip()
        self._residents = read_residents(settings.policies)
        self._in_force = InForce(self._residents, self._watch, self._post, self._now, say)
        names = self._in_force.names
        self._store = Store(settings.data_dir, on_trouble=say)
        spotify = AccountSide(settings, clock, self._boot_id, self._store, say, self._post, self._give_up)
        self._account, self._player, self._executor = spotify.account, spotify.player, spotify.executor
        self._account_desk = AccountDesk(
            names,
            self._now,
            self._post,
            self._ask_house,
            self._executor,
            self._account.guard,
            spotify.speakers,
            self._store.flush,
            self._health,
        )
        self._chronicle = Chronicle(self._store, self._boot_id, names, self._executor.put, say, record)
        self._front_desk = FrontDesk(
            self._in_force,
            self._chronicle.rooms,
            self._now,
            self._post,
            self._ask_house,
            lambda: self._account.status(self._zone),
        )
        self._inputs = make_inputs(self._edge)

    def _cloud_side(self, access: CloudAccess) -> CloudSide:
        """What goes up and comes down, by way of this."""
        inside = Inside(
            self._settings,
            self._clock,
            self._boot_id,
            self._store,
            self._account,
            self._in_force,
            self._chronicle.rooms,
            self._account_desk.answer,
            self._post,
            self._say,
        )
        return CloudSide(access, inside)

    def start(self) -> None:
        """Go on from where the last run stopped, then watch the inputs. Returns when they are watched."""
        for fault in self._residents.faults:
            self._say(fault)
        morning = self._awake()
        house = morning.house
        cloud_due_at = (lambda: None) if self._cloud is None else self._cloud.due_at
        self._loop = Loop(house, self._clock, self._listen, self._give_up, morning.rejoin, cloud_due_at)
        self._store.start()
        self._executor.start()
        self._listen(house, Tick(house.mono, house.mono + house.offset, house.trusted), morning.effects)
        self._loop.start()
        self._in_force.begin()
        self._local.start()
        if self._cloud is not None:
            self._cloud.start()

    def stop(self, *, system_goes_down: bool = False) -> bool:
        """Stop in order: no more input, the last commands, the exact snapshot. False if something was not written.

        The music plays on, unless the settings say otherwise or the whole computer goes down: nobody would be left to
        stop it. May be called again.
        """
        if self._stopped is None:
            self._stopped = self._stop(pause=system_goes_down or self._settings.on_stop == "pause")
        return self._stopped

    def _stop(self, *, pause: bool) -> bool:
        until = time.monotonic() + STOP_WITHIN_S
        self._local.close()
        if self._cloud is not None and self._loop is not None:
            self._cloud.stop_hearing()
        self._inputs.close()
        if self._loop is not None:
            self._post(Stopping(*self._now(), pause=pause))
            self._loop.ask(lambda _: None, until - time.monotonic() - PLAYER_STOPS_WITHIN_S)  # its commands are put
            self._executor.close(PLAYER_STOPS_WITHIN_S)
            self._loop.ask(lambda house: self._store.save(house, self._boot_id), until - time.monotonic())
            self._loop.close(until - time.monotonic())
            if self._cloud is not None:
                self._cloud.stop_telling(max(0.0, min(LAST_MESSAGES_WITHIN_S, until - time.monotonic())))
        written = self._loop is None or self._store.flush(max(0.1, until - time.monotonic()))
        self._store.close(max(0.1, until - time.monotonic()))
        self._player.close()
        self._lock.release()
        return written

    def apply(self, settings: Settings) -> None:
        """Go on under these, which differ from the last only in what can change while we run (`settings.LIVE`)."""
        self._settings = settings
        if self._cloud is not None:
            self._cloud.tell_decisions(wanted=settings.telemetry_level == "decisions")

    def is_vacant(self) -> bool:
        """Whether no session runs; False where that cannot be told in time."""
        vacant: list[bool] = []

        def look(house: House) -> None:
            vacant.append(all(room.session is None for room in house.rooms.values()))

        return self._ask_house(look, ANSWER_WITHIN_S) and vacant[0]

    def nudge(self) -> None:
        """Look at the clock now: it was set by whoever runs a simulated house."""
        self._post(Tick(*self._now()))
        self._executor.look_at_clock()

    def _awake(self) -> Awake:
        """What the night has left: the last run's house, as far as it can be known yet."""
        before, saved = None, self._store.load()
        if saved is not None:
            rules = {one.wiring.id: one.rules for one in self._residents.sensors}
            try:
                before = Before(decode(saved.data, rules), same_boot=saved.boot_id == self._boot_id)
            except SnapshotError as error:
                self._say(f"what was going on before the restart is unknown: {error}")
        run, seed = secrets.token_hex(RUN_BYTES), secrets.randbits(32)
        return awake(before, self._residents.sensors, Tick(*self._now()), run, self._say, seed)

    def _watch(self, sensors: Sequence[SensorWiring]) -> Mapping[str, str]:
        """Watch exactly these; the inputs that cannot be, and why."""
        specs = [spec for one in sensors for spec in _specs(one)]
        return {name: str(error) for name, error in self._inputs.watch(specs).items()}

    def _listen(self, house: House, event: Event, effects: Iterable[Effect]) -> None:
        """One step has been made: the room's own matters come first."""
        steps = tuple(effects)
        try:
            self._chronicle(house, event, steps)
        finally:
            if self._cloud is not None:
                self._cloud(house, event, steps)

    @property
    def _zone(self) -> tzinfo:
        """In which times of the whole gateway are told."""
        sensors = self._in_force.sensors
        return sensors[0].rules.zone if sensors else ZoneInfo(self._in_force.timezone)

    def _now(self) -> tuple[int, int, bool]:
        mono = self._clock.mono()
        return mono, mono + self._clock.offset(), self._clock.trusted()

    def _post(self, item: Event | Question) -> None:
        if self._loop is not None:
            self._loop.post(item)

    def _edge(self, edge: Edge) -> None:
        sensor_id, _, input_id = edge.input_id.partition("/")
        mono = self._edge_at(edge)
        wall, trusted = mono + self._clock.offset(), self._clock.trusted()
        self._post(Report(mono, wall, trusted, sensor_id, input_id, edge.active, edge.initial))

    def _ask_house(self, question: Callable[[House], None], within_s: float) -> bool:
        return self._loop is not None and self._loop.ask(question, within_s)

    def _health(self) -> Answer:
        """What nobody else can tell; JSON-ready."""
        account = self._account.status(self._zone)
        return {
            "settings": self._settings.model_dump(mode="json", by_alias=True),
            "refusedInputs": list(self._in_force.refused.values()),
            "disk": self._store.troubles,
            "account": account,
        }

    def _answer(self, asked: Asked) -> Answer:
        if isinstance(asked, AskAccount):
            return self._account_desk.answer(asked)
        return self._front_desk.answer(asked)


def _specs(wiring: SensorWiring) -> list[InputSpec]:
    """A sensor's inputs as the hardware wants them; their ids are unique in the whole gateway."""
    return [
        InputSpec(f"{wiring.id}/{one.id}", InputKind(one.kind), one.pin, one.active_high, one.pull)
        for one in wiring.inputs
    ]
