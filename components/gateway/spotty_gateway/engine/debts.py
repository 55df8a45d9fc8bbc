"""What is owed when a room falls vacant: a pause, and a volume put back. A debt is kept until it is settled.

Each is tried, and tried again with growing waits, across restarts; a look comes first every time, so that nothing is
paused that is no longer ours.
"""

from typing import TYPE_CHECKING

from spotty_gateway.engine import volumes
from spotty_gateway.engine.commands import FaultCleared, FaultRaised, MusicDecided, PauseMusic, SetVolume
from spotty_gateway.engine.events import Failed, NotOurs, Paused
from spotty_gateway.engine.fades import FADE_STEPS, fade_out, take_due, volume_now
from spotty_gateway.engine.reasons import EndedBy, Fault, SilentReason
from spotty_gateway.engine.rules import NEVER
from spotty_gateway.engine.state import AwaitedStart, OwedPause, Playing, Starting
from spotty_gateway.engine.values import replace
from spotty_gateway.engine.waits import PAUSE_BACKOFF_MAX_US, REFUSED_BACKOFF_MAX_US, backoff_us, spread_us

if TYPE_CHECKING:
    from spotty_gateway.engine.commands import Claim, SessionFacts
    from spotty_gateway.engine.events import Outcome, PlayerAnswered
    from spotty_gateway.engine.rules import Target
    from spotty_gateway.engine.turn import Turn

__all__ = ["FADE_STEPS"]  # for who makes the first step of a fade; everything else here is the engine's own


REFUSALS = frozenset({SilentReason.DEVICE_REFUSES, SilentReason.PREMIUM_NEEDED})
"""What no mere waiting changes."""


def owe_pause(turn: "Turn", sensor_id: str, owed: OwedPause) -> None:
    """Stop this music, first of all now."""
    turn.put_music(sensor_id, replace(turn.rooms[sensor_id].music, owed_pause=owed))
    turn.save()
    pay(turn, sensor_id)


def pause_of(
    turn: "Turn", playing: Playing, target: "Target | None" = None, closed: "SessionFacts | None" = None
) -> OwedPause:
    """The pause owed for what plays: at once, or with a `target` after its fade, if there is still time for one."""
    owed = OwedPause(playing.claim, turn.now, closed=closed)
    if playing.fade:  # cut off on its way up: the speaker's own volume is still to come
        owed = replace(owed, restore_volume_pct=playing.volume_pct)
    if target is None:
        return owed
    owed = replace(owed, even_if_taken_over=target.pause_if_taken_over)
    from_pct = volume_now(playing)
    if not target.fade_out_us or not from_pct or turn.now + target.fade_out_us <= turn.present or turn.calls_short:
        return owed
    steps = fade_out(target.fade_out_us, from_pct, turn.now)
    return replace(owed, fade=steps, pause_at=turn.now + target.fade_out_us, restore_volume_pct=playing.volume_pct)


def await_start(turn: "Turn", sensor_id: str, token: int, claim: "Claim", closed: "SessionFacts | None" = None) -> None:
    """Nobody wants the start under way any more: its answer will say whether there is anything to pause."""
    music = turn.rooms[sensor_id].music
    turn.put_music(sensor_id, replace(music, awaited=(*music.awaited, AwaitedStart(token, claim, closed))))
    turn.save()


def asleep(owed: OwedPause | None, claim: "Claim", own_pct: int | None = None) -> OwedPause:
    """The debt for a start that may have been obeyed, asleep while somebody is there.

    One account plays one thing: if `claim` plays, what was owed before does not, unless both are the same. `own_pct`
    is the speaker's volume before that start; one that was owed before is truer.
    """
    if owed is not None and owed.restore_volume_pct is not None and owed.claim.device.is_same_as(claim.device):
        own_pct = owed.restore_volume_pct
    if owed is not None and (owed.claim.device, owed.claim.context_uri) == (claim.device, claim.context_uri):
        return replace(owed, due_at=NEVER, token=0, dormant=True, restore_volume_pct=own_pct)
    return OwedPause(claim, NEVER, dormant=True, restore_volume_pct=own_pct)


def wake(turn: "Turn", sensor_id: str, in_us: int = 0) -> None:
    """The debt that lay dormant while somebody was there is due again, now or in so long."""
    music = turn.rooms[sensor_id].music
    owed = music.owed_pause
    if owed is not None and owed.dormant:
        turn.put_music(sensor_id, replace(music, owed_pause=replace(owed, due_at=turn.now + in_us, dormant=False)))
        turn.save()
        pay(turn, sensor_id)


def hurry(turn: "Turn", sensor_id: str) -> None:
    """Pause now, whatever the wait: what kept it from succeeding is gone, or there is no time left for a fade."""
    music = turn.rooms[sensor_id].music
    owed = music.owed_pause
    if owed is not None and not owed.token and not owed.dormant:
        turn.put_music(sensor_id, replace(music, owed_pause=replace(owed, due_at=turn.now, fade=())))
        pay(turn, sensor_id)


def cut_fade_short(turn: "Turn", sensor_id: str) -> None:
    """A fade on its way down makes no more steps: the pause comes now."""
    owed = turn.rooms[sensor_id].music.owed_pause
    if owed is not None and owed.fade:
        hurry(turn, sensor_id)


