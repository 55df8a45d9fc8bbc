"""The pin factories a gateway can run on, by name."""

import threading
from typing import Literal, get_args

from gpiozero.pins import Factory
from gpiozero.pins.mock import MockFactory, MockPin

from spotty_hardware.pin_errors import PinError, explain

FactoryKind = Literal["gpiod", "lgpio", "mock"]


def pin_factory(kind: FactoryKind) -> Factory:
    """The gpiozero pin factory called `kind`; whoever asks for it closes it.

    `gpiod`: the default, kernel edge events. `lgpio`: gpiozero's own, polls; Python 3.11 only. `mock`: no hardware; its
    pins are `WiredMockPin` and are driven by hand.

    Raises:
        PinError: no such factory, its library is not installed, there is no GPIO chip, or no permission to use it.
    """
    try:
        match kind:
            case "gpiod":
                return _gpiod()
            case "lgpio":
                return _lgpio()
            case "mock":
                return MockFactory(pin_class=WiredMockPin)
    except PinError:
        raise
    except ModuleNotFoundError as error:
        raise _not_installed(kind, error) from error
    except Exception as error:
        raise explain(error, f"pin factory {kind}") from error
    # Types say that this is not reached; a setting typed by a person reaches it.
    raise PinError(f"pin factory {kind!r} does not exist", f"use one of {', '.join(get_args(FactoryKind))}")


# Each library is imported only where it was chosen: gpiod does not exist off Linux, where the demo still runs on mock
# pins, and importing lgpio starts a thread.
def _gpiod() -> Factory:
    from spotty_hardware.gpio_chip import header_chip  # noqa: PLC0415 - see above
    from spotty_hardware.gpiod_factory import GpiodFactory  # noqa: PLC0415 - see above

    return GpiodFactory(header_chip())


def _lgpio() -> Factory:
    from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415 - see above

    return LGPIOFactory()


def _not_installed(kind: FactoryKind, error: ModuleNotFoundError) -> PinError:
    extra = "lgpio] (Python 3.11 only), or use the factory gpiod" if kind == "lgpio" else "gateway]"
    return PinError(
        f"pin factory {kind}: the library {error.name} is not installed", f"pip install spottypottysense[{extra}"
    )


class WiredMockPin(MockPin):  # type: ignore[misc]  # gpiozero ships no types
    """A mock pin with a sensor wired to it: once driven, only driving changes its level.

    gpiozero's own mock takes the level of the pull whenever the pull is set, also when a device is closed. On a real
    board a sensor's output wins over the chip's weak resistor, so a sensor that is high stays high while the inputs are
    armed anew. `drive_high()` and `drive_low()` may be called from any thread.
    """

    def __init__(self, factory: Factory, info: object) -> None:
        self._level_lock = threading.RLock()
        self._driven = False
        self._pulling = False
        super().__init__(factory, info)

    def _set_pull(self, value: str) -> None:
        with self._level_lock:
            self._pulling = True
            try:
                super()._set_pull(value)
            finally:
                self._pulling = False

    def _change_state(self, value: bool) -> bool:
        with self._level_lock:
            if self._pulling and self._driven:
                return False
            self._driven = self._driven or not self._pulling
            return bool(super()._change_state(value))
