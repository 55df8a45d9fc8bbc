"""A simulated account with the real client on it: what the tests of manners and faults stand on."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spotty_gateway.engine.commands import Claim, PauseMusic, SetVolume, StartMusic
from spotty_gateway.engine.events import Outcome
from spotty_gateway.engine.rules import Device, Target
from spotty_gateway.errors import PlayerError
from spotty_gateway.manners import Manners, failed
from spotty_gateway.ports import Gate
from spotty_gateway.spotify import SpotifyPlayer
from spotty_sandbox.spotify import ManualClock, SpotifySimulator, SpotifyWorld, demo_world

CLIENT_ID = "spottypottysense"
BATHROOM, KITCHEN = "Bathroom", "Kitchen"
OURS, THEIRS = "Steam and Soap", "Washing Up"


@dataclass
class Household:
    """One account, its speakers, and our client; time moves only when something waits for it."""

    simulator: SpotifySimulator
    clock: ManualClock
    tokens: Path
    player: SpotifyPlayer
    waited_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Our manners, with waits that make the house's time pass instead of ours."""
        self.manners = Manners(self.player, self._wait)

    def _wait(self, seconds: float) -> None:
        self.waited_s.append(seconds)
        self.clock.advance_ms(round(seconds * 1000))

    def do(self, command: StartMusic | PauseMusic | SetVolume) -> Outcome:
        """What the executor would do with this command."""
        try:
            match command:
                case StartMusic():
                    return self.manners.start(command)
                case PauseMusic():
                    return self.manners.pause(command)
                case SetVolume():
                    return self.manners.set_volume(command)
        except PlayerError as error:
            return failed(error)

    def call(self, do: Callable[[SpotifyWorld], Any]) -> Any:  # noqa: ANN401 - whatever the test asks the world for
        """Reach into the world."""
        return self.simulator.call(do)

    def asked(self) -> list[str]:
        """The requests since the last time, in order, as short as a person would say them."""
        said = [_short(entry.method, entry.path, dict(entry.query)) for entry in self.simulator.requests()]
        self.simulator.forget_requests()
        return said

    def uri(self, name: str) -> str:
        """The URI of a record of the demo catalogue."""
        found: str = self.call(lambda world: world.catalogue.named(name).uri)
        return found

    def device(self, name: str) -> Device:
        """A speaker as the engine knows it."""
        seen = self.call(lambda world: world.device(name))
        return Device(name, "Speaker", seen.id)

    def volume(self, name: str) -> int | None:
        """How loud a speaker is set."""
        found: int | None = self.call(lambda world: world.device(name).volume_pct)
        return found

    def plays(self) -> tuple[str, str] | None:
        """Which speaker plays which record; None in silence."""

        def look(world: SpotifyWorld) -> tuple[str, str] | None:
            player = world.player()
            if not player.is_playing or player.active is None or player.deck is None or player.deck.context is None:
                return None
            return player.active.name, player.deck.context.name

        found: tuple[str, str] | None = self.call(look)
        return found

    def somebody_plays(self, speaker: str, record: str) -> None:
        """A person presses play."""
        self.call(lambda world: world.hand().play(world.device(speaker), world.catalogue.named(record)))

    def start(self, target: Target, **changes: Any) -> StartMusic:  # noqa: ANN401 - StartMusic's own fields
        """The command to start `target`, with nothing of ours playing unless `changes` say so."""
        given: dict[str, Any] = {"ours": None, "others": (), "take_over": False, "position": None, **changes}
        return StartMusic("bath", 1, target, **given)

    def claim(self, speaker: str, record: str, *, confirmed: bool = True) -> Claim:
        """What we hold to be ours."""
        return Claim(self.device(speaker), self.uri(record), confirmed)


def a_household(folder: Path, gate: Gate | None = None) -> Household:
    """An account, behind a gate if there is one; waits of the player's own make the house's time pass too."""
    clock = ManualClock()
    simulator = SpotifySimulator(demo_world(clock))
    simulator.start()
    tokens = folder / "tokens.json"
    grant(simulator, clock, tokens)
    player = SpotifyPlayer(
        CLIENT_ID,
        tokens,
        simulator.accounts_url,
        simulator.accounts_url,
        lambda: clock.now_ms() / 1000,
        gate=gate,
        wait=lambda seconds: clock.advance_ms(round(seconds * 1000)),
    )
    return Household(simulator, clock, tokens, player)


def known(home: Household, target: Target) -> Target:
    """The bathroom's music, with the id that Spotify gives its speaker today."""
    return replace(target, device=home.device(BATHROOM))


def grant(simulator: SpotifySimulator, clock: ManualClock, path: Path, **changes: object) -> dict[str, Any]:
    """Consent as if a person had given it now; what stands in the file."""
    granted = simulator.call(lambda world: world.auth.grant(client_id=CLIENT_ID))
    found = {
        "access_token": granted.access_token,
        "refresh_token": granted.refresh_token,
        "scope": granted.scope,
        "token_type": "Bearer",
        "expires_at": clock.now_ms() // 1000 + granted.expires_in,
        **changes,
    }
    path.write_text(json.dumps(found))
    return found


def _short(method: str, path: str, query: dict[str, str]) -> str:
    name = path.removeprefix("/v1/me/player").removeprefix("/") or ("look" if method == "GET" else "transfer")
    if method == "GET" and path == "/v1/me/player":
        name = "look"
    if path == "/api/token":
        name = "token"
    value = query.get("volume_percent") or query.get("state")
    return f"{name} {value}" if value else name
