"""Music within sessions: who may have the account, and whose music it is.

Only music that we started is ever stopped, and only on our device. The player is slow, forgetful and shared with other
people: every command is answered by an event, sooner or later, and until it is answered the state says so.
"""

from typing import TYPE_CHECKING

from spotty_gateway.engine import debts, volumes
from spotty_gateway.engine.account import (
    claims_of_others,
    debtor_on,
    heirs_on,
    must_wait,
    owner_on,
    sharers_on,
    silent_rooms,
)
from spotty_gateway.engine.commands import Claim, MusicDecided, StartMusic
from spotty_gateway.engine.reasons import EndedBy, SilentReason
from spotty_gateway.engine.rules import NEVER
from spotty_gateway.engine.state import Hold, Idle, Muted, OwedPause, Playing, Silent, Starting
from spotty_gateway.engine.values import replace
from spotty_gateway.engine.waits import RETRY_DELAYS_US, spread_us

if TYPE_CHECKING:
    from spotty_gateway.engine.commands import SessionFacts
    from spotty_gateway.engine.rules import Device, Target
    from spotty_gateway.engine.state import Session
    from spotty_gateway.engine.turn import Turn


def wanted(turn: "Turn", sensor_id: str, attempt: int = 0, *, by_hand: bool = False) -> None:
    """Somebody is there: ask the player for the session's music, unless a reason stands against it.

    A person who asks `by_hand` is the newcomer, whoever else came since.
    """
    room = turn.rooms[sensor_id]
    session = room.session
    if session is None or not isinstance(room.music.playback, Idle | Silent):
        return
    target = session.target
    if target is None:
        stay_silent(turn, sensor_id, SilentReason.NO_TARGET, attempt)
    elif turn.now < turn.present:  # decided late: whether music is still wanted is asked at the present
        playback = room.music.playback
        why = playback.reason if isinstance(playback, Silent) else SilentReason.PLAYER_UNAVAILABLE
        later = Silent(why, attempt, turn.present)
        turn.put_music(sensor_id, replace(room.music, playback=later))
    elif turn.is_quiet(sensor_id) or (room.rules.quiet_windows and not turn.trusted):
        stay_silent(turn, sensor_id, SilentReason.QUIET_HOURS, attempt)
    elif (owner := owner_on(turn, sensor_id, target.device)) is not None:
        _share(turn, sensor_id, owner)
    else:
        _inherit_debt(turn, sensor_id, target.device)
        if must_wait(turn, sensor_id, target, turn.now if by_hand else session.started_at):
            stay_silent(turn, sensor_id, SilentReason.ACCOUNT_BUSY, attempt)
        else:
            _ask(turn, sensor_id, target, attempt)


def _ask(turn: "Turn", sensor_id: str, target: "Target", attempt: int) -> None:
    """Send the start. What was still to be paused is ours to go on with, so its debt lies dormant meanwhile."""
    music = turn.rooms[sensor_id].music
    token = turn.next_token()
    owed, left_at = music.owed_pause, music.left_at
    goes_on = target.resume_where_left and left_at is not None and left_at.context_uri == target.context_uri
    ours = owed.claim if owed is not None else music.awaited[-1].claim if music.awaited else None
    if owed is not None:
        owed = replace(owed, due_at=NEVER, fade=(), dormant=not owed.token)
    intent = Claim(target.device, target.context_uri, confirmed=False)
    fades = not turn.calls_short
    turn.put_music(sensor_id, replace(music, playback=Starting(token, intent, attempt, fades), owed_pause=owed))
    turn.tell(
        StartMusic(
            sensor_id=sensor_id,
            token=token,
            target=target if fades else replace(target, fade_in_us=0),
            ours=ours,
            # A room that has given up keeps nobody waiting; but if its music is heard after all, it is left alone.
            others=claims_of_others(turn, sensor_id, also_unheard=target.transfer_if_busy),
            take_over=target.transfer_if_elsewhere,
            position=left_at if goes_on and not target.context_uri.startswith("spotify:artist:") else None,
        )
    )
    turn.save()


