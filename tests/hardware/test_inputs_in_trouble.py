import threading
import time

import pytest
from gpiozero.pins.mock import MockFactory
from tests.hardware.edges import levels

from spotty_hardware.inputs import Edge, InputKind, InputSpec, PinInputs
from spotty_hardware.pin_factories import WiredMockPin

PIR = InputSpec("pir", InputKind.PIR, 17)
DOOR = InputSpec("door", InputKind.CONTACT, 27)
BUTTON = InputSpec("button", InputKind.BUTTON, 22)


def test_one_bad_input_does_not_stop_the_others(mock_pins: MockFactory) -> None:
    """The good inputs are armed; the bad ones are returned by id, each with a message and a cure."""
    edges: list[Edge] = []
    with PinInputs(mock_pins, edges.append) as inputs:
        refused = inputs.watch([InputSpec("gone", InputKind.PIR, 99), PIR, InputSpec("twin", InputKind.PIR, 17)])
        assert sorted(refused) == ["gone", "twin"]
        assert levels(edges) == [("pir", False, True)]
    assert str(refused["gone"]) == (
        "input 'gone' on GPIO99: this board's header has no such pin; "
        "use a BCM number from 0 to 27, not the position on the header (`pinout` shows both)"
    )
    assert refused["twin"].problem == "input 'twin' on GPIO17: input 'pir' is on that pin"
    assert refused["twin"].cure == "give each input its own pin"


def test_a_refused_input_is_tried_again(mock_pins: MockFactory) -> None:
    """An input whose pin was taken by another program part is armed by the next watch() once the pin is free."""
    with PinInputs(mock_pins, lambda _: None) as others, PinInputs(mock_pins, lambda _: None) as inputs:
        others.watch([PIR])
        refused = inputs.watch([PIR])
        assert "the pin is in use" in refused["pir"].problem
        others.close()
        assert not inputs.watch([PIR])


def test_two_inputs_of_one_name_are_both_refused(mock_pins: MockFactory) -> None:
    """Which of two inputs of the same name was meant cannot be known, so neither is armed."""
    edges: list[Edge] = []
    with PinInputs(mock_pins, edges.append) as inputs:
        refused = inputs.watch([PIR, InputSpec("pir", InputKind.PIR, 27), DOOR])
        assert refused["pir"].problem == "input 'pir': more than one input has this name"
    assert levels(edges) == [("door", True, True)]


def test_a_pin_with_a_resistor_of_its_own_is_refused_with_the_way_out(mock_pins: MockFactory) -> None:
    """GPIO2 cannot be pulled down, and the error says which pin can."""
    with PinInputs(mock_pins, lambda _: None) as inputs:
        refused = inputs.watch([InputSpec("pir", InputKind.PIR, 2)])
    assert "GPIO17 is free of it" in refused["pir"].cure


def test_a_receiver_that_fails_is_logged_and_stops_nothing(
    mock_pins: MockFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception of on_edge, at the initial level or later, reaches neither watch() nor the pin library."""
    edges: list[Edge] = []

    def receive(edge: Edge) -> None:
        edges.append(edge)
        raise RuntimeError("inbox broke")

    with PinInputs(mock_pins, receive) as inputs:
        assert not inputs.watch([PIR])
        mock_pins.pin(17).drive_high()
        mock_pins.pin(17).drive_low()
    assert [edge.active for edge in edges] == [False, True, False]
    assert [record.exc_text is not None for record in caplog.records] == [True] * 3


class HastyPin(WiredMockPin):
    """A pin that rises on another thread at the worst moment: after arming, just when its level has been looked at."""

    drivers: list[threading.Thread]

    def _get_state(self) -> bool:
        seen: bool = super()._get_state()
        if self._when_changed is not None and not self.drivers:
            changed = threading.Event()
            self.drivers.append(threading.Thread(target=self._rise, args=(changed,)))
            self.drivers[0].start()
            assert changed.wait(10)
        return seen

    def _rise(self, changed: threading.Event) -> None:
        self.on_change = changed
        self.drive_high()

    def _change_state(self, value: bool) -> bool:
        changes = super()._change_state(value)
        if hasattr(self, "on_change"):
            self.on_change.set()
        return changes


def test_an_edge_during_arming_is_told_after_the_initial_level() -> None:
    """A level that changes between the look and the return of watch() is told, second, and not lost."""
    HastyPin.drivers = []
    edges: list[Edge] = []
    with MockFactory(pin_class=HastyPin) as factory, PinInputs(factory, edges.append) as inputs:
        inputs.watch([PIR])
        HastyPin.drivers[0].join()
        assert levels(edges) == [("pir", False, True), ("pir", True, False)]


def test_an_edge_that_waits_while_its_input_is_removed_is_not_told(mock_pins: MockFactory) -> None:
    """Once watch() returned, an edge of a removed input that was already on its way is dropped."""
    edges: list[Edge] = []
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([PIR])
        on_its_way = mock_pins.pin(17).when_changed
        inputs.watch([])
        on_its_way(time.monotonic(), 1)
    assert levels(edges) == [("pir", False, True)]


def test_on_edge_may_change_what_is_watched(mock_pins: MockFactory) -> None:
    """Calling watch() from inside on_edge neither deadlocks nor disturbs the others."""
    edges: list[Edge] = []

    def receive(edge: Edge) -> None:
        edges.append(edge)
        if edge == ("pir", True, edge.mono_us, False):
            inputs.watch([DOOR])

    with PinInputs(mock_pins, receive) as inputs:
        inputs.watch([PIR])
        mock_pins.pin(17).drive_high()
        mock_pins.pin(17).drive_low()
    assert levels(edges) == [("pir", False, True), ("pir", True, False), ("door", True, True)]


def test_no_thread_is_started_for_inputs(mock_pins: MockFactory) -> None:
    """Watching costs no thread of ours: nothing can poll."""
    before = threading.enumerate()
    with PinInputs(mock_pins, lambda _: None) as inputs:
        inputs.watch([PIR, DOOR, BUTTON])
        assert threading.enumerate() == before
