"""The whole simulated Spotify: accounts with their players, the music, the tokens and the time. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .accounts import Accounts
from .catalogue import Catalogue, invented_id
from .clock import Clock, RunningClock
from .commands import Remote
from .devices import Device
from .hand import Hand
from .player import BY_HAND, Asker, Player
from .records import demo_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    calls; whoever reads brings the players to the clock's present with `settle`.
    """

    def __init__(self, clock: Clock | None = None, *, catalogue: Catalogue | None = None, seed: int = 0) -> None:
        self.clock: Clock = clock or RunningClock()
        self.catalogue = catalogue if catalogue is not None else demo_catalogue()
        self.accounts: dict[str, Account] = {}
        self.auth = Accounts(self.clock)
        self._seed = seed
        self.add_account(OWNER, "The household")

    def add_account(self, account_id: str, display_name: str | None = None, *, is_premium: bool = True) -> Account:
        """A new account without devices; one of the same id is replaced."""
        player = Player(self.clock, seed=self._seed + len(self.accounts))
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
        for account in self.accounts.values():
            account.player.settle()

    def next_change_ms(self) -> int | None:
        """The clock time at which the next thing happens by itself, or None."""
        due = (account.player.next_change_ms() for account in self.accounts.values())
        return min((at_ms for at_ms in due if at_ms is not None), default=None)


def demo_world(clock: Clock | None = None, devices: Iterable[str] = ("Bathroom", "Kitchen", "Bedroom")) -> SpotifyWorld:
    """A household to look at: the demo catalogue and a few speakers, silent."""
    world = SpotifyWorld(clock)
    for name in devices:
        world.add_device(name)
    return world
