import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spotty_contract.commands import (
    COMMANDS,
    MAX_COMMAND_BYTES,
    Command,
    ConnectSpotify,
    Refusal,
    SpotifyAnswer,
    WhatIf,
    read_command,
    why_not_now,
)
from spotty_contract.policy import MAX_POLICY_BYTES, Policy

NOW_MS = 1_795_262_400_000
HEAD = {"commandId": "c-1", "issuedAt": NOW_MS, "expiresAt": NOW_MS + 30_000}
CODE = "AQBcode0secret0" * 20
ANSWER = {"state": "state0secret", "code": CODE}

GOOD: list[dict[str, Any]] = [
    {"command": "test_play"},
    {
        "command": "test_play",
        "device": {"name": "Küche"},
        "contextUri": "spotify:album:a",
        "volumePct": 100,
        "forS": 60,
    },
    {"command": "pause"},
    {"command": "resume"},
    {"command": "snooze"},
    {"command": "snooze", "until": NOW_MS + 1},
    {"command": "snooze", "forS": 7200},
    {"command": "volume", "volumePct": 0},
    {"command": "what_if", "policy": {"vacancyDelayS": 600}, "days": 30},
    {"command": "list_devices"},
    {"command": "connect_spotify", "redirectUri": "https://dashboard.example/spotify?x=1"},
    {"command": "connect_spotify", "redirectUri": "http://127.0.0.1:8888/callback"},
    {"command": "connect_spotify", "redirectUri": "http://[::1]:8888"},
    {"command": "connect_spotify", "answer": ANSWER},
    {"command": "connect_spotify", "answer": {"state": "s", "error": "access_denied"}},
    {"command": "disconnect_spotify"},
    {"command": "restart"},
]
AUDIBLE = {"test_play", "resume", "volume"}
OF_GATEWAY = {"list_devices", "connect_spotify", "disconnect_spotify", "restart"}


def place(command: object) -> str:
    """Where a command of this name belongs."""
    return "gateway" if command in OF_GATEWAY else "bathroom"


def read(command: dict[str, Any]) -> Command | Refusal:
    """As it comes in its own place, with a head."""
    return read_command(json.dumps(HEAD | command).encode(), place(command.get("command")))


@pytest.mark.parametrize("command", GOOD)
def test_a_command_is_read_as_it_was_written(command: dict[str, Any]) -> None:
    """Every command, with and without what may be left out, survives the wire."""
    found = read(command)
    assert not isinstance(found, Refusal)
    assert (found.command, found.command_id) == (command["command"], "c-1")
    assert read_command(found.to_json().encode(), place(found.command)) == found


def test_every_command_of_the_design_is_here() -> None:
    """Ten, each with its example above; which make a sound and which concern the whole gateway is written down."""
    assert set(COMMANDS) == {one["command"] for one in GOOD}
    assert {name for name, shape in COMMANDS.items() if shape.audible} == AUDIBLE
    assert {name for name, shape in COMMANDS.items() if shape.of_gateway} == OF_GATEWAY


@pytest.mark.parametrize(
    "command,told",
    [
        ({"command": "volume"}, "volumePct"),
        ({"command": "volume", "volumePct": 101}, "volumePct"),
        ({"command": "volume", "volumePct": True}, "volumePct"),
        ({"command": "test_play", "forS": 61}, "forS"),
        ({"command": "test_play", "contextUri": "spotify:track:x"}, "contextUri"),
        ({"command": "snooze", "forS": 0}, "forS"),
        ({"command": "snooze", "forS": 30 * 86_400 + 1}, "forS"),
        ({"command": "snooze", "forS": 60, "until": NOW_MS}, "until and forS are two ways"),
        ({"command": "what_if"}, "policy"),
        ({"command": "what_if", "policy": {"vacancyDelayS": 5}}, "policy.vacancyDelayS"),
        ({"command": "what_if", "policy": {}, "days": 31}, "days"),
        ({"command": "connect_spotify"}, "one of them"),
        ({"command": "connect_spotify", "redirectUri": "https://a.b", "answer": ANSWER}, "one of them"),
        ({"command": "connect_spotify", "answer": {"state": "s"}}, "a code or an error"),
        ({"command": "connect_spotify", "answer": {**ANSWER, "error": "x"}}, "a code or an error"),
        ({"command": "connect_spotify", "redirectUri": "http://dashboard.example/"}, "redirectUri"),
        ({"command": "connect_spotify", "redirectUri": "https://a.b/#x"}, "redirectUri"),
        ({"command": "connect_spotify", "redirectUri": "https://a.b/\n"}, "redirectUri"),
        ({"command": "connect_spotify", "redirectUri": "http://127.0.0.1.evil.example/"}, "redirectUri"),
        ({"command": "connect_spotify", "redirectUri": "https://user@evil.example/"}, "redirectUri"),
        ({"command": "pause", "hard": True}, "hard"),
        ({"command": "pause", "issuedAt": "now"}, "issuedAt"),
        ({"command": "pause", "expiresAt": NOW_MS}, "expiresAt should be later than issuedAt"),
        ({"command": "pause", "expiresAt": NOW_MS + 600_001}, "by 600000 ms at most"),
        ({"command": "resume", "expiresAt": NOW_MS + 30_001}, "by 30000 ms at most"),
    ],
)
def test_a_malformed_command_is_refused_with_its_id(command: dict[str, Any], told: str) -> None:
    """What is wrong is told by field, and whoever asked can be answered."""
    found = read(command)
    assert isinstance(found, Refusal)
    assert (found.command_id, found.command, found.reason) == ("c-1", command["command"], "malformed")
    assert told in found.detail


