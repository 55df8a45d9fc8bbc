"""`spotty-sandbox spotify`: the simulator as a tool of its own."""

from __future__ import annotations

import argparse
import signal
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .catalogue import invented_context
from .clock import RunningClock
from .devices import TRAITS
from .fault_file import FaultFileError, read_faults
from .faults import FaultPlan
from .simulator import PortTakenError, SpotifySimulator
from .world import OWNER, SpotifyWorld, demo_world

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

DEFAULT_PORT = 8765
_HELP = """\
A simulated Spotify on this computer: the Web API's player and the accounts service, with speakers
that play nothing but the clock. Point a client at it and watch the speakers in the browser.

  spotipy    client = spotipy.Spotify(auth=TOKEN); client.prefix = "http://127.0.0.1:8765/v1/"
  sign-in    SpotifyPKCE.OAUTH_AUTHORIZE_URL = "http://127.0.0.1:8765/authorize"
             SpotifyPKCE.OAUTH_TOKEN_URL = "http://127.0.0.1:8765/api/token"
  curl       curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8765/v1/me/player/devices

A ready TOKEN is printed at the start."""
_EPILOG = f"""\
speakers   NAME, NAME:TYPE or NAME:TYPE:TRAIT,TRAIT, where a trait is one of
           {", ".join(TRAITS)}
           --devices Bathroom Kitchen:Speaker "Old phone:Smartphone:no-volume,late"
music      a few invented playlists are there; --music adds those that your own settings name.
faults     a JSON file of rules, for example {{"faults": [{{"name": "busy", "on": "PUT /v1/me/player/play",
           "times": 2, "status": 429, "headers": {{"Retry-After": "5"}},
           "error": {{"message": "API rate limit exceeded"}}}}]}}
           All fields: python -m pydoc spotty_sandbox.spotify.fault_file
end        Ctrl-C. Nothing is kept."""


class SettingError(ValueError):
    """A command-line value that cannot be used; the text is one line that says why."""


def run(argv: list[str]) -> int:
    """Run the simulator until Ctrl-C or SIGTERM; to be called on the main thread.

    Returns 0 after a clean end, 2 for arguments, a faults file or a port that cannot be used (said in one line on
    standard error). Raises SystemExit for --help and for arguments that argparse refuses.
    """
    options = _parser().parse_args(argv)
    try:
        world = _world(options)
        simulator = SpotifySimulator(world, port=options.port, faults=_faults(options.faults))
        token = world.auth.grant().access_token
        with _ended() as ended, simulator:
            _tell(_greeting(simulator, token))
            ended.wait()
    except (SettingError, PortTakenError) as error:
        _tell(f"spotty-sandbox spotify: {error}", sys.stderr.write)
        return 2
    _tell("\nThe speakers are silent.")
    return 0


class _ended:  # noqa: N801 - reads as a word where it is used
    """Turns Ctrl-C and SIGTERM into an event while the block runs, and gives the old handlers back."""

    def __enter__(self) -> threading.Event:
        event = threading.Event()

        def end(_number: int, _frame: FrameType | None) -> None:
            event.set()

        self._before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        return event

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "spotty-sandbox spotify",
        description=_HELP,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help=f"port on 127.0.0.1 (default {DEFAULT_PORT}, 0: any)"
    )
    parser.add_argument(
        "--devices", nargs="+", metavar="SPEAKER", help="the speakers (default: Bathroom, Kitchen, Bedroom)"
    )
    parser.add_argument("--music", nargs="+", metavar="URI", default=[], help="spotify:playlist:… to have besides")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="what goes wrong, and when")
    parser.add_argument("--speed", type=float, default=1.0, help="times faster than real time (default 1)")
    parser.add_argument("--free", action="store_true", help="the account is not Premium: every command is refused")
    return parser


def _world(options: argparse.Namespace) -> SpotifyWorld:
    try:
        clock = RunningClock(speed=options.speed)
    except ValueError as error:
        raise SettingError(f"--speed: {error}") from None
    if not 0 <= options.port <= 65535:  # noqa: PLR2004 - the range of ports
        raise SettingError(f"--port: {options.port} is not a port; there are 0 to 65535")
    world = SpotifyWorld(clock) if options.devices else demo_world(clock)
    world.accounts[OWNER].is_premium = not options.free
    for told in options.devices or ():
        _add_device(world, told)
    for uri in options.music:
        try:
            world.catalogue.add(invented_context(uri))
        except ValueError as error:
            raise SettingError(f"--music: {error}") from None
    return world


def _add_device(world: SpotifyWorld, told: str) -> None:
    name, kind, traits, *rest = [*told.split(":"), "", ""]
    if not name or any(rest):
        raise SettingError(f"--devices: {told!r} is not NAME, NAME:TYPE or NAME:TYPE:TRAIT,TRAIT")
    fields: dict[str, Any] = {"type": kind or "Speaker"}
    for trait in filter(None, traits.split(",")):
        if trait not in TRAITS:
            raise SettingError(f"--devices: {trait!r} in {told!r} is no trait; there are {', '.join(TRAITS)}")
        field, value = TRAITS[trait]
        fields[field] = value
    world.add_device(name, **fields)


def _faults(path: Path | None) -> FaultPlan:
    if path is None:
        return FaultPlan()
    try:
        return read_faults(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"--faults: {path} cannot be read ({error})") from None
    except FaultFileError as error:
        raise SettingError(f"--faults: {path}: {error}") from None


def _greeting(simulator: SpotifySimulator, token: str) -> str:
    return textwrap.dedent(f"""\
        Speakers  {simulator.page_url}
        Web API   {simulator.api_url}
        Accounts  {simulator.accounts_url}
        Token     {token}
        Ctrl-C ends it.""")


def _tell(text: str, write: Callable[[str], object] | None = None) -> None:
    (write or sys.stdout.write)(text + "\n")
    sys.stdout.flush()
