"""What Spotify's refusals mean to us: its statuses, reasons and words as errors by our reaction. Nowhere else."""

import math
from collections.abc import Mapping

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

Headers = Mapping[str, str]


class AlreadyError(PlayerRefusedError):
    """It already is as it was to become."""


class TokenRefusedError(PlayerUnavailableError):
    """Spotify does not know the token: a new one may help, at once."""


def refusal(status: int, reason: str | None, message: str, headers: Headers) -> PlayerError:
    """The error for an answer that is none of success."""
    said = in_short(message)
    if status == TOO_MANY_REQUESTS:
        wait_s = retry_after_s(headers) or RATE_WINDOW_S
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
    return PlayerRefusedError(f"Spotify refuses: {said or 'no explanation'} ({reason or 'no reason given'})")


def unreachable(error: requests.RequestException, what: str = "Spotify") -> PlayerUnavailableError:
    """The error for a request that has come back without an answer."""
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    never_left = isinstance(error, requests.ConnectTimeout) or isinstance(cause, NewConnectionError)
    kind = type(cause if never_left and cause is not None else error).__name__
    return PlayerUnavailableError(
        f"{what} cannot be reached ({kind}): check the network; it is tried again", maybe_obeyed=not never_left
    )


def retry_after_s(headers: Headers) -> float:
    """The wait that Spotify asks for; 0 where it asks for none, or in words that no clock understands."""
    try:
        wait_s = float(headers.get("Retry-After", 0))
    except ValueError:
        return 0.0
    return min(max(wait_s, 1.0), LONGEST_WAIT_S) if math.isfinite(wait_s) and wait_s else 0.0


def in_short(message: str) -> str:
    """The last line of what was said, as much as fits into ours; spotipy puts the address into those before."""
    line = " ".join(message.rsplit("\n", 1)[-1].split())
    if line.startswith("<") or line == "None":
        return ""
    return line if len(line) <= MOST_WORDS else f"{line[:MOST_WORDS]}..."
