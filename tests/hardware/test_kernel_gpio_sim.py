import os
import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotty_hardware.gpio_chip import header_chip
from spotty_hardware.gpiod_factory import GpiodFactory
from spotty_hardware.inputs import Edge, InputKind, InputSpec, PinError, PinInputs

CONFIGFS = Path("/sys/kernel/config/gpio-sim")
PATIENCE_S = 10.0


@pytest.fixture
def simulated() -> Iterator[tuple[str, Path]]:
    """A chip of the kernel's gpio-sim, labelled as a Pi 5's header: (device path, its sysfs directory)."""
    if not os.access(CONFIGFS, os.W_OK):
        # The one skip of its kind: only a kernel with gpio-sim, and root, can show what a fake cannot.
        pytest.skip(f"NOT SEEN: the kernel's simulated GPIO chip is not available here (no writable {CONFIGFS})")
    device = CONFIGFS / "spotty"
    bank = device / "bank0"
    bank.mkdir(parents=True)
    (bank / "num_lines").write_text("28")
    (bank / "label").write_text("pinctrl-rp1")
    (device / "live").write_text("1")
    chip = (bank / "chip_name").read_text().strip()
    yield f"/dev/{chip}", Path("/sys/devices/platform") / (device / "dev_name").read_text().strip() / chip
    (device / "live").write_text("0")
    bank.rmdir()
    device.rmdir()


def test_the_real_kernel_tells_levels_and_edges(simulated: tuple[str, Path]) -> None:
    """On the real kernel: found by label, initial level, debounced edges in order, a busy line, and the release."""
    path, sysfs = simulated
    line = sysfs / "sim_gpio17" / "pull"
    line.write_text("pull-up")
    inbox: queue.SimpleQueue[Edge] = queue.SimpleQueue()
    pir = InputSpec("pir", InputKind.PIR, 17, pull="none")
    with GpiodFactory(header_chip([path])) as factory, PinInputs(factory, inbox.put) as inputs:
        assert not inputs.watch([pir])
        edges = [inbox.get(timeout=PATIENCE_S)]
        for pull in ("pull-down", "pull-up"):
            line.write_text(pull)
            edges.append(inbox.get(timeout=PATIENCE_S))
        with GpiodFactory(header_chip([path])) as second, PinInputs(second, inbox.put) as others:
            refused: PinError = others.watch([pir])["pir"]
            assert "held by 'spotty'" in refused.problem
        inputs.watch([])
        with GpiodFactory(header_chip([path])) as third, PinInputs(third, inbox.put) as others:
            assert not others.watch([pir])
    assert [(edge.active, edge.initial) for edge in edges] == [(True, True), (False, False), (True, False)]
    assert edges[0].mono_us < edges[1].mono_us < edges[2].mono_us
