"""Volumes: what a speaker is still to be brought to, step by step in a fade, and never above the policy's cap."""

from typing import TYPE_CHECKING

from spotty_gateway.engine.account import is_starting_on
from spotty_gateway.engine.commands import SetVolume
from spotty_gateway.engine.events import Failed, NotOurs, VolumeSet
from spotty_gateway.engine.fades import take_due, volume_now
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import NEVER
from spotty_gateway.engine.state import Hold, OwedVolume, Playing
from spotty_gateway.engine.values import replace
from spotty_gateway.engine.waits import VOLUME_BACKOFF_MAX_US, backoff_us, spread_us

if TYPE_CHECKING:
    from spotty_gateway.engine.commands import Claim
    from spotty_gateway.engine.events import PlayerAnswered
    from spotty_gateway.engine.rules import Device
    from spotty_gateway.engine.turn import Turn


def owe_volume(turn: "Turn", sensor_id: str, claim: "Claim", volume_pct: int, *, only_if_ours: bool) -> None:
    """Bring the device to this volume, now and until it has it."""
    owed = OwedVolume(claim, volume_pct, only_if_ours, turn.now)
    turn.put_music(sensor_id, replace(turn.rooms[sensor_id].music, owed_volume=owed))
    turn.save()
    pay_volume(turn, sensor_id)


def wake_on(turn: "Turn", device: "Device") -> None:
    """The start is answered: what slept beside it is due again."""
    for sensor_id in _owing_to(turn, device):
        owed = turn.rooms[sensor_id].music.owed_volume
        if owed is not None and owed.due_at >= NEVER:
            hurry(turn, sensor_id)


def take_own(turn: "Turn", device: "Device") -> int | None:
    """The volume of its own that is still owed to this device, if any: owed from now on by whoever asks."""
    own_pct = None
    for sensor_id in _owing_to(turn, device):
        music = turn.rooms[sensor_id].music
        turn.put_music(sensor_id, replace(music, owed_volume=None))
        turn.save()
        if music.owed_volume is not None and not music.owed_volume.only_if_ours:
            own_pct = music.owed_volume.volume_pct
    return own_pct


def _owing_to(turn: "Turn", device: "Device") -> list[str]:
    return [
        sensor_id
        for sensor_id, room in turn.rooms.items()
        if room.music.owed_volume is not None and room.music.owed_volume.claim.device.is_same_as(device)
    ]


def pay_volume(turn: "Turn", sensor_id: str) -> None:
    """Ask for the volume that is owed, if it is due."""
    music = turn.rooms[sensor_id].music
    owed = music.owed_volume
    if owed is None or owed.due_at > turn.now:
        return
    if turn.catching_up:
        turn.put_music(sensor_id, replace(music, owed_volume=replace(owed, due_at=NEVER)))
        return
    if is_starting_on(turn, owed.claim.device):  # its answer wakes this debt, or takes it over
        turn.put_music(sensor_id, replace(music, owed_volume=replace(owed, due_at=NEVER)))
        return
    token = turn.next_token()
    asked = SetVolume(sensor_id, token, owed.claim, owed.volume_pct, owed.only_if_ours, must_hold=owed.only_if_ours)
    turn.tell(asked)
    turn.put_music(sensor_id, replace(music, owed_volume=replace(owed, token=token, due_at=NEVER)))


def volume_answered(turn: "Turn", event: "PlayerAnswered", owed: OwedVolume) -> None:
    """The owed volume is there, is nobody's business any more, or has to be tried again."""
    outcome = event.outcome
    music = turn.rooms[event.sensor_id].music
    refused = isinstance(outcome, Failed) and outcome.reason is SilentReason.DEVICE_REFUSES
    if refused or isinstance(outcome, VolumeSet | NotOurs):
        turn.put_music(event.sensor_id, replace(music, owed_volume=None))
        turn.save()
        return
    retry_after_us = outcome.retry_after_us if isinstance(outcome, Failed) else 0
    wait = spread_us(backoff_us(owed.attempt, VOLUME_BACKOFF_MAX_US), retry_after_us, turn.house.seed, turn.token)
    owed = replace(owed, token=0, due_at=turn.now + wait, attempt=owed.attempt + 1)
    turn.put_music(event.sensor_id, replace(music, owed_volume=owed))


def fade_on(turn: "Turn", sensor_id: str) -> None:
    """The next step of a fade-in is due."""
    music = turn.rooms[sensor_id].music
    playing = music.playback
    if not isinstance(playing, Playing) or not playing.fade or playing.fade[0].at > turn.now:
        return
    step, rest = take_due(playing.fade, turn.present)
    turn.put_music(sensor_id, replace(music, playback=replace(playing, fade=rest)))
    if rest:
        turn.tell(SetVolume(sensor_id, turn.next_token(), playing.claim, step.volume_pct, only_if_ours=False))
    else:
        owe_volume(turn, sensor_id, playing.claim, step.volume_pct, only_if_ours=False)


def cut_fade_short(turn: "Turn", sensor_id: str) -> None:
    """A fade on its way up makes no more steps: the volume it leads to comes now."""
    music = turn.rooms[sensor_id].music
    playing = music.playback
    if isinstance(playing, Playing) and playing.fade:
        final_pct = playing.fade[-1].volume_pct
        turn.put_music(sensor_id, replace(music, playback=replace(playing, fade=())))
        owe_volume(turn, sensor_id, playing.claim, final_pct, only_if_ours=False)


def hurry(turn: "Turn", sensor_id: str) -> None:
    """Ask for the owed volume now, whatever the wait: what kept it from succeeding is gone."""
    music = turn.rooms[sensor_id].music
    owed = music.owed_volume
    if owed is not None and not owed.token:
        turn.put_music(sensor_id, replace(music, owed_volume=replace(owed, due_at=turn.now)))
        pay_volume(turn, sensor_id)


def keep_under_cap(turn: "Turn", sensor_id: str) -> None:
    """The policy's cap may be below what plays: bring that down at once, and a fade on its way up no higher."""
    room = turn.rooms[sensor_id]
    playing, target = room.music.playback, room.rules.target
    if target is None or not isinstance(playing, Playing) or playing.hold is not Hold.OURS:
        return
    cap_pct = target.volume_cap_pct
    if playing.volume_pct is None or playing.volume_pct <= cap_pct:
        return
    fade = tuple(replace(step, volume_pct=min(step.volume_pct, cap_pct)) for step in playing.fade)
    turn.put_music(sensor_id, replace(room.music, playback=replace(playing, volume_pct=cap_pct, fade=fade)))
    if (volume_now(playing) or 0) > cap_pct:
        owe_volume(turn, sensor_id, playing.claim, cap_pct, only_if_ours=True)