@pytest.mark.parametrize(
    "data,command_id,reason",
    [
        (b"", None, "malformed"),
        (b"[]", None, "malformed"),
        (b'{"commandId":' * 300, None, "malformed"),
        (b"\xff", None, "malformed"),
        (b"{}", None, "unknown_command"),
        (b'{"command":"explode","commandId":"c-2"}', "c-2", "unknown_command"),
        (b'{"command":["pause"],"commandId":"c-2"}', "c-2", "unknown_command"),
        (b'{"command":"pause","commandId":5}', None, "malformed"),
        (b'{"command":"pause","commandId":"a b"}', None, "malformed"),
        (b'{"command":"pause","command":"resume","commandId":"c-3"}', "c-3", "malformed"),
        (b'{"command":"pause","commandId":"c-4","x":"' + b"x" * MAX_COMMAND_BYTES + b'"}', None, "too_large"),
    ],
)
def test_what_is_no_command_is_refused(data: bytes, command_id: str | None, reason: str) -> None:
    """With the id where there is one to be read."""
    found = read_command(data, "bathroom")
    assert isinstance(found, Refusal)
    assert (found.command_id, found.reason) == (command_id, reason)


@pytest.mark.parametrize("command", GOOD)
def test_a_command_in_the_wrong_place_is_refused(command: dict[str, Any]) -> None:
    """A room cannot be told to forget the account, nor the gateway to pause."""
    elsewhere = "bathroom" if place(command["command"]) == "gateway" else "gateway"
    found = read_command(json.dumps(HEAD | command).encode(), elsewhere)
    assert isinstance(found, Refusal)
    assert (found.command_id, found.reason) == ("c-1", "misdirected")


@pytest.mark.parametrize("command", GOOD)
def test_a_command_expires_and_sound_needs_the_time(command: dict[str, Any]) -> None:
    """At its expiry it is too late; while the time is unknown what can be heard is refused, and the rest is done."""
    found = read(command)
    assert not isinstance(found, Refusal)
    assert why_not_now(found, NOW_MS + 29_999, clock_trusted=True) is None
    assert why_not_now(found, NOW_MS + 30_000, clock_trusted=True) == "expired"
    untrusted = why_not_now(found, 0, clock_trusted=False)
    assert untrusted == ("clock_untrusted" if found.command in AUDIBLE else None)
    assert why_not_now(found, NOW_MS + 10**9, clock_trusted=False) == untrusted


@pytest.mark.parametrize("command", GOOD)
def test_whose_sender_s_clock_is_ahead_lasts_no_longer(command: dict[str, Any]) -> None:
    """Five seconds are forgiven; beyond them it would be carried out later than anybody may wait for it."""
    found = read(command)
    assert not isinstance(found, Refusal)
    longest_ms = 30_000 if found.command in AUDIBLE else 600_000
    earliest_ms = found.expires_at - longest_ms - 5_000
    assert why_not_now(found, earliest_ms, clock_trusted=True) is None
    assert why_not_now(found, earliest_ms - 1, clock_trusted=True) == "expired"


