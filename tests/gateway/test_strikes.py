"""Refusals that Spotify may not mean, tokens ahead of need, and clocks that are wrong."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from tests.gateway.account import CLIENT_ID, Household, grant

from spotty_gateway.consent import forget
from spotty_gateway.errors import (
    NoActiveDeviceError,
    PlayerAuthError,
    PlayerError,
    PlayerRefusedError,
    PlayerUnavailableError,
)
from spotty_gateway.quarantine import APART_S, FIRST_S, LONGEST_S
from spotty_gateway.refusals import KNOWN_REASONS
from spotty_gateway.spotify import SpotifyPlayer
from spotty_gateway.tokens import READY_EARLY_S, SAVE_AGAIN_S
from spotty_sandbox.spotify import Fault, json_answer, refused

RENEWAL = "POST /api/token"
NOT_US = refused("* /v1/*", 401, "Invalid access token", times=None)


class Gateway:
    """Our client again and again, as after restarts; its clocks are the house's, the wall clock may be off."""

    def __init__(self, home: Household) -> None:
        self.home = home
        self.off_s = 0.0
        self.waited_s: list[float] = []
        self.player = self.restarted()

    def restarted(self, transport: HTTPAdapter | None = None) -> SpotifyPlayer:
        """A player that knows what is on disk."""
        url = self.home.simulator.accounts_url
        self.player = SpotifyPlayer(
            CLIENT_ID,
            self.home.tokens,
            url,
            url,
            lambda: self.home.clock.now_ms() / 1000 + self.off_s,
            wait=self._wait,
            monotonic_s=lambda: self.home.clock.now_ms() / 1000,
            transport=transport,
        )
        self._players = [*getattr(self, "_players", []), self.player]
        return self.player

    def close(self) -> None:
        """End them all."""
        for player in self._players:
            player.close()

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.home.clock.advance_ms(round(seconds * 1000))

    def kept(self) -> dict[str, Any]:
        """What stands in the token file."""
        found: dict[str, Any] = json.loads(self.home.tokens.read_bytes())
        return found

    def strike(self, fault: Fault = NOT_US) -> None:
        """A call that is refused twice, as long after the last one as it takes to be another hiccup."""
        self.later(APART_S)
        self.home.simulator.heal()
        self.home.simulator.inject(fault)
        with pytest.raises(PlayerError):
            self.player.look()
        self.home.simulator.heal()
        self.home.asked()

    def _wait(self, seconds: float) -> None:
        self.waited_s.append(seconds)
        self.later(seconds)


@pytest.fixture
def gateway(home: Household) -> Iterator[Gateway]:
    """A gateway at a household's account."""
    found = Gateway(home)
    yield found
    found.close()


def says_login(do: Callable[[], object]) -> str:
    """The one line that asks for consent."""
    with pytest.raises(PlayerAuthError, match="'spotty login'") as raised:
        do()
    assert "\n" not in str(raised.value)
    return str(raised.value)


# One retry


@pytest.mark.parametrize(
    "fault, asked",
    [
        (refused("GET *", 401, "Invalid access token"), ["look", "token", "look"]),
        (refused("GET *", 403, "Forbidden"), ["look", "look"]),
        (refused("GET *", 403, "Player command failed: Restriction violated", "UNKNOWN"), ["look", "look"]),
        (refused("GET *", 403, "New thing", "SOMETHING_NEW"), ["look", "look"]),
    ],
)
def test_a_refusal_that_was_not_meant_is_asked_again_after_a_second(
    gateway: Gateway, fault: Fault, asked: list[str]
) -> None:
    """A 401, and a 403 without a reason that we know: once more, and nobody hears of it."""
    gateway.home.simulator.inject(fault)
    assert gateway.player.look() is None
    assert (gateway.home.asked(), gateway.waited_s) == (asked, [1.0])


@pytest.mark.parametrize("reason", sorted(KNOWN_REASONS))
def test_a_refusal_with_a_reason_is_meant(gateway: Gateway, reason: str) -> None:
    """Spotify's own reasons are not argued with."""
    gateway.home.simulator.inject(refused("GET *", 403, "no", reason))
    with pytest.raises(PlayerError):
        gateway.player.look()
    assert gateway.home.asked() == ["look"]


