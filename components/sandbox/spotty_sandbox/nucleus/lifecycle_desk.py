"""Requests about the component's life: its own word on its state, and putting off updates."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .errors import invalid_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from .request import Request, Stream

STATES = ("RUNNING", "ERRORED")
_ANSWERED_S = 60.0


class LifecycleDesk:
    """Everything about a component's life that goes over IPC. `on_state(state)` hears what it says of itself."""

    def __init__(self, on_state: Callable[[str], None]) -> None:
        self._on_state = on_state
        self._listeners: list[Stream] = []
        self._answers: asyncio.Queue[float] = asyncio.Queue()

    async def update_state(self, request: Request) -> dict[str, Any]:
        """UpdateState."""
        state = request.content.get("state")
        if state not in STATES:
            raise invalid_arguments(f"state is neither {' nor '.join(STATES)}")
        self._on_state(state)
        return {}

    async def subscribe_to_updates(self, request: Request) -> dict[str, Any]:
        """SubscribeToComponentUpdates."""
        self._listeners.append(request.stream)
        request.stream.at_end(lambda: self._listeners.remove(request.stream))
        return {}

    async def defer_update(self, request: Request) -> dict[str, Any]:
        """DeferComponentUpdate: 0 or nothing is a yes."""
        wait_ms = request.content.get("recheckAfterMs") or 0
        if not isinstance(wait_ms, int) or isinstance(wait_ms, bool) or wait_ms < 0:
            raise invalid_arguments("recheckAfterMs is no number of milliseconds")
        self._answers.put_nowait(wait_ms / 1000)
        return {}

    async def may_update(self) -> None:
        """Return when the component, if it listens, lets itself be updated, or does not answer for a minute."""
        while self._listeners:
            self._answers = asyncio.Queue()
            self._tell("preUpdateEvent", {"deploymentId": "local", "isGgcRestarting": False})
            try:
                wait_s = await asyncio.wait_for(self._answers.get(), _ANSWERED_S)
            except TimeoutError:
                return
            if wait_s == 0:
                return
            await asyncio.sleep(wait_s)

    def updated(self) -> None:
        """Tell those who listen that it is done."""
        self._tell("postUpdateEvent", {"deploymentId": "local"})

    def _tell(self, key: str, event: dict[str, Any]) -> None:
        for stream in list(self._listeners):
            stream.event("ComponentUpdatePolicyEvents", {key: event})