def _share(turn: "Turn", sensor_id: str, owner: str) -> None:
    """The speaker that both rooms have plays already, for the other room: nothing to ask for."""
    room, playing = turn.rooms[sensor_id], turn.rooms[owner].music.playback
    if not isinstance(playing, Playing) or room.session is None:
        return
    debts.drop(turn, sensor_id)  # what this room still had to stop does not play any more: the owner's music does
    shared = replace(playing, hold=Hold.SHARED, fade=())
    turn.put_music(sensor_id, replace(turn.rooms[sensor_id].music, playback=shared))
    heard(turn, sensor_id, playing.claim)
    decided(turn, sensor_id, "already_playing", f"shared_with_{owner}")
    turn.save()


def heard(turn: "Turn", sensor_id: str, claim: Claim) -> None:
    """Our music is heard in the running session, from now on or still."""
    room = turn.rooms[sensor_id]
    session = room.session
    if session is not None:
        after_us = turn.now - session.started_at if session.music_after_us is None else session.music_after_us
        session = replace(session, played=claim, music_after_us=after_us, silent_told=None)
        turn.put(sensor_id, replace(room, session=session))


def _inherit_debt(turn: "Turn", sensor_id: str, device: "Device") -> None:
    """Another room was about to stop its music on our speaker: it is ours now, playing or not."""
    debtor = debtor_on(turn, sensor_id, device)
    if debtor is not None and turn.rooms[sensor_id].music.owed_pause is None:
        owed = debts.drop(turn, debtor)
        turn.put_music(sensor_id, replace(turn.rooms[sensor_id].music, owed_pause=owed))


def stay_silent(
    turn: "Turn", sensor_id: str, reason: SilentReason, attempt: int, wait_us: int = 0, detail: str = ""
) -> None:
    """No music for now: try again after a while, as long as the session is young enough."""
    room = turn.rooms[sensor_id]
    if room.session is None:
        return
    delay = RETRY_DELAYS_US[min(attempt, len(RETRY_DELAYS_US) - 1)]
    retry_at = turn.now + spread_us(delay, wait_us, turn.house.seed, turn.token)
    if reason is SilentReason.NO_TARGET or retry_at >= room.session.started_at + room.rules.start_retry_us:
        retry_at = NEVER
    turn.put_music(sensor_id, replace(room.music, playback=Silent(reason, attempt + 1, retry_at)))
    explain_silence(turn, sensor_id, detail)


def explain_silence(turn: "Turn", sensor_id: str, detail: str = "") -> None:
    """Tell why no music plays in the running session, unless that has been told."""
    room = turn.rooms[sensor_id]
    playback, session = room.music.playback, room.session
    if session is not None and isinstance(playback, Silent) and playback.reason is not session.silent_told:
        turn.put(sensor_id, replace(room, session=replace(session, silent_told=playback.reason)))
        decided(turn, sensor_id, "silent", playback.reason, detail)


def retry(turn: "Turn", sensor_id: str) -> None:
    """The cause has gone or the wait is over: try again if the session is still young enough for it."""
    room = turn.rooms[sensor_id]
    playback, session = room.music.playback, room.session
    if session is None or not isinstance(playback, Silent):
        return
    young = turn.now < session.started_at + room.rules.start_retry_us
    if young and not turn.catching_up and playback.reason is not SilentReason.GATEWAY_STOPPED:
        wanted(turn, sensor_id, playback.attempt)
    else:
        turn.looks_again = turn.looks_again or playback.retry_at < NEVER  # who waits for us need not any more
        turn.put_music(sensor_id, replace(room.music, playback=replace(playback, retry_at=NEVER)))


