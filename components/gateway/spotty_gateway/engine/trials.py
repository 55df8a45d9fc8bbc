"""Music for a moment, so that a person hears which speaker it is. No session, and the same manners as ever.

A trial is a start that nobody in the room wants: what comes of it is a pause that is owed from the first sound on, and
so survives whatever happens to us meanwhile.
"""

from typing import TYPE_CHECKING

from spotty_gateway.engine import music
from spotty_gateway.engine.account import claims_of_others
from spotty_gateway.engine.commands import Claim, StartMusic
from spotty_gateway.engine.events import Declined, Failed, Started
from spotty_gateway.engine.reasons import Reason, SilentReason
from spotty_gateway.engine.state import AwaitedStart, Playing, Starting
from spotty_gateway.engine.values import replace

if TYPE_CHECKING:
    from spotty_gateway.engine.events import Outcome
    from spotty_gateway.engine.rules import Target
    from spotty_gateway.engine.turn import Turn

STARTED, REFUSED, FAILED = "trial_started", "trial_refused", "trial_failed"
"""What is told of a trial: once, when it is known what came of it."""


def ask(turn: "Turn", sensor_id: str, target: "Target", for_us: int) -> None:
    """Play `target` for so long, unless something stands against it."""
    room = turn.rooms.get(sensor_id)
    if room is None:
        return
    reason = _why_not(turn, sensor_id)
    if reason is not None:
        music.decided(turn, sensor_id, REFUSED, reason)
        return
    token = turn.next_token()
    awaited = AwaitedStart(token, Claim(target.device, target.context_uri, confirmed=False), trial_us=for_us)
    turn.put_music(sensor_id, replace(room.music, awaited=(*room.music.awaited, awaited)))
    turn.tell(
        StartMusic(
            sensor_id=sensor_id,
            token=token,
            target=replace(target, fade_in_us=0),
            ours=None,
            others=(),
            take_over=False,
            position=None,
        )
    )
    turn.save()


def _why_not(turn: "Turn", sensor_id: str) -> str | None:
    """A trial makes room for everything else: for a person's wish for silence, and for all music that there is."""
    room = turn.rooms[sensor_id]
    if room.removed:
        return Reason.DISABLED
    if turn.is_snoozed(room):
        return Reason.SNOOZED
    if room.rules.quiet_windows and not turn.trusted:
        return Reason.CLOCK_UNTRUSTED
    if turn.is_quiet(sensor_id):
        return Reason.QUIET_HOURS
    its_music = room.music
    if isinstance(its_music.playback, Playing | Starting):
        return "already_playing"
    if its_music.awaited or its_music.owed_pause is not None or claims_of_others(turn, sensor_id):
        return SilentReason.ACCOUNT_BUSY
    return None


def answered(turn: "Turn", sensor_id: str, awaited: AwaitedStart, outcome: "Outcome") -> int:
    """Tell what came of it, if it was one. Returns for how long it may be heard; stopping it is as it is ever."""
    if awaited.trial_us is None:
        return 0
    if isinstance(outcome, Started):
        music.decided(turn, sensor_id, STARTED, "asked")
        return awaited.trial_us
    if isinstance(outcome, Failed):
        music.decided(turn, sensor_id, FAILED, outcome.reason, outcome.detail)
    else:  # somebody else's music, or a session's start that came first
        reason = outcome.reason if isinstance(outcome, Declined) else "superseded"
        music.decided(turn, sensor_id, FAILED, reason)
    return 0


def call_off(turn: "Turn", sensor_id: str) -> None:
    """A trial on its way is not to be heard: what it starts is paused at once."""
    its_music = turn.rooms[sensor_id].music
    if any(one.trial_us for one in its_music.awaited):
        awaited = tuple(replace(one, trial_us=0) if one.trial_us else one for one in its_music.awaited)
        turn.put_music(sensor_id, replace(its_music, awaited=awaited))
