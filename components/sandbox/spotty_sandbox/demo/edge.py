"""The demo without a cloud: a house at speed, its people, its speakers and the real gateway between them.

Only the pins and Spotify are simulated. Driver, loop, engine, store and the Spotify client are the ones of the Pi.
"""

import argparse
import sys
import tempfile
import threading
from datetime import tzinfo
from pathlib import Path

from spotty_gateway.engine.commands import SessionFacts
from spotty_gateway.engine.quiet_hours import to_local
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.replay.judge import Past
from spotty_gateway.replay.log import BadLogError
from spotty_sandbox import ordinary_day
from spotty_sandbox.demo.outcome import BAD_INPUT, NOT_SEEN
from spotty_sandbox.house import walk
from spotty_sandbox.house_clock import HouseClock
from spotty_sandbox.plays import BadPolicyError, Play, a_day, a_log, a_visit
from spotty_sandbox.rig import CLIENT_ID, Rig
from spotty_sandbox.spotify import PortTakenError, SpotifySimulator, demo_world, invented_context

DAY_SPEED, VISIT_SPEED = 600.0, 120.0
WARMED_UP_US = 120 * SECOND
"""The demo begins so long before the first visit: a PIR needs a minute."""

SETTLES_WITHIN_S, EDGES_A_S = 10.0, 500
"""The gateway may lag behind a log that is played at once: so long at most, and a second more for so many edges."""

VISIT_ENDS_WITHIN_S = 30.0


def run(options: argparse.Namespace) -> int:
    """Play. 0: played to its end, 1: the music did not start and stop, 2: bad input."""
    try:
        with tempfile.TemporaryDirectory(prefix="spotty-demo-") as folder:
            return _run(_play(options, Path(folder)), Path(folder), options.port)
    except (BadLogError, BadPolicyError, PortTakenError) as error:
        print(f"spotty-sandbox demo: {error}", file=sys.stderr)
        return BAD_INPUT


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


def _run(play: Play, folder: Path, port: int) -> int:
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


def _live(play: Play, rig: Rig, clock: HouseClock) -> None:
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
        clock.run_to(play.end_at)


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


def _play(options: argparse.Namespace, folder: Path) -> Play:
    if options.log is not None:
        return a_log(options.log, folder, options.policy, options.speed or DAY_SPEED)
    if options.visit or not sys.stdout.isatty():
        return a_visit(options.speed or VISIT_SPEED)
    return a_day(options.speed or DAY_SPEED)
