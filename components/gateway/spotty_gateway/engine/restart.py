"""Going on after a restart: what was true before it, what must have happened meanwhile, what is still owed.

Sessions are carried over the gap by their instants. Within one boot the monotonic clock has gone on; across boots the
two wall clocks tell how long the gap was, if both can be trusted. What nobody can know is decided for silence.

The caller's part: `resume` where the gap is known (`is_decidable`). Else `begin`, live with that house for up to
TRUST_WAIT_US, and `rejoin` when the clock is trusted or the wait is over.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from spotty_gateway.engine import by_hand, debts, music, rooms, sessions, volumes
from spotty_gateway.engine.account import owner_on
from spotty_gateway.engine.carry import carried, merged, unseen
from spotty_gateway.engine.commands import Effect, MusicDecided, SessionFacts
from spotty_gateway.engine.reasons import EndedBy
from spotty_gateway.engine.rules import NEVER, SECOND
from spotty_gateway.engine.state import LONG_AGO, Hold, House, Idle, Muted, Playing, Room, Silent
from spotty_gateway.engine.timeline import run_deadlines
from spotty_gateway.engine.turn import Turn
from spotty_gateway.engine.values import replace

TRUST_WAIT_US = 120 * SECOND
"""How long after a boot a trusted clock is waited for before sessions from before it are given up (design §2)."""

LOST = "the gateway was restarted before the music was heard"


@dataclass(frozen=True, slots=True)
class Restart:
    """When and how the component came up again: instants as in events, and whether the computer booted in between."""

    run: str
    mono: int
    wall: int
    trusted: bool
    same_boot: bool
    seed: int = 0
    """The new house's."""


def is_decidable(saved: House, now: Restart) -> bool:
    """Whether the length of the gap is known; if not, a trusted clock is worth waiting for (TRUST_WAIT_US)."""
    return now.same_boot or (saved.trusted and now.trusted)


def resume(saved: House, now: Restart) -> tuple[House, list[Effect]]:
    """The house as it stands after the gap, and what follows from it.

    `saved` has the rooms as they were under the rules of today; a room that is no longer configured comes `removed`
    and disabled. Where the gap cannot be known, running sessions are closed at the instant of the snapshot.
    """
    turn = _bring_forward(saved, now)
    _close_disabled(turn)
    _go_on(turn)
    return turn.house_after(), turn.effects


def begin(saved: House, now: Restart) -> tuple[House, list[Effect]]:
    """The house to live with until the gap is known: `saved` without its sessions.

    Snoozes hold, debts are paid, and music that may still play from before is known to be ours.
    """
    turn = _new_turn(saved, now, now.mono - saved.mono)
    for sensor_id, room in list(turn.rooms.items()):
        if room.session is not None:
            played = room.music.playback
            owed = room.music.owed_pause
            if isinstance(played, Playing) and played.hold is Hold.OURS:
                owed = replace(debts.pause_of(turn, played), due_at=NEVER, dormant=True)
            past = replace(room.past, accepted_at=LONG_AGO)  # who comes now is not the chatter of who came then
            its_music = replace(room.music, playback=Idle(), owed_pause=owed)
            turn.put(sensor_id, replace(room, presence=unseen(room.presence), session=None, past=past, music=its_music))
    suspended = {sensor_id for sensor_id, room in saved.rooms.items() if room.session is not None}
    _go_on(turn, suspended)
    return turn.house_after(), turn.effects


def rejoin(house: House, saved: House, now: Restart) -> tuple[House, list[Effect]]:
    """`house`, which `begin` made of `saved`, with the sessions from before as they stand now that the wait is over.

    A room where somebody came meanwhile keeps its own session; the old one is closed at the snapshot, and its music is
    a debt of the new one. Where nobody came, the old session goes on, or has ended at its instant.
    """
    turn = Turn(house, now.mono)
    run_deadlines(turn, now.mono)
    turn.now = max(house.mono, now.mono)
    rooms.clock_moved(turn, now.wall - now.mono, now.trusted)
    before = _sessions_before(turn, saved, now)
    for sensor_id, room in saved.rooms.items():
        mine = turn.rooms.get(sensor_id)
        if room.session is None or mine is None:
            continue
        old = before.rooms.get(sensor_id)
        if old is not None and old.session is not None:
            _take_over(turn, sensor_id, old)
        elif mine.session is None:
            owed, due = mine.music.owed_pause, old.music.owed_pause if old is not None else None
            if owed is not None and due is not None and owed.dormant:
                owed = replace(owed, closed=due.closed)
                turn.put_music(sensor_id, replace(mine.music, owed_pause=owed))
    turn.effects += [effect for effect in before.effects if isinstance(effect, SessionFacts | MusicDecided)]
    _go_on(turn)
    return turn.house_after(), turn.effects


def _new_turn(saved: House, now: Restart, shift: int) -> Turn:
    """The rooms of `saved`, later by `shift`, in a house of this run; nothing is asked of the player yet."""
    offset = now.wall - now.mono
    house = House(now.run, now.mono, saved.mono + shift, offset, now.trusted, {}, saved.token, seed=now.seed)
    turn = Turn(house, now.mono)
    turn.catching_up = True
    for sensor_id, room in saved.rooms.items():
        turn.put(sensor_id, carried(room, saved.mono, shift))
        if room.candidate is not None:
            turn.put(sensor_id, replace(turn.rooms[sensor_id], candidate=room.candidate))
            sessions.drop_candidate(turn, sensor_id)
    return turn


