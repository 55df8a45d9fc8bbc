"""A room's speaker: found under the name that a person chose, and never louder than allowed."""

from dataclasses import dataclass, field, replace

from spotty_gateway.engine.rules import Device, Target
from spotty_gateway.errors import NoActiveDeviceError, PlayerError, PlayerRefusedError, VolumeRefusedError
from spotty_gateway.ports import Look, Player, SeenDevice

FULL_PCT = 100


@dataclass(frozen=True, slots=True)
class Speakers:
    """The account's devices, as far as one has to know them."""

    player: Player
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    """Ids last seen, by name and type: they change, but seldom, and asking for them costs a round trip."""

    def at_hand(self, look: Look | None, target: Target) -> SeenDevice | None:
        """The device without asking for it: as the look shows it, or from memory where its volume need not be known."""
        if look is not None and look.device is not None and look.device.device.is_same_as(target.device):
            return look.device if look.device.device.id is not None and not look.device.is_restricted else None
        known_id = self._known_id(target.device)
        its_own_volume_counts = target.volume_pct is None and (target.volume_cap_pct < FULL_PCT or target.fade_in_us)
        if known_id is None or its_own_volume_counts:
            return None
        device = replace(target.device, id=known_id)
        return SeenDevice(device, is_active=False, is_restricted=False, volume_pct=None)

    def found(self, wanted: Device) -> SeenDevice:
        """The device as it is known now. Raises NoActiveDeviceError, PlayerRefusedError."""
        present = self.player.devices()
        for seen in present:
            if seen.device.is_same_as(wanted) and seen.device.id is not None:
                if seen.is_restricted:
                    raise PlayerRefusedError(
                        f"{wanted.name} takes no commands from apps (it is restricted); choose another device"
                    )
                self.remember(wanted, seen)
                return seen
        names = ", ".join(sorted(seen.device.name for seen in present)) or "none"
        raise NoActiveDeviceError(
            f"the {wanted.type.lower()} {wanted.name} is not there (present: {names}); "
            "switch it on and play anything on it once from the Spotify app"
        )

    def rouse(self, wanted: Device) -> None:
        """Some speakers sleep until a command names them. Only where nothing plays that must stay where it is."""
        known_id = self._known_id(wanted)
        if known_id is not None:
            try:
                self.player.transfer(known_id)
            except (NoActiveDeviceError, PlayerRefusedError):
                return

    def remember(self, wanted: Device, seen: SeenDevice) -> None:
        """Note under which id `wanted` was seen."""
        if seen.device.id is not None:
            self.ids[_key(wanted)] = seen.device.id

    def set_volume(self, device: Device, volume_pct: int) -> None:
        """Set it, found again if need be. Raises PlayerError.

        Never without an id: a command that names no device goes to whatever is active, whosever that is.
        """
        if device.id is not None:
            try:
                self.player.set_volume(device.id, volume_pct)
            except NoActiveDeviceError:
                self.ids.pop(_key(device), None)
            else:
                return
        self.player.set_volume(id_of(self.found(device)), volume_pct)

    def set_first_volume(self, seen: SeenDevice, volume_pct: int, look: Look | None, *, is_listed: bool) -> None:
        """Set it before anything is heard. Raises PlayerError; NoActiveDeviceError also where a list may help."""
        try:
            self.player.set_volume(id_of(seen), volume_pct)
        except NoActiveDeviceError:
            if not is_listed:
                raise
            # It is there, but its volume can be set only while it is the active one. Music that plays elsewhere would
            # come along, at the old volume: it is to make room for ours in any case.
            if look is not None and look.is_playing:
                self.player.pause(None)
            self.player.transfer(id_of(seen))
            self.player.set_volume(id_of(seen), volume_pct)

    def is_restored(self, device: Device, volume_pct: int) -> bool:
        """Bring the device back to this volume; whether it has it now, or has none to set."""
        try:
            self.set_volume(device, volume_pct)
        except VolumeRefusedError:
            return True
        except PlayerError:
            return False
        return True

    def _known_id(self, device: Device) -> str | None:
        return self.ids.get(_key(device), device.id)


def id_of(seen: SeenDevice) -> str:
    """The id that a command needs. Raises NoActiveDeviceError."""
    if seen.device.id is None:
        raise NoActiveDeviceError(f"{seen.device.name} has no id at the moment; it is probably asleep")
    return seen.device.id


def final_volume(seen: SeenDevice, target: Target) -> int | None:
    """The volume to play at: the policy's, else the device's own, never above the cap; None where unknown."""
    wanted_pct = seen.volume_pct if target.volume_pct is None else target.volume_pct
    return None if wanted_pct is None else min(wanted_pct, target.volume_cap_pct)


def _key(device: Device) -> tuple[str, str]:
    return device.name.casefold(), device.type.casefold()
