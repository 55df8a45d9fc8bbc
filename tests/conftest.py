"""What holds for the suite as a whole: the order it runs in, and that nothing it left holds a token of Spotify's."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.canaries import TOKEN, files_with_tokens
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# No test is about how fast a computer is that others use too. The same code gets the same answer; new cases are looked
# for by `make test SEARCH=1`.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("steady")

_TOGETHER = ("tests/cloud/deployed/",)
"""Folders of which one worker does all: what they share is dear to make."""
_FIRST = (*_TOGETHER, "tests/sandbox/test_demo_cloud.py", "tests/recipes/", "tests/cloud/test_fuzz.py")
"""The longest ones, so that no worker begins them while the others have nothing left to do."""

_SAID: list[str] = []
"""The tests whose output held one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first."""
    items.sort(key=_turn)  # stable: all else keeps its order


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """How tests are shared out where there is more than one worker."""
    return _ByFile(config, log)


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Files stay together, whoever runs them: what a module's tests share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((shared for shared in _TOGETHER if file.startswith(shared)), file)


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, path in enumerate(_FIRST) if item.nodeid.startswith(path)), len(_FIRST))


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
