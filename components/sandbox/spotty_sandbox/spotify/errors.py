"""How Spotify says no: one error type, and each refusal of the player by name."""

from __future__ import annotations


class SpotifyError(Exception):
    """A refusal in Spotify's own terms: HTTP status, message, and a reason where Spotify gives one.

    `reason` is absent from most errors: the player's refusals carry one, everything else (an unknown device included)
    does not. The public OpenAPI document knows neither reasons nor 404.
    """

    def __init__(self, status: int, message: str, reason: str | None = None) -> None:
        super().__init__(f"{status} {message}" + (f" ({reason})" if reason else ""))
        self.status = status
        self.message = message
        self.reason = reason


def no_active_device() -> SpotifyError:
    """Nothing is active and the request named no device."""
    return SpotifyError(404, "Player command failed: No active device found", "NO_ACTIVE_DEVICE")


def device_not_found() -> SpotifyError:
    """The named device is unknown, asleep or gone. Spotify sends this one without a reason."""
    return SpotifyError(404, "Device not found")


def premium_required() -> SpotifyError:
    """The account is not Premium: every player command is refused, looking is allowed."""
    return SpotifyError(403, "Player command failed: Premium required", "PREMIUM_REQUIRED")


def not_controllable() -> SpotifyError:
    """A restricted device takes no command from the Web API."""
    return SpotifyError(403, "Player command failed: Device not controllable", "DEVICE_NOT_CONTROLLABLE")


def volume_disallowed() -> SpotifyError:
    """The device has no volume that an app may set (most phones)."""
    return SpotifyError(403, "Player command failed: Cannot control device volume", "VOLUME_CONTROL_DISALLOW")


def restriction_violated() -> SpotifyError:
    """The command makes no sense now: pausing what is paused, resuming what plays.

    The retired reference named these ALREADY_PAUSED and NOT_PAUSED; what the service really sends is UNKNOWN. A fault
    rule can send the old names.
    """
    return SpotifyError(403, "Player command failed: Restriction violated", "UNKNOWN")


def no_previous_track() -> SpotifyError:
    """Skipping back from the first track of a context that does not repeat."""
    return SpotifyError(403, "Player command failed: No previous track", "NO_PREV_TRACK")


def no_next_track() -> SpotifyError:
    """Skipping past the last track of a context that does not repeat."""
    return SpotifyError(403, "Player command failed: No next track", "NO_NEXT_TRACK")


def not_found(what: str = "Not found.") -> SpotifyError:
    """A playlist, album, artist or address that does not exist."""
    return SpotifyError(404, what)


def bad_request(message: str) -> SpotifyError:
    """A parameter or body that Spotify cannot read; `message` names it."""
    return SpotifyError(400, message)
