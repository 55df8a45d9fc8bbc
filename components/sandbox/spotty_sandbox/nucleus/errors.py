"""What goes wrong: what is told to the component, and what to the person who runs the nucleus."""

from __future__ import annotations


class NucleusError(Exception):
    """The nucleus cannot do what it was asked; the text is one line for a person."""


class RecipeError(NucleusError):
    """The recipe, or what it needs, is not fit to run."""


class BrokerError(NucleusError):
    """The broker's address or certificates cannot be used."""


class ConfigurationError(NucleusError):
    """A configuration cannot be used, or the component refused it."""


class IpcError(Exception):
    """A request is refused: `model` is the error's name in the service model, without its namespace."""

    def __init__(self, model: str, message: str = "", namespace: str = "aws.greengrass") -> None:
        super().__init__(message)
        self.model = model
        self.message = message
        self.namespace = namespace


def service_error(message: str) -> IpcError:
    """The nucleus could not do it."""
    return IpcError("ServiceError", message)


def unauthorized(what: str) -> IpcError:
    """The recipe does not allow it."""
    return IpcError("UnauthorizedError", f"the component's accessControl does not allow {what}")


def invalid_arguments(message: str) -> IpcError:
    """The request does not make sense."""
    return IpcError("InvalidArgumentsError", message)


def not_found(message: str) -> IpcError:
    """There is no such key."""
    return IpcError("ResourceNotFoundError", message)
