"""A component's configuration: defaults of the recipe, what deployments made of them, and what it wrote itself."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

KeyPath = tuple[str, ...]
Tree = dict[str, Any]
_NONE = object()


@dataclass(frozen=True, slots=True)
class Update:
    """What a deployment does to a configuration: first reset (JSON pointers, "" is all), then merge."""

    merge: Mapping[str, Any] = field(default_factory=dict)
    reset: Sequence[str] = ()


class Configuration:
    """The configuration of one component, kept in a JSON file.

    `defaults`: what the recipe says. What the file has wins; a recipe with other defaults than when it was written adds
    its new keys. Raises ConfigurationError for a file that cannot be read.
    """

    def __init__(self, defaults: Mapping[str, Any], file: Path) -> None:
        self._defaults = dict(defaults)
        self._file = file
        self._written_ms: dict[KeyPath, int] = {}
        self._tree: Tree = copy.deepcopy(self._defaults)
        kept, made_from = _kept(file)
        if made_from == self._defaults:
            self._tree = kept  # without the keys that were removed
        else:
            merge(self._tree, kept)

    @property
    def tree(self) -> Tree:
        """A copy of all of it."""
        return copy.deepcopy(self._tree)

    def find(self, path: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
        """What stands there. Raises KeyError."""
        found = _at(self._tree, path)
        if found is _NONE:
            raise KeyError("/".join(path))
        return copy.deepcopy(found)

    def after(self, update: Update) -> Tree:
        """All of it, as it would be after `update`; nothing changes. Raises ConfigurationError for a bad pointer."""
        tree = self.tree
        for pointer in update.reset:
            tree = self._reset(tree, pointer_path(pointer))
        merge(tree, update.merge)
        return tree

    def deploy(self, update: Update) -> list[KeyPath]:
        """Apply a deployment's update; the leaves that changed."""
        changed = self._become(self.after(update))
        now_ms = int(time.time() * 1000)
        self._written_ms.update(dict.fromkeys(changed, now_ms))
        return changed

    def is_newer(self, path: Sequence[str], value: Any, at_ms: int) -> bool:  # noqa: ANN401 - JSON
        """Whether anything that `value` would write was written later than `at_ms`."""
        return any(self._written_ms.get(leaf, at_ms) > at_ms for leaf, _ in _leaves(value, tuple(path)))

    def write(self, path: Sequence[str], value: Any, at_ms: int) -> tuple[list[KeyPath], list[KeyPath]]:  # noqa: ANN401 - JSON
        """Merge a component's own value in at `path`, but for what is newer; (leaves written, those that changed)."""
        tree, written = self.tree, []
        for leaf, content in _leaves(value, tuple(path)):
            if self._written_ms.get(leaf, at_ms) <= at_ms:
                self._written_ms[leaf] = at_ms
                written.append(leaf)
                if content != {} or not isinstance(_at(tree, leaf), dict):  # an empty map merged in takes nothing away
                    _put(tree, leaf, content)
        return written, self._become(tree)

    def _become(self, tree: Tree) -> list[KeyPath]:
        before, after = dict(_leaves(self._tree)), dict(_leaves(tree))
        changed = [path for path in {**before, **after} if before.get(path, _NONE) != after.get(path, _NONE)]
        self._tree = tree
        if changed:
            self._keep()
        return changed

    def _reset(self, tree: Tree, path: KeyPath) -> Tree:
        if not path:
            return copy.deepcopy(self._defaults)
        default = _at(self._defaults, path)
        if default is _NONE:
            _remove(tree, path)
        else:
            _put(tree, path, copy.deepcopy(default))
        return tree

    def _keep(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps({"configuration": self._tree, "defaults": self._defaults}, indent=1))
        fresh.replace(self._file)


def merge(into: Tree, other: Mapping[str, Any]) -> None:
    """Merge maps key by key; everything else, lists too, is replaced."""
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def pointer_path(pointer: str) -> KeyPath:
    """The keys of a JSON pointer. Raises ConfigurationError."""
    if pointer in ("", "/"):
        return ()
    if not pointer.startswith("/"):
        raise ConfigurationError(f"{pointer!r} is no JSON pointer: it begins with / like /some/key")
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in pointer[1:].split("/"))


def _leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:  # noqa: ANN401 - JSON
    if isinstance(value, dict) and (value or not path):
        for key, content in value.items():
            yield from _leaves(content, (*path, key))
    else:
        yield path, value


def _at(tree: Any, path: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
    for key in path:
        tree = tree.get(key, _NONE) if isinstance(tree, dict) else _NONE
    return tree


def _put(tree: Tree, path: KeyPath, value: Any) -> None:  # noqa: ANN401 - JSON
    for key in path[:-1]:
        if not isinstance(tree.get(key), dict):
            tree[key] = {}
        tree = tree[key]
    if path:
        tree[path[-1]] = value


def _remove(tree: Tree, path: KeyPath) -> None:
    for key in path[:-1]:
        inner = tree.get(key)
        if not isinstance(inner, dict):
            return
        tree = inner
    tree.pop(path[-1], None)


def _kept(file: Path) -> tuple[Tree, Tree | None]:
    """What was kept, and the defaults that it was made from."""
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return {}, None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read ({error}): delete it to begin with the defaults") from None
    tree, defaults = (found.get(key) if isinstance(found, dict) else None for key in ("configuration", "defaults"))
    if not isinstance(tree, dict) or not isinstance(defaults, dict):
        raise ConfigurationError(f"{file} holds no configuration: delete it to begin with the defaults")
    return tree, defaults
