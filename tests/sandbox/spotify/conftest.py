from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import requests
import spotipy

from spotty_sandbox.spotify import Device, ManualClock, SpotifySimulator, SpotifyWorld, demo_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def clock() -> ManualClock:
    """Time that moves only when the test says so."""
    return ManualClock()


@pytest.fixture
def world(clock: ManualClock) -> SpotifyWorld:
    """Bathroom, Kitchen and Bedroom, silent."""
    return demo_world(clock)


@pytest.fixture
def bathroom(world: SpotifyWorld) -> Device:
    """A speaker with good manners."""
    return world.device("Bathroom")


@pytest.fixture
def steam(world: SpotifyWorld) -> str:
    """The URI of a playlist of five songs."""
    return world.catalogue.named("Steam and Soap").uri


@pytest.fixture
def sim(world: SpotifyWorld) -> Iterator[SpotifySimulator]:
    """The world behind real HTTP."""
    with SpotifySimulator(world) as simulator:
        yield simulator


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session that obeys no proxy of the environment."""
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


@pytest.fixture
def spotify(sim: SpotifySimulator, session: requests.Session) -> Callable[..., Any]:
    """Makes an unmodified spotipy client that is signed in to the simulator."""
    logging.getLogger("spotipy").setLevel(logging.CRITICAL)

    def client(token: str | None = None) -> Any:  # noqa: ANN401 - spotipy has no types
        token = token or sim.call(lambda world: world.auth.grant().access_token)
        made = spotipy.Spotify(auth=token, requests_session=session, requests_timeout=(3, 10), retries=0)
        made.prefix = sim.api_url
        return made

    return client
