import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import gpiod
import pytest
from gpiod.line import Bias, Clock, Direction
from gpiod.line import Edge as LineEdge
from gpiozero import DigitalInputDevice
from gpiozero.exc import (
    PinFixedPull,
    PinInvalidBounce,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPin,
    PinInvalidPull,
    PinSPIUnsupported,
    PinUnsupported,
)
from tests.hardware.edges import PATIENCE_S, Inbox
from tests.hardware.fake_gpiod import FakeChip

from spotty_hardware.gpiod_factory import GpiodFactory
from spotty_hardware.inputs import DEBOUNCE_S, InputKind, InputSpec, PinInputs

if TYPE_CHECKING:
    from spotty_hardware.gpio_chip import Chip, LineRequest

PI_4 = 0xC03111
PIR = InputSpec("pir", InputKind.PIR, 17)
BUTTON = InputSpec("button", InputKind.BUTTON, 22)


def reader_threads() -> list[threading.Thread]:
    """The factory's threads that are alive."""
    return [thread for thread in threading.enumerate() if thread.name == "spotty-gpio"]


def test_the_real_library_fits_the_protocols() -> None:
    """The library's own chip and request have the shape that the fake imitates (the type checker reads this too)."""
    chip: type[Chip] = gpiod.Chip
    request: type[LineRequest] = gpiod.LineRequest
    assert chip is gpiod.Chip
    assert request is gpiod.LineRequest


def test_the_line_is_asked_for_as_an_input_with_pull_debounce_and_both_edges(
    factory: GpiodFactory, chip: FakeChip, inbox: Inbox
) -> None:
    """The kernel is asked once per input: both edges, its own debounce of 20 ms, the monotonic clock, the pull."""
    with PinInputs(factory, inbox.put) as inputs:
        inputs.watch([PIR, BUTTON])
        (pir,), (button,) = chip.lines[17].requests, chip.lines[22].requests
    assert pir.settings == gpiod.LineSettings(
        direction=Direction.INPUT,
        edge_detection=LineEdge.BOTH,
        bias=Bias.PULL_DOWN,
        debounce_period=timedelta(seconds=DEBOUNCE_S),
        event_clock=Clock.MONOTONIC,
    )
    assert button.settings.bias is Bias.PULL_UP


def test_close_gives_everything_back(chip: FakeChip, inbox: Inbox) -> None:
    """After close() no line is held and the chip is closed; closing twice is harmless."""
    factory = GpiodFactory(chip, revision=PI_4)
    with PinInputs(factory, inbox.put) as inputs:
        inputs.watch([PIR, BUTTON])
        factory.close()
        factory.close()
        assert chip.closed
        assert all(line.request is None for line in chip.lines)


def test_a_removed_input_gives_its_line_back_at_once(factory: GpiodFactory, chip: FakeChip, inbox: Inbox) -> None:
    """When watch() returns, the lines of removed inputs are free, and one can be taken anew at the same moment."""
    with PinInputs(factory, inbox.put) as inputs:
        inputs.watch([PIR, BUTTON])
        assert not inputs.watch([InputSpec("other", InputKind.CONTACT, 17)])
        assert chip.lines[22].request is None
        chip.lines[17].drive(level=True)
        assert [inbox.next().input_id for _ in range(4)] == ["pir", "button", "other", "other"]


def test_a_busy_line_names_its_holder(factory: GpiodFactory, chip: FakeChip, inbox: Inbox) -> None:
    """A line that the kernel gave to someone else is refused with that one's name; the other inputs work."""
    chip.lines[17].held_by = "spi0 CS0"
    with PinInputs(factory, inbox.put) as inputs:
        refused = inputs.watch([PIR, BUTTON])
        assert refused["pir"].problem == "input 'pir' on GPIO17: the pin is in use (GPIO17 is held by 'spi0 CS0')"
        assert inbox.next().input_id == "button"
        chip.lines[17].held_by = ""
        assert not inputs.watch([PIR, BUTTON])
        assert inbox.next().input_id == "pir"


def test_gpiozero_devices_work_over_it(factory: GpiodFactory, chip: FakeChip) -> None:
    """DigitalInputDevice, of which ours is only one user, sees levels, edges, pulls and bounce."""
    active = threading.Event()
    with DigitalInputDevice(4, pull_up=True, bounce_time=0.005, pin_factory=factory) as device:
        device.when_activated = active.set
        chip.lines[4].drive(level=True)
        chip.lines[4].drive(level=False)
        assert active.wait(PATIENCE_S)
        assert device.is_active
        assert device.pull_up is True
        assert device.pin.bounce == 0.005
        assert device.pin.edges == "both"
        assert device.pin.function == "input"
        assert factory.ticks_diff(factory.ticks(), device._last_changed) >= 0


def test_what_it_cannot_do_it_refuses(factory: GpiodFactory, chip: FakeChip) -> None:
    """Outputs, SPI and senseless settings are gpiozero's own errors."""
    pin = factory.pin(17)
    with pytest.raises(PinUnsupported, match="drives none"):
        pin.function = "output"
    with pytest.raises(PinInvalidFunction):
        pin.function = "alt0"
    with pytest.raises(PinInvalidPull):
        pin.pull = "sideways"
    with pytest.raises(PinInvalidEdges):
        pin.edges = "some"
    with pytest.raises(PinInvalidBounce):
        pin.bounce = -1
    with pytest.raises(PinFixedPull):
        factory.pin(2).pull = "down"
    with pytest.raises(PinInvalidPin):
        factory.pin(99)
    with pytest.raises(PinSPIUnsupported):
        factory.spi()
    assert not chip.lines[17].requests


def test_settings_of_a_held_line_are_changed_in_place(factory: GpiodFactory, chip: FakeChip) -> None:
    """Changing pull or bounce of a line in use reconfigures it and loses no edge that waits."""
    with DigitalInputDevice(17, pin_factory=factory) as device:
        device.pin.pull = "up"
        device.pin.bounce = 0.1
        (request,) = chip.lines[17].requests
        assert request.settings.bias is Bias.PULL_UP
        assert request.settings.debounce_period == timedelta(seconds=0.1)


def test_a_level_can_be_read_without_listening(factory: GpiodFactory, chip: FakeChip) -> None:
    """Reading alone asks for no edges and starts no thread."""
    chip.lines[5].drive(level=True)
    assert factory.pin(5).state == 1
    assert chip.lines[5].requests[0].settings.edge_detection is LineEdge.NONE
    assert not reader_threads()


def test_a_chip_with_fewer_lines_refuses_the_pin(inbox: Inbox) -> None:
    """A pin beyond the chip's lines is a pin that the board does not have."""
    with GpiodFactory(FakeChip(lines=18), revision=PI_4) as factory, PinInputs(factory, inbox.put) as inputs:
        refused = inputs.watch([PIR, BUTTON])
        assert list(refused) == ["button"]
        assert "no such pin" in refused["button"].problem


@pytest.mark.parametrize("revision", [0xA02082, 0xC03111, 0xD04170, None])
def test_every_board_has_the_header(chip: FakeChip, revision: int | None) -> None:
    """A Pi 3, 4, 5, and a board that does not tell what it is, all have GPIO17 at position 11."""
    with GpiodFactory(chip, revision=revision) as factory:
        assert factory.pin(17).info.number == 11
