"""The GPIO chip behind the Raspberry Pi's 40-pin header: what is used of it, and how it is found."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import gpiod
from gpiod.line import Value

from spotty_hardware.pin_errors import PinError, no_permission

# By the label their kernel driver gives: Pi Zero to 3, Pi 4, Pi 5. Numbers will not do: on a Pi 5 the header was
# gpiochip4 until kernel 6.6.45 or so, and is gpiochip0 since (raspberrypi/linux pull request 6144).
HEADER_LABELS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
# A header chip not listed above (a Pi yet to come) is known by the name of this line. Names alone will not do either: a
# Pi 3 calls line 4 "GPIO_GCLK". On every header chip the line's offset is the BCM number.
_TELLING_LINE = 17

LineConfig = dict[Iterable[int | str] | int | str, gpiod.LineSettings | None]


class LineRequest(Protocol):
    """The part of `gpiod.LineRequest` used here: one line, held until released."""

    @property
    def fd(self) -> int:
        """Readable when an edge waits."""

    def read_edge_events(self) -> Sequence[gpiod.EdgeEvent]:
        """The edges that wait, oldest first; `BlockingIOError` if none, `OSError` if the chip is gone."""

    def get_value(self, line: int, /) -> Value:
        """The line's level now, debounced."""

    def reconfigure_lines(self, config: LineConfig) -> None:
        """Change the line's settings, keeping it and the edges that wait."""

    def release(self) -> None:
        """Give the line back to the kernel."""


class Chip(Protocol):
    """The part of `gpiod.Chip` used here."""

    def get_info(self) -> gpiod.ChipInfo:
        """Name, label and number of lines."""

    def get_line_info(self, line: int, /) -> gpiod.LineInfo:
        """Name and consumer of a line."""

    def request_lines(self, config: LineConfig, consumer: str) -> LineRequest:
        """Take lines; `OSError` with EBUSY where another holds one."""

    def close(self) -> None:
        """Close the device; requests live on."""


def header_chip(paths: Iterable[str] | None = None, open_chip: Callable[[str], Chip] = gpiod.Chip) -> Chip:
    """Open the chip behind the header, whatever its number.

    Args:
        paths: the devices to look among; all of the machine's by default.
        open_chip: opens one of them.

    Raises:
        PinError: none of them is it, or it may not be opened by this account.
    """
    seen: list[str] = []
    refused = False
    for path in machine_chips() if paths is None else paths:
        try:
            chip = open_chip(path)
        except PermissionError:
            refused = True
            continue
        except OSError:  # a stale node: the next may be alive
            continue
        if _is_header(chip):
            return chip
        seen.append(chip.get_info().label)
        chip.close()
    if refused:
        raise no_permission("GPIO header")
    found = f"only {', '.join(seen)}" if seen else "no /dev/gpiochip*"
    raise PinError(
        f"GPIO header: not found on this machine ({found})",
        "run on a Raspberry Pi with kernel 5.10 or newer, or choose the pin factory `mock`",
    )


def _is_header(chip: Chip) -> bool:
    info = chip.get_info()
    if info.label in HEADER_LABELS:
        return True
    return info.num_lines > _TELLING_LINE and chip.get_line_info(_TELLING_LINE).name == f"GPIO{_TELLING_LINE}"


def machine_chips() -> list[str]:
    """The paths of this machine's GPIO chips, sorted; none where it has none."""
    return sorted(map(str, Path("/dev").glob("gpiochip*")))
