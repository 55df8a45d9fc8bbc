"""The demo: a house, its people, its speakers and the real gateway between them, on one laptop.

Only the pins and Spotify are simulated. Driver, loop, engine, store and the Spotify client are the ones of the Pi.
"""

import argparse
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from shutil import copyfileobj
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from spotty_contract.policy import Policy
from spotty_contract.wire import faults_of
from spotty_gateway.engine.commands import SessionFacts
from spotty_gateway.engine.quiet_hours import EPOCH, MICROSECOND, to_local
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.replay.judge import Past
from spotty_gateway.replay.log import BadLogError, Edge, Tally, open_text, read_csv
from spotty_gateway.replay.rewindable import STDIN, rewindable
from spotty_gateway.replay.source import replay
from spotty_gateway.rules_of import rules_of
from spotty_sandbox import ordinary_day
from spotty_sandbox.house import PinEdge, Visit, edges_of, walk
from spotty_sandbox.house_clock import AT_ONCE, HouseClock
from spotty_sandbox.rig import CLIENT_ID, Rig, ignore
from spotty_sandbox.spotify import PortTakenError, SpotifySimulator, SpotifyWorld, demo_world, invented_context

BAD_INPUT, NOT_SEEN, INTERRUPTED = 2, 1, 130
DAY_SPEED, VISIT_SPEED = 600.0, 120.0
FREE_PINS = range(4, 28)
"""BCM numbers without a pull-up of the board's own (GPIO2 and 3 have one: they are the I2C bus)."""

WARMED_UP_US = 120 * SECOND
"""The demo begins so long before the first visit: a PIR needs a minute."""

TAIL_US = 900 * SECOND
"""The ordinary day ends so long after its last edge: by then its last session is over."""

LOG_ROOM = "room"
MAX_INPUTS = 8
LONGEST_NAME = 40
"""Characters of an input's name that are shown."""

LOG_TAIL_US = 120 * SECOND
"""A log's demo ends so long after its last session: the music is to fade and stop in sight."""

SETTLES_WITHIN_S, EDGES_A_S = 10.0, 500
"""The gateway may lag behind a log that is played at once: so long at most, and a second more for so many edges."""

VISIT_ENDS_WITHIN_S = 30.0

EPILOG = """\
  make demo                     an ordinary day of two people, ten minutes a second
  make demo LOG=week.csv        a recorded log, all its inputs one room (header timestamp,input,state)
  make demo DEMO='--speed 60'   slower
  --log -                       a recorded log from standard input
"""


def run(argv: Sequence[str]) -> int:
    """Play. 0: played to its end, 1: the music did not start and stop, 2: bad input, 130: stopped by Ctrl-C."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    try:
        with tempfile.TemporaryDirectory(prefix="spotty-demo-") as folder:
            return _run(_play(options, Path(folder)), Path(folder), options.port)
    except (BadLogError, _BadPolicyError, PortTakenError) as error:
        print(f"spotty-sandbox demo: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("\nstopped")
        return INTERRUPTED


@dataclass(frozen=True, slots=True)
class _Play:
    """What is to be shown."""

    title: str
    wiring: dict[str, Any]
    policies: dict[str, dict[str, Any]]
    edges: list[PinEdge]
    meddlings: list[tuple[int, Callable[[SpotifyWorld], None]]]
    speed: float
    zone: tzinfo
    replayed: list[Past] | None = None
    """A log's sessions as the replay has them: the pins must give the same ones."""

    must_be_heard: bool = False


class _Seen:
    """What the gateway has told so far: lines on the terminal, sessions for the comparison."""

    def __init__(self, clock: HouseClock, zone: tzinfo) -> None:
        self.sessions: list[SessionFacts] = []
        self._more = threading.Condition()
        self.started = threading.Event()
        self.stopped = threading.Event()
        self._clock = clock
        self._zone = zone
        self._colour = sys.stdout.isatty()

    def say(self, line: str) -> None:
        """One line, with the house's local time."""
        local = to_local(self._clock.mono(), self._zone)
        stamp = f"{local:%a %H:%M:%S} {local.tzname()}"
        print(f"{f'{chr(27)}[2m{stamp}{chr(27)}[0m' if self._colour else stamp}  {line}", flush=True)
        if "music started" in line:
            self.started.set()
        if "music stopped" in line and self.started.is_set():
            self.stopped.set()

    def record(self, facts: SessionFacts) -> None:
        """Keep a session that is over."""
        if facts.ended_by is not None and not facts.corrected:
            with self._more:
                self.sessions.append(facts)
                self._more.notify_all()

    def wait_for(self, sessions: int, timeout_s: float) -> bool:
        """Until so many sessions are over; False if they were not in the time given."""
        with self._more:
            return self._more.wait_for(lambda: len(self.sessions) >= sessions, timeout_s)


