"""An event loop in a thread of its own, reached from other threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_T = TypeVar("_T")


class LoopThread:
    """Runs coroutines and calls on one event loop until it is stopped."""

    def __init__(self, name: str) -> None:
        self._ready: concurrent.futures.Future[asyncio.AbstractEventLoop] = concurrent.futures.Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name=name, daemon=True)
        self._thread.start()
        self._loop = self._ready.result()

    def call(self, do: Callable[[], _T]) -> _T:
        """Call `do` on the loop; what it returns or raises."""
        if threading.current_thread() is self._thread:
            return do()

        async def called() -> _T:
            return do()

        return self.run(called())

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine to its end; not from the loop's own thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def stop(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _live(self) -> None:
        self._ready.set_result(asyncio.get_running_loop())
        await self._stop.wait()
