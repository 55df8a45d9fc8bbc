"""MiniStack in its environment, and a small stack deployed to it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from spotty_sandbox.aws import LocalAws, Stack
from spotty_sandbox.aws.setting import ROOT

HERE = Path(__file__).parent
MISSING = "MINISTACK IS MISSING, SO NOTHING WAS TRIED AGAINST A LOCAL AWS. make local-aws says: {}"


@pytest.fixture(scope="session")
def ministack() -> None:
    """Make its environment where it is not. Skips loudly where that cannot be; in CI, where it must be, fails."""
    made = subprocess.run(
        ["make", "--silent", "local-aws", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        told = MISSING.format(" / ".join(made.stderr.strip().splitlines()[-3:]))
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)


@dataclass(frozen=True)
class Deployed:
    """The small stack, and what was told while it was deployed, and since the restart."""

    aws: LocalAws
    stack: Stack
    told: list[str]
    told_again: list[str]


@pytest.fixture(scope="session")
def deployed(ministack: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:  # noqa: ARG001 - it must be there
    """The small stack in a local AWS that was restarted since: whatever is asked of it has survived that."""
    folder, told, told_again = tmp_path_factory.mktemp("aws"), list[str](), list[str]()
    functions = {"Tell": HERE / "function", "Keep": HERE / "function"}
    with LocalAws(folder, told.append) as aws:
        stack = aws.deploy(HERE / "small.yaml", {"Prefix": "tiny"}, functions, stack="small")
    with LocalAws(folder, told_again.append) as aws:
        yield Deployed(aws, stack, told, told_again)
