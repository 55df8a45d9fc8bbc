"""Who may do what: the recipe's `accessControl`, read as each nucleus reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .profiles import Profile

MQTT = "aws.greengrass.ipc.mqttproxy"
LOCAL = "aws.greengrass.ipc.pubsub"
_VARIABLE = re.compile(r"(?<!\$)\{([^{}]*)\}")
_ESCAPE = re.compile(r"\$\{(.)\}")


@dataclass(frozen=True, slots=True)
class Access:
    """Decides over requests.

    `control`: what stands under `accessControl` now. `interpolate(variable)`: the value of `{variable}` in a resource,
    None to leave it as it is.
    """

    profile: Profile
    control: Callable[[], object]
    interpolate: Callable[[str], str | None]

    def allows(self, service: str, operation: str, resource: str) -> bool:
        """Whether the component may do `operation` of `service` on this topic or filter."""
        matches = lite_matches if self.profile.name == "lite" else classic_matches
        return any(matches(service, pattern, resource) for pattern in self._patterns(service, operation))

    def _patterns(self, service: str, operation: str) -> Iterator[str]:
        control = self.control()
        policies = control.get(service) if isinstance(control, dict) else None
        for policy in policies.values() if isinstance(policies, dict) else ():
            if isinstance(policy, dict) and {operation, "*"} & set(_texts(policy, "operations")):
                yield from (self._filled(text) for text in _texts(policy, "resources"))

    def _filled(self, text: str) -> str:
        return _VARIABLE.sub(lambda found: self.interpolate(found[1]) or found[0], text)


def _texts(policy: Mapping[str, Any], key: str) -> list[str]:
    found = policy.get(key)
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def lite_matches(service: str, pattern: str, resource: str) -> bool:
    """Nucleus lite: `*` is any text; for MQTT also `+` any text without `/`, and `#` all that follows, anywhere."""
    if pattern == "*" or _regex(pattern, {"*": ".*"}).fullmatch(resource):
        return True
    start, hash_, _ = pattern.partition("#")  # what stands behind a `#` is not looked at
    return service == MQTT and bool(_regex(start + hash_, {"+": "[^/]*", "#": ".*"}, escapes=False).fullmatch(resource))


def classic_matches(_service: str, pattern: str, resource: str) -> bool:
    """Nucleus classic: `*` is any text; `+` and `#` only where MQTT allows them, else themselves. `a/#` has `a` too."""
    if pattern in ("*", "#"):
        return True
    if pattern.endswith("/#") and classic_matches(_service, pattern[:-2], resource):
        return True
    levels = pattern.split("/")
    parts = []
    for place, level in enumerate(levels):
        if level == "+":
            parts.append("[^/]*")
        elif level == "#" and place == len(levels) - 1:
            parts.append(".*")
        else:
            parts.append(_regex(level, {"*": ".*"}).pattern)
    return bool(re.compile("/".join(parts), re.DOTALL).fullmatch(resource))


def _regex(pattern: str, wild: Mapping[str, str], *, escapes: bool = True) -> re.Pattern[str]:
    parts = re.split(r"(\$\{.\})", pattern) if escapes else [pattern]
    made = []
    for part in parts:
        escaped = _ESCAPE.fullmatch(part) if escapes else None
        if escaped:
            made.append(re.escape(escaped[1]))
        else:
            made.extend(wild.get(character, re.escape(character)) for character in part)
    return re.compile("".join(made), re.DOTALL)
