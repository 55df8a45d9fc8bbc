"""What is going on, in plain words: one line for each thing a person would want to know."""

from collections.abc import Iterator

from spotty_gateway.engine.commands import Effect, FaultCleared, FaultRaised, Judged, MusicDecided, SessionFacts
from spotty_gateway.engine.reasons import Fault
from spotty_gateway.engine.rules import SECOND

WHY_NOT = {
    "warming_up": "its sensor is still warming up",
    "disabled": "the room is switched off",
    "snoozed": "the room is snoozed",
    "clock_untrusted": "the time is not known yet, and there are quiet hours",
    "quiet_hours": "it is quiet hours",
    "max_session": "the last session was as long as allowed and the room has not been empty since",
    "cooldown": "the last session has only just ended",
    "debounced": "a motion was counted only just before",
    "unconfirmed": "it was a single stray pulse",
}
WHY_ENDED = {
    "timeout": "nobody has moved for a while",
    "max_session": "it has lasted as long as allowed",
    "quiet_hours": "quiet hours have begun",
    "disabled": "the room was switched off",
    "manual_stop": "it had been stopped by hand",
    "taken_over": "somebody had chosen other music",
    "transferred": "the music had moved to another room",
    "finished": "the music had come to its end",
}
WHY_TURNED_OUT = {
    "manual_stop": "the music had been stopped by hand",
    "taken_over": "somebody had chosen other music",
    "finished": "the music had come to its end",
}
WHY_SILENT = {
    "account_busy": "another room has the account",
    "playing_elsewhere": "the account plays somewhere else",
    "guard_closed": "Spotify asked us to wait",
    "quiet_hours": "it is quiet hours",
    "no_target": "no speaker or no music has been chosen",
    "no_device": "the speaker is not there",
    "device_refuses": "the speaker refuses",
    "consent_needed": "Spotify has to be connected",
    "premium_needed": "the account has no Premium",
    "player_unavailable": "Spotify does not answer",
    "gateway_stopped": "the gateway was stopped",
}


def tell(effect: Effect, room: str) -> Iterator[str]:
    """The line for one effect in `room` (its name), if it is worth one."""
    match effect:
        case Judged(reason=reason, recorded=True) if reason is not None and reason != "debounced":
            yield f"{room}: motion, but {WHY_NOT[reason]} ({reason})"
        case SessionFacts(ended_by=None, motions=1, playback_started=False, silent_reason=None):
            yield f"{room}: somebody came in"
        case SessionFacts(corrected=True, ended_by=ended_by) if ended_by is not None:
            yield f"{room}: it turns out that in the session just over {WHY_TURNED_OUT[ended_by]} ({ended_by})"
        case SessionFacts(ended_by=ended_by) if ended_by is not None:
            yield f"{room}: session over after {_length(effect.duration_us)}, {WHY_ENDED[ended_by]} ({ended_by})"
        case MusicDecided():
            yield f"{room}: {_music(effect)}"
        case FaultRaised(fault=fault) if fault is not Fault.PLAYER:  # the silence that follows is told with its reason
            yield f"{room}: fault: {effect.detail or effect.fault} ({effect.fault})"
        case FaultCleared(fault=fault) if fault is not Fault.PLAYER:
            yield f"{room}: fault over ({effect.fault})"


def _music(effect: MusicDecided) -> str:
    match effect.action:
        case "playback_started":
            return "music started"
        case "playback_resumed":
            return "music goes on"
        case "paused":
            return "music stopped"
        case "already_playing":
            return "music was playing already, so it is left alone"
        case "silent":
            because = effect.detail or WHY_SILENT.get(effect.reason, effect.reason)
            return f"no music for now: {because} ({effect.reason})"
        case "trial_started":
            return "music was asked for as a trial and started"
        case "trial_refused" | "trial_failed":
            because = effect.detail or (WHY_SILENT | WHY_NOT).get(effect.reason, effect.reason)
            return f"no music for a trial: {because} ({effect.reason})"
        case "muted":
            return f"silent for the rest of this session: {WHY_ENDED.get(effect.reason, effect.reason)}"
        case _:
            return f"music left alone ({effect.reason})"


def _length(us: int) -> str:
    minutes, seconds = divmod(us // SECOND, 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