@pytest.mark.parametrize("reason", [None, "UNKNOWN"])
def test_a_403_that_stays_is_a_refusal(gateway: Gateway, reason: str | None) -> None:
    """After the second 403 the device or the music is what is wrong, as far as anybody knows."""
    gateway.home.simulator.inject(refused("* *", 403, "Forbidden", reason, times=None))
    with pytest.raises(PlayerRefusedError, match="Spotify refuses: Forbidden"):
        gateway.player.pause(None)
    assert gateway.home.asked() == ["pause", "pause"]


def test_there_is_no_second_look_without_time_for_it(gateway: Gateway) -> None:
    """With less than a second left of the command's time the first refusal is the answer."""
    gateway.home.simulator.inject(NOT_US)
    gateway.player.within(0.9)
    with pytest.raises(PlayerError):
        gateway.player.look()
    assert (gateway.home.asked(), gateway.waited_s) == (["look"], [])


# Two strikes


@pytest.mark.parametrize("fault", [NOT_US, refused("* *", 403, "Forbidden", times=None)])
def test_two_strikes_put_the_token_in_quarantine(gateway: Gateway, fault: Fault) -> None:
    """Refused, and later refused again: one line with the cure, and no request at all for a quarter of an hour."""
    gateway.strike(fault)
    gateway.strike(fault)
    for _ in range(2):
        says_login(gateway.player.look)
        gateway.later((FIRST_S - 1) / 2)
    says_login(gateway.player.look)
    assert gateway.home.asked() == []
    assert gateway.kept()["refresh_token"]
    gateway.later(1)
    assert gateway.player.look() is None


def test_a_quarantine_that_did_not_help_is_followed_by_a_longer_one(gateway: Gateway) -> None:
    """From then on one strike is enough, and the wait doubles, up to a day."""
    gateway.strike()
    gateway.strike()
    waits = []
    for _ in range(9):
        again_in_s = gateway.player.get_ready().again_in_s
        assert again_in_s is not None
        waits.append(again_in_s)
        gateway.later(again_in_s)
        gateway.strike()
    doubled = [FIRST_S * 2**n for n in range(9)]
    assert waits == [min(wait, LONGEST_S) for wait in doubled]


def test_an_outage_of_spotify_heals_by_itself(gateway: Gateway) -> None:
    """Once a call is accepted everything is as if nothing had been, in the file too."""
    gateway.strike()
    gateway.strike()
    gateway.later(FIRST_S)
    gateway.player.look()
    assert "quarantine" not in gateway.kept()
    gateway.strike()
    gateway.player.look()
    gateway.strike()
    gateway.player.look()
    assert "quarantine" not in gateway.kept()


def test_one_hiccup_is_one_strike(gateway: Gateway) -> None:
    """Refusals within seconds of each other count once."""
    gateway.home.simulator.inject(NOT_US)
    for _ in range(4):
        with pytest.raises(PlayerError, match="does not accept the token"):
            gateway.player.look()
    assert "quarantine" not in gateway.kept()


@pytest.mark.parametrize(
    "fault, error",
    [
        (refused("PUT *", 404, "Device not found"), NoActiveDeviceError),
        (refused("PUT *", 403, "no", "DEVICE_NOT_CONTROLLABLE"), PlayerRefusedError),
        (refused("PUT *", 403, "Restriction violated", "UNKNOWN", times=2), PlayerRefusedError),
        (refused("PUT *", 403, "Forbidden for this device", times=2), PlayerRefusedError),
    ],
)
def test_a_no_about_the_music_is_a_yes_to_the_token(gateway: Gateway, fault: Fault, error: type[PlayerError]) -> None:
    """What names a device or the music has looked at the token before: no strike, and those before are forgotten."""
    gateway.strike()
    gateway.later(APART_S)
    gateway.home.simulator.inject(fault)
    with pytest.raises(error):
        gateway.player.pause(None)
    gateway.strike()
    assert "quarantine" not in gateway.kept()


def test_a_quarantine_outlives_a_restart(gateway: Gateway) -> None:
    """It stands beside the tokens; a wall clock that was set back meanwhile makes it no longer than it was meant."""
    gateway.strike()
    gateway.strike()
    gateway.later(600)
    says_login(gateway.restarted().look)
    assert gateway.player.get_ready().again_in_s == pytest.approx(FIRST_S - 600, abs=1)
    gateway.off_s = -86_400
    assert gateway.restarted().get_ready().again_in_s == FIRST_S
    assert gateway.home.asked() == []
    gateway.later(FIRST_S)
    gateway.strike()
    assert gateway.player.get_ready().again_in_s == 2 * FIRST_S


