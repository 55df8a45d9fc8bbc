"""Local publish and subscribe between components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .errors import invalid_arguments
from .topics import fits, is_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from .profiles import Profile

Kind = Literal["jsonMessage", "binaryMessage"]


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """One subscription. `component`: whose it is; `wants_own`: whether its own messages come too."""

    topic_filter: str
    component: str
    wants_own: bool
    deliver: Callable[[str, Kind, Any], None]


class LocalPubSub:
    """Who listens to what."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._listeners: list[Listener] = []

    def subscribe(
        self, topic_filter: str, component: str, mode: str | None, deliver: Callable[[str, Kind, Any], None]
    ) -> Listener:
        """Listen. `mode`: `RECEIVE_ALL_MESSAGES`, `RECEIVE_MESSAGES_FROM_OTHERS` or None, for the nucleus's own."""
        if not topic_filter:
            raise invalid_arguments("a subscription needs a topic")
        from_others = mode == "RECEIVE_MESSAGES_FROM_OTHERS" or (mode is None and is_pattern(topic_filter))
        listener = Listener(topic_filter, component, self._profile.echo_always or not from_others, deliver)
        self._listeners.append(listener)
        return listener

    def unsubscribe(self, listener: Listener) -> None:
        """Listen no more."""
        self._listeners.remove(listener)

    def publish(self, topic: str, kind: Kind, content: Any, component: str) -> None:  # noqa: ANN401 - JSON
        """Tell all who listen. `component`: who speaks."""
        if not self._profile.echo_always and any(sign in topic for sign in "+#*"):
            raise invalid_arguments("a message goes to one topic, not to a pattern")
        for listener in list(self._listeners):
            if fits(listener.topic_filter, topic) and (listener.wants_own or listener.component != component):
                listener.deliver(topic, kind, content)
