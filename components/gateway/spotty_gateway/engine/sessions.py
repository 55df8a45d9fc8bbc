"""Sessions: when somebody is taken to be in a room, and when no longer. The table of design §2, one function a rule.

Music is not decided here: `music.wanted` and `music.released` are told. So a replay, a house without network and two
engineers agree on sessions.
"""

from typing import TYPE_CHECKING

from spotty_gateway.engine import music
from spotty_gateway.engine.commands import Judged
from spotty_gateway.engine.facts import facts_of
from spotty_gateway.engine.quiet_hours import contains, to_local
from spotty_gateway.engine.reasons import EndedBy, Reason, SilentReason
from spotty_gateway.engine.rules import RECORD_AT_MOST_EVERY_US, InputKind
from spotty_gateway.engine.state import LONG_AGO, Candidate, Muted, Room, Session, Silent
from spotty_gateway.engine.values import replace

if TYPE_CHECKING:
    from spotty_gateway.engine.rules import Rules, Target
    from spotty_gateway.engine.turn import Turn


_DEBOUNCED = Reason.DEBOUNCED  # on Python 3.11 a member is looked up by Python code, and this is the hot path


def moved(turn: "Turn", sensor_id: str, room: Room) -> None:
    """A motion now in `room`: it extends a running session, starts one, or is refused with a reason."""
    session = room.session
    if session is None:
        _judge(turn, sensor_id, room)
        return
    if turn.now - room.past.accepted_at < room.rules.hold_off_us:
        suppress(turn, sensor_id, _DEBOUNCED, turn.now)
        return
    session = replace(session, motions=session.motions + 1)
    turn.rooms[sensor_id] = replace(room, session=session, past=replace(room.past, accepted_at=turn.now))
    turn.tell(Judged(sensor_id, turn.wall(turn.now), None, True, session.id))
    turn.tell(facts_of(turn, sensor_id, session))


def _judge(turn: "Turn", sensor_id: str, room: Room) -> None:
    """A motion in a vacant room."""
    reason = refusal(turn, sensor_id)
    if room.candidate is not None:
        drop_candidate(turn, sensor_id)
    elif reason is None and room.rules.confirm_us > 0:
        candidate = Candidate(turn.now, turn.now + room.rules.confirm_us)
        turn.put(sensor_id, replace(turn.rooms[sensor_id], candidate=candidate))
        return
    if reason is None:
        _open(turn, sensor_id)
    else:
        suppress(turn, sensor_id, reason, turn.now)


def confirm(turn: "Turn", sensor_id: str) -> None:
    """The candidate's time is over: unbroken evidence makes it a session, otherwise it was a stray pulse."""
    room = turn.rooms[sensor_id]
    candidate = room.candidate
    if candidate is None:
        return
    unbroken = any(
        one.since is not None and one.since <= candidate.at and one.kind is InputKind.PIR
        for one in room.presence.inputs.values()
    )
    turn.put(sensor_id, replace(room, candidate=None))
    reason = refusal(turn, sensor_id) if unbroken else Reason.UNCONFIRMED
    if reason is None:
        _open(turn, sensor_id)
    else:
        suppress(turn, sensor_id, reason, candidate.at)


def refusal(turn: "Turn", sensor_id: str) -> Reason | None:
    """The first reason that keeps a motion now from starting a session in a vacant room; None where none does."""
    room = turn.rooms[sensor_id]
    rules, past, now = room.rules, room.past, turn.now
    if now - turn.house.started_at < rules.warm_up_us:
        return Reason.WARMING_UP
    if not rules.enabled:
        return Reason.DISABLED
    if turn.is_snoozed(room):
        return Reason.SNOOZED
    if rules.quiet_windows and not turn.trusted:
        return Reason.CLOCK_UNTRUSTED
    if rules.quiet_windows and turn.is_quiet(sensor_id):
        return Reason.QUIET_HOURS
    if past.blocked:
        return Reason.MAX_SESSION
    if now - past.ended_at < rules.cooldown_us:
        return Reason.COOLDOWN
    if now - past.accepted_at < rules.hold_off_us:
        return Reason.DEBOUNCED
    return None


