"""What holds for the suite as a whole: nothing that it said or wrote holds a token of the simulated Spotify."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.canaries import TOKEN, files_with_tokens

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")  # no test is about how fast a computer is that others use too

_SAID: list[str] = []
"""The tests whose output held one."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Look through standard output, standard error and the log of each test."""
    if any(TOKEN.search(text.encode()) for _, text in report.sections):
        _SAID.append(report.nodeid)


@pytest.fixture(scope="session", autouse=True)
def no_token_is_left_anywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """At the end, look through every file that the tests have left: databases, settings, logs."""
    yield
    assert _SAID == []
    assert list(files_with_tokens(tmp_path_factory.getbasetemp())) == []
