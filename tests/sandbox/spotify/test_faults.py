from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
import spotipy

from spotty_sandbox.spotify import (
    Fault,
    FaultFileError,
    FaultPlan,
    SpotifySimulator,
    json_answer,
    rate_limited,
    read_faults,
    refused,
    text_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotty_sandbox.spotify.faults import Ending

PAUSE = ("PUT", "/v1/me/player/pause", 0.0)


def pattern(plan: FaultPlan, times: int, request: tuple[str, str, float] = PAUSE) -> str:
    """Which of `times` equal requests are struck: x struck, . not."""
    return "".join("x" if plan.strike(*request) else "." for _ in range(times))


@pytest.mark.parametrize(
    "fault,expected",
    [
        (Fault("always"), "xxxxxx"),
        (Fault("twice", times=2), "xx...."),
        (Fault("later", skip=3, times=2), "...xx."),
        (Fault("never", times=0), "......"),
        (Fault("elsewhere", "GET *"), "......"),
        (Fault("here", "PUT /v1/me/player/*"), "xxxxxx"),
        (Fault("not yet", from_s=1), "......"),
        (Fault("no more", until_s=0), "......"),
    ],
)
def test_rules_strike_where_and_when_they_say(fault: Fault, expected: str) -> None:
    """Pattern, skip, times and window choose the requests that a rule strikes."""
    assert pattern(FaultPlan([fault]), 6) == expected


def test_the_first_rule_that_strikes_counts() -> None:
    """A rule that is used up, or passes, leaves the request to the next one."""
    plan = FaultPlan([Fault("first", times=1), Fault("second", skip=1)])
    assert [found.name if (found := plan.strike(*PAUSE)) else None for _ in range(3)] == ["first", None, "second"]


def test_chance_is_a_matter_of_the_seed() -> None:
    """The same seed strikes the same requests; about as many as the chance says."""
    first, again, other = (pattern(FaultPlan([Fault("maybe", chance=0.3)], seed=seed), 400) for seed in (5, 5, 6))
    assert first == again != other
    assert 80 < first.count("x") < 160


ENDINGS: list[tuple[Fault, type[Exception] | int, bool]] = [
    (rate_limited(7), 429, False),
    (rate_limited(None), 429, False),
    (refused("PUT *", 403, "Nope", "REMOTE_CONTROL_DISALLOW"), 403, False),
    (Fault("502 page", times=1, answer=text_answer("<h1>no</h1>", "text/html", 502)), 502, False),
    (Fault("failed but done", times=1, answer=text_answer("", status=503), performed=True), 503, True),
    (Fault("202", times=1, answer=text_answer("", status=202)), 202, False),
    (Fault("202 and done", times=1, answer=text_answer("", status=202), performed=True), 202, True),
    (Fault("slow", times=1, delay_ms=30), 204, True),
    (Fault("reset", times=1, ending="reset"), requests.ConnectionError, False),
    (Fault("reset too late", times=1, ending="reset", performed=True), requests.ConnectionError, True),
    (Fault("hang", times=1, ending="hang"), requests.ReadTimeout, False),
    (
        Fault("half", times=1, answer=json_answer({"error": "half of this"}, 500), ending="truncate"),
        requests.exceptions.ChunkedEncodingError,
        False,
    ),
]


@pytest.mark.parametrize("fault,expected,performed", ENDINGS, ids=lambda value: getattr(value, "name", None))
def test_faults_on_the_wire(
    sim: SpotifySimulator,
    session: requests.Session,
    steam: str,
    fault: Fault,
    expected: type[Exception] | int,
    performed: bool,
) -> None:
    """Each fault reaches a client as what it is, and takes effect or not as it says; the next request goes well."""
    token = sim.call(lambda world: world.auth.grant().access_token)
    headers = {"Authorization": f"Bearer {token}"}
    device_id = sim.call(lambda world: world.device("Bathroom").id)

    def play() -> requests.Response:
        address = f"{sim.api_url}me/player/play?device_id={device_id}"
        return session.put(address, json={"context_uri": steam}, headers=headers, timeout=(1, 0.3))

    sim.inject(fault)
    if isinstance(expected, int):
        answer = play()
        assert answer.status_code == expected
        if fault.headers:
            assert answer.headers["Retry-After"] == "7"
    else:
        with pytest.raises(expected):
            play()
    assert sim.call(lambda world: world.player().is_playing) is performed
    assert sim.requests()[-1].fault == fault.name
    assert play().status_code == 204


def test_an_error_that_is_a_text_breaks_spotipy_as_the_real_one_does(
    sim: SpotifySimulator, spotify: Callable[..., Any]
) -> None:
    """`{"error": "string"}` raises AttributeError inside spotipy, which a robust client has to expect."""
    sim.inject(Fault("string", answer=json_answer({"error": "server_error"}, 500)))
    with pytest.raises(AttributeError):
        spotify().devices()


def test_healing_ends_all_faults(sim: SpotifySimulator, spotify: Callable[..., Any]) -> None:
    """After `heal` nothing goes wrong any more."""
    client = spotify()
    sim.inject(rate_limited(3, times=None))
    with pytest.raises(spotipy.SpotifyException) as refusal:
        client.devices()
    assert (refusal.value.http_status, refusal.value.headers["Retry-After"]) == (429, "3")
    sim.heal()
    assert len(client.devices()["devices"]) == 3


def test_a_file_says_it_all() -> None:
    """Every field of the format reaches the rule that it makes."""
    plan = read_faults(
        json.dumps(
            {
                "seed": 3,
                "faults": [
                    {"name": "a", "on": "PUT *", "skip": 1, "times": 1, "status": 429, "headers": {"Retry-After": "5"},
                     "error": {"message": "slow down", "reason": "RATE_LIMITED"}},
                    {"name": "b", "chance": 1, "from_s": 0, "until_s": 9.5, "delay_ms": 10, "ending": "truncate"},
                ],
            }
        )
    )  # fmt: skip
    assert len(plan) == 2
    first, second = plan.strike(*PAUSE), plan.strike(*PAUSE)
    assert first is not None
    assert second is not None
    assert (first.name, first.ending, first.delay_ms, first.lets_through) == ("b", "truncate", 10, True)
    changed = second.changed(None)
    assert changed is not None
    assert changed.status == 429
    assert changed.headers["retry-after"] == "5"
    assert json.loads(changed.body)["error"]["reason"] == "RATE_LIMITED"


@pytest.mark.parametrize("ending", ["complete", "hang", "reset", "truncate"])
def test_a_fault_prevents_what_it_does_not_answer_truly(ending: Ending) -> None:
    """Unless it says otherwise, a request takes effect only when its true answer is sent."""
    assert Fault("f", ending=ending).lets_through is (ending in ("complete", "truncate"))
    assert not Fault("f", ending=ending, answer=json_answer({})).lets_through


@pytest.mark.parametrize(
    "content,complaint",
    [
        ("{", "not JSON"),
        ("[]", "an object with any of seed, faults, random"),
        ({"faults": {}}, "faults: expected a list"),
        ({"faults": [], "sed": 1}, "'sed'"),
        ({"faults": [], "seed": "x"}, "seed"),
        ({"faults": [{}]}, 'line 1, fault 1: expected an object with a "name" or a "kind"'),
        ({"faults": [{"name": "a"}, {"name": "b", "chance": 2}]}, r"fault 2 \(b\): chance is 2"),
        ({"faults": [{"name": "a", "times": 1.5}]}, "times is 1.5, expected a whole number"),
        ({"faults": [{"name": "a", "times": True}]}, "times is True"),
        ({"faults": [{"name": "a", "when": 1}]}, "unknown field 'when'"),
        ({"faults": [{"name": "a", "on": "/v1/me"}]}, 'expected "METHOD /path"'),
        ({"faults": [{"name": "a", "ending": "explode"}]}, "expected one of complete, hang, reset, truncate"),
        ({"faults": [{"name": "a", "performed": "yes"}]}, "expected true or false"),
        ({"faults": [{"name": "a", "headers": {"X": 1}}]}, "headers"),
        ({"faults": [{"name": "a", "headers": {"X": "a\r\nY: b"}}]}, "headers"),
        ({"faults": [{"name": "a", "json": {}}]}, "json needs a status"),
        ({"faults": [{"name": "a", "status": 42}]}, "from 200 to 599"),
        ({"faults": [{"name": "a", "status": 500, "json": {}, "text": ""}]}, "only one of json, text"),
        ({"faults": [{"name": "a", "status": 500, "error": "x"}]}, "error is 'x'"),
    ],
)
def test_a_bad_file_is_told_in_one_line(content: object, complaint: str) -> None:
    """What cannot be read is refused, with the rule, the field and what was expected."""
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(FaultFileError, match=complaint) as refusal:
        read_faults(text)
    assert "\n" not in str(refusal.value)
