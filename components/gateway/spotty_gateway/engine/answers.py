"""What the player's answers change. An answer that nothing waits for any more changes nothing."""

from typing import TYPE_CHECKING

from spotty_gateway.engine import debts, music, trials, volumes
from spotty_gateway.engine.commands import Claim, FaultCleared, FaultRaised
from spotty_gateway.engine.events import Declined, Failed, NotOurs, Started, VolumeSet
from spotty_gateway.engine.facts import facts_of
from spotty_gateway.engine.fades import fade_in
from spotty_gateway.engine.reasons import EndedBy, Fault, SilentReason
from spotty_gateway.engine.state import AwaitedStart, Hold, Idle, OwedPause, Playing, Silent, Starting
from spotty_gateway.engine.values import replace

if TYPE_CHECKING:
    from spotty_gateway.engine.events import PlayerAnswered
    from spotty_gateway.engine.rules import Device
    from spotty_gateway.engine.turn import Turn


def answered(turn: "Turn", event: "PlayerAnswered") -> None:
    """Find what this answer belongs to."""
    room = turn.rooms.get(event.sensor_id)
    if room is None:
        return
    playback, owed, volume = room.music.playback, room.music.owed_pause, room.music.owed_volume
    if isinstance(playback, Starting) and playback.token == event.token:
        _start_answered(turn, event, playback)
        volumes.wake_on(turn, playback.claim.device)
    elif (awaited := next((one for one in room.music.awaited if one.token == event.token), None)) is not None:
        _late_start_answered(turn, event, awaited)
        volumes.wake_on(turn, awaited.claim.device)
    elif owed is not None and owed.token == event.token:
        debts.pause_answered(turn, event, owed)
    elif owed is not None and owed.fade_token == event.token:
        _fade_answered(turn, event, owed)
    elif volume is not None and volume.token == event.token:
        volumes.volume_answered(turn, event, volume)
        _volume_looked(turn, event)


def _fade_answered(turn: "Turn", event: "PlayerAnswered", owed: OwedPause) -> None:
    """The look before a fade: the music may turn out not to be ours, or a person may have changed the volume."""
    outcome = event.outcome
    if isinstance(outcome, NotOurs):
        debts.not_ours(turn, event.sensor_id, owed, outcome)
    elif isinstance(outcome, VolumeSet) and outcome.before_pct is not None:
        quieter = tuple(replace(one, volume_pct=min(one.volume_pct, outcome.before_pct)) for one in owed.fade)
        owed = replace(owed, fade=quieter, restore_volume_pct=outcome.before_pct)
        turn.put_music(event.sensor_id, replace(turn.rooms[event.sensor_id].music, owed_pause=owed))


def _volume_looked(turn: "Turn", event: "PlayerAnswered") -> None:
    """A look made for the volume's sake has learnt that what plays here is not ours any more."""
    playback = turn.rooms[event.sensor_id].music.playback
    if isinstance(event.outcome, NotOurs) and isinstance(playback, Playing) and playback.hold is Hold.OURS:
        music.mute_all_on(turn, event.sensor_id, playback.claim.device, EndedBy(event.outcome.reason))


def _start_answered(turn: "Turn", event: "PlayerAnswered", starting: Starting) -> None:
    sensor_id, outcome = event.sensor_id, event.outcome
    if isinstance(outcome, Started):
        _started(turn, sensor_id, outcome, starting)
    elif isinstance(outcome, Declined):
        _declined(turn, sensor_id, outcome, starting)
    elif isinstance(outcome, Failed):
        _start_failed(turn, sensor_id, outcome, starting)
    else:  # overtaken by a command that is no start: nothing was asked, so ask again in a while
        turn.put_music(sensor_id, replace(turn.rooms[sensor_id].music, playback=Idle()))
        music.stay_silent(turn, sensor_id, SilentReason.PLAYER_UNAVAILABLE, starting.attempt)
    turn.looks_again = True


