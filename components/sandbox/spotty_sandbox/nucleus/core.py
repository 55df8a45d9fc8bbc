"""Everything of a nucleus that lives on its event loop, put together."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .access import Access
from .broker import BrokerLink
from .changes import Changes
from .cloud import Loopback
from .component import Component, State
from .configuration_desk import ConfigurationDesk
from .interpolation import Places, Variables
from .ipc_server import IpcServer
from .journal import Journal
from .lifecycle_desk import LifecycleDesk
from .local_pubsub import LocalPubSub
from .mqtt_proxy import MqttProxy
from .operations import Operations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .broker import Broker
    from .configuration import Configuration
    from .installation import Installation
    from .profiles import Profile

LOG_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Status:
    """How things are. `reported`: what the component said of itself last, empty since its last start."""

    state: State
    reported: str
    pid: int | None
    starts: int
    last_exit: int | None
    is_online: bool
    connections: int
    open_streams: int
    subscriptions: int
    spooled: int
    lost: int


@dataclass(frozen=True, slots=True)
class Household:
    """What a nucleus is given: who it is, what it runs, and where its cloud is."""

    profile: Profile
    thing: str
    places: Places
    configuration: Configuration
    installation: Installation
    broker: Broker | None
    environment: Mapping[str, str]
    region: str
    interpolates: bool
    restart_delay_s: float | None
    tell: Callable[[str], None] | None


@dataclass(slots=True)
class Memory:
    """What outlives a stop of the nucleus object: its log and its journal."""

    log: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    journal: Journal = field(default_factory=Journal)


class Core:
    """Made and used on the event loop only."""

    def __init__(self, given: Household, memory: Memory) -> None:
        self._given = given
        self._memory = memory
        self._reported = ""
        self.changes = Changes()
        variables = Variables(given.profile, given.places, given.thing, given.configuration)
        self.link = self._new_link()
        self.proxy = MqttProxy(given.profile, self.link, self._say)
        self.proxy.on_change = self.changes.tell
        self.pubsub = LocalPubSub(given.profile)
        self.configuration = ConfigurationDesk(given.profile, given.configuration, self.changes.tell)
        self._lifecycle = LifecycleDesk(self._heard)
        access = Access(
            given.profile,
            lambda: given.configuration.tree.get("accessControl"),
            variables.value if given.interpolates else lambda _variable: None,
        )
        self._operations = Operations(
            given.profile, access, self.pubsub, self.proxy, self.configuration, self._lifecycle
        )
        self.server = IpcServer(given.profile, given.places.root, self._operations, memory.journal, self.changes.tell)
        self.component = Component(
            given.profile,
            given.places.recipe,
            variables,
            given.installation,
            environment=self._surroundings,
            tell=self._say,
            on_line=self._printed,
            on_change=self.changes.tell,
            restart_delay_s=given.restart_delay_s,
        )
        self._background: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Open the socket, and begin to connect to the cloud."""
        await self.server.start()
        self._background = [asyncio.create_task(self.link.run()), asyncio.create_task(self.proxy.run())]

    async def close(self) -> None:
        """End everything, the component first."""
        await self.component.stop()
        await self.server.stop()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.proxy.close()

    async def restart_component(self) -> None:
        """Stop and start, once the component lets itself be updated."""
        await self._lifecycle.may_update()
        await self.component.stop()
        self.component.start()
        self._lifecycle.updated()

    async def until(self, holds: Callable[[], bool], timeout_s: float) -> None:
        """Return when `holds()`; it is asked again after every change. Raises TimeoutError."""
        with self.changes.watched() as changed:
            async with asyncio.timeout(timeout_s):
                while not holds():
                    await changed.wait()
                    changed.clear()

    def status(self) -> Status:
        """How things are now."""
        component, server = self.component, self.server
        return Status(
            state=component.state,
            reported=self._reported,
            pid=component.pid,
            starts=component.starts,
            last_exit=component.last_exit,
            is_online=self.link.is_up,
            connections=server.connections,
            open_streams=server.open_streams,
            subscriptions=self._operations.subscriptions,
            spooled=self.proxy.spooled,
            lost=self.proxy.lost,
        )

    def _new_link(self) -> Loopback | BrokerLink:
        given = self._given
        if given.broker is None:
            return Loopback()
        return BrokerLink(given.broker, given.thing, keeps_session=given.profile.keeps_session, tell=self._say)

    def _surroundings(self) -> dict[str, str]:
        given = self._given
        token = self.server.new_token(given.places.recipe.name)
        self._reported = ""
        return {
            "SVCUID": token,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
            "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": str(self.server.path),
            "AWS_IOT_THING_NAME": given.thing,
            "AWS_REGION": given.region,
            "AWS_DEFAULT_REGION": given.region,
            "GG_ROOT_CA_PATH": str(given.broker.ca) if given.broker and given.broker.ca else "",
            "GGC_VERSION": f"spotty-sandbox-{given.profile.name}",
            **given.environment,
        }

    def _heard(self, state: str) -> None:
        self._reported = state
        self.component.reported(state)
        self.changes.tell()

    def _say(self, text: str) -> None:
        self._log(f"[nucleus] {text}", f"[nucleus] {text}")

    def _printed(self, line: str) -> None:
        self._log(line, f"[{self._given.places.recipe.name}] {line}")

    def _log(self, line: str, told: str) -> None:
        self._memory.log.append(line)
        if self._given.tell is not None:
            self._given.tell(told)
        self.changes.tell()
