import time

import pytest
from gpiozero.pins.mock import MockFactory
from tests.hardware.edges import levels

from spotty_hardware.inputs import Edge, InputKind, InputSpec, PinInputs, Pull

PIR = InputSpec("pir", InputKind.PIR, 17)
DOOR = InputSpec("door", InputKind.CONTACT, 27)
BUTTON = InputSpec("button", InputKind.BUTTON, 22)


def test_a_pir_is_active_while_high(mock_pins: MockFactory) -> None:
    """A PIR's rising level is motion, its falling level the end of it."""
    edges: list[Edge] = []
    with PinInputs(mock_pins, edges.append) as inputs:
        assert not inputs.watch([PIR])
        mock_pins.pin(17).drive_high()
        mock_pins.pin(17).drive_low()
    assert levels(edges) == [("pir", False, True), ("pir", True, False), ("pir", False, False)]


def test_a_contact_is_active_while_open(mock_pins: MockFactory) -> None:
    """A door contact to ground reads closed when low and open when it lets go of the pull-up."""
    edges: list[Edge] = []
    mock_pins.pin(27).drive_low()
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([DOOR])
        mock_pins.pin(27).drive_high()
    assert levels(edges) == [("door", False, True), ("door", True, False)]


def test_a_button_is_active_while_pressed(mock_pins: MockFactory) -> None:
    """A button to ground rests high, and low is pressed."""
    edges: list[Edge] = []
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([BUTTON])
        mock_pins.pin(22).drive_low()
    assert levels(edges) == [("button", False, True), ("button", True, False)]


@pytest.mark.parametrize("spec,pull,undriven", [(PIR, "down", False), (DOOR, "up", True), (BUTTON, "up", False)])
def test_a_loose_wire_reads_as_its_pull(mock_pins: MockFactory, spec: InputSpec, pull: str, undriven: bool) -> None:
    """With nothing connected a PIR is quiet, a door open, a button released: never a motion out of thin air."""
    edges: list[Edge] = []
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([spec])
        assert mock_pins.pin(spec.pin).pull == pull
    assert levels(edges) == [(spec.input_id, undriven, True)]


@pytest.mark.parametrize("pull", ["up", "down", "none"])
@pytest.mark.parametrize("active_high", [True, False])
def test_polarity_and_pull_are_independent(mock_pins: MockFactory, active_high: bool, pull: Pull) -> None:
    """Any polarity goes with any pull."""
    edges: list[Edge] = []
    mock_pins.pin(17).drive_high()
    with PinInputs(mock_pins, edges.append) as inputs:
        assert not inputs.watch([InputSpec("x", InputKind.PIR, 17, active_high, pull)])
        mock_pins.pin(17).drive_low()
    assert [edge.active for edge in edges] == [active_high, not active_high]


def test_a_pin_already_high_is_told_once(mock_pins: MockFactory) -> None:
    """A sensor that is high before the start, which no callback tells, comes as one initial active Edge."""
    edges: list[Edge] = []
    mock_pins.pin(17).drive_high()
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([PIR])
        inputs.watch([PIR])
        assert levels(edges) == [("pir", True, True)]


def test_edges_carry_the_time_of_the_change(mock_pins: MockFactory) -> None:
    """mono_us is CLOCK_MONOTONIC in microseconds, and an input's edges never go back in time."""
    edges: list[Edge] = []
    before = time.monotonic_ns() // 1000
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([PIR])
        mock_pins.pin(17).drive_high()
        mock_pins.pin(17).drive_low()
    times = [edge.mono_us for edge in edges]
    assert before <= times[0] <= times[1] <= times[2] <= time.monotonic_ns() // 1000


def test_ticks_of_another_clock_are_replaced_by_now(mock_pins: MockFactory) -> None:
    """Wall-clock ticks, as lgpio gave on old kernels, do not put an edge decades into the future."""
    edges: list[Edge] = []
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([PIR])
        mock_pins.pin(17).when_changed(time.time(), 1)
    assert edges[0].mono_us <= edges[1].mono_us <= time.monotonic_ns() // 1000


def test_watching_changes_live(mock_pins: MockFactory) -> None:
    """After watch() exactly the named inputs are watched: the removed is silent, the kept goes on, the new is told."""
    edges: list[Edge] = []
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([PIR, BUTTON])
        edges.clear()
        inputs.watch([BUTTON, DOOR])
        assert levels(edges) == [("door", True, True)]
        mock_pins.pin(17).drive_high()
        mock_pins.pin(22).drive_low()
        assert levels(edges)[1:] == [("button", True, False)]


def test_the_same_wiring_written_out_is_left_alone(mock_pins: MockFactory) -> None:
    """Writing a kind's defaults out changes nothing: no new initial Edge."""
    edges: list[Edge] = []
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([PIR])
        inputs.watch([InputSpec("pir", InputKind.PIR, 17, active_high=True, pull="down")])
    assert len(edges) == 1


def test_a_changed_spec_is_armed_anew(mock_pins: MockFactory) -> None:
    """An input whose polarity changed is found anew, with an initial Edge in its new meaning."""
    edges: list[Edge] = []
    mock_pins.pin(17).drive_high()
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([PIR])
        inputs.watch([InputSpec("pir", InputKind.PIR, 17, active_high=False)])
    assert levels(edges) == [("pir", True, True), ("pir", False, True)]


def test_two_inputs_can_swap_their_pins(mock_pins: MockFactory) -> None:
    """Pins that go are free before pins that come are taken."""
    edges: list[Edge] = []
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([InputSpec("a", InputKind.PIR, 17), InputSpec("b", InputKind.PIR, 27)])
        assert not inputs.watch([InputSpec("a", InputKind.PIR, 27), InputSpec("b", InputKind.PIR, 17)])
        edges.clear()
        mock_pins.pin(17).drive_high()
    assert levels(edges) == [("b", True, False)]


def test_after_close_nothing_is_told(mock_pins: MockFactory) -> None:
    """close() frees the pins, may be called twice, and no Edge follows."""
    edges: list[Edge] = []
    inputs = PinInputs(mock_pins, edges.append)
    inputs.watch([PIR])
    inputs.close()
    inputs.close()
    mock_pins.pin(17).drive_high()
    assert len(edges) == 1
    with PinInputs(mock_pins, edges.append) as others:
        assert not others.watch([PIR])