def _started(turn: "Turn", sensor_id: str, outcome: Started, starting: Starting) -> None:
    room = turn.rooms[sensor_id]
    session = room.session
    if session is None:
        return
    claim = Claim(outcome.device, outcome.context_uri, confirmed=True)
    target, final_pct, own_pct = session.target, outcome.volume_pct, _own_volume(turn, sensor_id, outcome.device)
    lowered = own_pct is not None and final_pct is not None and (target is None or target.volume_pct is None)
    if lowered and own_pct is not None:  # by an earlier fade or start: the volume found is not the speaker's own
        final_pct = own_pct if target is None else min(own_pct, target.volume_cap_pct)
    fade = fade_in(target, outcome, final_pct, turn.now) if starting.fades else ()
    playing = Playing(claim, Hold.OURS, final_pct, fade)
    turn.put_music(sensor_id, replace(turn.rooms[sensor_id].music, playback=playing))
    music.heard(turn, sensor_id, claim)
    if lowered and final_pct is not None and final_pct != outcome.volume_pct and not fade:
        volumes.owe_volume(turn, sensor_id, claim, final_pct, only_if_ours=False)
    _settle_fault(turn, sensor_id)
    music.decided(
        turn, sensor_id, "playback_resumed" if outcome.adopted else "playback_started", "motion", outcome.detail
    )
    _silence_others(turn, sensor_id, claim)
    volumes.keep_under_cap(turn, sensor_id)
    if turn.calls_short:
        volumes.cut_fade_short(turn, sensor_id)
    turn.tell(facts_of(turn, sensor_id, turn.rooms[sensor_id].session or session))
    turn.save()


def _own_volume(turn: "Turn", sensor_id: str, device: "Device") -> int | None:
    """The volume that this device, on which our music plays now, is still owed. To another one it stays owed."""
    taken_pct = volumes.take_own(turn, device)
    owed = debts.drop(turn, sensor_id)
    if owed is None or owed.restore_volume_pct is None:
        return taken_pct
    if owed.claim.device.is_same_as(device):
        return owed.restore_volume_pct
    volumes.owe_volume(turn, sensor_id, owed.claim, owed.restore_volume_pct, only_if_ours=False)
    return taken_pct


def _silence_others(turn: "Turn", sensor_id: str, claim: Claim) -> None:
    """An account plays in one place: what another room played has been moved here."""
    for other in [other for other in turn.rooms if other != sensor_id]:
        room_music = turn.rooms[other].music
        playback, owed = room_music.playback, room_music.owed_pause
        if isinstance(playback, Playing) and playback.hold is not Hold.THEIRS:
            if not playback.claim.device.is_same_as(claim.device):
                music.mute_all_on(turn, other, playback.claim.device, EndedBy.TRANSFERRED)
            elif playback.hold is Hold.OURS:  # two names have turned out to be one speaker
                shared = replace(playback, hold=Hold.SHARED, fade=())
                turn.put_music(other, replace(room_music, playback=shared))
        if owed is not None and not owed.claim.device.is_same_as(claim.device):
            debts.settle(turn, other, "left_alone", EndedBy.TRANSFERRED, volume_restored=False)


def _declined(turn: "Turn", sensor_id: str, outcome: Declined, starting: Starting) -> None:
    """Somebody else's music: what we thought was still ours is gone."""
    debts.settle(turn, sensor_id, "left_alone", outcome.reason, volume_restored=True)
    _settle_fault(turn, sensor_id)
    room_music = turn.rooms[sensor_id].music
    if outcome.reason == "already_playing":
        volumes.take_own(turn, starting.claim.device)  # whose music it is has the volume, too
        room_music = turn.rooms[sensor_id].music
        turn.put_music(sensor_id, replace(room_music, playback=Playing(starting.claim, Hold.THEIRS)))
        music.decided(turn, sensor_id, "already_playing", "somebody_elses_music")
        turn.save()
    else:
        turn.put_music(sensor_id, replace(room_music, playback=Idle()))
        music.stay_silent(turn, sensor_id, SilentReason.PLAYING_ELSEWHERE, starting.attempt)


