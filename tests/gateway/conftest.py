from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.account import Household, a_household


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Household]:
    """An account with three speakers, silent, and our client signed in to it."""
    household = a_household(tmp_path)
    yield household
    household.player.close()
    household.simulator.stop()