def _run(play: _Play, folder: Path, port: int) -> int:
    clock = HouseClock(play.edges[0].at - WARMED_UP_US if play.edges else 0, play.speed)
    world = demo_world(clock, tuple(ordinary_day.SPEAKERS.values()))
    for room, uri in ordinary_day.PLAYLISTS.items():
        world.catalogue.add(invented_context(uri, ordinary_day.PLAYLIST_NAMES[room]))
    world.auth.register(CLIENT_ID, "SpottyPottySense")
    simulator = SpotifySimulator(world, port=port)
    seen = _Seen(clock, play.zone)
    with Rig(folder, play.wiring, play.policies, simulator, clock, say=seen.say, record=seen.record) as rig:
        print(f"{play.title}\nThe speakers: {simulator.page_url} (Ctrl-C ends the demo)\n", flush=True)
        _live(play, rig, clock)
        if play.must_be_heard:
            clock.run_free()
            seen.stopped.wait(VISIT_ENDS_WITHIN_S)
        if play.replayed is not None:
            rig.gateway.nudge()  # at once, no time passes by itself
            seen.wait_for(len(play.replayed), SETTLES_WITHIN_S + len(play.edges) / EDGES_A_S)
    if play.replayed is not None:
        return _compare(play.replayed, seen.sessions)
    if play.must_be_heard and not (seen.started.is_set() and seen.stopped.is_set()):
        print("spotty-sandbox demo: the music should have started and stopped, and did not", file=sys.stderr)
        return NOT_SEEN
    return 0


def _live(play: _Play, rig: Rig, clock: HouseClock) -> None:
    """Let the edges and the meddlings happen, each at its instant, and afterwards everything fall due."""
    done = 0
    for at, meddle in sorted(play.meddlings, key=lambda one: one[0]):
        upto = next((i for i, edge in enumerate(play.edges) if edge.at > at), len(play.edges))
        walk(play.edges[done:upto], rig.pins, clock)
        done = upto
        clock.run_to(at)
        rig.simulator.call(meddle)
    walk(play.edges[done:], rig.pins, clock)
    if not play.must_be_heard and play.edges:
        clock.run_to(_end_of(play))


def _end_of(play: _Play) -> int:
    """When nothing is open any more: an input that stays high holds its session long beyond the last edge."""
    if play.replayed is None:
        return play.edges[-1].at + TAIL_US
    return max([play.edges[-1].at, *(one.end_at for one in play.replayed)]) + LOG_TAIL_US


def _compare(judged: list[Past], sessions: list[SessionFacts]) -> int:
    """With the same log's replay: pins, threads and Spotify must not have changed a session."""
    lived = sorted((one.start_at, one.end_at, one.motions) for one in sessions)
    replayed = sorted((one.start_at, one.end_at, one.motions) for one in judged)
    if lived == replayed:
        print(f"\n{len(lived)} sessions through the pins; the replay of the log has the same ones.")
        return 0
    print(
        f"\nspotty-sandbox demo: {len(lived)} sessions through the pins, {len(replayed)} in the replay", file=sys.stderr
    )
    return NOT_SEEN


def _play(options: argparse.Namespace, folder: Path) -> _Play:
    if options.log is not None:
        return _recorded(options.log, folder, options.policy, options.speed or DAY_SPEED)
    if options.visit or not sys.stdout.isatty():
        return _visit(options.speed or VISIT_SPEED)
    return _day(options.speed or DAY_SPEED)


def _at(hhmm: str) -> int:
    hour, minute = hhmm.split(":")
    local = datetime(*ordinary_day.DATE, int(hour), int(minute), tzinfo=ZoneInfo(ordinary_day.TIMEZONE))
    return (local - EPOCH) // MICROSECOND


def _day(speed: float) -> _Play:
    visits = [Visit(f"{stay.room}/pir", _at(stay.start), _at(stay.end)) for stay in ordinary_day.STAYS]
    meddlings = [(_at(one.at), _meddler(one.speaker, one.does)) for one in ordinary_day.MEDDLINGS]
    return _Play(
        title="An ordinary day of two people, a bathroom and a kitchen.",
        wiring=ordinary_day.WIRING,
        policies={room: ordinary_day.policy(room) for room in ordinary_day.SPEAKERS},
        edges=edges_of(visits),
        meddlings=meddlings,
        speed=speed,
        zone=ZoneInfo(ordinary_day.TIMEZONE),
    )


