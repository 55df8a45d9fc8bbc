"""The component's life: installed once, run, restarted when it fails, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import signal
import time
from typing import TYPE_CHECKING

from .errors import RecipeError
from .process import ScriptProcess
from .recipe import DEFAULT_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .installation import Installation
    from .interpolation import Variables
    from .profiles import Profile
    from .recipe import Recipe, Script

_SHUTDOWN_S = 15.0
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")


class State(enum.StrEnum):
    """Where in its life the component is."""

    NEW = "NEW"
    INSTALLING = "INSTALLING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    ERRORED = "ERRORED"
    BROKEN = "BROKEN"
    FINISHED = "FINISHED"


class Component:
    """Runs one component by its recipe. Lives on one event loop.

    `environment()`: what a nucleus gives each run, a fresh token in it. `on_line(line)`: what the component prints;
    `tell(text)`: what becomes of it.
    """

    def __init__(
        self,
        profile: Profile,
        recipe: Recipe,
        variables: Variables,
        installation: Installation,
        *,
        environment: Callable[[], Mapping[str, str]],
        tell: Callable[[str], None],
        on_line: Callable[[str], None],
        on_change: Callable[[], None],
        restart_delay_s: float | None = None,
    ) -> None:
        self.state = State.NEW
        self.starts = 0
        """How often the run script was started."""
        self.last_exit: int | None = None
        """How the last run ended; negative for a signal."""
        self._profile = profile
        self._recipe = recipe
        self._variables = variables
        self._installation = installation
        self._environment = environment
        self._tell = tell
        self._on_line = on_line
        self._on_change = on_change
        self._restart_delay_s = profile.restart_delay_s if restart_delay_s is None else restart_delay_s
        self._failed_at: list[float] = []
        self._life: asyncio.Task[None] | None = None
        self._process: ScriptProcess | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The shell that runs its script, while one does."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Install if need be, and run. One that lives already is left alone."""
        if self._life is not None and not self._life.done():
            return
        self._stopping = asyncio.Event()
        self._failed_at.clear()
        self._become(State.INSTALLING)
        self._life = asyncio.create_task(self._live(), name="component")

    async def stop(self) -> None:
        """Stop as the nucleus does, and wait for the end."""
        life = self._life
        if life is None:
            return
        if not life.done():
            self._become(State.STOPPING)
            self._stopping.set()
            if self._process is not None:
                await self._end(self._process)
            await life
        self._life = None

    def kill(self) -> None:
        """SIGKILL to all of its processes, as the kernel's out-of-memory killer does."""
        if self._process is not None:
            self._process.signal(signal.SIGKILL)

    def reported(self, state: str) -> None:
        """What it says of itself. Classic ends one that says it is errored, and starts it again."""
        if state == State.ERRORED and self._profile.has_updates and self._process is not None:
            self._become(State.ERRORED)
            self._process.signal(signal.SIGTERM)

    async def _live(self) -> None:
        try:
            while not await self._installed():
                if await self._gives_up():
                    return
            while "run" in self._recipe.scripts:
                if await self._ran_well():
                    break
                if await self._gives_up():
                    return
        except RecipeError as error:
            self._tell(str(error))
            self._become(State.BROKEN)
            return
        self._become(State.FINISHED)

    async def _installed(self) -> bool:
        await asyncio.to_thread(self._installation.unpack)
        script = self._recipe.scripts.get("install")
        if script is None or self._installation.is_done:
            return True
        code = await self._run(script, longest_s=self._timeout_s(script))
        if code == 0:
            self._installation.done()
        elif not self._stopping.is_set():
            self._tell(f"install ended with {_told(code)}")
        return code == 0 or self._stopping.is_set()

    async def _ran_well(self) -> bool:
        if self._stopping.is_set():
            return True
        self.starts += 1
        code = await self._run(self._recipe.scripts["run"], longest_s=None)
        self.last_exit = code
        if self._stopping.is_set():
            return True
        self._tell(f"run ended with {_told(code)}")
        return code == 0 and self.state != State.ERRORED

    async def _gives_up(self) -> bool:
        """Whether it failed too often, or was stopped while it waited for its restart."""
        now = time.monotonic()
        self._failed_at = [at for at in self._failed_at if now - at < self._profile.starts_within_s] + [now]
        self._become(State.ERRORED)
        if len(self._failed_at) >= self._profile.starts:
            self._tell(f"failed {len(self._failed_at)} times: broken, until it is started by hand")
            self._become(State.BROKEN)
            return True
        if "recover" in self._recipe.scripts:
            await self._run(self._recipe.scripts["recover"], longest_s=self._timeout_s(self._recipe.scripts["recover"]))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), self._restart_delay_s)
        if self._stopping.is_set():
            self._become(State.FINISHED)
        return self._stopping.is_set()

    async def _run(self, script: Script, *, longest_s: float | None) -> int | None:
        """Run a script to its end; None where it took too long and was killed."""
        if _is_skipped(self._variables.filled(script.skip_if)):
            return 0
        text = self._variables.filled(script.text)
        places = self._variables.places
        places.work.mkdir(parents=True, exist_ok=True)
        environment = self._surroundings(script)
        process = await ScriptProcess.start(text, places.work, environment, self._on_line, self._grace_s())
        self._process = process
        try:
            if script is self._recipe.scripts.get("run"):
                self._become(State.RUNNING)
            else:
                self._on_change()
            if self._stopping.is_set():
                process.signal(signal.SIGTERM)  # it was told before there was anybody to tell
            if longest_s is None:
                return await process.ended()
            code = await process.ended_within(longest_s)
            if code is None:
                self._tell(f"killed after {longest_s:g} s, its Timeout")
            return code
        finally:
            process.signal(signal.SIGKILL)  # when we are cancelled
            self._process = None

    async def _end(self, process: ScriptProcess) -> None:
        shutdown = self._recipe.scripts.get("shutdown")
        if shutdown is not None:
            text, environment = self._variables.filled(shutdown.text), self._surroundings(shutdown)
            last = await ScriptProcess.start(text, self._variables.places.work, environment, self._on_line, 0)
            await last.ended_within(self._timeout_s(shutdown, _SHUTDOWN_S))
        await process.stop()

    def _surroundings(self, script: Script) -> dict[str, str]:
        """The environment of a script: little of ours, what a nucleus gives, and its own Setenv."""
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        own = {key: self._variables.filled(value) for key, value in script.environment.items()}
        return {**inherited, **self._environment(), **own}

    def _grace_s(self) -> float:
        stop_s = self._profile.stop_s
        return self._timeout_s(self._recipe.scripts.get("run")) if stop_s is None else stop_s

    def _timeout_s(self, script: Script | None, default_s: float = DEFAULT_TIMEOUT_S) -> float:
        told = self._variables.filled(script.timeout) if script else ""
        return float(told) if told.isdigit() else default_s

    def _become(self, state: State) -> None:
        self.state = state
        self._on_change()


def _is_skipped(condition: str) -> bool:
    word, _, what = condition.strip().partition(" ")
    if word == "onpath":
        return any(os.access(os.path.join(folder, what), os.X_OK) for folder in os.get_exec_path())  # noqa: PTH118
    return word == "exists" and os.path.exists(what)  # noqa: PTH110 - one look, no path to keep


def _told(code: int | None) -> str:
    if code is None:
        return "its time over"
    return f"signal {-code}" if code < 0 else f"exit {code}"
