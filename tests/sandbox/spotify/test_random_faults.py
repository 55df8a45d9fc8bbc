"""Trouble by chance, and what makes it useful: it repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotty_sandbox.spotify import (
    KINDS,
    Fault,
    ManualClock,
    RandomFaults,
    Request,
    Service,
    demo_world,
    fault_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAY = ("PUT", "/v1/me/player/play", 0.0)
TOKEN = ("POST", "/api/token", 0.0)
SOME = {"PUT /v1/*": {"rate_limited_long": 0.2, "reset": 0.1}, "* *": {"unavailable": 0.1, "invalid_grant": 0.3}}


def names(plan: RandomFaults, request: tuple[str, str, float], times: int = 2000) -> list[str | None]:
    """The kinds that so many equal requests meet."""
    return [found.name if (found := plan.strike(*request)) else None for _ in range(times)]


def test_the_same_seed_gives_the_same_year() -> None:
    """Kinds and what is drawn within them repeat with the seed, and differ without."""

    def year(seed: int) -> list[Fault | None]:
        plan = RandomFaults(SOME, seed=seed)
        return [plan.strike(*(PLAY if n % 3 else TOKEN)) for n in range(600)]

    assert year(1) == year(1) != year(2)
    waits = {fault.headers["retry-after"] for fault in year(1) if fault and fault.name == "rate_limited_long"}
    assert len(waits) > 20
    assert all(60 <= int(wait) <= 86_400 for wait in waits)


def test_chances_add_up_where_lines_overlap() -> None:
    """A request that fits several lines meets each kind about as often as its line says."""
    met = names(RandomFaults(SOME, seed=4), PLAY)
    for kind, chance in {"rate_limited_long": 0.2, "reset": 0.1, "unavailable": 0.1}.items():
        assert chance * 0.8 < met.count(kind) / len(met) < chance * 1.2
    assert "invalid_grant" not in met


def test_a_kind_strikes_where_it_belongs() -> None:
    """The token endpoint's troubles come to the token endpoint only, the player's only to the player."""
    met = set(names(RandomFaults(SOME, seed=4), TOKEN))
    assert met == {"unavailable", "invalid_grant", None}


@given(st.sampled_from(sorted(KINDS)), st.integers(0, 1000))
def test_a_certain_kind_always_strikes(kind: str, seed: int) -> None:
    """A chance of 1 strikes every request of its place, a chance of 0 none; every kind can be drawn."""
    requests = [("GET", "/v1/me/player"), ("PUT", "/v1/me/player/play"), ("GET", "/v1/me/player/devices"), TOKEN[:2]]
    met = [RandomFaults({"* *": {kind: 1}}, seed=seed).strike(*each, 0.0) for each in requests]
    assert {each.name for each in met if each} == {kind}
    assert not any(RandomFaults({"* *": {kind: 0}}, seed=seed).strike(*each, 0.0) for each in requests)


def test_rules_come_before_chance() -> None:
    """A scripted rule strikes first, and does not disturb what chance would have done."""
    plain, ruled = RandomFaults(SOME, seed=9), RandomFaults(SOME, seed=9, faults=[fault_of("hang", times=2)])
    assert names(ruled, PLAY, 2) == ["hang", "hang"]
    assert names(ruled, PLAY, 50) == names(plain, PLAY, 50)


def test_it_can_be_healed_and_made_ill_again() -> None:
    """After `clear` nothing goes wrong; new rates take hold at once."""
    plan = RandomFaults({"* *": {"reset": 1}})
    assert plan
    plan.clear()
    assert not plan
    assert names(plan, PLAY, 5) == [None] * 5
    plan.set_rates({"* *": {"hang": 1}})
    assert names(plan, PLAY, 2) == ["hang", "hang"]


@pytest.mark.parametrize(
    "rates,complaint",
    [
        ({"PUT *": {"flood": 0.1}}, r"PUT \*: there is no kind 'flood'"),
        ({"PUT *": {"reset": 1.5}}, "reset is 1.5, expected a number from 0 to 1"),
        ({"PUT *": {"reset": 0.6, "hang": 0.6}}, "add up to more than 1"),
    ],
)
def test_impossible_rates_are_refused(rates: Mapping[str, Mapping[str, float]], complaint: str) -> None:
    """A wrong line is named, and nothing is made of it."""
    with pytest.raises(ValueError, match=complaint):
        RandomFaults(rates)


def test_a_year_of_trouble_without_sockets_repeats() -> None:
    """Two runs of the same household with the same seed are asked, answered and struck alike, to the last byte."""

    def lived() -> list[Any]:
        clock = ManualClock()
        world = demo_world(clock)
        rates = {"* *": {kind: 0.01 for kind, each in KINDS.items() if each.on != "POST /api/token"}}
        service = Service(world, RandomFaults(rates, seed=11))
        headers = {"authorization": f"Bearer {world.auth.grant().access_token}"}
        seen: list[Any] = []
        for n in range(800):
            method, path = ("GET", "/v1/me/player") if n % 2 else ("PUT", "/v1/me/player/pause")
            request = Request(method, path, {}, headers)
            fault = service.strike(request)
            answer = service.respond(request, fault)
            seen.append((fault and fault.name, answer and (answer.status, answer.body, dict(answer.headers))))
            clock.advance_ms(1_000)
        assert len({name for name, _ in seen}) > 20
        return seen

    assert lived() == lived()
