from dataclasses import fields
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from spotty_contract.policy import Policy
from spotty_gateway.engine.rules import Device, Repeat, Rules, ScheduleEntry, Target, Window
from spotty_gateway.rules_of import EVERY_DAY, rules_of

PLAYBACK: dict[str, Any] = {"device": {"name": "Kitchen"}, "contextUri": "spotify:album:a"}

IN_RULES = {
    "enabled": (False, {"enabled": False}),
    "hold_off_s": (7, {"hold_off_us": 7_000_000}),
    "vacancy_delay_s": (100.5, {"vacancy_delay_us": 100_500_000, "hold_off_us": 50_250_000}),
    "confirm_s": (2.25, {"confirm_us": 2_250_000}),
    "cooldown_s": (3, {"cooldown_us": 3_000_000}),
    "max_session_s": (0, {"max_session_us": 0}),
    "stuck_after_s": (61, {"stuck_after_us": 61_000_000}),
    "warm_up_s": (0.1, {"warm_up_us": 100_000}),
    "start_retry_s": (5, {"start_retry_us": 5_000_000}),
    "timezone": ("Europe/Berlin", {"zone": ZoneInfo("Europe/Berlin")}),
    "quiet_hours": (
        [{"start": "22:30", "end": "07:00"}, {"start": "00:00", "end": "24:00", "days": [5, 6]}],
        {"quiet_windows": (Window(EVERY_DAY, 1350, 420), Window(frozenset({5, 6}), 0, 1440))},
    ),
    "quiet_grace_s": (60, {"quiet_grace_us": 60_000_000}),
    "schedule": (
        [{"start": "07:05", "end": "09:00", "days": [0], "contextUri": "spotify:album:b", "volumePct": 0}],
        {"schedule": (ScheduleEntry(Window(frozenset({0}), 425, 540), "spotify:album:b", 0),)},
    ),
    "playback": (PLAYBACK, {"target": Target(Device("Kitchen", "Speaker"), "spotify:album:a")}),
}
"""For each field of a policy: a value, and what becomes of it."""

IN_TARGET = {
    "device": ({"name": "Hall", "type": "TV", "id": "h1"}, {"device": Device("Hall", "TV", "h1")}),
    "context_uri": ("https://open.spotify.com/artist/x?si=1", {"context_uri": "spotify:artist:x"}),
    "shuffle": (False, {"shuffle": False}),
    "repeat": ("off", {"repeat": Repeat.OFF}),
    "volume_pct": (0, {"volume_pct": 0}),
    "volume_cap_pct": (30, {"volume_cap_pct": 30}),
    "fade_in_s": (1.5, {"fade_in_us": 1_500_000}),
    "fade_out_s": (2, {"fade_out_us": 2_000_000}),
    "resume": ("where_left", {"resume_where_left": True}),
    "if_playing_elsewhere": ("transfer", {"transfer_if_elsewhere": True}),
    "if_account_busy": ("transfer", {"transfer_if_busy": True}),
    "on_taken_over": ("pause", {"pause_if_taken_over": True}),
}
"""The same for playback."""


def changed(before: object, after: object) -> dict[str, object]:
    """The fields in which two values of one sort differ."""
    pairs = {one.name: (getattr(before, one.name), getattr(after, one.name)) for one in fields(type(after))}  # type: ignore[arg-type]
    return {name: new for name, (old, new) in pairs.items() if new != old}


def rules(**policy: object) -> Rules:
    """The rules of a policy."""
    return rules_of(Policy.model_validate(policy))


def test_the_tables_here_know_every_field() -> None:
    """A field added to the policy is added to these tables, so that none is forgotten on the way to the engine."""
    assert set(IN_RULES) == set(Policy.model_fields)
    assert set(IN_TARGET) == set(type(Policy().playback).model_fields)


def test_the_defaults_of_policy_and_rules_are_one() -> None:
    """The engine's own defaults are those of the design, too."""
    assert rules() == Rules(zone=ZoneInfo("UTC"))
    assert rules(playback=PLAYBACK).target == Target(Device("Kitchen", "Speaker"), "spotify:album:a")


@pytest.mark.parametrize("field,value,becomes", [(name, *pair) for name, pair in IN_RULES.items()])
def test_every_field_arrives(field: str, value: object, becomes: dict[str, object]) -> None:
    """In the engine's units, and nothing else changes with it."""
    assert changed(rules(), rules(**{field: value})) == becomes


@pytest.mark.parametrize("field,value,becomes", [(name, *pair) for name, pair in IN_TARGET.items()])
def test_every_field_of_playback_arrives(field: str, value: object, becomes: dict[str, object]) -> None:
    """In the target, and nothing else changes with it."""
    given = {"contextUri" if field == "context_uri" else field: value}
    assert changed(rules(playback=PLAYBACK).target, rules(playback=PLAYBACK | given).target) == becomes


@pytest.mark.parametrize("missing", ["device", "contextUri"])
def test_without_device_or_context_there_is_no_target(missing: str) -> None:
    """Sessions are decided all the same; nothing plays by guess."""
    playback = {name: value for name, value in PLAYBACK.items() if name != missing}
    assert rules(playback=playback).target is None


def test_a_policy_without_a_zone_lives_in_the_gateways() -> None:
    """Its own zone goes first, then the gateway's, then UTC."""
    berlin = Policy(timezone="Europe/Berlin")
    assert rules_of(Policy(), "Asia/Tokyo").zone == ZoneInfo("Asia/Tokyo")
    assert rules_of(berlin, "Asia/Tokyo").zone == ZoneInfo("Europe/Berlin")
    assert rules_of(Policy()).zone.utcoffset(None) == UTC.utcoffset(None)


def test_the_version_is_kept() -> None:
    """Records name the policy they were decided by."""
    assert rules_of(Policy(), version=7).version == 7
