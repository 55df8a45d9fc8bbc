"""One room brought over a gap: its instants on the new run's clock, and nothing that died with the process."""

from spotty_gateway.engine import debts
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import NEVER, InputKind
from spotty_gateway.engine.state import Input, Music, OwedPause, Playing, Presence, Room, Silent, Starting
from spotty_gateway.engine.values import replace


def carried(room: Room, saved_at: int, shift: int) -> Room:
    """The room as it was at `saved_at`, later by `shift`. Commands, fades and waits have ended with the process."""
    session, past = room.session, room.past
    if session is not None:
        quiet_since = None if session.quiet_since is None else session.quiet_since + shift
        session = replace(session, started_at=session.started_at + shift, quiet_since=quiet_since)
    past = replace(past, accepted_at=past.accepted_at + shift, ended_at=past.ended_at + shift, recorded_at={})
    return replace(
        room,
        presence=_presence(room.presence, saved_at, shift),
        session=session,
        past=past,
        candidate=None,
        quiet=None,
        music=_music(room, shift),
    )


def _presence(seen: Presence, saved_at: int, shift: int) -> Presence:
    """Evidence that stood ends with the snapshot; a door nobody has opened since holds on."""
    doors = {input_id: _shifted(one, shift) for input_id, one in seen.inputs.items() if one.kind is InputKind.CONTACT}
    held = sum(door.since is not None for door in doors.values())
    last_at = saved_at if seen.evident else seen.last_at
    return Presence(doors, held, last_at + shift, seen.last_motion_at + shift)


def unseen(seen: Presence) -> Presence:
    """The same doors, but no evidence: nobody knows how long ago it was."""
    doors = {input_id: replace(one, since=None) for input_id, one in seen.inputs.items()}
    return Presence(doors)


def merged(mine: Presence, old: Presence, began_at: int) -> Presence:
    """What has been seen since `began_at` over what was known before: doors that have not moved hold on."""
    held = {
        input_id: before
        for input_id, before in old.inputs.items()
        if before.since is not None
        and (now := mine.inputs.get(input_id)) is not None
        and now.since is None
        and now.changed_at < began_at
    }
    return Presence(
        {**mine.inputs, **held},
        mine.evident + len(held),
        max(old.last_at, mine.last_at),
        max(old.last_motion_at, mine.last_motion_at),
    )


def _shifted(door: Input, shift: int) -> Input:
    since = None if door.since is None else door.since + shift
    return replace(door, changed_at=door.changed_at + shift, active_at=door.active_at + shift, since=since)


def _music(room: Room, shift: int) -> Music:
    before = room.music
    playback, owed, volume = before.playback, before.owed_pause, before.owed_volume
    if owed is not None:
        # A pause that was under way may have been made: silence found later need not be a person's doing.
        closed = None if owed.token else owed.closed
        owed = replace(owed, token=0, fade=(), fade_token=0, due_at=NEVER, closed=closed)
    if isinstance(playback, Playing):  # an interrupted fade is finished, or its pause restores the volume
        playback = replace(playback, fade=tuple(replace(one, at=NEVER) for one in playback.fade))
    elif isinstance(playback, Silent) and playback.retry_at < NEVER:
        playback = replace(playback, retry_at=playback.retry_at + shift)
    elif isinstance(playback, Starting):
        owed = debts.asleep(owed, playback.claim)
        playback = Silent(SilentReason.PLAYER_UNAVAILABLE, playback.attempt)
    elif owed is None and before.awaited:
        lost = before.awaited[-1]
        owed = OwedPause(lost.claim, NEVER, dormant=isinstance(playback, Silent), closed=lost.closed)
    if volume is not None:
        volume = replace(volume, token=0, due_at=NEVER)
    return replace(before, playback=playback, awaited=(), owed_pause=owed, owed_volume=volume)
