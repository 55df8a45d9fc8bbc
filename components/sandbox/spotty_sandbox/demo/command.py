"""What `spotty-sandbox demo` is asked for, and how it is interrupted."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from spotty_sandbox.demo.outcome import ENDING, INTERRUPTED, NOT_SEEN
from spotty_sandbox.house_clock import AT_ONCE

EPILOG = """\
  make demo                     a home with its cloud, which lives on until Ctrl-C
  make demo CLEAN=1             the same, all that was kept forgotten
  make demo EDGE=1              an ordinary day of two people without a cloud, ten minutes a second
  make demo LOG=week.csv        without a cloud, a recorded log, all its inputs one room (header timestamp,input,state)
  make demo DEMO='--speed 60'   without a cloud, slower
  --log -                       a recorded log from standard input
"""


def run(argv: Sequence[str]) -> int:
    """Play. 0: to its end, 1: something promised was not seen, 2: bad input, 130: stopped by Ctrl-C before its end."""
    parser = _parser()
    options = parser.parse_args(argv)
    is_edge = options.edge or any((options.log, options.policy, options.visit, options.speed))
    if is_edge and (options.fresh or options.folder):
        parser.error("--fresh and --folder are of the demo with the cloud; leave them out, or --edge and its options")
    for one in ENDING:
        signal.signal(one, _as_ctrl_c)
    try:
        return _edge(options) if is_edge else _cloud(options)
    except KeyboardInterrupt:
        print("\nstopped")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read it has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_SEEN


def _edge(options: argparse.Namespace) -> int:
    from spotty_sandbox.demo import edge  # noqa: PLC0415 - each demo loads what the other does not need

    return edge.run(options)


def _cloud(options: argparse.Namespace) -> int:
    from spotty_sandbox.demo import cloud  # noqa: PLC0415 - as above

    return cloud.run(options.folder, options.port, fresh=options.fresh)


def _as_ctrl_c(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _speed(text: str) -> float:
    try:
        speed = AT_ONCE if text == "at-once" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no speed: a number above 0 (times real time), or at-once")
    return speed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spotty-sandbox demo",
        description="A simulated house with the real gateway in it, and its cloud. Open the page it names to see the "
        "speakers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="of the speakers' page (default: a free one)")
    cloud = parser.add_argument_group("with its cloud")
    cloud.add_argument("--fresh", action="store_true", help="forget what earlier demos have kept")
    cloud.add_argument("--folder", type=Path, metavar="DIR", help="where it keeps everything (.cache/demo)")
    edge = parser.add_argument_group("without a cloud; each of these says so")
    edge.add_argument("--edge", action="store_true", help="the ordinary day, or one visit where there is no terminal")
    edge.add_argument("--log", metavar="LOG.csv", help="play a recorded log (- for standard input)")
    edge.add_argument("--policy", metavar="POLICY.json", help="the room's policy, with --log")
    edge.add_argument("--visit", action="store_true", help="one visit only, as when there is no terminal")
    edge.add_argument("--speed", type=_speed, help="times real time, or at-once (default: 600; one visit: 120)")
    return parser