def test_new_consent_ends_a_quarantine(gateway: Gateway) -> None:
    """Tokens that a person has just given are used at once."""
    gateway.strike()
    gateway.strike()
    says_login(gateway.player.look)
    grant(gateway.home.simulator, gateway.home.clock, gateway.home.tokens)
    assert gateway.player.look() is None


@pytest.mark.parametrize("found", [7, {}, {"until": "soon", "wait_s": 9}, {"until": 1e12, "wait_s": None}])
def test_a_quarantine_that_makes_no_sense_is_none(gateway: Gateway, found: object) -> None:
    """A file that somebody has edited keeps nobody from their music."""
    grant(gateway.home.simulator, gateway.home.clock, gateway.home.tokens, quarantine=found)
    assert gateway.player.look() is None


# Ahead of need


def test_idle_time_renews_the_token_before_a_command_has_to(gateway: Gateway) -> None:
    """Ten minutes before its end, told in advance; no question about the music is asked for it."""
    gateway.later(1)
    again_in_s = gateway.player.get_ready().again_in_s
    assert again_in_s == 3600 - READY_EARLY_S - 1
    assert gateway.home.asked() == []
    gateway.later(again_in_s)
    assert gateway.player.get_ready().again_in_s == 3600 - READY_EARLY_S
    assert gateway.home.asked() == ["token"]


def test_a_renewal_that_fails_is_tried_again_with_growing_waits(gateway: Gateway) -> None:
    """The accounts service is away: seconds first, minutes later, and short again once it answers."""
    gateway.later(3600)
    gateway.home.simulator.inject(refused(RENEWAL, 503, "away", times=None))
    waits = []
    for _ in range(9):
        waits.append(gateway.player.get_ready().again_in_s or 0)
        gateway.later(waits[-1] + 0.001)  # the house's clock has milliseconds
    assert len(gateway.home.asked()) == 9
    assert all(
        longest / 2 <= wait <= longest for wait, longest in zip(waits, (5, 10, 20, 40, 80, 160, 300), strict=False)
    )
    gateway.home.simulator.heal()
    assert (gateway.player.get_ready().again_in_s or 0) > 2000
    gateway.later(3600)
    gateway.home.simulator.inject(refused(RENEWAL, 503, "busy", retry_after_s=77))
    assert gateway.player.get_ready().again_in_s == 77


def test_a_renewal_that_failed_is_not_tried_again_before_its_time(gateway: Gateway) -> None:
    """Commands come and fail meanwhile, each with a renewal of its own; getting ready after each adds none."""
    gateway.later(3600)
    gateway.home.simulator.inject(refused(RENEWAL, 503, "away", times=None))
    wait_s = gateway.player.get_ready().again_in_s or 0
    for _ in range(3):
        with pytest.raises(PlayerUnavailableError):
            gateway.player.look()
        wait_s = gateway.player.get_ready().again_in_s or 0
    assert gateway.home.asked() == ["token"] * 4
    gateway.home.simulator.heal()
    gateway.later(wait_s + 0.001)
    assert (gateway.player.get_ready().again_in_s or 0) > 2000


def test_new_consent_is_looked_at_at_once(gateway: Gateway) -> None:
    """A wait for the old tokens is none for new ones."""
    gateway.later(3600)
    gateway.home.simulator.inject(refused(RENEWAL, 503, "away", times=None))
    gateway.player.get_ready()
    grant(gateway.home.simulator, gateway.home.clock, gateway.home.tokens)
    assert gateway.player.get_ready().again_in_s == 3600 - READY_EARLY_S


def test_without_consent_there_is_nothing_to_be_ready_for(gateway: Gateway) -> None:
    """No tokens, or tokens whose consent has ended: no request, no connection, no waking up; new ones are seen."""
    gateway.home.call(lambda world: world.auth.revoke())
    gateway.later(3600)
    for _ in range(2):
        ready = gateway.player.get_ready()
        assert (ready.watch_fd, ready.again_in_s) == (None, None)
    assert gateway.home.asked() == ["token"]
    gateway.home.tokens.unlink()
    assert gateway.player.get_ready().again_in_s is None
    assert gateway.home.asked() == []
    grant(gateway.home.simulator, gateway.home.clock, gateway.home.tokens)
    assert gateway.player.get_ready().watch_fd is not None