def pay(turn: "Turn", sensor_id: str) -> None:
    """Do what is due of the owed pause: the next step of its fade, or the pause itself."""
    music = turn.rooms[sensor_id].music
    owed = music.owed_pause
    if owed is None or owed.due_at > turn.now:
        return
    if turn.catching_up:
        owed = replace(owed, due_at=NEVER, fade=())
    elif owed.fade and owed.pause_at > turn.present:
        token = turn.next_token()
        looks = not owed.fade_token
        step, rest = take_due(owed.fade, turn.present)
        turn.tell(SetVolume(sensor_id, token, owed.claim, step.volume_pct, only_if_ours=looks))
        due_at = rest[0].at if rest else owed.pause_at
        owed = replace(owed, fade=rest, fade_token=token if looks else owed.fade_token, due_at=due_at)
    else:
        token = turn.next_token()
        turn.tell(PauseMusic(sensor_id, token, owed.claim, owed.even_if_taken_over, owed.restore_volume_pct))
        owed = replace(owed, token=token, due_at=NEVER, fade=())
    turn.put_music(sensor_id, replace(music, owed_pause=owed))


def pause_answered(turn: "Turn", event: "PlayerAnswered", owed: OwedPause) -> None:
    """The owed pause succeeded, was no longer ours to make, or has to be tried again."""
    sensor_id, outcome = event.sensor_id, event.outcome
    if isinstance(outcome, Paused):
        if outcome.left_at is not None:
            turn.put_music(sensor_id, replace(turn.rooms[sensor_id].music, left_at=outcome.left_at))
        settle(turn, sensor_id, "paused", "nobody_there", volume_restored=outcome.volume_restored)
    elif isinstance(outcome, NotOurs):
        not_ours(turn, sensor_id, owed, outcome)
    else:
        _pause_failed(turn, sensor_id, owed, outcome)


def not_ours(turn: "Turn", sensor_id: str, owed: OwedPause, outcome: NotOurs) -> None:
    """A look found nothing to stop. What it found is what had really ended the music: the session's record says so.

    After a failed attempt silence may be our own doing, so that nobody is said to have stopped the music by hand.
    """
    closed, reason = owed.closed, EndedBy(outcome.reason)
    if reason is EndedBy.MANUAL_STOP and owed.attempt:
        settle(turn, sensor_id, "paused", "nobody_there", volume_restored=False)
        return
    if closed is not None and closed.ended_by is EndedBy.TIMEOUT:
        turn.tell(replace(closed, ended_by=reason, corrected=True))
    settle(turn, sensor_id, "left_alone", outcome.reason, volume_restored=reason is EndedBy.TAKEN_OVER)


def settle(turn: "Turn", sensor_id: str, action: str, reason: str, *, volume_restored: bool) -> None:
    """The owed pause is no longer owed; the volume that a fade has lowered may be."""
    owed = drop(turn, sensor_id)
    if owed is None:
        return
    session_id = owed.closed.session_id if owed.closed else ""
    turn.tell(MusicDecided(sensor_id, session_id, turn.wall(turn.now), action, reason))
    turn.looks_again = True
    if owed.restore_volume_pct is not None and not volume_restored:
        volumes.owe_volume(turn, sensor_id, owed.claim, owed.restore_volume_pct, only_if_ours=False)


def drop(turn: "Turn", sensor_id: str) -> OwedPause | None:
    """Take the owed pause from this room, and the fault that it could not be made; what was owed."""
    music = turn.rooms[sensor_id].music
    if music.owed_pause is not None or music.unstoppable:
        turn.put_music(sensor_id, replace(music, owed_pause=None, unstoppable=False))
        turn.save()
    if music.unstoppable:
        turn.tell(FaultCleared(sensor_id, sensor_id, Fault.MUSIC_CANNOT_BE_STOPPED, turn.wall(turn.now)))
    return music.owed_pause


def _pause_failed(turn: "Turn", sensor_id: str, owed: OwedPause, outcome: "Outcome") -> None:
    """Try again later; if a new session is asking for this music meanwhile, when that has failed or ended."""
    music = turn.rooms[sensor_id].music
    retry_after_us = outcome.retry_after_us if isinstance(outcome, Failed) else 0
    backoff, refusals = backoff_us(owed.attempt, PAUSE_BACKOFF_MAX_US), 0
    if isinstance(outcome, Failed) and outcome.reason in REFUSALS:
        backoff, refusals = backoff_us(owed.refusals, REFUSED_BACKOFF_MAX_US), owed.refusals + 1
    wait = spread_us(backoff, retry_after_us, turn.house.seed, turn.token)
    wanted = isinstance(music.playback, Starting)
    due_at = NEVER if wanted else turn.now + wait
    owed = replace(owed, token=0, due_at=due_at, dormant=wanted, attempt=owed.attempt + 1, refusals=refusals)
    unstoppable = music.unstoppable
    if isinstance(outcome, Failed) and not unstoppable:
        far_off = max(retry_after_us, backoff) > PAUSE_BACKOFF_MAX_US
        unstoppable = far_off or outcome.reason is SilentReason.CONSENT_NEEDED
        if unstoppable:
            at = turn.wall(turn.now)
            turn.tell(FaultRaised(sensor_id, sensor_id, Fault.MUSIC_CANNOT_BE_STOPPED, outcome.detail, at))
    turn.put_music(sensor_id, replace(music, owed_pause=owed, unstoppable=unstoppable))
