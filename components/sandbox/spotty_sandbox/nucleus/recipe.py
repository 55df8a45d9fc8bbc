"""A component's recipe: read, checked, and the one manifest chosen that fits this computer and nucleus."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from .errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .profiles import Profile

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "aarch64", "arm64": "aarch64", "armv7l": "arm"}
DEFAULT_TIMEOUT_S = 120.0
_KNOWN_PHASES = ("install", "run", "shutdown", "recover")
_UNKNOWN_PHASES = ("startup", "bootstrap", "uninstall")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Script:
    """One lifecycle script, its variables not yet filled in. `timeout` may be a variable too."""

    text: str
    timeout: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    skip_if: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that the recipe wants: its name, and whether it is unpacked."""

    name: str
    is_unpacked: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is run: the manifest for this computer, as one nucleus sees it."""

    name: str
    version: str
    defaults: Mapping[str, Any]
    scripts: Mapping[str, Script]
    artifacts: tuple[Artifact, ...]


def read_recipe(file: Path, profile: Profile, architecture: str | None = None) -> Recipe:
    """The recipe in a YAML or JSON file. Raises RecipeError with one line that says what is wrong."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file} cannot be read: {error}") from None
    strings = profile.yaml_strings and file.suffix != ".json"
    try:
        text = _built(text, file)
        # BaseLoader makes only strings, lists and maps: no object of ours can be asked for by a file.
        tree = yaml.load(text, yaml.BaseLoader) if strings else yaml.safe_load(text)  # noqa: S506
        return _recipe(tree, profile, architecture or ARCHITECTURES.get(platform.machine(), platform.machine()))
    except yaml.YAMLError as error:
        raise RecipeError(f"{file} is no YAML: {' '.join(str(error).split())}") from None
    except RecipeError as error:
        raise RecipeError(f"{file}: {error}") from None


def _recipe(tree: object, profile: Profile, architecture: str) -> Recipe:
    whole = _map(tree, "the recipe")
    name, version = str(whole.get("ComponentName", "")), str(whole.get("ComponentVersion", ""))
    if not _NAME.fullmatch(name):
        raise RecipeError(f"ComponentName is {name!r}, which is no name of a component")
    if not _NAME.fullmatch(version):
        raise RecipeError(f"ComponentVersion is {version!r}, which is no version")
    manifest = _chosen(whole, profile, architecture)
    lifecycle = _lifecycle(whole, manifest)
    configuration = _map(whole.get("ComponentConfiguration") or {}, "ComponentConfiguration")
    defaults = _map(configuration.get("DefaultConfiguration") or {}, "DefaultConfiguration")
    scripts = _scripts(lifecycle, profile)
    if "run" not in scripts and "install" not in scripts:
        keys = ", ".join(lifecycle) or "none"
        raise RecipeError(f"the lifecycle has neither install nor run for nucleus {profile.name} (keys: {keys})")
    return Recipe(name, version, defaults, scripts, _artifacts(manifest))


def _chosen(whole: Mapping[str, Any], profile: Profile, architecture: str) -> Mapping[str, Any]:
    manifests = whole.get("Manifests")
    if not isinstance(manifests, list) or not manifests:
        raise RecipeError("there are no Manifests")
    for number, entry in enumerate(manifests, 1):
        manifest = _map(entry, f"manifest {number}")
        if profile.exact_lifecycle and "Platform" not in manifest:
            raise RecipeError(f"manifest {number} has no Platform, which nucleus lite does not take")
        wanted = _map(manifest.get("Platform") or {}, f"Platform of manifest {number}")
        runtime = wanted.get("runtime")
        if (
            runtime in profile.runtimes
            and _takes(wanted.get("os"), ("linux", "all"))
            and _takes(wanted.get("architecture"), (architecture,))
        ):
            return manifest
    hint = ' with runtime: "*"' if profile.exact_lifecycle else ""
    raise RecipeError(f"no manifest fits linux on {architecture} and nucleus {profile.name}{hint}")


