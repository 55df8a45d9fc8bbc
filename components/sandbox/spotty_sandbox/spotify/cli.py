"""`spotty-sandbox spotify`: the simulator as a tool of its own."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .catalogue import invented_context
from .cli_text import EPILOG, HELP, all_kinds, greeting, log_line, summary
from .clock import RunningClock
from .devices import TRAITS
from .fault_file import EXAMPLE, Trouble, read_trouble
from .fault_rule import FaultFileError
from .limits import Limits
from .simulator import PortTakenError, SpotifySimulator
from .world import OWNER, SpotifyWorld, demo_world

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

DEFAULT_PORT = 8765


class SettingError(ValueError):
    """A command-line value that cannot be used; the text is one line that says why."""


def run(argv: list[str]) -> int:
    """Run the simulator until Ctrl-C or SIGTERM; to be called on the main thread.

    Returns 0 after a clean end, 2 for arguments, a faults file or a port that cannot be used (said in one line on
    standard error). Raises SystemExit for --help and for arguments that argparse refuses.
    """
    options = _parser().parse_args(argv)
    if options.example_faults or options.list_faults:
        _tell(EXAMPLE.read_text(encoding="utf-8").rstrip() if options.example_faults else all_kinds())
        return 0
    try:
        world = _world(options)
        simulator = _simulator(options, world)
        token = world.auth.grant().access_token
        with _ended() as ended, simulator:
            _tell(greeting(simulator, token))
            ended.wait()
            tally = simulator.tally()
    except (SettingError, PortTakenError) as error:
        _tell(f"spotty-sandbox spotify: {error}", sys.stderr.write)
        return 2
    _tell(summary(tally))
    _tell("The speakers are silent.")
    return 0


def _simulator(options: argparse.Namespace, world: SpotifyWorld) -> SpotifySimulator:
    trouble = _trouble(options.faults)
    try:
        trouble.plan_on(world)
        limits = _limits(options) or trouble.limits
    except FaultFileError as error:
        raise SettingError(f"--faults: {options.faults}: {error}") from None
    is_logged = options.log or (options.log is None and sys.stdout.isatty())
    tell = (lambda entry: _tell(log_line(world, entry))) if is_logged else None
    if (options.tls_cert is None) != (options.tls_key is None):
        raise SettingError("--tls-cert and --tls-key go together")
    tls = None if options.tls_cert is None else (options.tls_cert, options.tls_key)
    try:
        return SpotifySimulator(
            world, port=options.port, faults=trouble.faults, limits=limits, on_entry=tell, tls=tls,
            round_trip_ms=options.round_trip_ms,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise SettingError(f"--tls-cert: {options.tls_cert} and its key cannot be used ({error})") from None


def _limits(options: argparse.Namespace) -> Limits | None:
    if options.window is None and options.quota is None:
        return None
    try:
        return Limits(options.window, options.quota)
    except ValueError:
        raise SettingError("--window and --quota are numbers of calls from 1") from None


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
        description=HELP,
        epilog=EPILOG,
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
    parser.add_argument("--example-faults", action="store_true", help="print such a file, and end")
    parser.add_argument("--list-faults", action="store_true", help="print all kinds of trouble, and end")
    parser.add_argument("--window", type=int, metavar="CALLS", help="an app's calls in 30 s; more are answered 429")
    parser.add_argument("--quota", type=int, metavar="CALLS", help="an app's calls in 24 h; more: QUOTA_EXCEEDED")
    parser.add_argument("--round-trip-ms", type=int, default=0, metavar="MS", help="how far away Spotify is")
    parser.add_argument("--tls-cert", type=Path, metavar="PEM", help="serve https with this certificate")
    parser.add_argument("--tls-key", type=Path, metavar="PEM", help="and its key")
    parser.add_argument(
        "--log", action=argparse.BooleanOptionalAction, help="print each request (default: on a terminal)"
    )
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
    if options.round_trip_ms < 0:
        raise SettingError(f"--round-trip-ms: {options.round_trip_ms} is below 0")
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


def _trouble(path: Path | None) -> Trouble:
    if path is None:
        return Trouble()
    try:
        return read_trouble(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"--faults: {path} cannot be read ({error})") from None
    except FaultFileError as error:
        raise SettingError(f"--faults: {path}: {error}") from None


def _tell(text: str, write: Callable[[str], object] | None = None) -> None:
    (write or sys.stdout.write)(text + "\n")
    sys.stdout.flush()
