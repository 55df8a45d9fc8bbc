"""A component's files: its artifacts put in place, and whether it has been installed."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from typing import TYPE_CHECKING

from .errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .interpolation import Places


class Installation:
    """What is on disk for one component. Raises RecipeError where artifacts do not fit the recipe.

    `given`: artifact files of the computer. Each goes by its own name, which the recipe must know.
    """

    def __init__(self, places: Places, given: Sequence[Path]) -> None:
        self._places = places
        wanted = {artifact.name: artifact for artifact in places.recipe.artifacts}
        self._given = {path.name: path for path in given}
        for name in self._given.keys() - wanted.keys():
            known = ", ".join(wanted) or "none"
            raise RecipeError(f"the recipe knows no artifact {name} (it lists: {known})")
        for name in wanted.keys() - self._given.keys():
            raise RecipeError(f"the recipe needs the artifact {name}: give it with --artifact")
        for path in self._given.values():
            if not path.is_file():
                raise RecipeError(f"the artifact {path} is not there")

    @property
    def is_done(self) -> bool:
        """Whether this recipe with these artifacts has been installed."""
        try:
            return bool(json.loads(self._marker.read_text()) == self._identity())
        except (FileNotFoundError, ValueError):
            return False

    def done(self) -> None:
        """Remember that it has been installed."""
        self._marker.parent.mkdir(parents=True, exist_ok=True)
        self._marker.write_text(json.dumps(self._identity()))

    def unpack(self) -> None:
        """Put the artifacts in place, unless they are the ones that are there. Raises RecipeError for a bad zip."""
        if self.is_done:
            return
        for folder in (self._places.artifacts, self._places.unpacked):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for artifact in self._places.recipe.artifacts:
            here = self._places.artifacts / artifact.name
            shutil.copyfile(self._given[artifact.name], here)
            if artifact.is_unpacked:
                try:
                    with zipfile.ZipFile(here) as packed:
                        packed.extractall(self._places.unpacked / here.stem)
                except zipfile.BadZipFile:
                    raise RecipeError(f"the artifact {artifact.name} is no zip file") from None

    @property
    def _marker(self) -> Path:
        return self._places.root / "installed" / f"{self._places.recipe.name}.json"

    def _identity(self) -> dict[str, str]:
        recipe = self._places.recipe
        install = recipe.scripts.get("install")
        hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(self._given.items())}
        return {"version": recipe.version, "install": install.text if install else "", **hashes}
