"""How we behave on an account that is not ours alone: look before starting, verify after, look again before pausing.

Each function carries out one command of the engine against a Player and says how it ended. None of them retries a
failed call: that is the engine's business, which knows whether anybody is still there.
"""

from collections.abc import Callable
from dataclasses import replace

from spotty_gateway.engine.commands import Claim, PauseMusic, SetVolume, StartMusic
from spotty_gateway.engine.debts import FADE_STEPS
from spotty_gateway.engine.events import Declined, Failed, NotOurs, OwnVolume, Paused, Position, Started, VolumeSet
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND, Device, Repeat, Target
from spotty_gateway.errors import (
    NoActiveDeviceError,
    PlayerError,
    PlayerLimitError,
    PlayerRefusedError,
    VolumeRefusedError,
)
from spotty_gateway.ports import Look, Player, SeenDevice
from spotty_gateway.speakers import Speakers, final_volume, id_of, is_too_loud

VERIFY_AFTER_S = (0.0, 0.25, 0.75, 1.5, 3.0)
"""Waits before the looks that verify a start: a speaker that wakes up takes seconds to say that it plays."""

PAUSED_WITHIN_S = 1.5
"""A speaker that plays in the look after its pause is looked at once more after this: some say late that they stopped.
"""

LOWERED_WITHIN_S = 1.5
"""The same for a speaker that is still too loud in the look after it was turned down."""

NOWHERE_AGAIN_AFTER_S = (0.5, 1.5)
"""Where something plays and Spotify does not say on which device, it is asked again after these waits. On some devices
it never says."""


