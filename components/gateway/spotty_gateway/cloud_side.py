"""The gateway's side towards the cloud, put together: what goes up, what comes down, and who is told of either."""

import platform
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from spotty_contract.records import Versions
from spotty_contract.status import StandingFault
from spotty_gateway.account import Account
from spotty_gateway.account_deeds import AccountDeeds
from spotty_gateway.chronicle import RoomStory
from spotty_gateway.cloud_desk import CloudDesk
from spotty_gateway.cloud_way import CloudWay
from spotty_gateway.command_memory import CommandMemory
from spotty_gateway.consent import Consent
from spotty_gateway.engine.commands import Effect
from spotty_gateway.engine.events import Event
from spotty_gateway.engine.state import House
from spotty_gateway.in_force import InForce
from spotty_gateway.local import Answer, AskAccount
from spotty_gateway.lookout import Lookout
from spotty_gateway.orders import Hands, Moment, Orders
from spotty_gateway.policies_on_disk import PoliciesOnDisk
from spotty_gateway.policy_sync import PolicySync
from spotty_gateway.policy_taking import PolicyTaker
from spotty_gateway.ports import Clock, Cloud, Stamp
from spotty_gateway.replay.what_if import WhatIf
from spotty_gateway.reporter import Health, Reporter
from spotty_gateway.room_deeds import RoomDeeds
from spotty_gateway.settings import Settings
from spotty_gateway.store import Store
from spotty_gateway.uplink import Uplink

DISTRIBUTION = "spottypottysense"
HUSHED_WITHIN_S = 0.1
"""The end of what comes down: nobody waits for the network then."""
ANSWERED_WITHIN_S = 0.2


@dataclass(frozen=True, slots=True)
class CloudAccess:
    """A way to the cloud, as a nucleus gives it."""

    gateway_id: str
    """The thing's name."""
    cloud: Cloud
    nucleus: str
    """Which kind it is."""
    restart: Callable[[], None]
    """Has the component stopped in order and started anew; returns at once."""
    up_s: Callable[[], float]
    """Since the component was started."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What the cloud's side needs of the rest of the gateway."""

    settings: Settings
    clock: Clock
    boot_id: str
    store: Store
    account: Account
    in_force: InForce
    stories: Mapping[str, RoomStory]
    ask_account: Callable[[AskAccount], Answer]
    post: Callable[[Event | Callable[[House], None]], None]
    say: Callable[[str], None]

    def now(self) -> tuple[int, int, bool]:
        """This instant as events have it."""
        mono = self.clock.mono()
        return mono, mono + self.clock.offset(), self.clock.trusted()

    def now_ms(self) -> int:
        """UTC."""
        return (self.clock.mono() + self.clock.offset()) // 1000

    def stamp(self) -> Stamp:
        """Of the clock as it stands."""
        return Stamp(self.boot_id, self.clock.offset())


