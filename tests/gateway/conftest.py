from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.account import BATHROOM, OURS, Household, a_household

from spotty_gateway.engine.rules import Device, Repeat, Target


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Household]:
    """An account with three speakers, silent, and our client signed in to it."""
    household = a_household(tmp_path)
    yield household
    household.player.close()
    household.simulator.stop()


@pytest.fixture
def target(home: Household) -> Target:
    """The bathroom's music: as loud as it is, in the order and repetition that the account has already."""
    return Target(Device(BATHROOM, "Speaker"), home.uri(OURS), shuffle=False, repeat=Repeat.OFF)
