"""What the nucleus's tests share: a recipe, a nucleus that runs, and unmodified AWS clients that talk to it."""

from __future__ import annotations

import json
import queue
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from awsiot import greengrasscoreipc
from awsiot.eventstreamrpc import LifecycleHandler
from awsiot.greengrasscoreipc.client import GreengrassCoreIPCClient
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from hypothesis import HealthCheck, settings

from spotty_sandbox.nucleus import Nucleus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spotty_sandbox.nucleus import Profile

STEADY = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""Hypothesis looks at the same examples each time, and at no clock."""
PATIENCE_S = 10.0
"""Longer than anything here takes: whoever waits this long waits in vain."""
THING = "gw1"
PROFILES = ("lite", "classic")
MQTT, LOCAL = "aws.greengrass.ipc.mqttproxy", "aws.greengrass.ipc.pubsub"

ACCESS = {
    MQTT: {
        "hello:mqtt:1": {
            "operations": ["aws.greengrass#PublishToIoTCore", "aws.greengrass#SubscribeToIoTCore"],
            "resources": ["sensors/{iot:thingName}/+/motion", "sensors/{iot:thingName}/+/commands"],
        }
    },
    LOCAL: {"hello:local:1": {"operations": ["*"], "resources": ["local/*"]}},
}
DEFAULTS = {"pin": 17, "quiet": True, "room": {"name": "Bath", "delayS": 300}, "accessControl": ACCESS}


def recipe_tree(lifecycle: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A recipe as it stands in a file."""
    manifest: dict[str, Any] = {"Platform": {"os": "linux", "runtime": "*"}, "Lifecycle": lifecycle or {"run": "true"}}
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": "com.example.Hello",
        "ComponentVersion": "1.0.0",
        "ComponentConfiguration": {"DefaultConfiguration": DEFAULTS},
        "Manifests": [manifest],
        **more,
    }


def write_recipe(folder: Path, tree: dict[str, Any] | None = None, name: str = "recipe.yaml") -> Path:
    """Write a recipe (JSON is YAML) and tell where."""
    file = folder / name
    file.write_text(json.dumps(tree or recipe_tree()))
    return file


@contextmanager
def running(
    folder: Path,
    profile: str | Profile,
    lifecycle: dict[str, Any] | None = None,
    **more: Any,  # noqa: ANN401 - as Nucleus has them
) -> Iterator[Nucleus]:
    """A nucleus in `folder` that runs; `lifecycle` is what the recipe says, the rest goes to Nucleus."""
    recipe = more.pop("recipe", None) or write_recipe(folder, recipe_tree(lifecycle))
    with Nucleus(profile, root=folder / "gg", recipe=recipe, thing=THING, **more) as nucleus:
        yield nucleus


class Ending(LifecycleHandler):  # type: ignore[misc] # awsiot has no types
    """Hears how a connection ended."""

    def __init__(self) -> None:
        self.reasons: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def on_disconnect(self, reason: Exception | None) -> None:
        """Keep the reason."""
        self.reasons.put(reason)

    def reason(self) -> Exception | None:
        """Why the connection ended, once it has."""
        return self.reasons.get(timeout=PATIENCE_S)


@contextmanager
def client(
    nucleus: Nucleus, token: str | None = None, ending: Ending | None = None
) -> Iterator[GreengrassCoreIPCClient]:
    """The SDK's client of generated operations, connected as the component."""
    connected = greengrasscoreipc.connect(
        ipc_socket=str(nucleus.socket_path),
        authtoken=token or nucleus.new_token(),
        lifecycle_handler=ending,
        timeout=PATIENCE_S,
    )
    try:
        yield connected
    finally:
        closed = connected.close()
        closed.exception(PATIENCE_S)


@contextmanager
def client_v2(nucleus: Nucleus) -> Iterator[GreengrassCoreIPCClientV2]:
    """The SDK's comfortable client, connected as the component."""
    with client(nucleus) as connected:
        comfortable = GreengrassCoreIPCClientV2(connected)
        try:
            yield comfortable
        finally:
            comfortable.executor.shutdown()


class Events:
    """A stream handler that keeps what comes."""

    def __init__(self) -> None:
        self.came: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.closed: queue.SimpleQueue[None] = queue.SimpleQueue()

    def on_stream_event(self, event: Any) -> None:  # noqa: ANN401 - a shape of the service model
        """Keep an event."""
        self.came.put(event)

    def on_stream_error(self, error: Exception) -> bool:
        """Keep an error; the stream ends."""
        self.came.put(error)
        return True

    def on_stream_closed(self) -> None:
        """Keep the end."""
        self.closed.put(None)

    def next(self) -> Any:  # noqa: ANN401 - a shape of the service model
        """The next event."""
        return self.came.get(timeout=PATIENCE_S)


def ask(operation: Any, request: Any) -> Any:  # noqa: ANN401 - awsiot has no types
    """One request on a generated operation, closed after the answer, as a well-mannered component does it."""
    try:
        operation.activate(request).result(PATIENCE_S)
        return operation.get_response().result(PATIENCE_S)
    finally:
        operation.close()
