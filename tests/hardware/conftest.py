"""What the hardware tests stand on: mock pins, and a made-up GPIO chip under the real factory."""

from collections.abc import Iterator

import pytest
from gpiozero.pins.mock import MockFactory
from tests.hardware.edges import Inbox
from tests.hardware.fake_gpiod import CountingPoller, FakeChip

from spotty_hardware.edge_reader import EdgeReader
from spotty_hardware.gpiod_factory import GpiodFactory
from spotty_hardware.inputs import pin_factory

PI_4 = 0xC03111


@pytest.fixture
def mock_pins() -> Iterator[MockFactory]:
    """The mock factory as the gateway gets it."""
    with pin_factory("mock") as made:
        yield made


@pytest.fixture
def chip() -> FakeChip:
    """A made-up chip."""
    return FakeChip()


@pytest.fixture
def poller() -> CountingPoller:
    """The real epoll, counted."""
    return CountingPoller()


@pytest.fixture
def factory(chip: FakeChip, poller: CountingPoller) -> Iterator[GpiodFactory]:
    """The gpiod factory over the made-up chip."""
    with GpiodFactory(chip, reader=EdgeReader(lambda: poller), revision=PI_4) as made:
        yield made


@pytest.fixture
def inbox() -> Inbox:
    """Where edges arrive."""
    return Inbox()