class CloudSide:
    """A Listener of the loop. Made before the store starts, `start`ed after the loop; two steps to its end."""

    def __init__(self, access: CloudAccess, inside: Inside) -> None:
        """Raises nothing: where the cloud cannot be reached, records wait and policies stay as they are."""
        self._access = access
        self._inside = inside
        self._way = CloudWay(
            access.cloud,
            inside.clock,
            opened=self._way_opened,
            stood_again=self._way_stands_again,
        )
        last_seq = inside.store.begin_outbox(inside.boot_id)
        self._reporter = Reporter(
            access.gateway_id,
            inside.boot_id,
            inside.store.outbox,
            inside.stories,
            versions(access.nucleus),
            self._health,
            last_seq,
            tells_decisions=inside.settings.telemetry_level == "decisions",
        )
        self._close_stream: Callable[[], None] = lambda: None
        self._uplink = self._make_uplink()
        inside.store.outbox.on_growth = self._uplink.wake
        self._lookout = Lookout(inside.post)
        self._orders = self._make_orders()
        self._desk = CloudDesk(access.gateway_id, self._way, self._make_sync(), self._orders)

    def due_at(self) -> int | None:
        """When it wants to be told of a step even if nothing happens."""
        return self._reporter.due_at()

    def __call__(self, house: House, event: Event, effects: Iterable[Effect]) -> None:
        """One step has been made; on the loop's thread."""
        steps = tuple(effects)
        self._lookout(house, event, steps)
        self._reporter(house, event, steps)

    def start(self) -> None:
        """Send what waits, and listen."""
        self._uplink.start()
        self._desk.start()

    def tell_decisions(self, *, wanted: bool) -> None:
        """Whether single motions leave the house, from now on."""

        def change(_: House) -> None:
            self._reporter.tells_decisions = wanted

        self._inside.post(change)

    def stop_hearing(self) -> None:
        """Take no policy and begin no command any more; while the loop still runs."""
        self._way.close()
        self._desk.close(HUSHED_WITHIN_S)
        self._orders.close(ANSWERED_WITHIN_S)

    def stop_telling(self, within_s: float) -> None:
        """Send nothing more; what has not left waits on the disk for the next start. After the loop's end."""
        self._uplink.stop(within_s)
        self._close_stream()

    def _way_opened(self) -> None:
        self._desk.may_have_missed()
        self._tell_anew()

    def _way_stands_again(self) -> None:
        self._uplink.cloud_is_back()
        self._tell_anew()

    def _tell_anew(self) -> None:
        self._inside.post(lambda _: self._reporter.tell_anew())

    def _make_uplink(self) -> Uplink:
        inside = self._inside
        return Uplink(
            self._access.gateway_id,
            inside.store.outbox,
            self._records_way(),
            inside.clock,
            report=lambda refused: inside.post(lambda house: self._reporter.note_refused(house, refused)),
            unproven=self._way.unproven,
        )

    def _records_way(self) -> Cloud:
        """MQTT, unless the settings want Stream Manager and there can be one."""
        settings = self._inside.settings
        if settings.uplink != "stream_manager":
            return self._way
        if self._access.nucleus == "lite":
            self._inside.say("nucleus lite has no Stream Manager: records go by MQTT; set uplink to outbox")
            return self._way
        # Half a megabyte that only they need who want it.
        from spotty_gateway.stream_manager import Stream, StreamManager  # noqa: PLC0415 - see above

        manager = StreamManager(Stream(settings.stream_name, settings.stream_kinesis), self._way, settings.stream_port)
        self._close_stream = manager.close
        return manager

    def _make_sync(self) -> PolicySync:
        inside = self._inside
        disk = PoliciesOnDisk(inside.settings.policies)
        taker = PolicyTaker(disk, inside.in_force, inside.say)
        chance = random.Random()  # noqa: S311 - spreads questions, guards no secret
        return PolicySync(
            self._access.gateway_id,
            self._way,
            taker,
            inside.in_force.ids,
            inside.say,
            time.monotonic,
            chance.random,
        )

    def _make_orders(self) -> Orders:
        inside, settings = self._inside, self._inside.settings
        consent = None
        if settings.spotify_client_id:
            consent = Consent(
                settings.spotify_client_id,
                settings.spotify_accounts_url,
                settings.tokens,
                now_s=lambda: inside.now_ms() / 1000,
            )
        hands = Hands(
            RoomDeeds(inside.now, self._lookout),
            AccountDeeds(inside.ask_account, consent, settings.tokens, inside.now_ms),
            WhatIf(),
            settings.data_dir / "history.db",
            inside.store.flush,
            self._access.restart,
        )
        memory = CommandMemory(settings.data_dir / "commands.json")
        return Orders(self._access.gateway_id, inside.in_force, memory, inside.store.outbox, self._moment, hands)

    def _moment(self) -> Moment:
        inside = self._inside
        return Moment(inside.now_ms(), inside.clock.trusted(), inside.stamp(), self._access.up_s())

    def _health(self) -> Health:
        """On the loop's thread: no disk."""
        inside = self._inside
        unwatched = [
            StandingFault(fault="input_unwatched", subject=name, detail=why, cure="`spotty doctor` on the gateway")
            for name, why in inside.in_force.refused.items()
        ]
        disk = [
            StandingFault(fault="disk", subject="disk", detail=line, cure="`spotty doctor` on the gateway")
            for line in inside.store.troubles
        ]
        account, number = inside.account, inside.in_force.version
        return Health(account.consent_now(), account.guard_now(), number, (*disk, *unwatched))


def versions(nucleus: str) -> Versions:
    """What runs here."""
    try:
        component = version(DISTRIBUTION)
    except PackageNotFoundError:  # run from its sources
        component = "sources"
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.system()
    return Versions(
        component=component,
        python=platform.python_version(),
        system=f"{system}, {platform.machine()}",
        nucleus=nucleus,
    )