def _takes(wanted: object, found: tuple[str, ...]) -> bool:
    if wanted is None or wanted == "*":
        return True
    choice = str(wanted)
    if choice.startswith("/") and choice.endswith("/"):
        return any(re.fullmatch(choice[1:-1], one) for one in found)
    return choice in found


def _lifecycle(whole: Mapping[str, Any], manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    own = manifest.get("Lifecycle")
    if own:
        return _map(own, "Lifecycle of the manifest")
    everywhere = _map(whole.get("Lifecycle") or {}, "Lifecycle")
    for selection in manifest.get("Selections") or ["all"]:
        if selection in everywhere:
            return _map(everywhere[selection], f"Lifecycle.{selection}")
    return everywhere


def _scripts(lifecycle: Mapping[str, Any], profile: Profile) -> dict[str, Script]:
    def key_of(key: str) -> str:
        return key if profile.exact_lifecycle else key.lower()

    shared = _environment(lifecycle.get("Setenv"))
    found = {}
    for key, content in lifecycle.items():
        if key_of(key) in _UNKNOWN_PHASES:
            raise RecipeError(f"the lifecycle has {key}, which this nucleus does not run; use install and run")
        if key_of(key) in _KNOWN_PHASES and key_of(key) in profile.phases:
            found[key_of(key)] = _script(key, content, shared)
    return found


def _script(key: str, content: object, shared: Mapping[str, str]) -> Script:
    if isinstance(content, str):
        return Script(content, environment=shared)
    section = _map(content, f"lifecycle {key}")
    text = section.get("Script", section.get("script"))
    if not isinstance(text, str):
        raise RecipeError(f"lifecycle {key} has no Script")
    timeout = str(section.get("Timeout", section.get("timeout", "")))
    if timeout and not timeout.startswith("{") and not timeout.isdigit():
        raise RecipeError(f"lifecycle {key}: Timeout is {timeout!r}, and must be whole seconds")
    skip_if = str(section.get("Skipif", section.get("skipif", "")))
    return Script(text, timeout, {**shared, **_environment(section.get("Setenv"))}, skip_if)


def _environment(content: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in _map(content or {}, "Setenv").items()}


def _artifacts(manifest: Mapping[str, Any]) -> tuple[Artifact, ...]:
    listed = manifest.get("Artifacts") or []
    if not isinstance(listed, list):
        raise RecipeError("Artifacts is no list")
    entries = [_map(entry, "an artifact") for entry in listed]
    return tuple(
        Artifact(
            name=str(entry.get("Uri", entry.get("URI", ""))).rsplit("/", 1)[-1],
            is_unpacked=str(entry.get("Unarchive", "NONE")).upper() == "ZIP",
        )
        for entry in entries
    )


def _map(content: object, what: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise RecipeError(f"{what} is no map")
    return content


def _built(text: str, file: Path) -> str:
    """Fill in what `gdk component build` would: name, author and version from the gdk-config.json beside or above."""
    if "{COMPONENT_" not in text:
        return text
    for folder in (file.resolve().parent, *file.resolve().parents[1:2]):
        try:
            components = json.loads((folder / "gdk-config.json").read_text())["component"]
            name, told = next(iter(components.items()))
            author, version = str(told.get("author", "")), str(told.get("version", "NEXT_PATCH"))
        except (FileNotFoundError, StopIteration):
            continue
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            raise RecipeError(f"{folder / 'gdk-config.json'} cannot be read") from None
        version = "0.0.0" if version == "NEXT_PATCH" else version
        filled = {"{COMPONENT_NAME}": name, "{COMPONENT_AUTHOR}": author, "{COMPONENT_VERSION}": version}
        for variable, value in filled.items():
            text = text.replace(variable, value)
        return text
    raise RecipeError("it has {COMPONENT_…} variables, and no gdk-config.json stands beside it or above")