def _start_failed(turn: "Turn", sensor_id: str, outcome: Failed, starting: Starting) -> None:
    room_music = turn.rooms[sensor_id].music
    owed = room_music.owed_pause
    own_pct = _unrestored(turn, sensor_id, outcome, starting.claim)
    room_music = turn.rooms[sensor_id].music
    if outcome.started_anyway:
        owed = debts.asleep(owed, starting.claim, own_pct)
    turn.put_music(sensor_id, replace(room_music, playback=Idle(), owed_pause=owed))
    if not room_music.faulty and outcome.reason is not SilentReason.GUARD_CLOSED:
        turn.put_music(sensor_id, replace(turn.rooms[sensor_id].music, faulty=True))
        turn.tell(FaultRaised(sensor_id, sensor_id, Fault.PLAYER, outcome.detail, turn.wall(turn.now)))
    music.stay_silent(turn, sensor_id, outcome.reason, starting.attempt, outcome.retry_after_us, outcome.detail)


def _unrestored(turn: "Turn", sensor_id: str, outcome: Failed, claim: Claim) -> int | None:
    """The speaker's own volume, owed where a failed start has changed it; where music may play, by the pause of that.

    What was owed before the start is truer than what the start has found.
    """
    own, owed = outcome.unrestored, turn.rooms[sensor_id].music.owed_pause
    if own is None and not outcome.started_anyway:
        return None
    own_pct = volumes.take_own(turn, claim.device)
    if own_pct is None and own is not None:
        own_pct = own.volume_pct
    comes_back = owed is not None and owed.restore_volume_pct is not None and owed.claim.device.is_same_as(claim.device)
    if own_pct is None or comes_back:
        return None
    turn.save()
    if not outcome.started_anyway:
        device = claim.device if own is None else own.device
        volumes.owe_volume(turn, sensor_id, replace(claim, device=device), own_pct, only_if_ours=False)
    return own_pct


def _late_start_answered(turn: "Turn", event: "PlayerAnswered", awaited: AwaitedStart) -> None:
    """The session that wanted this start is over, or a person has muted it: what did start becomes an owed pause."""
    sensor_id, outcome = event.sensor_id, event.outcome
    room_music = turn.rooms[sensor_id].music
    rest = tuple(other for other in room_music.awaited if other is not awaited)
    turn.put_music(sensor_id, replace(room_music, awaited=rest))
    turn.looks_again = True
    turn.save()
    heard_us = trials.answered(turn, sensor_id, awaited, outcome)
    playback = room_music.playback
    wanted_again = isinstance(playback, Starting | Silent)
    if isinstance(playback, Playing) and playback.hold is not Hold.THEIRS:
        return  # the room's present session has its music: the end of that will look
    if isinstance(outcome, Started):
        claim = Claim(outcome.device, outcome.context_uri, confirmed=True)
        _silence_others(turn, sensor_id, claim)
        own_pct = volumes.take_own(turn, outcome.device)
        playing = Playing(claim, Hold.OURS, outcome.volume_pct)
        if not wanted_again and music.hand_over(turn, sensor_id, playing):
            return
    elif isinstance(outcome, Failed) and outcome.started_anyway:
        claim = awaited.claim
        own_pct = _unrestored(turn, sensor_id, outcome, claim)
    else:
        if isinstance(outcome, Failed):
            _unrestored(turn, sensor_id, outcome, awaited.claim)
        if isinstance(outcome, Declined):
            debts.settle(turn, sensor_id, "left_alone", outcome.reason, volume_restored=True)
        elif not wanted_again:
            debts.wake(turn, sensor_id)
        return
    owed = debts.asleep(turn.rooms[sensor_id].music.owed_pause, claim, own_pct)
    owed = replace(owed, claim=claim, closed=awaited.closed)
    turn.put_music(sensor_id, replace(turn.rooms[sensor_id].music, owed_pause=owed))
    if wanted_again:
        music.retry(turn, sensor_id)
    else:
        debts.wake(turn, sensor_id, heard_us)


def _settle_fault(turn: "Turn", sensor_id: str) -> None:
    room_music = turn.rooms[sensor_id].music
    if room_music.faulty:
        turn.put_music(sensor_id, replace(room_music, faulty=False))
        turn.tell(FaultCleared(sensor_id, sensor_id, Fault.PLAYER, turn.wall(turn.now)))
