from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.account import BATHROOM, OURS, Household, a_household
from tests.gateway.claims_cloud import Authority, ClaimsCloud

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


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs what the registering cloud gives."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def cloud(authority: Authority) -> Iterator[ClaimsCloud]:
    """A cloud to register with, on this computer, without TLS."""
    with ClaimsCloud(authority) as cloud:
        yield cloud
