"""Spotify's patience: windows, quotas, and who calls while told to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotty_sandbox.spotify import (
    FaultPlan,
    Limits,
    ManualClock,
    Request,
    Service,
    SpotifySimulator,
    SpotifyWorld,
    demo_world,
    fault_of,
    rate_limited,
)

if TYPE_CHECKING:
    import requests


class App:
    """A client without sockets."""

    def __init__(self, limits: Limits | None, *, faults: FaultPlan | None = None) -> None:
        self.clock = ManualClock()
        self.world = demo_world(self.clock)
        self.world.auth.lifetime_s = 10**9
        self.service = Service(self.world, faults, limits=limits)
        self.headers = {"authorization": f"Bearer {self.world.auth.grant().access_token}"}

    def call(self, after_s: float = 0) -> tuple[int, str | None]:
        """Look for devices: status and Retry-After."""
        self.clock.advance_ms(round(after_s * 1000))
        request = Request("GET", "/v1/me/player/devices", {}, self.headers)
        answer = self.service.respond(request, self.service.strike(request))
        assert answer is not None
        return answer.status, answer.headers.get("retry-after")


def test_the_window_rolls() -> None:
    """The third call in 30 s is one too many; it is in order once the first is 30 s old, to the millisecond."""
    app = App(Limits(calls_a_window=2))
    assert [app.call(), app.call(10), app.call(5)] == [(200, None), (200, None), (429, "15")]
    assert app.call(14.999) == (429, "1")
    assert app.call(0.001) == (200, None)


def test_the_quota_comes_back_call_by_call() -> None:
    """The day's quota is a rolling one, and its refusal says QUOTA_EXCEEDED and how long, in full."""
    app = App(Limits(calls_a_day=2))
    assert [app.call(), app.call(3600), app.call(3600)] == [(200, None), (200, None), (429, str(22 * 3600))]
    request = Request("GET", "/v1/me", {}, app.headers)
    refused = app.service.respond(request)
    assert refused is not None
    assert b'"reason":"QUOTA_EXCEEDED"' in refused.body
    assert app.call(22 * 3600) == (200, None)
    assert app.call() == (429, "3600")


def test_two_apps_do_not_share_their_limits() -> None:
    """What one app used up another one still has."""
    app = App(Limits(calls_a_window=1))
    assert [app.call(), app.call()] == [(200, None), (429, "30")]
    app.headers = {"authorization": f"Bearer {app.world.auth.grant(client_id='another').access_token}"}
    assert app.call() == (200, None)


def test_with_limits_every_retry_after_is_meant() -> None:
    """A 429 of a fault closes the door as well: for so long, and no longer."""
    app = App(Limits(), faults=FaultPlan([rate_limited(60)]))
    assert [app.call(), app.call(20), app.call(39)] == [(429, "60"), (429, "40"), (429, "1")]
    assert app.call(1) == (200, None)


def test_without_limits_rudeness_is_only_written_down() -> None:
    """A call before Retry-After is over is answered, and counted as rude; the one at its end is not."""
    app = App(None, faults=FaultPlan([rate_limited(60)]))
    assert [app.call(), app.call(59.999), app.call(0.001)] == [(429, "60"), (200, None), (200, None)]
    assert [entry.is_rude for entry in app.service.journal] == [False, True, False]
    assert app.service.journal.tally().rude == 1


def test_counts_by_day_and_endpoint_outlast_the_journal() -> None:
    """A bench learns what was asked on which day, struck by what, also when the ring was emptied."""
    app = App(None, faults=FaultPlan([fault_of("unavailable", times=1)]))
    app.call()
    app.service.respond(Request("GET", "/v1/playlists/abc/items", {}, app.headers))
    app.service.respond(Request("POST", "/api/token"))
    app.call(86_400)
    app.service.journal.clear()
    first, second = app.service.journal.days
    assert second == first + 1
    tally = app.service.journal.tally(first)
    assert tally.calls == {"GET /v1/me/player/devices": 1, "GET /v1/playlists/*/items": 1, "POST /api/token": 1}
    assert (tally.struck, tally.web_api_calls) == ({"unavailable": 1}, 2)
    assert app.service.journal.tally().calls["GET /v1/me/player/devices"] == 2


@given(st.lists(st.integers(0, 40_000), max_size=60), st.integers(1, 5), st.integers(5, 20))
def test_no_window_ever_holds_more(gaps_ms: list[int], window: int, day: int) -> None:
    """Whatever the gaps: the calls let through keep both limits, and whoever waits as told is let through."""
    app = App(Limits(window, day))
    through: list[int] = []
    for gap_ms in gaps_ms:
        status, wait_s = app.call(gap_ms / 1000)
        if wait_s is not None:
            assert status == 429
            assert int(wait_s) >= 1
            status, _ = app.call(int(wait_s))
        assert status == 200
        through.append(app.clock.now_ms())
        assert sum(at > through[-1] - 30_000 for at in through) <= window
        assert sum(at > through[-1] - 86_400_000 for at in through) <= day
    assert app.service.journal.tally().rude == 0


def test_limits_hold_over_http(world: SpotifyWorld, session: requests.Session) -> None:
    """The simulator takes limits and tells the sums."""
    with SpotifySimulator(world, limits=Limits(calls_a_window=1)) as sim:
        headers = {"Authorization": f"Bearer {sim.call(lambda w: w.auth.grant().access_token)}"}
        answers = [session.get(f"{sim.api_url}me", headers=headers, timeout=3) for _ in range(3)]
        assert [(each.status_code, each.headers.get("Retry-After")) for each in answers] == [
            (200, None), (429, "30"), (429, "30"),
        ]  # fmt: skip
        assert (sim.tally().calls, sim.tally().rude) == ({"GET /v1/me": 3}, 1)


@pytest.mark.parametrize("limit", [0, -1])
def test_no_limit_below_one(limit: int) -> None:
    """An app that may never call is no app."""
    with pytest.raises(ValueError, match="calls_a_day is"):
        Limits(calls_a_day=limit)
