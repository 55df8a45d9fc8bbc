"""What can go wrong with the player and with the cloud, by what we do next. Nobody reacts to anything finer."""

from spotty_gateway.engine.reasons import SilentReason


class PlayerError(Exception):
    """A player command came to nothing. The message is one line for a person and holds no secret."""

    reason = SilentReason.PLAYER_UNAVAILABLE
    retry_after_s = 0.0
    maybe_obeyed = False
    """Whether the command may have taken effect all the same: nobody saw a no."""


class PlayerUnavailableError(PlayerError):
    """Network or Spotify's servers: try again, not before `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: float = 0.0, *, maybe_obeyed: bool = False) -> None:
        """`retry_after_s` is what Spotify asked for, 0 where it did not."""
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.maybe_obeyed = maybe_obeyed


class PlayerLimitError(PlayerUnavailableError):
    """Spotify has had enough of us for `retry_after_s`: ask nothing at all before."""

    reason = SilentReason.GUARD_CLOSED


class PlayerAuthError(PlayerError):
    """A person has to give consent (again): nothing helps before."""

    reason = SilentReason.CONSENT_NEEDED


class NoActiveDeviceError(PlayerError):
    """The device is not there, or asleep: find it again under its name, or wait for it."""

    reason = SilentReason.NO_DEVICE


class PlayerRefusedError(PlayerError):
    """Spotify or the device will not do this, now or later."""

    reason = SilentReason.DEVICE_REFUSES


class PremiumNeededError(PlayerError):
    """The account is not allowed to be controlled."""

    reason = SilentReason.PREMIUM_NEEDED


class VolumeRefusedError(PlayerError):
    """The device has no volume that can be set: go on without."""


class CloudError(Exception):
    """A message to the cloud, or a wish to hear of some, came to nothing. One line for a person, without a secret."""


class CloudNotNowError(CloudError):
    """Offline, or too much at once: again later."""


class CloudRefusedError(CloudError):
    """Not allowed, or too long: it would be refused again. What asked for it goes without."""


class CloudGoneError(CloudError):
    """The nucleus does not answer to us any more: nothing helps but another connection, and who lost it is told."""