class Manners:
    """One account, behaved on. For one thread."""

    def __init__(
        self,
        player: Player,
        pause_for: Callable[[float], None],
        await_intent: Callable[[], object] = lambda: None,
        speakers: Speakers | None = None,
    ) -> None:
        """`pause_for` waits that many seconds, or less if there is no time for it.

        `await_intent` waits, but not for long, until the intent to play is on disk: after a crash in the very next
        moment nobody else could tell whose music that is. `speakers` remember what an earlier run knew of the devices.
        """
        self._await_intent = await_intent
        self._player = player
        self._speakers = speakers or Speakers(player)
        self._pause_for = pause_for

    def start(self, command: StartMusic) -> Started | Declined | Failed:
        """Start the target's music unless somebody else's plays. Raises PlayerError where nothing was started."""
        look, ours = self._look(), command.ours
        if look is not None and look.is_playing:
            on_ours = look.device is not None and look.device.device.is_same_as(command.target.device)
            if look.device is not None and on_ours and ours is not None and is_claim(look, ours):
                return self._adopt(look.device, ours, command.target)
            if not any(is_claim(look, claim) for claim in (*command.others, *([ours] if ours else []))):
                if on_ours:
                    return Declined("already_playing")
                if not command.take_over:
                    return Declined("playing_elsewhere")
        at_hand = self._speakers.at_hand(look, command.target)
        if at_hand is not None:
            try:
                return self._play(command, at_hand, look)
            except NoActiveDeviceError:
                pass  # gone, or known under another id by now: the list tells
        return self._play_on_listed(command, look)

    def pause(self, command: PauseMusic) -> Paused | NotOurs | Failed:
        """Pause what the claim stands for, if it still plays, and look whether it has stopped. Raises PlayerError."""
        look, claim = self._look(), command.claim
        if look is None or not look.is_playing:
            return NotOurs("finished" if has_run_out(look, claim) else "manual_stop")
        device = _to_pause(look, command)
        if device is None:
            return NotOurs("taken_over")
        self._player.pause(device.id)
        if self._plays_on(command):
            return Failed(
                SilentReason.DEVICE_REFUSES, f"Spotify accepts the pause, but {device.name} plays on; it is tried again"
            )
        restored = True
        if command.restore_volume_pct is not None:
            restored = self._speakers.is_restored(device, command.restore_volume_pct)
        ours = is_claim(look, claim)
        left_at = Position(claim.context_uri, look.track_uri, look.progress_ms) if ours and look.track_uri else None
        return Paused(left_at, restored)

    def set_volume(self, command: SetVolume) -> VolumeSet | NotOurs | Failed:
        """Set the volume; where asked, only while the claim holds, or with a look afterwards. Raises PlayerError."""
        device, before_pct = command.claim.device, None
        if command.only_if_ours:
            look = self._look()
            if look is None or not look.is_playing:
                return NotOurs("finished" if has_run_out(look, command.claim) else "manual_stop")
            if look.device is None or not is_claim(look, command.claim):
                return NotOurs("taken_over")
            device, before_pct = look.device.device, look.device.volume_pct
        goes_down = before_pct is not None and before_pct > command.volume_pct  # perhaps because of a new cap
        try:
            self._speakers.set_volume(device, command.volume_pct, is_too_loud=goes_down)
        except VolumeRefusedError:
            return VolumeSet(None)  # a device without volume has, for us, the right one
        stays_at_pct = self._stays_above(command) if goes_down and command.must_hold else None
        if stays_at_pct is not None:
            what = f"Spotify accepts {command.volume_pct} % for {device.name}, which stays at {stays_at_pct} %"
            return Failed(SilentReason.PLAYER_UNAVAILABLE, f"{what}; it is tried again")
        return VolumeSet(before_pct)

    def _stays_above(self, command: SetVolume) -> int | None:
        """How loud it is all the same, also a moment later; None where it came down, or plays for somebody else."""
        stays_at_pct: int | None = None
        for wait_s in (0.0, LOWERED_WITHIN_S):
            self._pause_for(wait_s)
            look = self._player.look()
            if look is None or not look.is_playing or look.device is None or not is_claim(look, command.claim):
                return None
            stays_at_pct = look.device.volume_pct
            if stays_at_pct is None or stays_at_pct <= command.volume_pct:
                return None
        return stays_at_pct

    def _look(self) -> Look | None:
        """What plays. What plays nowhere is looked at again: whose music it is hangs on the device."""
        look = self._player.look()
        for wait_s in NOWHERE_AGAIN_AFTER_S:
            if look is None or not look.is_playing or look.device is not None:
                break
            self._pause_for(wait_s)
            look = self._player.look()
        return look

    def _plays_on(self, command: PauseMusic) -> bool:
        """Whether what was paused is heard all the same, also a moment later."""
        if _to_pause(self._look(), command) is None:
            return False
        self._pause_for(PAUSED_WITHIN_S)
        return _to_pause(self._look(), command) is not None

    def _play_on_listed(self, command: StartMusic, look: Look | None) -> Started | Failed:
        try:
            listed = self._speakers.found(command.target.device)
        except NoActiveDeviceError:
            if (look is not None and look.is_playing) or not self._speakers.is_roused(command.target.device):
                raise
            listed = self._speakers.found(command.target.device)
        try:
            return self._play(command, listed, look, is_listed=True)
        except NoActiveDeviceError:  # listed, and dozing all the same: being made the active one wakes it
            self._speakers.activate(listed, look)
        return self._play(command, listed, look, is_listed=True)

    def _adopt(self, seen: SeenDevice, ours: Claim, target: Target) -> Started | Failed:
        """What plays is ours from before: it goes on, at the volume that is right now."""
        final_pct = final_volume(seen, target)
        try:
            if final_pct is not None and final_pct != seen.volume_pct:
                self._speakers.set_volume(seen.device, final_pct, is_too_loud=is_too_loud(seen, target))
        except VolumeRefusedError:
            final_pct = None
        except PlayerError as error:  # it may be too loud: nothing is well before that is mended
            return failed(error, started_anyway=True)
        detail = _loudness(seen, target, final_pct)
        return Started(seen.device, ours.context_uri, adopted=True, volume_pct=final_pct, detail=detail)

    def _play(
        self, command: StartMusic, seen: SeenDevice, look: Look | None, *, is_listed: bool = False
    ) -> Started | Failed:
        """Ask for the music, never louder than allowed: the volume is lowered before the first sound."""
        target = command.target
        final_pct = final_volume(seen, target)
        first_pct = final_pct // FADE_STEPS if final_pct is not None and target.fade_in_us else final_pct
        own = None if seen.volume_pct is None else OwnVolume(seen.device, seen.volume_pct)
        changed: OwnVolume | None = None
        if first_pct is not None and first_pct != seen.volume_pct:
            try:
                self._speakers.set_first_volume(
                    seen, first_pct, look, is_listed=is_listed, is_too_loud=is_too_loud(seen, target)
                )
                changed = own
            except VolumeRefusedError:
                final_pct = None
            except PlayerError as error:
                if not error.maybe_obeyed:
                    raise
                return failed(error, unrestored=own)
        try:
            self._ask(id_of(seen), command)
        except PlayerError as error:
            if not error.maybe_obeyed:
                if changed is None or self._is_put_back(changed, error):
                    raise
                return failed(error, unrestored=changed)
        try:
            outcome = self._verified(seen, target, final_pct)
        except PlayerError as error:
            outcome = failed(error, started_anyway=True)
        return replace(outcome, unrestored=changed) if isinstance(outcome, Failed) else outcome

    def _is_put_back(self, own: OwnVolume, error: PlayerError) -> bool:
        """Whether the speaker has its own volume again after this error, which may forbid that very request."""
        return not isinstance(error, PlayerLimitError) and self._speakers.is_restored(own.device, own.volume_pct)

    def _ask(self, device_id: str, command: StartMusic) -> None:
        self._await_intent()
        if command.position is not None:
            try:
                self._player.play(device_id, command.target.context_uri, command.position)
            except PlayerRefusedError:
                pass  # the song has left the playlist since: from the start, then
            else:
                return
        self._player.play(device_id, command.target.context_uri, None)

    def _verified(self, seen: SeenDevice, target: Target, final_pct: int | None) -> Started | Failed:
        ours = Claim(seen.device, target.context_uri, confirmed=True)
        for wait_s in VERIFY_AFTER_S:
            self._pause_for(wait_s)
            look = self._player.look()
            if look is not None and look.is_playing and look.device is not None and is_claim(look, ours):
                self._speakers.remember(target.device, look.device)
                volume_pct = self._under_cap(look.device, target, final_pct)
                self._arrange(look.device, look, target)
                detail = _loudness(look.device, target, volume_pct)
                return Started(look.device.device, target.context_uri, False, volume_pct, detail)
        return Failed(
            SilentReason.PLAYER_UNAVAILABLE,
            f"Spotify accepted the start on {seen.device.name}, but nothing is heard there",
            started_anyway=True,
        )

    def _under_cap(self, heard: SeenDevice, target: Target, final_pct: int | None) -> int | None:
        """The volume that this start comes to. What could not be lowered before the first sound is lowered now."""
        if heard.volume_pct is None:
            return None
        allowed_pct = target.volume_cap_pct if final_pct is None else final_pct
        if heard.volume_pct > allowed_pct:
            try:
                self._speakers.set_volume(heard.device, allowed_pct, is_too_loud=is_too_loud(heard, target))
            except VolumeRefusedError:
                return None
            return allowed_pct
        if final_pct is None:
            return None if self._speakers.refuses_volume(heard.device) else heard.volume_pct
        return final_pct

    def _arrange(self, heard: SeenDevice, look: Look, target: Target) -> None:
        """Shuffle and repeat as chosen. The music plays already: a device that will not have them makes no fault."""
        try:
            if look.shuffle is not target.shuffle:
                self._player.set_shuffle(id_of(heard), target.shuffle)
            if look.repeat is not target.repeat:
                self._player.set_repeat(id_of(heard), target.repeat)
        except PlayerError:
            return


