"""The gateway's recipe, run from this environment instead of a zip's own: the same process, without its installing."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import yaml

from spotty_sandbox.aws.setting import ROOT

from .errors import HomeError

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = ROOT / "recipes" / "recipe.yaml"
_VERSION = "0.0.0"


def write_recipe(folder: Path, pipe: Path) -> Path:
    """The project's recipe with another way to install (none) and to run; its pins are at `pipe`. Raises HomeError."""
    try:
        recipe: dict[str, Any] = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    except OSError as error:
        raise HomeError(
            f"{RECIPE}: {error.strerror}; the gateway is run from a checkout, as make setup leaves it"
        ) from (None)
    run = shlex.join(["exec", sys.executable, "-P", "-m", "spotty_sandbox.wired", str(pipe), "greengrass"])
    recipe["ComponentVersion"] = _VERSION
    recipe["Manifests"] = [{"Platform": {"os": "linux", "runtime": "*"}, "Lifecycle": {"run": run}}]
    written = folder / "recipe.yaml"
    written.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    return written
