"""What a person asks for directly: pause, resume, snooze, volume, and the button on the wall."""

from datetime import timedelta
from typing import TYPE_CHECKING

from spotty_gateway.engine import debts, music, trials, volumes
from spotty_gateway.engine.account import owner_on, sharers_on
from spotty_gateway.engine.quiet_hours import EPOCH, MICROSECOND, to_local
from spotty_gateway.engine.reasons import EndedBy
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.engine.state import Hold, Idle, Input, Muted, Playing, Silent, Starting
from spotty_gateway.engine.values import replace

if TYPE_CHECKING:
    from datetime import tzinfo

    from spotty_gateway.engine.turn import Turn

LONG_PRESS_US = SECOND
"""A press held this long means "snooze until tomorrow", a shorter one "pause or resume"."""

MORNING_HOUR = 6
"""When tomorrow begins for a snooze: at midnight a house is not yet up, at six nobody has been robbed of a song."""


def pause(turn: "Turn", sensor_id: str) -> None:
    """Silence in this room for the rest of the session: on a shared speaker, in every room that hears it.

    Where nobody is taken to be there any more, music that is still to be stopped stops now, without its fade.
    """
    room = turn.rooms.get(sensor_id)
    if room is None:
        return
    trials.call_off(turn, sensor_id)
    if room.session is None:
        debts.wake(turn, sensor_id)
        debts.hurry(turn, sensor_id)
        return
    playback = room.music.playback
    if isinstance(playback, Playing) and playback.hold is not Hold.THEIRS:
        device = playback.claim.device
        owner = sensor_id if playback.hold is Hold.OURS else owner_on(turn, sensor_id, device)
        for sharer in sharers_on(turn, sensor_id, device):
            music.mute(turn, sharer, EndedBy.MANUAL_STOP)
        if owner is not None:
            _stop_here(turn, owner)
    _stop_here(turn, sensor_id)


def _stop_here(turn: "Turn", sensor_id: str) -> None:
    """Mute the room's session and stop what is its own."""
    room = turn.rooms[sensor_id]
    playback = room.music.playback
    if room.session is None or isinstance(playback, Muted):
        return
    music.mute(turn, sensor_id, EndedBy.MANUAL_STOP)
    if isinstance(playback, Starting):
        debts.await_start(turn, sensor_id, playback.token, playback.claim)
    elif isinstance(playback, Playing) and playback.hold is Hold.OURS:
        debts.owe_pause(turn, sensor_id, debts.pause_of(turn, playback))
    else:
        debts.wake(turn, sensor_id)
        debts.hurry(turn, sensor_id)  # a trial may be heard


def resume(turn: "Turn", sensor_id: str) -> None:
    """Music again: the snooze is lifted, and where somebody is, the music asked for anew."""
    room = turn.rooms.get(sensor_id)
    if room is None:
        return
    if room.snoozed_until is not None:
        lift_snooze(turn, sensor_id)
    if room.session is not None and isinstance(room.music.playback, Muted | Silent):
        turn.put_music(sensor_id, replace(turn.rooms[sensor_id].music, playback=Idle()))
        music.wanted(turn, sensor_id, by_hand=True)
        turn.save()


def snooze(turn: "Turn", sensor_id: str, until: int) -> None:
    """No music in this room before wall instant `until`; another room on the same speaker keeps it."""
    room = turn.rooms.get(sensor_id)
    if room is None or (turn.trusted and until <= turn.wall(turn.now)):
        return
    past = replace(room.past, snooze_in_doubt=False)
    turn.put(sensor_id, replace(room, snoozed_until=until, past=past))
    turn.save()
    playback = room.music.playback
    if isinstance(playback, Playing) and playback.hold is Hold.OURS and music.hand_over(turn, sensor_id, playback):
        music.mute(turn, sensor_id, EndedBy.MANUAL_STOP)
    else:
        _stop_here(turn, sensor_id)


def volume(turn: "Turn", sensor_id: str, volume_pct: int) -> None:
    """This room's music at this volume, within the cap; a fade on its way ends. Music that is not ours is left alone.

    Where another room has started it on the speaker that both have, both rooms' caps hold.
    """
    room = turn.rooms.get(sensor_id)
    playing = room.music.playback if room is not None else None
    if room is None or not isinstance(playing, Playing) or playing.hold is Hold.THEIRS:
        return
    owner = sensor_id if playing.hold is Hold.OURS else owner_on(turn, sensor_id, playing.claim.device)
    playing = turn.rooms[owner].music.playback if owner is not None else None
    if owner is None or not isinstance(playing, Playing) or playing.volume_pct is None:
        return
    targets = (room.rules.target, turn.rooms[owner].rules.target)
    pct = min([volume_pct, *(target.volume_cap_pct for target in targets if target is not None)])
    turn.put_music(owner, replace(turn.rooms[owner].music, playback=replace(playing, volume_pct=pct, fade=())))
    volumes.owe_volume(turn, owner, playing.claim, pct, only_if_ours=True)


def lift_snooze(turn: "Turn", sensor_id: str) -> None:
    """The room is no longer snoozed."""
    room = turn.rooms[sensor_id]
    past = replace(room.past, snooze_in_doubt=False)
    turn.put(sensor_id, replace(room, snoozed_until=None, past=past))
    turn.save()


def reckon_snooze(turn: "Turn", sensor_id: str) -> None:
    """The time is known: a snooze until a morning that nobody could name ends on the next one."""
    room = turn.rooms[sensor_id]
    if turn.trusted and room.past.snooze_in_doubt:
        snooze(turn, sensor_id, next_morning(turn.wall(turn.now), room.rules.zone))


def pressed(turn: "Turn", sensor_id: str, input_id: str, active: bool) -> None:
    """The button goes down or up; what it means is known when it comes up."""
    room = turn.rooms[sensor_id]
    before = room.presence.inputs[input_id]
    after = Input(before.kind, active, turn.now)
    presence = replace(room.presence, inputs={**room.presence.inputs, input_id: after})
    turn.put(sensor_id, replace(room, presence=presence))
    if active or before.active is not True:
        return
    if turn.now - before.changed_at >= LONG_PRESS_US:
        snooze(turn, sensor_id, next_morning(turn.wall(turn.now), room.rules.zone))
        room = turn.rooms[sensor_id]
        turn.put(sensor_id, replace(room, past=replace(room.past, snooze_in_doubt=not turn.trusted)))
    elif isinstance(room.music.playback, Playing | Starting):
        pause(turn, sensor_id)
    else:
        resume(turn, sensor_id)


def next_morning(wall: int, zone: "tzinfo") -> int:
    """The first six o'clock in `zone` after wall instant `wall`."""
    local = to_local(wall, zone)
    morning = local.replace(hour=MORNING_HOUR, minute=0, second=0, microsecond=0, fold=0)
    if morning <= local:
        morning += timedelta(days=1)
    return (morning - EPOCH) // MICROSECOND
