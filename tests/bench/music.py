"""From "somebody is there" to verified music, Spotify a quarter of a second away; and what a day of it costs."""

import http.client
import ssl
import tempfile
import time
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from tests.bench.figures import Figure
from tests.gateway.account import BATHROOM, CLIENT_ID, grant
from tests.gateway.wire import CERTIFICATE

from spotty_contract.policy import Policy
from spotty_gateway.clock import SystemClock
from spotty_gateway.engine.commands import StartMusic
from spotty_gateway.engine.events import Event, PlayerAnswered, Started
from spotty_gateway.engine.rules import SECOND, Device, Target
from spotty_gateway.executor import Executor
from spotty_gateway.guard import Guard
from spotty_gateway.spotify import SpotifyPlayer
from spotty_sandbox.spotify import ManualClock, SpotifySimulator, demo_world
from spotty_sandbox.year import Life
from spotty_sandbox.year.home import Room
from spotty_sandbox.year.life import BEGINS_AT
from spotty_sandbox.year.trouble import DAY, MINUTE

ROUND_TRIP_MS = 250
PATIENCE_S = 20.0
PLAY = "/v1/me/player/play"
VISITS = 30
LEAST_CALLS = 6
"""For a visit: look, play, look; look, pause, look."""

FREE = Target(Device(BATHROOM, "Speaker"), "", shuffle=False)
CAPPED = Target(Device(BATHROOM, "Speaker"), "", shuffle=False, volume_pct=20, volume_cap_pct=30)


def start() -> list[Figure]:
    """A start beside as many bare round trips as it makes, over plain HTTP and over TLS, warm connections both."""
    return [
        figure
        for is_tls in (False, True)
        for name, target, most_before in (("any volume", FREE, 1), ("a volume under a cap", CAPPED, 2))
        for figure in _start(f"{'TLS' if is_tls else 'plain'}, {name}", target, most_before, is_tls=is_tls)
    ]


def _start(name: str, target: Target, most_before: int, *, is_tls: bool) -> list[Figure]:
    world_clock = ManualClock()
    tls = (CERTIFICATE, CERTIFICATE) if is_tls else None
    with (
        tempfile.TemporaryDirectory() as folder,
        SpotifySimulator(demo_world(world_clock), tls=tls, round_trip_ms=ROUND_TRIP_MS) as simulator,
    ):
        tokens = Path(folder) / "tokens.json"
        grant(simulator, world_clock, tokens)
        url = simulator.accounts_url
        clock = SystemClock(assume_trusted=True)
        guard = Guard(clock, "boot")
        player = SpotifyPlayer(
            CLIENT_ID, tokens, url, url, lambda: world_clock.now_ms() / 1000, gate=guard, ca_file=str(CERTIFICATE)
        )
        answers: SimpleQueue[Event] = SimpleQueue()
        executor = Executor(player, clock, answers.put, guard)
        uri, speaker_id = simulator.call(lambda w: (w.catalogue.named("Steam and Soap").uri, w.device(BATHROOM).id))
        device = Device(BATHROOM, "Speaker", speaker_id)
        chosen = Target(device, uri, shuffle=False, volume_pct=target.volume_pct, volume_cap_pct=target.volume_cap_pct)
        player.get_ready()
        time.sleep(4 * ROUND_TRIP_MS / 1000)  # the simulator counts a new connection's own round trips from its opening
        executor.start()
        began = time.perf_counter()
        executor.put(StartMusic(BATHROOM, 1, chosen, None, (), take_over=False, position=None))
        while not isinstance(answered := answers.get(timeout=PATIENCE_S), PlayerAnswered):
            pass
        took_ms = (time.perf_counter() - began) * 1e3
        if not isinstance(answered.outcome, Started):
            raise RuntimeError(f"no music: {answered.outcome}")  # noqa: TRY004 - what came, not what it is of
        asked = [one.path for one in simulator.requests() if one.path.startswith("/v1/")]
        executor.close(PATIENCE_S)
        player.close()
        floor_ms = _bare_round_trip_ms(simulator, is_tls=is_tls)
    return [
        Figure(f"occupied to verified: {name} ({len(asked)} calls)", took_ms, floor_ms * len(asked), "ms", 1.15),
        Figure(f"   of these before the play request: {name}", asked.index(PLAY), most_before, "", 1.0),
    ]


def _bare_round_trip_ms(simulator: SpotifySimulator, *, is_tls: bool) -> float:
    """A request by the standard library over a connection that is open, in the mean of a few."""
    context = ssl.create_default_context(cafile=str(CERTIFICATE)) if is_tls else None
    connection = (
        http.client.HTTPSConnection("127.0.0.1", simulator.port, context=context)
        if is_tls
        else http.client.HTTPConnection("127.0.0.1", simulator.port)
    )
    times = []
    for _ in range(4):
        began = time.perf_counter()
        connection.request("GET", "/v1/me/player")
        connection.getresponse().read()
        times.append((time.perf_counter() - began) * 1e3)
    connection.close()
    return sum(times[1:]) / len(times[1:])  # the first one opens the connection


def day() -> list[Figure]:
    """Web API calls of a day of visits beside the least that manners allow, and of a day in which nobody comes."""
    plain, _ = _day(VISITS, {})
    fading, _ = _day(VISITS, {"fadeInS": 10, "fadeOutS": 10})
    idle, renewed = _day(0, {})
    return [
        Figure(f"calls for {VISITS} visits", plain, VISITS * LEAST_CALLS, "", 1.5),
        Figure(f"calls for {VISITS} visits with fades", fading, VISITS * LEAST_CALLS, "", 4.0),
        Figure("calls of a day without visits", idle, 1, "", 0.0),
        Figure("   tokens renewed in it, besides", renewed, 24, "", 1.5),
    ]


def _day(visits: int, playback: dict[str, object]) -> tuple[int, int]:
    """A day of one room with fair weather and nobody meddling; calls, and tokens renewed."""
    with tempfile.TemporaryDirectory() as folder:
        life = Life(1, 1, Path(folder), is_fair=True)
        uri = life.world.catalogue.named("Steam and Soap").uri
        life.world.add_device("Bath", volume_pct=50)
        policy = Policy.model_validate(
            {
                "vacancyDelayS": 120,
                "warmUpS": 0,
                "playback": {
                    "device": {"name": "Bath"},
                    "contextUri": uri,
                    "shuffle": False,
                    "volumePct": 30,
                    **playback,
                },
            }
        )
        life.home.rooms = {"bath": Room("bath", "Bath", "Bath", ("pir",), policy)}
        life.computer.start()
        for visit in range(visits):
            for minute in (0, 1, 2, 4):
                at = BEGINS_AT + (visit + 1) * DAY // (VISITS + 2) + minute * MINUTE
                for later_us, active in ((0, True), (5 * SECOND, False)):
                    life.agenda.at(at + later_us, partial(life.computer.feel, "bath", "pir", active=active))
        life.agenda.pass_until(BEGINS_AT + DAY)
        if life.story.broken is not None:
            raise RuntimeError(life.story.broken)
        return life.story.counts["calls"], life.story.counts["tokens renewed"]
