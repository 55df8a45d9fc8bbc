import errno
import os
import pwd

import pytest
from gpiozero.exc import GPIOPinInUse, PinInvalidPull, PinUnknownPi

from spotty_hardware.pin_errors import PinError, explain


class LgpioError(Exception):
    """What lgpio raises: one type for everything."""

    __module__ = "lgpio"


@pytest.mark.parametrize(
    "error,problem,cure",
    [
        (GPIOPinInUse("GPIO17 is held by 'spi0 CS0'"), "the pin is in use (GPIO17 is held by 'spi0 CS0')", "overlay"),
        (OSError(errno.EBUSY, "busy"), "the pin is in use", "stop the program that holds it"),
        (LgpioError("'GPIO busy'"), "the pin is in use ('GPIO busy')", "move the wire to a free pin"),
        (OSError(errno.ENODEV, "No such device"), "the GPIO chip is gone", "restart"),
        (PinUnknownPi("no revision"), "this is no Raspberry Pi (no revision)", "choose the pin factory `mock`"),
        (PinInvalidPull("invalid pull 'x'"), "invalid pull 'x'", "hardware/README.md"),
        (ZeroDivisionError("odd"), "ZeroDivisionError: odd", "hardware/README.md"),
        (PinError("no chip", "buy one"), "no chip", "buy one"),
    ],
)
def test_every_error_is_explained(error: Exception, problem: str, cure: str) -> None:
    """Whatever a pin library raises becomes one line that says where, what, and what to do."""
    explained = explain(error, "input 'pir' on GPIO17")
    assert explained.problem.startswith(f"input 'pir' on GPIO17: {problem}")
    assert cure in explained.cure
    assert "\n" not in str(explained)


def test_no_permission_names_the_account_that_runs_this() -> None:
    """The cure can be pasted: it names this process's own account, which under Greengrass is not the person's."""
    account = pwd.getpwuid(os.geteuid()).pw_name
    explained = explain(PermissionError(errno.EACCES, "Permission denied"), "GPIO17")
    assert f"sudo usermod -aG gpio {account}, then log in again" in explained.cure
