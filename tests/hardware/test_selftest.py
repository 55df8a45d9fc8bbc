import io
import json
import subprocess
import sys
import time
from itertools import product

import pytest
from gpiozero.pins.mock import MockFactory

from spotty_hardware.inputs import InputKind, InputSpec, PinInputs, pin_factory
from spotty_hardware.selftest.__main__ import CANNOT_OPEN, FAULT_FOUND, INTERRUPTED, OK, main
from spotty_hardware.selftest.bench import LiveBench, Simulation
from spotty_hardware.selftest.guide import Plan, Screen, conduct
from spotty_hardware.selftest.judge import Fault, Phase
from spotty_hardware.selftest.words import INSTRUCTION, REMEDIES, STATE, WIRING


def at_once(_seconds: float) -> None:
    """Simulated time costs no real time here."""


def run(*arguments: str) -> int:
    """The command on mock pins, as fast as it goes."""
    return main(["--factory", "mock", *arguments], sleep=at_once)


@pytest.mark.parametrize(
    "kind,simulate,code,fault",
    [
        (kind, simulate, code, fault)
        for kind, (simulate, code, fault) in product(
            InputKind,
            [
                (Simulation.GOOD, OK, None),
                (Simulation.STUCK, FAULT_FOUND, Fault.STUCK),
                (Simulation.DEAD, FAULT_FOUND, Fault.NEVER_FIRES),
                (Simulation.CHATTER, FAULT_FOUND, Fault.CHATTER),
                (Simulation.RESTLESS, FAULT_FOUND, Fault.FALSE_TRIGGERS),
            ],
        )
    ],
)
def test_every_character_gets_its_verdict(
    kind: InputKind, simulate: str, code: int, fault: Fault | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each simulated sensor, played through real mock-pin callbacks, ends in its exit code, fault and cures."""
    assert run("--kind", kind, "--simulate", simulate, "--json") == code
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["ok"] is (code == OK)
    assert verdict["faults"] == ([] if fault is None else [fault])
    assert list(verdict["cures"]) == verdict["faults"]


@pytest.mark.parametrize("polarity", ["--active-high", "--active-low"])
def test_the_polarity_is_followed(polarity: str) -> None:
    """A simulated sensor of either polarity passes."""
    assert run(polarity, "--pull", "none") == OK


def test_a_good_run_reads_well(capsys: pytest.CaptureFixture[str]) -> None:
    """The talk names the wires, each phase and what to do in it, what was seen, and the verdict; plain in a file."""
    assert run("--warm-up", "10", "--still", "10", "--act", "10") == OK
    assert capsys.readouterr().out.splitlines() == [
        "Self-test of pir on GPIO17 (header position 11)",
        (
            "  VCC to 5 V (header position 2; an AM312 or a radar too), GND to ground (position 6), "
            "OUT to GPIO17 (header position 11)."
        ),
        "  Never feed 5 V into GPIO17 (header position 11) itself: it stands 3.3 V and no more.",
        "",
        "Warm-up, 10 s. Leave the sensor alone. It gets used to the room and may fire by itself.",
        "     0.00 s  quiet (found so)",
        "     1.00 s  motion",
        "     3.00 s  quiet",
        "",
        "Still, 10 s. Leave its sight, or do not move at all.",
        "",
        "Act, 10 s. Now wave, or walk across its view. Several times, with pauses.",
        "    21.00 s  motion",
        "    23.00 s  quiet",
        "    26.00 s  motion",
        "    28.00 s  quiet",
        "",
        "OK: this input works.",
        "  It became active twice when it should, never when it should not; the first time after 1.0 s.",
    ]


def test_a_fault_is_told_with_its_cures(capsys: pytest.CaptureFixture[str]) -> None:
    """After a fault the last lines are numbered things to try."""
    assert run("--simulate", "dead") == FAULT_FOUND
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("FAULT: The sensor saw nothing while you moved.")
    assert [line[:5] for line in lines[at + 2 :]] == ["  1. ", "  2. ", "  3. "]


def test_chatter_does_not_flood_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a wire that flickers hundreds of times only a few lines a second are shown."""
    assert run("--simulate", "chatter", "--warm-up", "0", "--still", "10", "--act", "10") == FAULT_FOUND
    out = capsys.readouterr().out
    assert out.count("and more within this second") == 20
    assert len(out.splitlines()) < 20 * 8


def test_a_slow_sensor_is_told_which_knob_to_turn(capsys: pytest.CaptureFixture[str]) -> None:
    """A PIR that works but holds long passes, with the advice."""
    assert run("--act", "200") == OK
    assert "turn the time knob left" in capsys.readouterr().out


def test_a_pin_that_does_not_exist_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """An input that cannot be opened is exit code 2 and two lines: what is wrong, what to do."""
    assert run("--pin", "99") == CANNOT_OPEN
    assert capsys.readouterr().out.splitlines() == [
        "Cannot test: GPIO99: this board's header has no such pin.",
        "  Use a BCM number from 0 to 27, not the position on the header (`pinout` shows both).",
    ]


def test_a_pin_that_is_refused_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """A pin that exists and cannot serve says why."""
    assert run("--pin", "2") == CANNOT_OPEN
    assert "resistor of its own" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments,words",
    [
        (["--kind", "radar"], "invalid InputKind value: 'radar'"),
        (["--still", "0.5"], "0.5 is not between 1 and 3600"),
        (["--warm-up", "nan"], "nan is not between 0 and 3600"),
        (["--speed", "0"], "0 is not between 0.1 and 1000"),
        (["--active-high", "--active-low"], "not allowed with argument"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong argument is exit code 2 and says which."""
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == CANNOT_OPEN
    assert words in capsys.readouterr().err


def test_ctrl_c_ends_cleanly(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C at any moment ends with one line and no verdict."""

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    assert main(["--factory", "mock"], sleep=interrupted) == INTERRUPTED
    assert capsys.readouterr().out.splitlines()[-1] == "Stopped. No verdict."


def test_the_speed_scales_the_waiting() -> None:
    """A run of 100 simulated seconds at speed 20 waits 5 real ones."""
    waits: list[float] = []
    main(["--factory", "mock", "--speed", "20"], sleep=waits.append)
    assert sum(waits) == pytest.approx(5.0)


def test_it_runs_as_a_module() -> None:
    """The command of the README works from a shell, with its exit code."""
    command = [sys.executable, "-m", "spotty_hardware.selftest", "--factory", "mock", "--speed", "1000"]
    done = subprocess.run([*command, "--simulate", "dead"], capture_output=True, text=True, check=False)
    assert done.returncode == FAULT_FOUND
    assert done.stderr == ""
    assert "FAULT" in done.stdout


def test_a_terminal_gets_colours_and_a_countdown() -> None:
    """On a terminal the countdown overwrites itself and the verdict is coloured; without colours it is plain."""
    screens = {colours: io.StringIO() for colours in (True, False)}
    for colours, out in screens.items():
        screen = Screen(out, terminal=True, colours=colours)
        screen.countdown("  3 s left ")
        screen.line("OK", "32")
    assert screens[True].getvalue() == "\r\x1b[K\x1b[2m  3 s left \x1b[0m\r\x1b[K\x1b[32mOK\x1b[0m\n"
    assert screens[False].getvalue() == "\r\x1b[K  3 s left \r\x1b[KOK\n"


def test_the_live_bench_hands_edges_on_and_keeps_time() -> None:
    """Live, an edge ends the wait, and a moment that has come ends it without one."""
    bench = LiveBench()
    with pin_factory("mock") as factory, PinInputs(factory, bench.on_edge) as inputs:
        inputs.watch([InputSpec("pir", InputKind.PIR, 17)])
        far = bench.now_us() + 10_000_000
        found = bench.wait(far)
        factory.pin(17).drive_high()
        rise = bench.wait(far)
        assert bench.wait(bench.now_us()) is None
    assert found is not None
    assert rise is not None
    assert (found.initial, rise.active) == (True, True)
    assert found.mono_us <= rise.mono_us <= time.monotonic_ns() // 1000


def test_a_live_run_records_the_phases_back_to_back() -> None:
    """Phases follow one another without a gap in which an edge could fall between them."""
    bench = LiveBench()
    plan = Plan(InputKind.PIR, "GPIO17", warm_up_s=0, still_s=0.01, act_s=0.01)
    with MockFactory() as factory, PinInputs(factory, bench.on_edge) as inputs:
        inputs.watch([InputSpec("pir", InputKind.PIR, 17)])
        seen = conduct(plan, bench, Screen(io.StringIO(), terminal=False, colours=False))
    still, act = seen.spans
    assert (still.phase, act.phase) == (Phase.STILL, Phase.ACT)
    assert still.end_us == act.start_us
    assert len(seen.edges) == 1


def test_there_are_words_for_everything() -> None:
    """No kind, phase or fault leaves a person without words."""
    assert set(WIRING) == set(STATE) == set(InputKind)
    assert set(INSTRUCTION) == set(product(InputKind, Phase))
    assert set(REMEDIES) == set(product(Fault, InputKind))
    assert all(remedy.cures for remedy in REMEDIES.values())