def failed(error: PlayerError, *, started_anyway: bool = False, unrestored: OwnVolume | None = None) -> Failed:
    """The outcome of a command that was stopped by `error`."""
    return Failed(error.reason, str(error), round(error.retry_after_s * SECOND), started_anyway, unrestored)


def is_claim(look: Look, claim: Claim) -> bool:
    """Whether what plays is the claim's: its device and its context. A missing context counts only if confirmed."""
    if look.device is None or not look.device.device.is_same_as(claim.device):
        return False
    if look.context_uri is None:
        return claim.confirmed
    return _context_id(look.context_uri) == _context_id(claim.context_uri)


def _to_pause(look: Look | None, command: PauseMusic) -> Device | None:
    """Where this pause has something to stop, if anywhere."""
    if look is None or not look.is_playing or look.device is None:
        return None
    device = look.device.device
    intrudes = command.even_if_taken_over and device.is_same_as(command.claim.device)
    return device if intrudes or is_claim(look, command.claim) else None


def _loudness(seen: SeenDevice, target: Target, volume_pct: int | None) -> str:
    """What a person has to know of a speaker that stays above the cap; it plays, as every speaker without volume."""
    if volume_pct is not None or not is_too_loud(seen, target):
        return ""
    return (
        f"{seen.device.name} plays at {seen.volume_pct} % and lets no app set its volume; "
        f"allowed are {target.volume_cap_pct} %: turn it down by hand"
    )


def has_run_out(look: Look | None, claim: Claim) -> bool:
    """A context that does not repeat and stands still at its beginning has come to its end by itself."""
    if look is None or look.device is None or look.repeat is not Repeat.OFF:
        return False
    return look.progress_ms == 0 and is_claim(look, claim)


def _context_id(uri: str) -> tuple[str, ...]:
    """Kind and id: a playlist's URI may or may not name its owner (spotify:user:NAME:playlist:ID)."""
    return tuple(uri.split(":")[-2:])
