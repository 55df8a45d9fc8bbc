"""What can go wrong with a pin, said so that the person at the workbench knows what to do next."""

import errno
import os
import pwd

from gpiozero.exc import GPIOPinInUse, GPIOZeroError, PinFixedPull, PinInvalidPin, PinUnknownPi


class PinError(Exception):
    """A pin that cannot be used, with the way out.

    `str()` is one line: what is wrong and with which pin or input, then what to do.

    Attributes:
        problem: what is wrong, naming the pin or the input.
        cure: what to do about it, one line.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(f"{problem}; {cure}")
        self.problem = problem
        self.cure = cure


def no_permission(where: str) -> PinError:
    """The error for a GPIO device this account may not open; `where` says which pin or device it was for."""
    # The account that runs this process, not $USER: under Greengrass it is ggc_user, and that one needs the group.
    try:
        account = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container may run an account that has no name
        account = f"<user {os.geteuid()}>"
    return PinError(
        f"{where}: no permission to use the GPIO chip",
        f"add the user to group gpio: sudo usermod -aG gpio {account}, then log in again (or restart the service)",
    )


def explain(error: Exception, where: str) -> PinError:
    """Turn whatever a pin library raised for `where` ("input 'pir' on GPIO17") into a `PinError` with a cure."""
    if isinstance(error, PinError):
        return PinError(f"{where}: {error.problem}", error.cure)
    if isinstance(error, PermissionError):
        return no_permission(where)
    # lgpio has one exception type and tells by text only; its module is looked at by name, so that it need not exist.
    lgpio_busy = type(error).__module__ == "lgpio" and "busy" in str(error).lower()
    busy = isinstance(error, OSError) and error.errno == errno.EBUSY
    if isinstance(error, GPIOPinInUse) or lgpio_busy or busy:
        return PinError(
            f"{where}: the pin is in use ({error})",
            "stop the program that holds it, remove the overlay that claims it from /boot/firmware/config.txt, "
            "or move the wire to a free pin",
        )
    if isinstance(error, PinInvalidPin):
        return PinError(
            f"{where}: this board's header has no such pin",
            "use a BCM number from 0 to 27, not the position on the header (`pinout` shows both)",
        )
    if isinstance(error, PinFixedPull):
        return PinError(
            f"{where}: the board pulls this pin up with a resistor of its own",
            "move the wire to another pin (GPIO17 is free of it), or set pull to up and active_high to false",
        )
    if isinstance(error, PinUnknownPi):
        return PinError(f"{where}: this is no Raspberry Pi ({error})", "run on one, or choose the pin factory `mock`")
    if isinstance(error, OSError) and error.errno in {errno.ENODEV, errno.ENOENT}:
        return PinError(f"{where}: the GPIO chip is gone ({error})", "restart; if it stays away, reinstall the kernel")
    named = str(error) if isinstance(error, GPIOZeroError) else f"{type(error).__name__}: {error}"
    return PinError(f"{where}: {named}", 'see "Faults and cures" in hardware/README.md')
