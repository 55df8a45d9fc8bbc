"""The gateway put together: the only file that knows every adapter."""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from spotty_contract.gateway import SensorWiring
from spotty_gateway.awakening import Awake, Before, awake
from spotty_gateway.chronicle import Chronicle
from spotty_gateway.engine.by_hand import next_morning
from spotty_gateway.engine.commands import SessionFacts
from spotty_gateway.engine.events import Event, PauseAsked, Report, ResumeAsked, SnoozeAsked, Stopping, Tick
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.engine.state import House
from spotty_gateway.executor import Executor
from spotty_gateway.local import Answer, Asked, AskPause, AskResume, AskStatus, FolderLock, LocalServer
from spotty_gateway.loop import Loop
from spotty_gateway.ports import Clock
from spotty_gateway.residents import read_residents
from spotty_gateway.settings import Settings
from spotty_gateway.snapshot import SnapshotError, decode
from spotty_gateway.spotify import SpotifyPlayer
from spotty_gateway.status import status_of
from spotty_gateway.store import Store
from spotty_hardware.inputs import Edge, InputKind, InputSpec, PinError

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
ANSWER_WITHIN_S = 5.0

INTENT_WITHIN_S = 0.5
"""A disk that takes longer than this for a snapshot must not keep the music waiting; most are done before the look."""

STOP_WITHIN_S = 4.3
"""Greengrass gives a component five seconds after SIGTERM."""
PLAYER_STOPS_WITHIN_S = 2.5
"""Of these: a call to Spotify that hangs must leave time for the disk."""


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
    ) -> None:
        """`make_inputs` gets the callback for edges; `edge_at` gives an edge's instant on `clock`.

        `say` is told what a person would want to know, `record` every session whenever it changes; both must be quick.
        `give_up` is called when a fault in the gateway keeps it from going on. Raises LocalError where the data folder
        cannot be used.
        """
        with ExitStack() as undo:
            self._lock = FolderLock(settings.data_dir)
            undo.callback(self._lock.release)
            self._local = LocalServer(settings.socket, self._answer)
            undo.callback(self._local.close)
            self._put_together(settings, clock, make_inputs, say, record)
            undo.pop_all()
        self._edge_at = edge_at
        self._give_up = give_up
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
        self._names = {one.wiring.id: one.wiring.name for one in self._residents.sensors}
        self._store = Store(settings.data_dir, on_trouble=say)
        self._player = SpotifyPlayer(
            settings.spotify_client_id,
            settings.tokens,
            settings.spotify_api_url,
            settings.spotify_accounts_url,
            lambda: (clock.mono() + clock.offset()) / SECOND,
        )
        store = self._store
        self._executor = Executor(self._player, clock, self._post, lambda: store.flush(INTENT_WITHIN_S))
        self._chronicle = Chronicle(self._store, self._boot_id, self._names, self._executor.put, say, record)
        self._inputs = make_inputs(self._edge)

    def start(self) -> None:
        """Go on from where the last run stopped, then watch the inputs. Returns when they are watched."""
        for fault in self._residents.faults:
            self._say(fault)
        morning = self._awake()
        house = morning.house
        self._loop = Loop(house, self._clock, self._chronicle, self._give_up, morning.rejoin)
        self._store.start()
        self._executor.start()
        self._chronicle(house, Tick(house.mono, house.mono + house.offset, house.trusted), morning.effects)
        self._loop.start()
        self._watch()
        self._local.start()

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
        self._inputs.close()
        if self._loop is not None:
            self._post(Stopping(*self._now(), pause=pause))
            self._loop.ask(lambda _: None, until - time.monotonic() - PLAYER_STOPS_WITHIN_S)  # its commands are put
            self._executor.close(PLAYER_STOPS_WITHIN_S)
            self._loop.ask(lambda house: self._store.save(house, self._boot_id), until - time.monotonic())
            self._loop.close(until - time.monotonic())
        written = self._loop is None or self._store.flush(max(0.1, until - time.monotonic()))
        self._store.close(max(0.1, until - time.monotonic()))
        self._player.close()
        self._lock.release()
        return written

    def nudge(self) -> None:
        """Look at the clock now: it was set by whoever runs a simulated house."""
        self._post(Tick(*self._now()))

    def _awake(self) -> Awake:
        """What the night has left: the last run's house, as far as it can be known yet."""
        before, saved = None, self._store.load()
        if saved is not None:
            rules = {one.wiring.id: one.rules for one in self._residents.sensors}
            try:
                before = Before(decode(saved.data, rules), same_boot=saved.boot_id == self._boot_id)
            except SnapshotError as error:
                self._say(f"what was going on before the restart is unknown: {error}")
        return awake(before, self._residents.sensors, Tick(*self._now()), secrets.token_hex(3), self._say)

    def _watch(self) -> None:
        specs = [spec for one in self._residents.sensors for spec in _specs(one.wiring)]
        refused = self._inputs.watch(specs)
        for error in refused.values():
            self._say(str(error))
        inputs, rooms = len(specs) - len(refused), len(self._names)
        self._say(f"watching {inputs} input{'' if inputs == 1 else 's'} in {rooms} room{'' if rooms == 1 else 's'}")

    def _now(self) -> tuple[int, int, bool]:
        mono = self._clock.mono()
        return mono, mono + self._clock.offset(), self._clock.trusted()

    def _post(self, event: Event) -> None:
        if self._loop is not None:
            self._loop.post(event)

    def _edge(self, edge: Edge) -> None:
        sensor_id, _, input_id = edge.input_id.partition("/")
        mono = self._edge_at(edge)
        wall, trusted = mono + self._clock.offset(), self._clock.trusted()
        self._post(Report(mono, wall, trusted, sensor_id, input_id, edge.active, edge.initial))

    def _answer(self, asked: Asked) -> Answer:
        if not isinstance(asked, AskStatus) and asked.sensor not in self._names:
            return {"error": f"there is no sensor {asked.sensor!r}; there are: {', '.join(self._names) or 'none'}"}
        mono, wall, trusted = self._now()
        if isinstance(asked, AskPause):
            self._post(PauseAsked(mono, wall, trusted, asked.sensor))
        elif isinstance(asked, AskResume):
            self._post(ResumeAsked(mono, wall, trusted, asked.sensor))
        elif not isinstance(asked, AskStatus):
            until = self._tomorrow(asked.sensor) if asked.for_s is None else wall + round(asked.for_s * SECOND)
            self._post(SnoozeAsked(mono, wall, trusted, asked.sensor, until))
        return self._status()

    def _tomorrow(self, sensor_id: str) -> int:
        rules = next(one.rules for one in self._residents.sensors if one.wiring.id == sensor_id)
        return next_morning(self._now()[1], rules.zone)

    def _status(self) -> Answer:
        """Asked on the loop's thread, so that it is one consistent moment."""
        answers: list[Answer] = []

        def look(house: House) -> None:
            answers.append(status_of(house, self._names, self._chronicle.rooms))

        if self._loop is None or not self._loop.ask(look, ANSWER_WITHIN_S):
            return {"error": "the gateway is busy; try again"}
        return answers[0]


def _specs(wiring: SensorWiring) -> list[InputSpec]:
    """A sensor's inputs as the hardware wants them; their ids are unique in the whole gateway."""
    return [
        InputSpec(f"{wiring.id}/{one.id}", InputKind(one.kind), one.pin, one.active_high, one.pull)
        for one in wiring.inputs
    ]
