"""A whole gateway between simulated pins and a simulated Spotify: for the demo, the tests and the benchmark."""

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from spotty_contract.gateway import GatewayPolicy
from spotty_contract.policy import Policy
from spotty_gateway.app import Gateway
from spotty_gateway.cloud_side import CloudAccess
from spotty_gateway.engine.commands import SessionFacts
from spotty_gateway.ports import Clock
from spotty_gateway.settings import Settings
from spotty_hardware.inputs import Edge, PinInputs, pin_factory
from spotty_sandbox.house import MockPin
from spotty_sandbox.spotify import SpotifySimulator, invented_context

CLIENT_ID = "spottypottysense"

Json = Mapping[str, Any]


def ignore(_: object) -> None:
    """Told something, do nothing."""


class Rig:
    """Start it as a context manager; everything is stopped in order at its end.

    `folder` becomes the gateway's data folder. `wiring` and `policies` (by sensor id) are JSON as on disk. Music that
    the policies name is added to the simulator's world, and the gateway has its consent already.
    """

    def __init__(
        self,
        folder: Path,
        wiring: Json,
        policies: Mapping[str, Json],
        simulator: SpotifySimulator,
        clock: Clock,
        *,
        say: Callable[[str], None] = ignore,
        record: Callable[[SessionFacts], None] = ignore,
        edge_at: Callable[[Edge], int] | None = None,
        settings: Json | None = None,
        cloud: CloudAccess | None = None,
    ) -> None:
        """`edge_at` gives an edge's instant (default: the instant on `clock`); `settings` override the rig's.

        `cloud` is the way to the cloud, where there is to be one.
        """
        self.folder = folder
        self.simulator = simulator
        self._wiring = GatewayPolicy.model_validate(wiring)
        self._policies = {sensor: Policy.model_validate(policy) for sensor, policy in policies.items()}
        self._clock = clock
        self._say = say
        self._record = record
        self._edge_at = edge_at or (lambda _: clock.mono())
        self._settings = dict(settings or {})
        self._cloud = cloud
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Write the files, start Spotify, then the gateway."""
        self._write_files()
        with ExitStack() as stack:
            self._stack = stack
            stack.enter_context(self.simulator)
            self._connect()
            self.factory = stack.enter_context(pin_factory("mock"))
            self.pins = {
                f"{sensor.id}/{one.id}": cast("MockPin", self.factory.pin(one.pin))
                for sensor in self._wiring.sensors
                for one in sensor.inputs
            }
            self.gateway = Gateway(
                self._gateway_settings(),
                self._clock,
                lambda on_edge: PinInputs(self.factory, on_edge),
                self._say,
                self._edge_at,
                self._record,
                cloud=self._cloud,
            )
            self.gateway.start()
            stack.callback(self.gateway.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop the gateway, then Spotify."""
        self._stack.close()

    def _write_files(self) -> None:
        policies = self.folder / "policies"
        policies.mkdir(parents=True, exist_ok=True)
        (policies / "gateway.json").write_text(self._wiring.to_json())
        for sensor, policy in self._policies.items():
            (policies / f"sensor-{sensor}.json").write_text(policy.to_json())

    def _connect(self) -> None:
        """As if a person had given consent just now; and the music they chose exists."""
        catalogue = self.simulator.world.catalogue
        for policy in self._policies.values():
            uri = policy.playback.context_uri
            if uri is not None and catalogue.context(uri) is None:
                self.simulator.call(lambda world, uri=uri: world.catalogue.add(invented_context(uri)))  # type: ignore[misc]  # bound at once
        granted = self.simulator.call(lambda world: world.auth.grant(client_id=CLIENT_ID))
        tokens = {
            "access_token": granted.access_token,
            "refresh_token": granted.refresh_token,
            "scope": granted.scope,
            "token_type": "Bearer",
            "expires_at": (self._clock.mono() + self._clock.offset()) // 1_000_000 + granted.expires_in,
        }
        path = self.folder / "tokens.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(tokens))

    def _gateway_settings(self) -> Settings:
        return Settings.model_validate(
            {
                "dataDir": str(self.folder),
                "pinFactory": "mock",
                "spotifyClientId": CLIENT_ID,
                "spotifyApiUrl": self.simulator.accounts_url,
                "spotifyAccountsUrl": self.simulator.accounts_url,
                "clock": "assume_trusted",
                **self._settings,
            }
        )
