"""The stack as it is deployed, once for all tests in here; and when they are over, what it has written down is read."""

from collections.abc import Iterator

import pytest
from tests.cloud.deployed.home import Deployed, Home
from tests.cloud.deployed.left_behind import places_with

from spotty_sandbox.aws import LocalAws, LocalAwsError, deploy_ours


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Our template with our functions. Where MiniStack is not installed, tests are skipped and say how to get it."""
    folder = tmp_path_factory.mktemp("deployed")
    aws = LocalAws(folder / "aws")
    try:
        aws.__enter__()
    except LocalAwsError as error:
        pytest.skip(f"no local AWS: {error}")
    try:
        made = Deployed(aws, deploy_ours(aws), folder)
        yield made
        made.close()
        assert places_with(aws, made.secrets) == set()
    finally:
        aws.__exit__(None, None, None)


@pytest.fixture(scope="module")
def ada(deployed: Deployed) -> Home:
    """Somebody's home, new for each module."""
    return deployed.home("ada")


@pytest.fixture(scope="module")
def bob(deployed: Deployed) -> Home:
    """The neighbour's."""
    return deployed.home("bob")