LEAKS: list[dict[str, Any]] = [
    {"command": "connect_spotify", "answer": {"state": "state0secret", "code": CODE + "\n"}},
    {"command": "connect_spotify", "answer": {"state": "state0secret" * 20, "code": CODE}},
    {"command": "connect_spotify", "answer": {**ANSWER, "error": CODE}},
    {"command": "connect_spotify", "answer": {**ANSWER, "more": 1}},
    {"command": "connect_spotify", "answer": CODE},
    {"command": "connect_spotify", "code": CODE, "state": "state0secret"},
    {"command": "connect_spotify", "answer": ANSWER, "expiresAt": 0},
    {"command": "connect_spotify", "answer": ANSWER, "redirectUri": "https://a.b"},
    {"command": "pause", "code": CODE},
    {"command": CODE},
]


@pytest.mark.parametrize("command", LEAKS)
def test_a_refusal_repeats_nothing_that_was_carried(command: dict[str, Any]) -> None:
    """It goes to logs, results and error records, and a code in the wrong field is still a code."""
    found = read(command)
    assert isinstance(found, Refusal)
    assert "secret" not in repr(found)


def test_a_code_twice_given_is_not_told() -> None:
    """Neither is one in JSON that breaks off."""
    answer = json.dumps({"command": "connect_spotify", **HEAD, "answer": ANSWER})
    for data in (answer[:-2], answer.replace('"code"', f'"code": "{CODE}", "code"')):
        found = read_command(data.encode(), "gateway")
        assert isinstance(found, Refusal)
        assert "secret" not in repr(found)


def test_a_code_shows_in_no_repr_and_no_error() -> None:
    """Whoever logs a command, or builds one wrongly, tells nobody its code and state."""
    command = read({"command": "connect_spotify", "answer": ANSWER})
    assert isinstance(command, ConnectSpotify)
    assert "secret" not in f"{command!r} {command}"
    for wrong in ({"state": "state0secret", "code": CODE + " "}, {"state": "state0secret", "code": 5}):
        with pytest.raises(ValidationError) as caught:
            SpotifyAnswer.model_validate(wrong)
        assert "secret" not in str(caught.value)
        with pytest.raises(ValidationError) as caught:
            ConnectSpotify.model_validate({**HEAD, "answer": wrong})
        assert "secret" not in str(caught.value)


def test_the_largest_command_fits() -> None:
    """A what-if with the largest policy, written out, and an answer with the longest code."""
    window = {"start": "22:00", "end": "07:00", "days": [0, 1, 2, 3, 4, 5, 6]}
    policy: dict[str, Any] = {"quietHours": [window] * 7, "schedule": [window] * 5, "timezone": "Europe/Berlin"}
    policy["playback"] = {"device": {"name": '"' * 128}, "contextUri": "spotify:album:x"}
    short = MAX_POLICY_BYTES - len(Policy.model_validate(policy).to_json().encode())
    policy["playback"]["contextUri"] += "x" * short
    head = {"command_id": "c" * 64, "issued_at": NOW_MS, "expires_at": NOW_MS + 600_000}
    question = WhatIf.model_validate({**head, "policy": Policy.model_validate(policy)})
    assert read_command(question.to_json().encode(), "bathroom") == question
    answer = ConnectSpotify.model_validate({**head, "answer": SpotifyAnswer(state="s" * 128, code="c" * 1200)})
    assert read_command(answer.to_json().encode(), "gateway") == answer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
MANGLED = st.builds(
    lambda command, name, value: HEAD | command | {name: value},
    st.sampled_from(GOOD),
    st.sampled_from(["commandId", "issuedAt", "expiresAt", "command", "policy", "answer", "forS", "x"]),
    JSON,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.text(max_size=5))
def test_any_bytes_are_refused_in_one_line(data: bytes, sensor_id: str) -> None:
    """No bytes from anywhere make the reader raise."""
    found = read_command(data, sensor_id)
    assert isinstance(found, Refusal)
    assert found.detail.isprintable()


@given(MANGLED, st.sampled_from(["gateway", "bathroom"]))
def test_a_mangled_command_is_a_command_or_a_refusal(command: dict[str, Any], sensor_id: str) -> None:
    """One field replaced by anything at all; the id is still known where it was left alone."""
    found = read_command(json.dumps(command).encode(), sensor_id)
    if isinstance(found, Refusal) and command["commandId"] == "c-1":
        assert found.command_id == "c-1"
