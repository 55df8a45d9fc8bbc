"""How a session is told to the world outside the engine."""

from spotty_gateway.engine.commands import SessionFacts
from spotty_gateway.engine.reasons import EndedBy
from spotty_gateway.engine.state import Session, Silent
from spotty_gateway.engine.turn import Turn


def facts_of(turn: Turn, sensor_id: str, session: Session, ended_by: EndedBy | None = None) -> SessionFacts:
    """The session as it stands now, or as it ends now if `ended_by` is given."""
    room = turn.rooms[sensor_id]
    playback = room.music.playback
    return SessionFacts(
        sensor_id=sensor_id,
        session_id=session.id,
        start_at=turn.wall(session.started_at),
        end_at=None if ended_by is None else turn.wall(turn.now),
        duration_us=turn.now - session.started_at,
        last_motion_at=turn.wall(room.presence.last_motion_at),
        motions=session.motions,
        ended_by=ended_by,
        playback_started=session.played is not None,
        silent_reason=playback.reason if isinstance(playback, Silent) else None,
        time_to_music_us=session.music_after_us,
        device=session.played.device if session.played else None,
        context_uri=session.played.context_uri if session.played else None,
        clock_trusted=turn.trusted,
        policy_version=session.policy_version,
    )
