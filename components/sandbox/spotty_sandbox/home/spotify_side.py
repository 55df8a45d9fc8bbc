"""The gateway's side towards the simulated Spotify: where that is, a consent given, the music there."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from spotty_gateway.durable_file import replace_durably
from spotty_gateway.private import make_private_folder
from spotty_sandbox.spotify import invented_context

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from spotty_sandbox.spotify import SpotifySimulator

CLIENT_ID = "spottypottysense"
_PRIVATE = 0o600


def connected(simulator: SpotifySimulator, data: Path) -> dict[str, str]:
    """Put a consent into the gateway's data folder; what a deployment would merge into the component's configuration.

    As if the owner had connected Spotify just now: the simulator's world is a new one each time.
    """
    simulator.call(lambda world: world.auth.register(CLIENT_ID, "SpottyPottySense"))
    granted = simulator.call(lambda world: world.auth.grant(client_id=CLIENT_ID))
    tokens = {
        "access_token": granted.access_token,
        "refresh_token": granted.refresh_token,
        "scope": granted.scope,
        "token_type": "Bearer",
        "expires_at": int(time.time()) + granted.expires_in,
    }
    make_private_folder(data)
    replace_durably(data / "tokens.json", json.dumps(tokens).encode(), _PRIVATE)
    return {
        "dataDir": str(data),
        "pinFactory": "mock",
        "spotifyClientId": CLIENT_ID,
        "spotifyApiUrl": simulator.accounts_url,
        "spotifyAccountsUrl": simulator.accounts_url,
        "clock": "assume_trusted",
    }


def bring_the_music(simulator: SpotifySimulator, policy: Mapping[str, Any]) -> None:
    """Let there be what the policy plays."""
    uri = policy.get("playback", {}).get("contextUri")
    if uri is not None and simulator.call(lambda world: world.catalogue.context(uri)) is None:
        simulator.call(lambda world: world.catalogue.add(invented_context(uri)))