def test_short_lived_tokens_are_used_before_they_are_renewed(gateway: Gateway) -> None:
    """A token that lives ten minutes is renewed after half of them, not at every call."""
    answer = json_answer({"access_token": "BQshort", "expires_in": 600})
    gateway.home.simulator.inject(Fault("short", RENEWAL, answer=answer))
    gateway.later(3600)
    assert gateway.player.get_ready().again_in_s == 300
    assert gateway.player.get_ready().again_in_s == 300
    assert gateway.home.asked() == ["token"]


def test_a_token_that_the_disk_refused_is_saved_in_idle_time(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Not only at the next renewal: a restart in between would lose a rotated token and with it the consent."""
    gateway.home.call(lambda world: setattr(world.auth, "refresh_style", "rotate"))
    before = gateway.kept()["refresh_token"]
    gateway.later(3600)
    folder = gateway.home.tokens.parent
    player = gateway.restarted(Meanwhile(lambda: folder.rename(folder.with_name("unplugged"))))
    assert player.get_ready().again_in_s == SAVE_AGAIN_S
    assert "free some space" in caplog.text
    folder.with_name("unplugged").rename(folder)
    assert gateway.kept()["refresh_token"] == before
    assert (player.get_ready().again_in_s or 0) > SAVE_AGAIN_S
    assert gateway.kept()["refresh_token"] != before


# Wrong clocks


def test_a_clock_set_back_by_hours_is_seen_through(gateway: Gateway) -> None:
    """A token that would live longer than it ever was to is renewed before it is used."""
    gateway.later(3600)
    gateway.player.look()
    gateway.home.asked()
    gateway.off_s = -7200
    gateway.player.look()
    assert gateway.home.asked() == ["token", "look"]


def test_a_dead_token_that_looks_alive_costs_one_refusal(gateway: Gateway) -> None:
    """A clock set back by less cannot be seen: Spotify's 401 brings a new token, and the hour after is quiet."""
    gateway.later(3600)
    gateway.player.look()
    gateway.later(1800)
    gateway.off_s = -1700
    gateway.later(1801)
    gateway.home.asked()
    gateway.player.look()
    assert gateway.home.asked() == ["look", "token", "look"]
    gateway.later(1800)
    gateway.player.look()
    assert gateway.home.asked() == ["look"]


def test_a_clock_set_forward_only_renews_early(gateway: Gateway) -> None:
    """A living token that looks dead is replaced; nothing is refused."""
    gateway.off_s = 86_400
    gateway.player.look()
    gateway.player.look()
    assert gateway.home.asked() == ["token", "look", "look"]


# One owner


class Meanwhile(HTTPAdapter):
    """requests' own transport; while Spotify's next renewal is on its way, something happens here."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self._happens: list[Callable[[], object]] = [happens]

    def send(self, request: requests.PreparedRequest, *rest: Any, **more: Any) -> requests.Response:  # noqa: ANN401 - as they come
        """As ever."""
        response = super().send(request, *rest, **more)
        if request.method == "POST" and self._happens:
            self._happens.pop()()
        return response


def test_a_logout_during_a_renewal_stands(gateway: Gateway) -> None:
    """Tokens that a person has deleted do not come back with the answer that was on its way."""
    gateway.later(3600)
    player = gateway.restarted(Meanwhile(lambda: forget(gateway.home.tokens)))
    assert "is missing" in says_login(player.look)
    assert list(gateway.home.tokens.parent.iterdir()) == []
    assert "is missing" in says_login(player.look)


def test_a_login_during_a_renewal_stands(gateway: Gateway) -> None:
    """New consent is used from the very next call, and not overwritten with the old one's renewal."""
    gateway.later(3600)
    given: list[dict[str, Any]] = []
    home = gateway.home
    player = gateway.restarted(Meanwhile(lambda: given.append(grant(home.simulator, home.clock, home.tokens))))
    assert player.look() is None
    assert gateway.kept() == given[0]
    assert gateway.home.asked() == ["token", "look"]