def suppress(turn: "Turn", sensor_id: str, reason: Reason, at: int) -> None:
    """Count a motion made at `at` as suppressed, and record it unless one of that reason just was."""
    room = turn.rooms[sensor_id]
    session_id = None if room.session is None else room.session.id
    since = at - room.past.recorded_at.get(reason, LONG_AGO)
    if since < room.rules.hold_off_us or since < RECORD_AT_MOST_EVERY_US:
        turn.effects.append(Judged(sensor_id, at + turn.offset, reason, False, session_id))
        return
    past = replace(room.past, recorded_at={**room.past.recorded_at, reason: at})
    turn.rooms[sensor_id] = replace(room, past=past)
    turn.tell(Judged(sensor_id, turn.wall(at), reason, True, session_id))


def _open(turn: "Turn", sensor_id: str) -> None:
    """The session starts now, with the motion that is being judged as its first accepted one."""
    room = turn.rooms[sensor_id]
    number = turn.next_token()  # of the house, not of the room, which may have been removed and come back
    session = Session(
        id=f"{sensor_id}-{turn.house.run}-{number}",
        started_at=turn.now,
        motions=1,
        target=target_now(turn, room.rules),
        policy_version=room.rules.version,
    )
    past = replace(room.past, sessions=room.past.sessions + 1, accepted_at=turn.now, blocked=False)
    turn.put(sensor_id, replace(room, session=session, past=past))
    turn.is_quiet(sensor_id)  # the span it finds is what the next change of membership is waited for with
    turn.tell(Judged(sensor_id, turn.wall(turn.now), None, True, session.id))
    turn.tell(facts_of(turn, sensor_id, session))
    turn.save()
    music.wanted(turn, sensor_id)


def close(turn: "Turn", sensor_id: str, ended_by: EndedBy) -> None:
    """The session ends now. A timeout is told as what muted the music before it, if anything did."""
    room = turn.rooms[sensor_id]
    session = room.session
    if session is None:
        return
    playback = room.music.playback
    if ended_by is EndedBy.TIMEOUT and isinstance(playback, Muted):
        ended_by = playback.reason
    music.explain_silence(turn, sensor_id)
    facts = facts_of(turn, sensor_id, session, ended_by)
    past = replace(room.past, ended_at=turn.now, blocked=ended_by is EndedBy.MAX_SESSION)
    turn.put(sensor_id, replace(turn.rooms[sensor_id], session=None, past=past))
    turn.tell(facts)
    turn.save()
    music.released(turn, sensor_id, session, facts)


def look_at_quiet(turn: "Turn", sensor_id: str) -> None:
    """Note when, in the running session, quiet hours began or stopped; what waited for their end tries again."""
    session = turn.rooms[sensor_id].session
    if session is None:
        return
    quiet = turn.is_quiet(sensor_id)
    room = turn.rooms[sensor_id]
    if quiet != (session.quiet_since is not None):
        session = replace(session, quiet_since=turn.now if quiet else None)
        turn.put(sensor_id, replace(room, session=session))
    playback = room.music.playback
    if not quiet and isinstance(playback, Silent) and playback.reason is SilentReason.QUIET_HOURS:
        music.retry(turn, sensor_id)


def drop_candidate(turn: "Turn", sensor_id: str) -> None:
    """Nobody will confirm this motion any more."""
    room = turn.rooms[sensor_id]
    if room.candidate is not None:
        turn.put(sensor_id, replace(room, candidate=None))
        suppress(turn, sensor_id, Reason.UNCONFIRMED, room.candidate.at)


def target_now(turn: "Turn", rules: "Rules") -> "Target | None":
    """The policy's target, with context and volume of the first schedule entry that contains the present."""
    target = rules.target
    if target is None or not turn.trusted:
        return target
    local = to_local(turn.wall(turn.now), rules.zone)
    for entry in rules.schedule:
        if contains(entry.window, local):
            volume_pct = target.volume_pct if entry.volume_pct is None else entry.volume_pct
            return replace(target, context_uri=entry.context_uri or target.context_uri, volume_pct=volume_pct)
    return target
