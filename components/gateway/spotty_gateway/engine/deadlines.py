"""When something falls due by itself. Timers are data: worked out from the state, never set and never cleared."""

from enum import IntEnum

from spotty_gateway.engine.presence import limit_of
from spotty_gateway.engine.rules import NEVER
from spotty_gateway.engine.state import Music, Playing, Room, Session, Silent


class Due(IntEnum):
    """What falls due. The order decides between deadlines at one instant (design §2: "in the order listed")."""

    CONFIRM = 0
    STUCK = 1
    TIMEOUT = 2
    MAX_SESSION = 3
    QUIET_END = 4
    QUIET_CHANGE = 5
    UNBLOCK = 6
    SNOOZE_END = 7
    MUSIC = 8


def next_of(room: Room, offset: int, *, trusted: bool = True) -> tuple[int, Due]:
    """The room's next deadline: its monotonic instant (NEVER if there is none) and what it is.

    `offset` is wall minus monotonic time: quiet hours and snoozes are due by the wall clock, if it is `trusted`.
    """
    found = [(_music(room.music), Due.MUSIC)]
    presence, rules = room.presence, room.rules
    if room.candidate is not None:
        found.append((room.candidate.confirm_at, Due.CONFIRM))
    if presence.evident:
        found.append((min(limit_of(one, rules) for one in presence.inputs.values()), Due.STUCK))
    if room.snoozed_until is not None and trusted:
        found.append((room.snoozed_until - offset, Due.SNOOZE_END))
    if room.session is not None:
        found.extend(_session(room, room.session, offset))
    elif room.past.blocked and not presence.evident:
        found.append((max(presence.last_at, room.past.ended_at) + rules.vacancy_delay_us, Due.UNBLOCK))
    return min(found)


def _session(room: Room, session: Session, offset: int) -> list[tuple[int, Due]]:
    rules, presence = room.rules, room.presence
    found = []
    if not presence.evident:
        found.append((presence.last_at + rules.vacancy_delay_us, Due.TIMEOUT))
    if rules.max_session_us:
        found.append((session.started_at + rules.max_session_us, Due.MAX_SESSION))
    if session.quiet_since is not None:
        found.append((session.quiet_since + rules.quiet_grace_us, Due.QUIET_END))
    if room.quiet is not None:
        found.append((room.quiet.end_at - offset, Due.QUIET_CHANGE))
    return found


def _music(music: Music) -> int:
    playback, pause, volume = music.playback, music.owed_pause, music.owed_volume
    due_at = NEVER
    if isinstance(playback, Silent):
        due_at = playback.retry_at
    elif isinstance(playback, Playing) and playback.fade:
        due_at = playback.fade[0].at
    if pause is not None:
        due_at = min(due_at, pause.due_at)
    if volume is not None:
        due_at = min(due_at, volume.due_at)
    return due_at
