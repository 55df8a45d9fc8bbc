"""`python -m spotty_hardware.selftest`.

Exit code: 0 the input works, 1 a fault was found, 2 it could not be opened (or wrong usage), 130 stopped with Ctrl-C.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Final, get_args

from gpiozero.exc import PinInvalidPin
from gpiozero.pins import Factory

from spotty_hardware.inputs import FactoryKind, InputKind, InputSpec, PinError, PinInputs, Pull, pin_factory
from spotty_hardware.pin_errors import explain
from spotty_hardware.selftest.bench import Bench, LiveBench, SimulatedBench, Simulation, play
from spotty_hardware.selftest.guide import Plan, Screen, conduct, tell
from spotty_hardware.selftest.judge import Verdict, judge
from spotty_hardware.selftest.words import REMEDIES

OK, FAULT_FOUND, CANNOT_OPEN, INTERRUPTED = 0, 1, 2, 130
_PIR_WARM_UP_S: Final = 60.0


def main(argv: Sequence[str] | None = None, sleep: Callable[[float], None] = time.sleep) -> int:
    """Run the command line `argv` (without the program's name) and return the exit code.

    `sleep` lets real seconds pass for a simulated sensor.
    """
    arguments = _parse(argv)
    # With --json the talk goes to standard error, so that standard output holds the verdict and nothing else.
    out = sys.stderr if arguments.json else sys.stdout
    terminal = out.isatty()
    screen = Screen(out, terminal=terminal, colours=terminal and "NO_COLOR" not in os.environ)
    spec = InputSpec("selftest", arguments.kind, arguments.pin, arguments.active_high, arguments.pull)
    try:
        with closing(pin_factory(arguments.factory)) as factory:
            verdict = _run(spec, arguments, factory, screen, sleep)
    except PinError as error:
        screen.line(f"Cannot test: {error.problem}.")
        screen.line(f"  {error.cure[:1].upper()}{error.cure[1:]}.")
        return CANNOT_OPEN
    except KeyboardInterrupt:
        screen.line()
        screen.line("Stopped. No verdict.")
        return INTERRUPTED
    if arguments.json:
        print(json.dumps(_as_json(spec, verdict)))
    return OK if verdict.ok else FAULT_FOUND


def _run(
    spec: InputSpec, arguments: argparse.Namespace, factory: Factory, screen: Screen, sleep: Callable[[float], None]
) -> Verdict:
    warm_up_s = arguments.warm_up
    if warm_up_s is None:
        warm_up_s = _PIR_WARM_UP_S if spec.kind is InputKind.PIR else 0.0
    plan = Plan(spec.kind, _pin_name(spec.pin, factory), warm_up_s, arguments.still, arguments.act)
    bench: Bench = LiveBench()
    if arguments.factory == "mock":
        bench = _simulated(spec, plan, arguments, factory, sleep)
    with PinInputs(factory, bench.on_edge) as inputs:
        for error in inputs.watch([spec]).values():
            raise error
        verdict = judge(conduct(plan, bench, screen))
    tell(spec.kind, verdict, screen)
    return verdict


def _simulated(
    spec: InputSpec, plan: Plan, arguments: argparse.Namespace, factory: Factory, sleep: Callable[[float], None]
) -> SimulatedBench:
    try:
        pin = factory.pin(spec.pin)
    except PinInvalidPin as error:
        raise explain(error, f"GPIO{spec.pin}") from error
    return SimulatedBench(
        pin,
        active_high=bool(spec.resolved().active_high),
        moves=play(arguments.simulate, plan.kind, warm_up_s=plan.warm_up_s, still_s=plan.still_s, act_s=plan.act_s),
        sleep=lambda seconds: sleep(seconds / arguments.speed),
    )


def _pin_name(pin: int, factory: Factory) -> str:
    for _header, info in factory.board_info.find_pin(pin):
        return f"GPIO{pin} (header position {info.number})"
    return f"GPIO{pin}"


def _as_json(spec: InputSpec, verdict: Verdict) -> dict[str, object]:
    return {
        "kind": spec.kind,
        "pin": spec.pin,
        "ok": verdict.ok,
        **asdict(verdict),
        "cures": {fault: REMEDIES[fault, spec.kind].cures for fault in verdict.faults},
    }


def _number(low: float, high: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low:g} and {high:g}")
        return value

    return number


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m spotty_hardware.selftest",
        description="Test one input: wiring, warm-up, stillness, and that it fires when it should.",
        epilog="Exit code: 0 it works, 1 a fault was found, 2 it could not be opened, 130 stopped with Ctrl-C.",
    )
    parser.add_argument("--pin", type=int, default=17, help="BCM number of the pin (default 17, as in the picture)")
    parser.add_argument("--kind", type=InputKind, choices=list(InputKind), default=InputKind.PIR, help="default pir")
    parser.add_argument("--factory", choices=get_args(FactoryKind), default="gpiod", help="default gpiod")
    parser.add_argument("--warm-up", type=_number(0, 3600), metavar="S", help="default 60 for a pir, else 0")
    parser.add_argument("--still", type=_number(1, 3600), default=20.0, metavar="S", help="default 20")
    parser.add_argument("--act", type=_number(1, 3600), default=20.0, metavar="S", help="default 20")
    level = parser.add_mutually_exclusive_group()
    level.add_argument("--active-high", dest="active_high", action="store_true", default=None)
    level.add_argument("--active-low", dest="active_high", action="store_false", default=None)
    parser.add_argument("--pull", choices=get_args(Pull), help="the chip's resistor; default as the kind needs")
    parser.add_argument("--json", action="store_true", help="the verdict as JSON on standard output")
    played = parser.add_argument_group("without hardware (--factory mock)")
    played.add_argument("--simulate", type=Simulation, choices=list(Simulation), default=Simulation.GOOD)
    played.add_argument(
        "--speed", type=_number(0.1, 1000), default=10.0, metavar="X", help="simulated seconds a second, default 10"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
