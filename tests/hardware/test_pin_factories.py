import sys
from pathlib import Path
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory
from tests.hardware.edges import levels

from spotty_hardware.inputs import Edge, InputKind, InputSpec, PinError, PinInputs, pin_factory

PIR = InputSpec("pir", InputKind.PIR, 17)
BUTTON = InputSpec("button", InputKind.BUTTON, 22)


def test_a_wired_mock_pin_keeps_its_level_through_arming(mock_pins: MockFactory) -> None:
    """A driven mock pin is not reset by pulls, closing or arming anew, as a sensor's output is not."""
    edges: list[Edge] = []
    mock_pins.pin(17).drive_high()
    with PinInputs(mock_pins, edges.append) as inputs:
        inputs.watch([PIR])
        inputs.watch([])
        inputs.watch([PIR])
    assert levels(edges) == [("pir", True, True)] * 2


def test_plain_gpiozero_mock_pins_work_too() -> None:
    """The inputs need nothing of our mock pin: gpiozero's own drives them."""
    edges: list[Edge] = []
    with MockFactory() as factory, PinInputs(factory, edges.append) as inputs:
        inputs.watch([PIR])
        factory.pin(17).drive_high()
    assert [edge.active for edge in edges] == [False, True]


def test_an_unknown_factory_names_the_known() -> None:
    """A mistyped factory is a PinError that lists what there is."""
    unknown: Any = "pigpio"
    with pytest.raises(PinError, match="'pigpio' does not exist; use one of gpiod, lgpio, mock"):
        pin_factory(unknown)


def test_lgpio_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lgpio installed, choosing it names the extra, its Python version and the alternative."""
    monkeypatch.setitem(sys.modules, "lgpio", None)  # Python's own way to say "this module is not there"
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    with pytest.raises(PinError, match="not installed") as caught:
        pin_factory("lgpio")
    assert caught.value.cure == ("pip install spottypottysense[lgpio] (Python 3.11 only), or use the factory gpiod")


@pytest.mark.skipif(Path("/dev/gpiochip0").exists(), reason="this machine has a GPIO chip, which is not to be touched")
def test_gpiod_without_a_chip_says_where_it_works() -> None:
    """The default factory on a machine without GPIO is one clear line, not a traceback of a library."""
    with pytest.raises(PinError, match=r"not found on this machine \(no /dev/gpiochip\*\)") as caught:
        pin_factory("gpiod")
    assert "run on a Raspberry Pi" in caught.value.cure
