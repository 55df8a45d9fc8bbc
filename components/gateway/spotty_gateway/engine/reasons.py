"""The words for why: one vocabulary for the engine, the log, the records and the replay."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a motion started nothing. The order is the order in which they are asked; the first that holds is it."""

    __hash__ = str.__hash__  # Enum's own is Python code, and every suppressed motion looks one up

    WARMING_UP = "warming_up"
    DISABLED = "disabled"
    SNOOZED = "snoozed"
    CLOCK_UNTRUSTED = "clock_untrusted"
    QUIET_HOURS = "quiet_hours"
    MAX_SESSION = "max_session"
    COOLDOWN = "cooldown"
    DEBOUNCED = "debounced"
    UNCONFIRMED = "unconfirmed"


class EndedBy(StrEnum):
    """What ended a session."""

    TIMEOUT = "timeout"
    MAX_SESSION = "max_session"
    QUIET_HOURS = "quiet_hours"
    DISABLED = "disabled"
    MANUAL_STOP = "manual_stop"
    TAKEN_OVER = "taken_over"
    TRANSFERRED = "transferred"
    FINISHED = "finished"


class SilentReason(StrEnum):
    """Why a session is silent although somebody is there."""

    ACCOUNT_BUSY = "account_busy"
    PLAYING_ELSEWHERE = "playing_elsewhere"
    GUARD_CLOSED = "guard_closed"
    QUIET_HOURS = "quiet_hours"
    NO_TARGET = "no_target"
    NO_DEVICE = "no_device"
    DEVICE_REFUSES = "device_refuses"
    CONSENT_NEEDED = "consent_needed"
    PREMIUM_NEEDED = "premium_needed"
    PLAYER_UNAVAILABLE = "player_unavailable"
    GATEWAY_STOPPED = "gateway_stopped"


class Fault(StrEnum):
    """What is wrong and stays wrong until it is cleared."""

    INPUT_STUCK = "input_stuck"
    MUSIC_CANNOT_BE_STOPPED = "music_cannot_be_stopped"
    PLAYER = "player"
