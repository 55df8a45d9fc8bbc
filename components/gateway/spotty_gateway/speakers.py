"""A room's speaker: found under the name that a person chose, and never louder than allowed."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from spotty_gateway.engine.rules import Device, Target
from spotty_gateway.errors import NoActiveDeviceError, PlayerError, PlayerRefusedError, VolumeRefusedError
from spotty_gateway.ports import Look, Player, RememberedDevice, SeenDevice

FULL_PCT = 100

REFUSAL_LASTS_S = 7 * 86_400.0
"""A device that refused to have its volume set is not asked again for so long: that may be mended, but seldom is."""

Keep = Callable[[tuple[RememberedDevice, ...]], object]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered of one device, under the name that a person chose."""

    chosen: Device
    id: str
    has_volume: bool = True
    """As the last list or look said."""
    refused_until_s: float = float("-inf")
    refused_at_s: float | None = None
    """Since when it refuses, or is without volume, for another run: in seconds since 1970."""
    is_doubtful: bool = False
    """It was seen under another name than the chosen one: it may have been renamed, or two have swapped names."""

    def refuses_volume(self, now_s: float) -> bool:
        return not self.has_volume or now_s < self.refused_until_s


class Speakers:
    """The account's devices, as far as one has to know them.

    Ids are remembered by name and type: they change, but seldom, and asking for them costs a round trip. So is who
    refused to have the volume set. `keep` is called with all that is remembered whenever it has changed.
    """

    def __init__(
        self,
        player: Player,
        remembered: Iterable[RememberedDevice] = (),
        keep: Keep = lambda _: None,
        monotonic_s: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`remembered` is what an earlier run kept; `now_s` gives seconds since 1970, to compare with what it kept."""
        self._player = player
        self._keep = keep
        self._monotonic_s = monotonic_s
        self._now_s = now_s
        before = tuple(remembered)
        known = [self._from(one) for one in before]
        self._known: dict[tuple[str, str], _Known] = {one.chosen.called: one for one in known}
        if self._remembered() != before:  # a week is over, or begins because nobody knew when it had begun
            keep(self._remembered())

    def forget(self) -> None:
        """The account is another, or none: nothing is remembered of its devices."""
        self._known.clear()
        self._keep(())

    def at_hand(self, look: Look | None, target: Target) -> SeenDevice | None:
        """The device without asking for it: as the look shows it, or from memory where its volume need not be known."""
        known_id = self._known_id(target.device)
        if look is not None and look.device is not None and look.device.device.is_same_as(target.device):
            seen_id = look.device.device.id
            is_it = seen_id is not None and known_id in {None, seen_id}  # else it may be a namesake
            return look.device if is_it and not look.device.is_restricted else None
        known = self._known.get(target.device.called)
        refuses = self.refuses_volume(target.device)
        its_own_volume_counts = (target.volume_cap_pct < FULL_PCT and (target.volume_pct is None or refuses)) or (
            target.fade_in_us > 0 and target.volume_pct is None and not refuses
        )
        if known_id is None or its_own_volume_counts or (known is not None and known.is_doubtful):
            return None
        device = replace(target.device, id=known_id)
        return SeenDevice(device, is_active=False, is_restricted=False, volume_pct=None)

    def found(self, wanted: Device) -> SeenDevice:
        """The device as it is known now. Raises NoActiveDeviceError, PlayerRefusedError."""
        seen = chosen_from(self._player.devices(), replace(wanted, id=self._known_id(wanted)))
        self.remember(wanted, seen)
        return seen

    def is_roused(self, wanted: Device) -> bool:
        """Some speakers sleep until a command names them: whether this one may be there now.

        Only while nothing plays: what plays would come along, at this speaker's volume. Raises PlayerError.
        """
        known_id = self._known_id(wanted)
        if known_id is None:
            return False
        try:
            self._player.transfer(known_id)
        except (NoActiveDeviceError, PlayerRefusedError):
            return False
        return True

    def remember(self, wanted: Device, seen: SeenDevice) -> None:
        """Note under which id `wanted` was seen, and what was seen of it."""
        if seen.device.id is None:
            return
        known = self._known.get(wanted.called)
        if known is None or known.id != seen.device.id:
            known = _Known(Device(wanted.name, wanted.type), seen.device.id)
        is_doubtful = seen.device.called != wanted.called
        has_volume = seen.volume_pct is not None
        if not has_volume and not known.refuses_volume(self._monotonic_s()):
            known = replace(known, refused_at_s=self._now_s())
        self._note(replace(known, has_volume=has_volume, is_doubtful=is_doubtful))

    def refuses_volume(self, device: Device) -> bool:
        """Whether this device is remembered as one whose volume cannot be set."""
        known = self._of(device)
        return known is not None and known.refuses_volume(self._monotonic_s())

    def set_volume(self, device: Device, volume_pct: int, *, is_too_loud: bool = False) -> None:
        """Set it, found again if need be. Raises PlayerError.

        Never without an id: a command that names no device goes to whatever is active, whosever that is. Who has
        refused before is asked again only where it is too loud.
        """
        if device.id is not None:
            try:
                self._set(device, device.id, volume_pct, is_too_loud=is_too_loud)
            except NoActiveDeviceError:
                pass  # gone, or known under another id by now: the list tells
            else:
                return
        self._set(device, id_of(self.found(device)), volume_pct, is_too_loud=is_too_loud)

    def set_first_volume(
        self, seen: SeenDevice, volume_pct: int, look: Look | None, *, is_listed: bool, is_too_loud: bool
    ) -> None:
        """Set it before anything is heard. Raises PlayerError; NoActiveDeviceError also where a list may help."""
        try:
            self._set(seen.device, id_of(seen), volume_pct, is_too_loud=is_too_loud)
        except NoActiveDeviceError:
            if not is_listed:
                raise
            self.activate(seen, look)  # it is there, but its volume can be set only while it is the active one
            self._set(seen.device, id_of(seen), volume_pct, is_too_loud=is_too_loud)

    def activate(self, seen: SeenDevice, look: Look | None) -> None:
        """Make it the active one, in silence. Raises PlayerError.

        Music that plays elsewhere would come along, at the old volume: it is to make room for ours in any case.
        """
        if look is not None and look.is_playing:
            self._player.pause(None)
        self._player.transfer(id_of(seen))

    def is_restored(self, device: Device, volume_pct: int) -> bool:
        """Bring the device back to this volume; whether it has it now, or has none to set."""
        try:
            self.set_volume(device, volume_pct)
        except VolumeRefusedError:
            return True
        except PlayerError:
            return False
        return True

    def _set(self, device: Device, device_id: str, volume_pct: int, *, is_too_loud: bool) -> None:
        if self.refuses_volume(device) and not is_too_loud:
            raise VolumeRefusedError(f"{device.name}: its volume could not be set by apps when it was last tried")
        known = self._of(device) or _Known(Device(device.name, device.type), device_id)
        try:
            self._set_unless_meant(device, device_id, volume_pct)
        except VolumeRefusedError:
            until_s = self._monotonic_s() + REFUSAL_LASTS_S
            self._note(replace(known, refused_until_s=until_s, refused_at_s=self._now_s()))
            raise
        if self.refuses_volume(device):
            self._note(replace(known, has_volume=True, refused_until_s=float("-inf"), refused_at_s=None))

    def _set_unless_meant(self, device: Device, device_id: str, volume_pct: int) -> None:
        """Ask twice who has never refused before: a refusal that was a whim would be believed for a week."""
        try:
            self._player.set_volume(device_id, volume_pct)
        except VolumeRefusedError:
            if self.refuses_volume(device):
                raise
            self._player.set_volume(device_id, volume_pct)

    def _known_id(self, device: Device) -> str | None:
        known = self._known.get(device.called)
        return device.id if known is None else known.id

    def _of(self, device: Device) -> _Known | None:
        """What is known of it, also where it has another name by now."""
        by_id = (one for one in self._known.values() if one.id == device.id)
        return self._known.get(device.called) or next(by_id, None)

    def _note(self, known: _Known) -> None:
        before = self._remembered()
        self._known[known.chosen.called] = known
        if self._remembered() != before:
            self._keep(self._remembered())

    def _remembered(self) -> tuple[RememberedDevice, ...]:
        now_s = self._monotonic_s()
        return tuple(
            RememberedDevice(one.chosen.name, one.chosen.type, one.id, refuses, one.refused_at_s if refuses else None)
            for one in self._known.values()
            for refuses in [one.refuses_volume(now_s)]
        )

    def _from(self, one: RememberedDevice) -> _Known:
        """What an earlier run kept. A refusal is believed until its week is over, however often we are started anew."""
        chosen = Device(one.name, one.type)
        if not one.refuses_volume:
            return _Known(chosen, one.id)
        now_s = self._now_s()
        refused_at_s = now_s if one.refused_at_s is None else min(one.refused_at_s, now_s)
        until_s = self._monotonic_s() + refused_at_s + REFUSAL_LASTS_S - now_s
        return _Known(chosen, one.id, refused_until_s=until_s, refused_at_s=refused_at_s)


def chosen_from(present: Sequence[SeenDevice], wanted: Device) -> SeenDevice:
    """The one of these devices that `wanted` stands for. Raises NoActiveDeviceError, PlayerRefusedError.

    By name and type; of several so called the one with the known id, else the one that is active. Where nobody has the
    name any more, the one with the known id has been renamed.
    """
    named = [seen for seen in present if seen.device.called == wanted.called]
    same = named or [seen for seen in present if seen.device.id is not None and seen.device.id == wanted.id]
    if not same:
        names = ", ".join(sorted(seen.device.name for seen in present)) or "none"
        raise NoActiveDeviceError(
            f"the {wanted.type.lower()} {wanted.name} is not there (present: {names}); switch it on and play anything "
            "on it once from the Spotify app, or choose it anew if it has another name now"
        )
    if all(seen.is_restricted for seen in same):
        raise PlayerRefusedError(f"{wanted.name} takes no commands from apps (it is restricted); choose another device")
    awake = [seen for seen in same if seen.device.id is not None and not seen.is_restricted]
    if not awake:
        raise NoActiveDeviceError(
            f"{wanted.name} is asleep (Spotify lists it without an id); play anything on it once from the Spotify app"
        )
    known = [seen for seen in awake if seen.device.id == wanted.id] or [seen for seen in awake if seen.is_active]
    if len(awake) > 1 and not known:
        raise NoActiveDeviceError(
            f"{len(awake)} devices are called {wanted.name} ({wanted.type}): give each a name of its own, "
            "or play anything once on the right one"
        )
    return (known or awake)[0]


def id_of(seen: SeenDevice) -> str:
    """The id that a command needs. Raises NoActiveDeviceError."""
    if seen.device.id is None:
        raise NoActiveDeviceError(f"{seen.device.name} has no id at the moment; it is probably asleep")
    return seen.device.id


def final_volume(seen: SeenDevice, target: Target) -> int | None:
    """The volume to play at: the policy's, else the device's own, never above the cap; None where unknown."""
    wanted_pct = seen.volume_pct if target.volume_pct is None else target.volume_pct
    return None if wanted_pct is None else min(wanted_pct, target.volume_cap_pct)


def is_too_loud(seen: SeenDevice, target: Target) -> bool:
    """Whether it is known to stand above the cap."""
    return seen.volume_pct is not None and seen.volume_pct > target.volume_cap_pct
