"""Requests about the configuration, and telling components of changes to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .errors import ConfigurationError, IpcError, invalid_arguments, not_found, service_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .configuration import Configuration, KeyPath, Update
    from .profiles import Profile
    from .request import Request, Stream

_VALIDATED_S = 20.0


class ConfigurationDesk:
    """Everything about one component's configuration that goes over IPC."""

    def __init__(self, profile: Profile, configuration: Configuration, on_change: Callable[[], None]) -> None:
        self._profile = profile
        self._configuration = configuration
        self._on_change = on_change
        self._watching: list[tuple[KeyPath, Stream]] = []
        self._validator: Stream | None = None
        self._report: asyncio.Future[tuple[bool, str]] | None = None

    async def get(self, request: Request) -> dict[str, Any]:
        """GetConfiguration."""
        component, path = request.own_component(), request.key_path()
        try:
            found = self._configuration.find(path)
        except KeyError:
            raise not_found(f"there is no {'/'.join(path)} in the configuration") from None
        value = found if isinstance(found, dict) else {path[-1]: found}
        return {"componentName": component, "value": value}

    async def update(self, request: Request) -> dict[str, Any]:
        """UpdateConfiguration: a component merges into its own."""
        path, value = request.key_path(), request.content.get("valueToMerge")
        at_s = request.content.get("timestamp")
        if "valueToMerge" not in request.content or not isinstance(at_s, float | int) or isinstance(at_s, bool):
            raise invalid_arguments("valueToMerge and timestamp are needed")
        if path[:1] == ("accessControl",) or (not path and isinstance(value, dict) and "accessControl" in value):
            raise invalid_arguments("a component does not change its own accessControl")
        if not path and not isinstance(value, dict):
            raise invalid_arguments("only a map can be merged into the whole configuration")
        at_ms = int(at_s * 1000)
        if self._profile.tells_why and self._configuration.is_newer(path, value, at_ms):
            raise IpcError("FailedUpdateConditionCheckError", "the configuration is newer than the timestamp")
        written, changed = self._configuration.write(path, value, at_ms)
        self._tell(written if self._profile.echo_always else changed)
        return {}

    async def subscribe(self, request: Request) -> dict[str, Any]:
        """SubscribeToConfigurationUpdate."""
        request.own_component()
        watched = (request.key_path(), request.stream)
        try:
            self._configuration.find(watched[0])
        except KeyError:
            raise not_found(f"there is no {'/'.join(watched[0])} in the configuration") from None
        self._watching.append(watched)
        request.stream.at_end(lambda: self._watching.remove(watched))
        return {}

    async def subscribe_to_validate(self, request: Request) -> dict[str, Any]:
        """SubscribeToValidateConfigurationUpdates."""
        if self._validator is not None:
            raise service_error("the component validates already")
        self._validator = request.stream
        request.stream.at_end(self._no_validator)
        return {}

    async def report_validity(self, request: Request) -> dict[str, Any]:
        """SendConfigurationValidityReport."""
        report = request.content.get("configurationValidityReport")
        if self._report is None or self._report.done() or not isinstance(report, dict):
            raise invalid_arguments("nobody has asked, or not any more")
        self._report.set_result((report.get("status") == "ACCEPTED", str(report.get("message") or "no reason given")))
        return {}

    async def deploy(self, update: Update) -> list[KeyPath]:
        """Apply a deployment's update and tell the component. Raises ConfigurationError where it is refused."""
        await self._validate(self._configuration.after(update))
        changed = self._configuration.deploy(update)
        self._tell(changed)
        return changed

    async def _validate(self, tree: dict[str, Any]) -> None:
        if self._validator is None:
            return
        self._report = asyncio.get_running_loop().create_future()
        event = {"validateConfigurationUpdateEvent": {"configuration": tree, "deploymentId": "local"}}
        self._validator.event("ValidateConfigurationUpdateEvents", event)
        try:
            is_accepted, why = await asyncio.wait_for(self._report, _VALIDATED_S)
        except TimeoutError:
            raise ConfigurationError("the component did not say whether it accepts the configuration") from None
        finally:
            self._report = None
        if not is_accepted:
            raise ConfigurationError(f"the component refused the configuration: {why}")

    def _no_validator(self) -> None:
        self._validator = None

    def _tell(self, changed: Iterable[KeyPath]) -> None:
        for leaf in changed:
            for path, stream in list(self._watching):
                if leaf[: len(path)] == path or path[: len(leaf)] == leaf:
                    event = {"componentName": stream.component, "keyPath": list(leaf)}
                    stream.event("ConfigurationUpdateEvents", {"configurationUpdateEvent": event})
        self._on_change()
