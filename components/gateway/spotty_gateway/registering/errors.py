"""Why a registration came to nothing, by what the person does next. Each message is one line and holds no secret."""


class RegistrationError(Exception):
    """There is no registration, or none yet."""


class NotConfirmedError(RegistrationError):
    """Nobody has confirmed in time: begin again, for a new code."""


class CannotHereError(RegistrationError):
    """Something on this computer is in the way."""


class CloudTroubleError(RegistrationError):
    """The cloud cannot be used: look after the address, the network, the cloud."""


class AwayError(CloudTroubleError):
    """No answer that counts this time: the same question may be answered later, not before `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        """`retry_after_s` is what the cloud asked for, 0 where it did not."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StrangerError(RegistrationError):
    """What answers does not speak of this gateway's key: nothing of it is to be trusted."""