def _visit(speed: float) -> _Play:
    room = ordinary_day.BATHROOM
    return _Play(
        title="Somebody goes to the bathroom.",
        wiring=ordinary_day.WIRING,
        policies={room: ordinary_day.policy(room)},
        edges=edges_of([Visit(f"{room}/pir", _at("07:00"), _at("07:02"))]),
        meddlings=[],
        speed=speed,
        zone=ZoneInfo(ordinary_day.TIMEZONE),
        must_be_heard=True,
    )


def _meddler(speaker: str, does: str) -> Callable[[SpotifyWorld], None]:
    def meddle(world: SpotifyWorld) -> None:
        hand, device = world.hand(), world.device(speaker)
        if does == "pause":
            hand.pause(device)
        else:
            hand.play(device, next(iter(world.catalogue)))

    return meddle


def _recorded(log: str, folder: Path, policy_path: str | None, speed: float) -> _Play:
    path = _file_of(log, folder)
    recorded = _edges_in(path, log)
    names = sorted({edge.input_id for edge in recorded})
    if len(names) > MAX_INPUTS:
        raise BadLogError(f"{log}: {len(names)} inputs; one room has at most {MAX_INPUTS}")
    ids = {name: f"input-{number}" for number, name in enumerate(names, start=1)}
    policy = {**_policy(policy_path), "warmUpS": 0}
    playback = policy.get("playback") or ordinary_day.policy(ordinary_day.BATHROOM)["playback"]
    rules = rules_of(Policy.model_validate(policy))
    inputs = [{"id": ids[name], "kind": "pir", "pin": pin} for pin, name in zip(FREE_PINS, names, strict=False)]
    legend = ", ".join(f"{ids[name]} is {_shortened(name)}" for name in names)
    return _Play(
        title=f"{log}: {len(recorded):,} edges of {len(names)} inputs, at {speed:g} times their speed.\n"
        f"The inputs, in the order of their names: {legend}.",
        wiring={"sensors": [{"id": LOG_ROOM, "name": "The room", "inputs": inputs}]},
        policies={LOG_ROOM: {**policy, "playback": playback}},
        edges=[PinEdge(edge.at, f"{LOG_ROOM}/{ids[edge.input_id]}", edge.active) for edge in recorded],
        meddlings=[],
        speed=speed,
        zone=rules.zone,
        replayed=replay(path, [rules], skip_bad_lines=False, progress=ignore).verdicts[0].sessions,
    )


def _file_of(log: str, folder: Path) -> str:
    """A path that can be read twice, by the demo and by the replay: what flows by is kept in `folder` first."""
    if log != STDIN and not Path(log).is_fifo():
        return log
    copy = folder / "log.csv"
    with rewindable(log) as flow, copy.open("wb") as kept:
        flow.seek(0)
        copyfileobj(flow, kept)
    return str(copy)


def _edges_in(path: str, log: str) -> list[Edge]:
    """The edges in order, at least one; `log` is what the person called it."""
    try:
        with Path(path).open("rb") as raw, open_text(raw) as text:
            edges = sorted(read_csv(text, Tally(), skip_bad_lines=False), key=lambda edge: edge.at)
    except OSError as error:
        raise BadLogError(f"{log}: {error.strerror}; name a CSV log (spotty-sandbox import makes one)") from error
    if not edges:
        raise BadLogError(f"{log}: there is nothing to play, no line follows its header")
    return edges


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


class _BadPolicyError(Exception):
    """The policy file cannot be used."""


def _policy(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        policy = Policy.from_json(Path(path).read_bytes())
    except OSError as error:
        raise _BadPolicyError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise _BadPolicyError(f"{path}: {'; '.join(faults_of(error, 'policy'))}") from error
    return policy.model_dump(exclude_defaults=True)


def _speed(text: str) -> float:
    try:
        speed = AT_ONCE if text == "at-once" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no speed: a number above 0 (times real time), or at-once")
    return speed


def _as_ctrl_c(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spotty-sandbox demo",
        description="A simulated house with the real gateway in it. Open the page it names to see the speakers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--log", metavar="LOG.csv", help="play a recorded log (- for standard input), not the ordinary day"
    )
    parser.add_argument("--policy", metavar="POLICY.json", help="the room's policy, with --log")
    parser.add_argument("--visit", action="store_true", help="one visit only, as when there is no terminal")
    parser.add_argument("--speed", type=_speed, help="times real time, or at-once (default: 600; one visit: 120)")
    parser.add_argument("--port", type=int, default=0, help="of the speakers' page (default: a free one)")
    return parser
