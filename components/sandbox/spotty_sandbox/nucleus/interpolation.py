"""Recipe variables: `{artifacts:path}` and the like, filled in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .configuration import pointer_path
from .errors import ConfigurationError, RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .configuration import Configuration
    from .profiles import Profile
    from .recipe import Recipe

_LITE = re.compile(r"\{([^}]*)(\}?)")
_CLASSIC = re.compile(r"\{([^{}\s]*:[^{}\s]*)(\})")


@dataclass(frozen=True, slots=True)
class Places:
    """Where one component lives under a nucleus's root."""

    root: Path
    recipe: Recipe

    @property
    def work(self) -> Path:
        """Its work folder, and where its scripts run."""
        return self.root / "work" / self.recipe.name

    @property
    def artifacts(self) -> Path:
        """Its artifacts as they came."""
        return self.root / "packages" / "artifacts" / self.recipe.name / self.recipe.version

    @property
    def unpacked(self) -> Path:
        """Its artifacts unpacked, each in a folder of its name."""
        return self.root / "packages" / "artifacts-unarchived" / self.recipe.name / self.recipe.version


@dataclass(frozen=True, slots=True)
class Variables:
    """The recipe variables of one component."""

    profile: Profile
    places: Places
    thing: str
    configuration: Configuration

    def value(self, variable: str) -> str | None:
        """What `{variable}` stands for; None where it stands for nothing."""
        fixed: dict[str, Callable[[], str]] = {
            "iot:thingName": lambda: self.thing,
            "kernel:rootPath": lambda: str(self.places.root),
            "work:path": lambda: f"{self.places.work}/",
            "artifacts:path": lambda: f"{self.places.artifacts}/",
            "artifacts:decompressedPath": lambda: f"{self.places.unpacked}/",
        }
        if variable in fixed:
            return fixed[variable]()
        namespace, _, pointer = variable.partition(":")
        if namespace != "configuration":
            return None
        try:
            found = self.configuration.find(pointer_path(pointer))
        except (KeyError, ConfigurationError):
            return None
        return found if isinstance(found, str) else json.dumps(found, separators=(",", ":"))

    def filled(self, text: str) -> str:
        """A script with its variables filled in.

        Lite takes every brace for a variable and refuses one that it does not know (RecipeError); classic leaves it.
        """

        def fill(found: re.Match[str]) -> str:
            value = self.value(found[1]) if found[2] else None
            if value is None and self.profile.exact_lifecycle:
                raise RecipeError(f"nucleus lite cannot fill in {found[0]!r} of a script; a script has no other braces")
            return found[0] if value is None else value

        return (_LITE if self.profile.exact_lifecycle else _CLASSIC).sub(fill, text)
