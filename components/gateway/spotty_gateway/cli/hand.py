"""`spotty status`, `pause`, `resume`, `snooze`: control by hand, on the gateway itself, without the cloud."""

import argparse
import json
import os
import re
import sys
from pathlib import Path

from spotty_gateway.local import Answer, LocalError, ask
from spotty_gateway.status import as_table

NOT_DONE = 1
DATA_VARIABLE = "SPOTTY_DATA"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)?")
_UNIT_S = {"s": 1, "min": 60, "m": 60, None: 60, "h": 3600, "d": 86_400}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Teach the command line these commands."""
    for name, purpose in (
        ("status", "how every room is doing, and why"),
        ("pause", "silence in a room, for the rest of its session"),
        ("resume", "music again in a room: lifts a pause and a snooze"),
        ("snooze", "no music in a room for a while"),
    ):
        parser = commands.add_parser(
            name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}, asked of the running gateway."
        )
        parser.add_argument(
            "--data",
            metavar="DIR",
            type=Path,
            default=os.environ.get(DATA_VARIABLE),
            help=f"the gateway's data folder (default: ${DATA_VARIABLE})",
        )
        parser.add_argument("--json", action="store_true", help="for programs")
        if name != "status":
            parser.add_argument("sensor", metavar="SENSOR", help="the sensor's id, as `spotty status` shows it")
        if name == "snooze":
            parser.add_argument(
                "--for",
                dest="for_s",
                metavar="TIME",
                type=duration_s,
                help="90min, 2h, 1d, ... (default: until tomorrow morning, six o'clock)",
            )
        parser.set_defaults(run=run, do=name)


def duration_s(text: str) -> float:
    """A duration as people write it, in seconds; without a unit it is minutes."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 90min, 2h or 1d")
    return float(found[1]) * _UNIT_S[found[2]]


def run(arguments: argparse.Namespace) -> int:
    """Do it. 0: done, 1: the gateway does not answer or refuses (one line says why)."""
    if arguments.data is None:
        print(f"spotty {arguments.do}: name the gateway's data folder with --data or ${DATA_VARIABLE}", file=sys.stderr)
        return NOT_DONE
    request = {"do": arguments.do}
    if arguments.do != "status":
        request["sensor"] = arguments.sensor
    if arguments.do == "snooze" and arguments.for_s is not None:
        request["forS"] = arguments.for_s
    try:
        answer: Answer = ask(Path(arguments.data) / "spotty.sock", request)
    except LocalError as error:
        print(f"spotty {arguments.do}: {error}", file=sys.stderr)
        return NOT_DONE
    print(json.dumps(answer, indent=2) if arguments.json else as_table(answer))
    return 0
