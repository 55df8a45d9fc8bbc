"""The gateway of a home and everything around it, from pin to API."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from spotty_contract.topics import cloud_id
from spotty_gateway.local import LocalError, ask
from spotty_gateway.private import make_private_folder
from spotty_sandbox.nucleus import Broker, Nucleus, NucleusError, State, Update

from .api import Api
from .component import write_recipe
from .errors import HomeError
from .heard import Heard
from .registering import place_in, register
from .spotify_side import bring_the_music, connected
from .wires import Wire, Wires

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from spotty_sandbox.aws import LocalAws, Person, Stack
    from spotty_sandbox.spotify import SpotifySimulator

RUNS_WITHIN_S = 60.0
IN_STEP_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.1
_LAST_LINES = 3


class HomeInTheCloud:
    """A gateway of this owner's, registered at the stack, while the block runs; in `folder` it is the same again.

    `folder` holds its key, certificate, data and the nucleus. A registration that the stack does not know (any more) is
    made anew, and with it everything else in there. `simulator` must run; `tell` hears what the nucleus and the gateway
    print, on another thread. Everything raises HomeError, or LocalAwsError where the local AWS ends.
    """

    def __init__(
        self,
        aws: LocalAws,
        stack: Stack,
        owner: Person | Callable[[], Person],
        simulator: SpotifySimulator,
        folder: Path,
        *,
        name: str = "The flat",
        profile: str = "lite",
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """`owner` may be asked for anew each time, since tokens last for an hour."""
        self._aws = aws
        self._simulator = simulator
        self._folder = folder.resolve()
        self._name = name
        self._profile = profile
        self._tell = tell
        self._undo = ExitStack()
        token = (lambda: owner().id_token) if callable(owner) else (lambda: owner.id_token)
        self.api = Api(f"{aws.endpoint_url}/_aws/execute-api/{stack.output('ApiId')}/api", token)
        self.heard = Heard()
        self.wires = Wires(self._folder / "wires")
        self.gateway_id = ""
        self.data = self._folder / "data"

    def __enter__(self) -> Self:
        """Register where need be, and start the nucleus; the gateway waits for `start_gateway`."""
        make_private_folder(self._folder)
        self.gateway_id = self._registered()
        self.wires.lay()
        with ExitStack() as undo:
            self.nucleus = undo.enter_context(self._nucleus())
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the gateway as its nucleus does, then the nucleus."""
        self._undo.close()

    @staticmethod
    def forget(folder: Path) -> None:
        """Let the gateway in this folder be registered anew."""
        for part in ("credentials", "core", "data"):
            shutil.rmtree(folder / part, ignore_errors=True)

    def has_room(self, sensor_id: str, name: str, pin: int, policy: Mapping[str, Any]) -> dict[str, Any]:
        """See to it that the gateway has this room with these settings; what else it has stays. As the API tells it."""
        cloud_s = self.sensor(sensor_id)
        known = self.api.ask_after(f"/sensors/{cloud_s}")
        bring_the_music(self._simulator, policy)
        if known.status == HTTPStatus.NOT_FOUND:
            asked = {"gatewayId": self.gateway_id, "id": sensor_id, "name": name}
            inputs = [{"id": "pir", "pin": pin}]
            made: dict[str, Any] = self.api.change("POST", "/sensors", {**asked, "inputs": inputs, "policy": policy})
            return made
        found: dict[str, Any] = known.body
        if _is_in(policy, found["policy"]):
            return found
        changed: dict[str, Any] = self.api.change("PUT", f"/sensors/{cloud_s}", {"policy": policy})
        return changed

    def sensor(self, sensor_id: str) -> str:
        """What the cloud calls a room of this gateway."""
        return cloud_id(self.gateway_id, sensor_id)

    def start_gateway(self) -> None:
        """Run the component and wait until it says that it runs. Twice does nothing."""
        self.nucleus.start_component()
        try:
            self.nucleus.wait_until(self._has_come_up, RUNS_WITHIN_S)
        except TimeoutError:
            raise HomeError(f"the gateway does not come up; {self._last_words()}") from None
        if self.nucleus.status().state is State.BROKEN:
            raise HomeError(f"the gateway cannot be run; {self._last_words()}")

    def in_step(self, sensor_id: str, longest_s: float = IN_STEP_WITHIN_S) -> dict[str, Any]:
        """Wait until the gateway has answered the room's settings; the room as the API tells it."""
        path = f"/sensors/{self.sensor(sensor_id)}"
        found: dict[str, Any] = self.until(
            lambda: self.api.get(path),
            lambda room: room["settings"]["state"] != "pending",
            f"the gateway's answer to the settings of {sensor_id}",
            longest_s,
        )
        return found

    def until(self, look: Callable[[], Any], holds: Callable[[Any], bool], what: str, longest_s: float) -> Any:  # noqa: ANN401 - whatever is looked at
        """Look again and again until it is so; what was seen then. Raises HomeError, with `what` it waited for."""
        until_s = time.monotonic() + longest_s
        while not holds(seen := look()):
            self._aws.check()
            if time.monotonic() > until_s:
                raise self.missed(what, longest_s)
            time.sleep(_LOOK_EVERY_S)
        return seen

    def missed(self, what: str, longest_s: float) -> HomeError:
        """For whoever waits in another way: what was to come, and what the gateway said instead."""
        return HomeError(f"{what} did not come within {longest_s:g} s; {self._last_words()}")

    def status(self, sensor_id: str) -> dict[str, Any]:
        """How a room is doing, as `spotty status` tells it on the gateway itself."""
        rooms = self.by_hand("status")["rooms"]
        return next(dict(room) for room in rooms if room["sensorId"] == sensor_id)

    def by_hand(self, do: str, sensor_id: str | None = None) -> Mapping[str, Any]:
        """`spotty status`, `pause` or `resume`, on the gateway itself."""
        request: dict[str, object] = {"do": do, **({} if sensor_id is None else {"sensor": sensor_id})}
        try:
            return ask(self.data / "spotty.sock", request)
        except LocalError as error:
            raise HomeError(f"spotty {do}: {error}") from None

    def check(self) -> None:
        """Raises HomeError or LocalAwsError for what has ended by itself."""
        self._aws.check()
        if self.nucleus.status().state is State.BROKEN:
            raise HomeError(f"the gateway has ended; {self._last_words()}")

    def is_the_only_one(self) -> None:
        """See to it that the owner has no other gateway: those of homes that were forgotten."""
        for gateway in self.api.get("/gateways")["gateways"]:
            if gateway["gatewayId"] != self.gateway_id:
                self.api.change("DELETE", f"/gateways/{gateway['gatewayId']}")

    def pin(self, number: int) -> Wire:
        """The wire at this GPIO of the gateway."""
        return self.wires.pin(number)

    # Inside.

    def _registered(self) -> str:
        """The id of the gateway in our folder, as long as its owner still has it; else a new one."""
        place = place_in(self._folder / "credentials")
        known = place.gateway_id()
        if known is not None and self.api.ask_after(f"/gateways/{known}").is_good:
            return known
        self.forget(self._folder)  # a gateway that is registered anew begins anew
        return register(self.api, place, self._name)

    def _nucleus(self) -> Nucleus:
        place, mqtt = place_in(self._folder / "credentials"), self._aws.mqtt
        try:
            return Nucleus(
                self._profile,
                root=self._folder / "core",
                recipe=write_recipe(self._folder, self.wires.pipe),
                thing=self.gateway_id,
                broker=Broker(mqtt.host, mqtt.port, place.root_ca, place.certificate, place.key),
                update=Update(connected(self._simulator, self.data)),
                region=self._aws.region,
                tell=self._hear,
            )
        except NucleusError as error:
            raise HomeError(str(error)) from None

    def _hear(self, line: str) -> None:
        self._tell(line)
        self.heard.hear(line)  # last: whoever waits for it may then tell what comes of it

    def _has_come_up(self) -> bool:
        status = self.nucleus.status()
        return status.reported == "RUNNING" or status.state is State.BROKEN

    def _last_words(self) -> str:
        return f"it last said: {' / '.join(self.heard.last(_LAST_LINES)) or 'nothing'}"


def _is_in(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether everything wanted is found, maps looked into."""
    return all(
        _is_in(value, found.get(name) or {}) if isinstance(value, dict) else found.get(name) == value
        for name, value in wanted.items()
    )
