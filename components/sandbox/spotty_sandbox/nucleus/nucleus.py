"""A nucleus as a thing one starts and stops."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .cloud import Message
from .configuration import Configuration, Update
from .core import Core, Household, Memory, Status
from .errors import IpcError, NucleusError
from .installation import Installation
from .interpolation import Places
from .loop_thread import LoopThread
from .profiles import PROFILES, Profile
from .recipe import Recipe, read_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from .broker import Broker
    from .journal import Entry

_T = TypeVar("_T")


class Nucleus:
    """One nucleus with one component. Use it as a context manager, or `start` and `stop` it.

    `profile`: `lite` or `classic`, or one of your own making. `root`: a folder for all that it keeps. `recipe`: a file.
    `artifacts`: the files that the recipe lists. `broker`: None is a cloud of its own that takes everything. `update`:
    what a deployment does to the configuration first. `environment`: put into the component's besides what a nucleus
    gives. `interpolates`: whether accessControl may have variables (lite always, classic by
    `interpolateComponentConfiguration`). `tell(line)`: hears the log, on another thread, with prefixes.

    Its methods can be called from any thread while it runs. They raise NucleusError for what cannot be done.
    """

    def __init__(
        self,
        profile: str | Profile,
        *,
        root: Path,
        recipe: Path,
        thing: str = "laptop",
        artifacts: Sequence[Path] = (),
        broker: Broker | None = None,
        update: Update | None = None,
        environment: Mapping[str, str] | None = None,
        region: str = "eu-central-1",
        interpolates: bool = True,
        restart_delay_s: float | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.profile = PROFILES[profile] if isinstance(profile, str) else profile
        self.recipe: Recipe = read_recipe(recipe, self.profile)
        self.thing = thing
        self.root = root.resolve()
        places = Places(self.root, self.recipe)
        self._configuration = Configuration(self.recipe.defaults, self.root / "config" / f"{self.recipe.name}.json")
        if update is not None:
            self._configuration.deploy(update)
        if broker is not None:
            broker.tls()  # to find out now
        self._given = Household(
            profile=self.profile,
            thing=thing,
            places=places,
            configuration=self._configuration,
            installation=Installation(places, artifacts),
            broker=broker,
            environment=dict(environment or {}),
            region=region,
            interpolates=interpolates,
            restart_delay_s=restart_delay_s,
            tell=tell,
        )
        self._memory = Memory()
        self._thread: LoopThread | None = None
        self._core: Core | None = None

    # Life.

    def start(self) -> Self:
        """Open the socket and connect to the cloud; the component waits for `start_component`."""
        if self._thread is not None:
            raise RuntimeError("the nucleus is already running")
        self.root.mkdir(parents=True, exist_ok=True)
        thread = LoopThread("nucleus")
        try:
            self._core = thread.run(self._open())
        except BaseException:
            thread.stop()
            raise
        self._thread = thread
        return self

    def stop(self) -> None:
        """Stop the component and the nucleus. Stopping twice does nothing."""
        if self._thread is None or self._core is None:
            return
        self._thread.run(self._core.close())
        self._thread.stop()
        self._thread = self._core = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # The component.

    def start_component(self) -> None:
        """Install the component if need be and run it; returns at once (`wait_until` waits)."""
        self._call(lambda core: core.component.start())

    def stop_component(self) -> None:
        """Stop it as this nucleus does; returns when it has ended."""
        self._run(lambda core: core.component.stop())

    def restart_component(self) -> None:
        """Stop and start; on classic once the component lets itself be updated."""
        self._run(lambda core: core.restart_component())

    def kill_component(self) -> None:
        """SIGKILL all of its processes; it is restarted as after any failure."""
        self._call(lambda core: core.component.kill())

    # Configuration.

    def set_configuration(self, merge: Mapping[str, Any] | None = None, reset: Sequence[str] = ()) -> None:
        """Change the configuration as a deployment does, and tell the component. Raises ConfigurationError."""
        self._run(lambda core: core.configuration.deploy(Update(merge or {}, reset)))

    def configuration(self) -> dict[str, Any]:
        """The configuration as it is."""
        return self._call(lambda _core: self._configuration.tree)

    # Messages.

    def publish_locally(self, topic: str, message: dict[str, Any] | bytes) -> None:
        """Publish as another component would: a dict as JSON, bytes as binary. Raises NucleusError for a bad topic."""
        is_binary = isinstance(message, bytes)
        content = base64.b64encode(message).decode() if isinstance(message, bytes) else message
        try:
            self._call(
                lambda core: core.pubsub.publish(topic, "binaryMessage" if is_binary else "jsonMessage", content, "")
            )
        except IpcError as error:
            raise NucleusError(error.message) from None

    def publish_from_cloud(self, topic: str, payload: bytes) -> None:
        """Let a message arrive as if the broker had sent it. Nothing arrives while offline."""
        self._call(lambda core: core.proxy.arrive(Message(topic, payload)) if core.link.is_up else None)

    def sent(self) -> tuple[Message, ...]:
        """Messages that the cloud has acknowledged, oldest first, as far as the ring reaches."""
        return self._call(lambda core: tuple(core.proxy.sent))

    # Trouble.

    def go_offline(self) -> None:
        """Cut the link to the cloud, and keep it cut."""
        self._call(lambda core: core.link.allow(up=False))

    def go_online(self) -> None:
        """Let it connect again; `wait_until(lambda: nucleus.status().is_online)` waits for it."""
        self._call(lambda core: core.link.allow(up=True))

    def drop_connections(self) -> None:
        """Close every IPC connection; tokens stay good."""
        self._run(lambda core: core.server.drop())

    def restart_ipc(self) -> None:
        """Close every IPC connection and forget every token, as when the real server restarts."""
        self._run(lambda core: core.server.restart())

    # Looking.

    @property
    def socket_path(self) -> Path:
        """The Unix socket that components connect to."""
        return self._call(lambda core: core.server.path)

    def new_token(self) -> str:
        """A token to connect with as the component, for a client that was not started by its recipe."""
        return self._call(lambda core: core.server.new_token(self.recipe.name))

    def status(self) -> Status:
        """How things are now."""
        return self._call(lambda core: core.status())

    def requests(self) -> tuple[Entry, ...]:
        """The journal: every request and how it was answered, oldest first, as far as the ring reaches."""
        return self._call(lambda _core: tuple(self._memory.journal))

    def forget_requests(self) -> None:
        """Empty the journal."""
        self._call(lambda _core: self._memory.journal.clear())

    def log(self) -> tuple[str, ...]:
        """What the component printed, and after `[nucleus]` what became of it; also after the end."""
        return tuple(self._memory.log) if self._thread is None else self._call(lambda _core: tuple(self._memory.log))

    def wait_until(self, holds: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Block until `holds()`; it is asked on the nucleus's thread, again after everything that happens.

        Raises TimeoutError after `timeout_s` seconds, with the status in its text.
        """
        try:
            self._run(lambda core: core.until(holds, timeout_s))
        except TimeoutError:
            raise TimeoutError(f"it did not come to that within {timeout_s:g} s; {self.status()}") from None

    # Inside.

    async def _open(self) -> Core:
        core = Core(self._given, self._memory)
        await core.open()
        return core

    def _call(self, do: Callable[[Core], _T]) -> _T:
        thread, core = self._running()
        return thread.call(lambda: do(core))

    def _run(self, do: Callable[[Core], Coroutine[Any, Any, _T]]) -> _T:
        thread, core = self._running()
        return thread.run(do(core))

    def _running(self) -> tuple[LoopThread, Core]:
        if self._thread is None or self._core is None:
            raise RuntimeError("the nucleus is not running")
        return self._thread, self._core
