import errno
from collections.abc import Callable

import pytest
from tests.hardware.fake_gpiod import FakeChip

from spotty_hardware.gpio_chip import HEADER_LABELS, Chip, header_chip
from spotty_hardware.pin_errors import PinError


def opener(machine: dict[str, FakeChip | OSError]) -> Callable[[str], Chip]:
    """Opens the chips of a made-up machine; a path may hold an error instead."""

    def open_chip(path: str) -> Chip:
        found = machine[path]
        if isinstance(found, OSError):
            raise found
        return found

    return open_chip


@pytest.mark.parametrize("label", HEADER_LABELS)
def test_the_header_is_found_by_label_whatever_its_number(label: str) -> None:
    """Among a Pi's several chips the one behind the header is taken, and the others are closed again."""
    soc, header = FakeChip("gpio-brcmstb@107d508500", lines=32), FakeChip(label)
    for line in soc.lines:
        line.name = ""
    assert header_chip(["0", "4"], opener({"0": soc, "4": header})) is header
    assert soc.closed
    assert not header.closed


def test_a_header_with_an_unknown_label_is_known_by_its_line_names() -> None:
    """A Pi yet to come works without a new release, as long as its line 17 is called GPIO17."""
    header = FakeChip("pinctrl-rp2")
    assert header_chip(["0"], opener({"0": header})) is header


def test_a_stale_device_node_is_passed_over() -> None:
    """A node whose chip is gone does not hide the one that works."""
    header = FakeChip()
    assert header_chip(["0", "1"], opener({"0": OSError(errno.ENODEV, "gone"), "1": header})) is header


def test_no_permission_is_told_as_that() -> None:
    """Chips that may not be opened lead to the group to join, not to 'not found'."""
    with pytest.raises(PinError, match="usermod -aG gpio"):
        header_chip(["0"], opener({"0": PermissionError(errno.EACCES, "denied")}))


def test_other_chips_only_are_named() -> None:
    """On a machine with GPIO but no header the error says what was seen there."""
    small = FakeChip("gpio-ich", lines=8)
    with pytest.raises(PinError, match=r"only gpio-ich"):
        header_chip(["0"], opener({"0": small}))
    assert small.closed


def test_no_chips_at_all() -> None:
    """Without any chip the error says that there is none and what to do."""
    with pytest.raises(PinError, match="choose the pin factory `mock`"):
        header_chip([], opener({}))
