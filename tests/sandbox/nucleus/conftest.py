from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sandbox.nucleus.workbench import PROFILES, running

from spotty_sandbox.nucleus import Nucleus


@pytest.fixture(params=PROFILES)
def nucleus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nucleus]:
    """A nucleus of each kind, with a cloud of its own; its component is not started."""
    with running(tmp_path, request.param) as started:
        yield started


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Nucleus]:
    """Nucleus lite, with a cloud of its own."""
    with running(tmp_path, "lite") as started:
        yield started


@pytest.fixture
def classic(tmp_path: Path) -> Iterator[Nucleus]:
    """Nucleus classic, with a cloud of its own."""
    with running(tmp_path, "classic") as started:
        yield started


@pytest.fixture
def classic_as_shipped(tmp_path: Path) -> Iterator[Nucleus]:
    """Nucleus classic as it is without any configuration of its own."""
    with running(tmp_path, "classic", interpolates=False) as started:
        yield started
