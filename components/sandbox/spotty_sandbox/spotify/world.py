"""The whole simulated Spotify: accounts with their players, the music, the tokens and the time. No I/O."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from .accounts import Accounts
from .catalogue import Catalogue, invented_id
from .clock import Clock, RunningClock, ScriptClock
from .commands import Remote
from .devices import Device
from .hand import Hand
from .player import BY_HAND, Asker, Player
from .records import demo_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OWNER = "owner"


@dataclass(slots=True)
class Account:
    """One Spotify account: `id` as in its URI, whether it is Premium, and its player."""

    id: str
    display_name: str
    player: Player
    is_premium: bool = True


class SpotifyWorld:
    """Everything that the simulator knows. It starts with one Premium account, `owner`, without devices.

    Not thread-safe: one thread owns it (inside a `SpotifySimulator`, reach it by `call`). Nothing happens between
    calls; whoever reads brings the players to the clock's present with `settle`. What was planned with `at` happens
    then, each at its own instant.
    """

    def __init__(self, clock: Clock | None = None, *, catalogue: Catalogue | None = None, seed: int = 0) -> None:
        self.clock: Clock = clock or RunningClock()
        self._present = ScriptClock(self.clock)
        self._plan: list[tuple[int, int, Callable[[SpotifyWorld], object], int | None]] = []
        self._planned = count()
        self.catalogue = catalogue if catalogue is not None else demo_catalogue()
        self.accounts: dict[str, Account] = {}
        self.auth = Accounts(self._present)
        self._seed = seed
        self.add_account(OWNER, "The household")

    def add_account(self, account_id: str, display_name: str | None = None, *, is_premium: bool = True) -> Account:
        """A new account without devices; one of the same id is replaced."""
        player = Player(self._present, seed=self._seed + len(self.accounts))
        account = Account(account_id, display_name or account_id, player, is_premium)
        self.accounts[account_id] = account
        return account

    def add_device(self, name: str, account_id: str = OWNER, **traits: Any) -> Device:  # noqa: ANN401 - Device's fields
        """A new device of an account; `traits` are fields of `Device`, id and key are invented unless given.

        Raises KeyError for an unknown account and TypeError for an unknown field.
        """
        devices = self.accounts[account_id].player.devices
        key = f"{account_id}-{len(devices)}"
        identity = invented_id(f"device {account_id} {name} {len(devices)}").lower()
        device = replace(Device(key, identity, name), **traits)
        devices.append(device)
        return device

    def player(self, account_id: str = OWNER) -> Player:
        """An account's player, brought to the present. Raises KeyError for an unknown account."""
        player = self.accounts[account_id].player
        self.catch_up()
        player.settle()
        return player

    def device(self, name: str, account_id: str = OWNER) -> Device:
        """The first device called so (or with that key). Raises KeyError when there is none."""
        for device in self.player(account_id).devices:
            if name in (device.name, device.key):
                return device
        raise KeyError(name)

    def remote(self, asker: Asker, account_id: str = OWNER) -> Remote:
        """An app's remote control of an account."""
        account = self.accounts[account_id]
        return Remote(account.player, self.catalogue, asker, account.is_premium)

    def hand(self, by: Asker = BY_HAND, account_id: str = OWNER) -> Hand:
        """A person at an account's speakers."""
        return Hand(self.accounts[account_id].player, by)

    def settle(self) -> None:
        """Bring every player to the present."""
        self.catch_up()
        for account in self.accounts.values():
            account.player.settle()

    def next_change_ms(self) -> int | None:
        """The clock time at which the next thing happens by itself, or None."""
        due = [account.player.next_change_ms() for account in self.accounts.values()]
        due += [at_ms for at_ms, *_ in self._plan[:1]]
        return min((at_ms for at_ms in due if at_ms is not None), default=None)

    # What happens by itself.

    def at(self, at_ms: int, deed: Callable[[SpotifyWorld], object], *, every_ms: int | None = None) -> None:
        """Plan `deed(world)` for an instant of the clock, and again every so often. It happens when next looked at.

        What a deed reads or changes has the time it was planned for, even when the clock has leapt far beyond.
        Raises ValueError for a repetition that is not positive.
        """
        if every_ms is not None and every_ms <= 0:
            raise ValueError(f"a deed cannot be done every {every_ms} ms")
        heapq.heappush(self._plan, (at_ms, next(self._planned), deed, every_ms))

    def catch_up(self) -> None:
        """Do what was planned up to now, each deed at its instant."""
        while self._plan and self._plan[0][0] <= self._present.now_ms():
            at_ms, _, deed, every_ms = heapq.heappop(self._plan)
            if every_ms is not None:
                self.at(at_ms + every_ms, deed, every_ms=every_ms)
            seen_ms = max(account.player.settled_ms for account in self.accounts.values())
            with self._present.standing_at(max(at_ms, seen_ms)):
                deed(self)

    def renew_id(self, device: Device) -> None:
        """Spotify gives the device another id; the old one is found no more."""
        device.id = invented_id(f"device {device.key} {device.id} again").lower()


def demo_world(clock: Clock | None = None, devices: Iterable[str] = ("Bathroom", "Kitchen", "Bedroom")) -> SpotifyWorld:
    """A household to look at: the demo catalogue and a few speakers, silent."""
    world = SpotifyWorld(clock)
    for name in devices:
        world.add_device(name)
    return world