def _bring_forward(saved: House, now: Restart) -> Turn:
    """What happened to the rooms of `saved` until now, as far as anybody can know."""
    offset = now.wall - now.mono
    nothing = now.mono - saved.mono  # the shift by which no time at all has passed
    known = is_decidable(saved, now)
    shift = nothing if not known else min(0 if now.same_boot else saved.offset - offset, nothing)
    turn = _new_turn(saved, now, shift)
    if known:
        for sensor_id in list(turn.rooms):
            turn.is_quiet(sensor_id)  # the span it finds is what changes of membership in the gap are found with
        run_deadlines(turn, now.mono)
    else:
        turn.offset, turn.trusted = saved.offset - shift, saved.trusted  # closed by the clock that saw it
        for sensor_id in list(turn.rooms):
            sessions.close(turn, sensor_id, EndedBy.TIMEOUT)
        turn.offset, turn.trusted = offset, now.trusted
    turn.now = now.mono
    return turn


def _sessions_before(turn: Turn, saved: House, now: Restart) -> Turn:
    """The sessions of `saved`, brought forward to now with what has been seen since the house of `turn` began."""
    began_at = turn.house.started_at
    began = replace(now, mono=began_at, wall=began_at + turn.offset)
    before = _bring_forward(saved, began)
    snapshot_at = before.house.mono
    before.present = turn.now
    before.now = snapshot_at
    for sensor_id, old in list(before.rooms.items()):
        mine = turn.rooms.get(sensor_id)
        if mine is None or old.session is None:
            continue
        if mine.session is not None or mine.past.accepted_at >= began_at:
            sessions.close(before, sensor_id, EndedBy.TIMEOUT)
            continue
        seen = merged(mine.presence, old.presence, began_at)
        before.put(sensor_id, replace(old, rules=mine.rules, presence=seen))
    before.now = began_at
    run_deadlines(before, turn.now)
    before.now = turn.now
    _close_disabled(before)
    return before


def _close_disabled(turn: Turn) -> None:
    """What has been disabled or removed while nobody ran ends now, unless it has ended before."""
    for sensor_id, room in list(turn.rooms.items()):
        if not room.rules.enabled:
            sessions.close(turn, sensor_id, EndedBy.DISABLED)


def _take_over(turn: Turn, sensor_id: str, old: Room) -> None:
    """The session from before goes on in this room; the debt it had left behind for the wait is none any more."""
    sessions.drop_candidate(turn, sensor_id)
    room = turn.rooms[sensor_id]
    playback, owed, waited = old.music.playback, old.music.owed_pause, room.music.owed_pause
    if isinstance(playback, Playing) and playback.hold is Hold.OURS:
        if waited is None or not waited.dormant:  # a person has stopped it meanwhile
            playback, owed = Muted(EndedBy.MANUAL_STOP), waited
        elif owner_on(turn, sensor_id, playback.claim.device) is not None:
            playback = replace(playback, hold=Hold.SHARED, fade=())
    past = replace(room.past, accepted_at=old.past.accepted_at)
    its_music = replace(room.music, playback=playback, owed_pause=owed)
    turn.put(sensor_id, replace(room, session=old.session, past=past, presence=old.presence, music=its_music))
    if room.snoozed_until is not None:
        by_hand.snooze(turn, sensor_id, room.snoozed_until)


def _go_on(turn: Turn, suspended: Iterable[str] = ()) -> None:
    """From here on the player is asked again: debts first, then what was being started or waits.

    The debts of `suspended` rooms sleep on: their sessions may go on when the gap is known.
    """
    turn.now, turn.catching_up = turn.present, False
    for sensor_id in list(turn.rooms):
        by_hand.reckon_snooze(turn, sensor_id)
        sessions.look_at_quiet(turn, sensor_id)
        room = turn.rooms[sensor_id]
        over = room.session is None or isinstance(room.music.playback, Muted)
        if over and sensor_id not in suspended:
            debts.wake(turn, sensor_id)
        debts.hurry(turn, sensor_id)
        _finish_fade(turn, sensor_id)
    for sensor_id in list(turn.rooms):
        playback = turn.rooms[sensor_id].music.playback
        if isinstance(playback, Silent) and playback.retry_at >= NEVER:
            music.retry(turn, sensor_id)
            music.explain_silence(turn, sensor_id, LOST)  # not every start that was lost is asked for again
    turn.looks_again = True
    turn.look_at_all_deadlines()
    run_deadlines(turn, turn.now)
    turn.save()


def _finish_fade(turn: Turn, sensor_id: str) -> None:
    """An interrupted fade ends at its volume, and a volume that was owed is due now."""
    its_music = turn.rooms[sensor_id].music
    playback, volume = its_music.playback, its_music.owed_volume
    if isinstance(playback, Playing) and playback.fade and playback.volume_pct is not None:
        turn.put_music(sensor_id, replace(its_music, playback=replace(playback, fade=())))
        volumes.owe_volume(turn, sensor_id, playback.claim, playback.volume_pct, only_if_ours=True)
    elif volume is not None and not volume.token:
        turn.put_music(sensor_id, replace(its_music, owed_volume=replace(volume, due_at=turn.now)))
        volumes.pay_volume(turn, sensor_id)