def look_again(turn: "Turn") -> None:
    """The account may be free, or plays on a shared speaker: rooms that wait try, the longest waiting first."""
    turn.looks_again = False
    for sensor_id in silent_rooms(turn):
        room = turn.rooms[sensor_id]
        target = room.session.target if room.session is not None else None
        playback = room.music.playback
        if target is None or room.session is None or not isinstance(playback, Silent):
            continue
        owner = owner_on(turn, sensor_id, target.device)
        if owner is not None:
            if not turn.is_quiet(sensor_id):
                _share(turn, sensor_id, owner)
        elif playback.reason is SilentReason.ACCOUNT_BUSY and (
            debtor_on(turn, sensor_id, target.device) is not None
            or not must_wait(turn, sensor_id, target, room.session.started_at)
        ):
            retry(turn, sensor_id)


def released(turn: "Turn", sensor_id: str, session: "Session", facts: "SessionFacts") -> None:
    """The room is vacant: its music goes to another room on the same speaker, or is stopped."""
    music = turn.rooms[sensor_id].music
    playback, target = music.playback, session.target
    turn.put_music(sensor_id, replace(music, playback=Idle()))
    turn.looks_again = True
    if isinstance(playback, Playing) and playback.hold is Hold.OURS:
        if not hand_over(turn, sensor_id, playback):
            debts.owe_pause(turn, sensor_id, debts.pause_of(turn, playback, target, facts))
    elif isinstance(playback, Starting):
        debts.await_start(turn, sensor_id, playback.token, playback.claim, facts)
    elif _stops_the_intruder(playback, target) and session.played is not None:
        debts.owe_pause(turn, sensor_id, OwedPause(session.played, turn.now, even_if_taken_over=True))
    else:
        debts.wake(turn, sensor_id)


def _stops_the_intruder(playback: object, target: "Target | None") -> bool:
    """Whether the policy wants even what a person has put on instead of our music to stop with the session."""
    taken_over = isinstance(playback, Muted) and playback.reason is EndedBy.TAKEN_OVER
    return taken_over and target is not None and target.pause_if_taken_over


def hand_over(turn: "Turn", sensor_id: str, playing: Playing) -> bool:
    """Give the music to an occupied room on the same speaker, if there is one that has not got it already."""
    if owner_on(turn, sensor_id, playing.claim.device) is not None:
        return True
    for heir in heirs_on(turn, sensor_id, playing.claim.device)[:1]:
        turn.put_music(heir, replace(turn.rooms[heir].music, playback=playing))
        heard(turn, heir, playing.claim)
        decided(turn, heir, "playback_resumed", f"handed_over_by_{sensor_id}")
        volumes.keep_under_cap(turn, heir)
        turn.looks_again = True
        turn.save()
        return True
    return False


def mute(turn: "Turn", sensor_id: str, reason: EndedBy) -> None:
    """The session stays silent from now on. What plays is not touched here."""
    room = turn.rooms[sensor_id]
    if room.session is not None and not isinstance(room.music.playback, Muted):
        turn.put_music(sensor_id, replace(room.music, playback=Muted(reason)))
        decided(turn, sensor_id, "muted", reason)
        turn.looks_again = True
        turn.save()


def mute_all_on(turn: "Turn", sensor_id: str, device: "Device", reason: EndedBy) -> None:
    """The music of this room is not ours any more, nor is it for the rooms that heard it on the same device."""
    playing = turn.rooms[sensor_id].music.playback
    for sharer in sharers_on(turn, sensor_id, device):
        mute(turn, sharer, reason)
    mute(turn, sensor_id, reason)
    final_pct = playing.volume_pct if isinstance(playing, Playing) and playing.fade else None
    if final_pct is not None and isinstance(playing, Playing) and reason is not EndedBy.TAKEN_OVER:
        volumes.owe_volume(turn, sensor_id, playing.claim, final_pct, only_if_ours=False)


def decided(turn: "Turn", sensor_id: str, action: str, reason: str, detail: str = "") -> None:
    """Tell what became of the music in the running session."""
    session = turn.rooms[sensor_id].session
    session_id = session.id if session is not None else ""
    turn.tell(MusicDecided(sensor_id, session_id, turn.wall(turn.now), action, reason, detail))
