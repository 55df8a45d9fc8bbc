"""What Spotify's refusals mean to us: its statuses, reasons and words as errors by our reaction. Nowhere else."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
from urllib3.exceptions import NewConnectionError

from spotty_gateway.errors import (
    NoActiveDeviceError,
    PlayerError,
    PlayerLimitError,
    PlayerRefusedError,
    PlayerUnavailableError,
    PremiumNeededError,
    VolumeRefusedError,
)

RATE_WINDOW_S = 30.0
"""Spotify counts calls over 30 s: the wait after a 429 that names none."""

LONGEST_WAIT_S = 7 * 86_400.0
"""Nobody means more than this; a header that says so is damaged."""

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY_REQUESTS, SERVER_ERROR = 401, 403, 404, 429, 500
MOST_WORDS = 120
SECRET = re.compile(r"[A-Za-z0-9._~+/=-]{41,}")
"""As long as a token and longer than any id of Spotify's (a device's has 40 characters)."""

KNOWN_REASONS = {
    "NO_PREV_TRACK",
    "NO_NEXT_TRACK",
    "NO_SPECIFIC_TRACK",
    "ALREADY_PAUSED",
    "NOT_PAUSED",
    "NOT_PLAYING_LOCALLY",
    "NOT_PLAYING_TRACK",
    "NOT_PLAYING_CONTEXT",
    "ENDLESS_CONTEXT",
    "CONTEXT_DISALLOW",
    "ALREADY_PLAYING",
    "RATE_LIMITED",
    "REMOTE_CONTROL_DISALLOW",
    "DEVICE_NOT_CONTROLLABLE",
    "VOLUME_CONTROL_DISALLOW",
    "NO_ACTIVE_DEVICE",
    "PREMIUM_REQUIRED",
}
"""Spotify's own list but for UNKNOWN: a refusal with one of these is meant."""

_REASON = re.compile(r"[A-Z_]{1,40}")
_QUOTA = re.compile(r"quota[_ ]exceeded", re.IGNORECASE)
_ABOUT_THE_MUSIC = ("device", "restriction", "player", "playback", "context", "content", "volume", "premium", "track")

Headers = Mapping[str, str]


class AlreadyError(PlayerRefusedError):
    """It already is as it was to become."""


class TokenRefusedError(PlayerUnavailableError):
    """Spotify does not know the token: a new one may help."""


class DoubtfulRefusalError(PlayerRefusedError):
    """A 403 that Spotify does not explain: a second later it may well be a yes."""

    def __init__(self, message: str, *, is_about_token: bool) -> None:
        """`is_about_token`: nothing in it is about a device or the music."""
        super().__init__(message)
        self.is_about_token = is_about_token


def refusal(status: int, reason: object, message: str, headers: Headers) -> PlayerError:
    """The error for an answer that is none of success. A `reason` that is no word of Spotify's kind is none at all."""
    said, reason = in_short(message), reason if isinstance(reason, str) and _REASON.fullmatch(reason) else None
    if status == TOO_MANY_REQUESTS:
        wait_s = retry_after_s(headers) or RATE_WINDOW_S
        if is_quota(f"{reason} {message}"):
            return PlayerLimitError("Spotify's daily quota for this household's app is used up", wait_s)
        return PlayerLimitError(f"Spotify asks to wait {wait_s:.0f} s ({reason or 'too many requests'})", wait_s)
    if status == UNAUTHORIZED:
        return TokenRefusedError("Spotify does not accept the token; a new one is asked for")
    if status == NOT_FOUND:
        if reason == "NO_ACTIVE_DEVICE" or "device" in said.lower():
            return NoActiveDeviceError(f"Spotify finds no such device ({said}); is it switched on?")
        return PlayerRefusedError(f"Spotify does not find the music ({said or 'not found'}); choose another")
    if status == FORBIDDEN:
        return _forbidden(reason, said)
    if status >= SERVER_ERROR:
        return PlayerUnavailableError(
            f"Spotify answered {status} ({said or 'no explanation'}); it is tried again",
            retry_after_s(headers),
            maybe_obeyed=True,
        )
    return PlayerRefusedError(f"Spotify refuses with {status} ({said or 'no explanation'})")


def _forbidden(reason: str | None, said: str) -> PlayerError:
    if reason == "PREMIUM_REQUIRED":
        return PremiumNeededError("this Spotify account has no Premium, so apps cannot control it")
    if reason == "VOLUME_CONTROL_DISALLOW":
        return VolumeRefusedError("this device's volume cannot be set by apps")
    if reason == "ALREADY_PAUSED":
        return AlreadyError(said)
    line = f"Spotify refuses: {said or 'no explanation'} ({reason or 'no reason given'})"
    if reason == "RATE_LIMITED":  # of the speaker, not of the API: a song was asked for too often
        return PlayerUnavailableError(line, RATE_WINDOW_S)
    if reason in KNOWN_REASONS:
        return PlayerRefusedError(line)
    about_music = any(word in said.lower() for word in _ABOUT_THE_MUSIC)
    return DoubtfulRefusalError(line, is_about_token=not reason and not about_music)


def is_quota(said: str) -> bool:
    """Whether a 429 is about the day's quota."""
    return _QUOTA.search(said) is not None


def unreachable(error: requests.RequestException, what: str = "Spotify") -> PlayerUnavailableError:
    """The error for a request that has come back without an answer."""
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    tls = isinstance(error, requests.exceptions.SSLError)
    never_left = tls or isinstance(error, requests.ConnectTimeout) or isinstance(cause, NewConnectionError)
    kind = type(cause if never_left and cause is not None else error).__name__
    check = "check the network, and this computer's date" if tls else "check the network"
    return PlayerUnavailableError(
        f"{what} cannot be reached ({kind}): {check}; it is tried again", maybe_obeyed=not never_left
    )


def retry_after_s(headers: Headers) -> float:
    """The wait that Spotify asks for; 0 where it asks for none, or in words that no clock understands."""
    said = headers.get("Retry-After", "0")
    try:
        wait_s = float(said)
    except ValueError:
        until = _instant(said)
        if until is None:
            return 0.0
        # By the clock of who says so; ours may not have been set yet.
        wait_s = (until - (_instant(headers.get("Date", "")) or datetime.now(UTC))).total_seconds() or 1.0
    return min(max(wait_s, 1.0), LONGEST_WAIT_S) if math.isfinite(wait_s) and wait_s else 0.0


def _instant(said: str) -> datetime | None:
    """The instant that a header names; None where it names none."""
    try:
        found = parsedate_to_datetime(said)
    except (ValueError, OverflowError):  # the second for a zone or a year of many digits
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def in_short(message: str) -> str:
    """The last line of what was said, as much as fits into ours; spotipy puts the address into those before."""
    line = SECRET.sub("...", " ".join(message.rsplit("\n", 1)[-1].split()))
    if line.startswith("<") or line == "None":
        return ""
    return line if len(line) <= MOST_WORDS else f"{line[:MOST_WORDS]}..."
