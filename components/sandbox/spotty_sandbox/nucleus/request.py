"""One request, and the stream on which it and what follows it travel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .errors import invalid_arguments, not_found, service_error

if TYPE_CHECKING:
    from collections.abc import Callable


class Sender(Protocol):
    """What a stream needs of its connection."""

    component: str

    def send_event(self, stream_id: int, shape: str, content: dict[str, Any]) -> None:
        """Send an event."""


class Stream:
    """One request, and the events that follow its answer. Events before the answer wait for it."""

    def __init__(self, sender: Sender, stream_id: int) -> None:
        self.component = sender.component
        self._stream_id = stream_id
        self._sender = sender
        self._waiting: list[tuple[str, dict[str, Any]]] | None = []
        self._at_end: list[Callable[[], None]] | None = []

    def event(self, shape: str, content: dict[str, Any]) -> None:
        """Send an event of this shape."""
        if self._waiting is not None:
            self._waiting.append((shape, content))
        else:
            self._sender.send_event(self._stream_id, shape, content)

    def answered(self) -> None:
        """The answer is out; events may follow."""
        waiting, self._waiting = self._waiting or [], None
        for shape, content in waiting:
            self._sender.send_event(self._stream_id, shape, content)

    def at_end(self, do: Callable[[], None]) -> None:
        """Call `do` when the stream ends; at once if it has."""
        if self._at_end is None:
            do()
        else:
            self._at_end.append(do)

    def end(self) -> None:
        """Nobody listens any more."""
        at_end, self._at_end = self._at_end or [], None
        for do in at_end:
            do()


class Request:
    """What is asked on a stream. The methods raise IpcError for what cannot be used."""

    def __init__(self, operation: str, content: dict[str, Any], stream: Stream) -> None:
        self.operation = operation
        self.content = content
        self.stream = stream

    @property
    def component(self) -> str:
        """Who asks."""
        return self.stream.component

    def text(self, key: str) -> str:
        """A string that the request must have."""
        found = self.content.get(key)
        if not isinstance(found, str) or not _is_text(found):
            raise invalid_arguments(f"{key} is missing or no string")
        return found

    def key_path(self) -> tuple[str, ...]:
        """Its `keyPath`; none is all of the configuration."""
        found = self.content.get("keyPath") or []
        if not isinstance(found, list) or not all(isinstance(key, str) for key in found):
            raise service_error("keyPath is no list of strings")
        return tuple(found)

    def own_component(self) -> str:
        """The component whose configuration is asked for; only the caller's own is here."""
        found = self.content.get("componentName") or self.component
        if found != self.component:
            raise not_found(f"there is no component {found}")
        return self.component

    def qos(self) -> int:
        """Its `qos`; none is 0."""
        found = self.content.get("qos")
        if found is None:
            return 0
        if found in ("0", "1", 0, 1) and not isinstance(found, bool):
            return int(found)
        raise service_error("qos is neither 0 nor 1")


def _is_text(found: str) -> bool:
    """JSON can spell halves of characters, which no encoding has."""
    try:
        found.encode()
    except UnicodeEncodeError:
        return False
    return True
