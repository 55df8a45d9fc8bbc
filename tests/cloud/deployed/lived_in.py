"""A home with a life in it: settings, sessions, decisions, commands; every text that a person could read is marked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.cloud.deployed.routes import Named

from spotty_contract.gateway import RESERVED_SENSOR_ID
from spotty_contract.records import Decision, PlayedOn, SessionRecord
from spotty_contract.results import CommandResult, FoundDevice
from spotty_contract.topics import Kind

if TYPE_CHECKING:
    from tests.cloud.deployed.edge import Edge
    from tests.cloud.deployed.home import Home

CANARY = "ada-s-own-affair"
"""Part of everything of hers that a person could read."""

DAY_MS = 86_400_000


def lives_in(home: Home, edge: Edge) -> Named:
    """Give the home its life, by the API and over MQTT, and wait until the API tells of it."""
    sensor_id = home.adds_sensor("bath", name=f"Bath of {CANARY}", location=CANARY)["sensorId"]
    assert home.ask("PUT", "/users/me", {"displayName": CANARY}).status == 200
    assert home.ask("PUT", f"/gateways/{home.gateway_id}", {"name": CANARY}).status == 200
    command_id = home.ask("POST", "/spotify/devices", {"gatewayId": home.gateway_id}).body["commandId"]
    now_ms = time.time_ns() // 1_000_000
    edge.tells(Kind.SESSION, a_session(home, now_ms))
    edge.tells(Kind.MOTION, a_decision(home, now_ms))
    edge.tells(Kind.RESULTS, a_list_of_devices(home, command_id, now_ms))
    until = home.deployed.until
    until(lambda: CANARY in home.ask("GET", "/sessions").text)
    until(lambda: CANARY in home.ask("GET", f"/sensors/{sensor_id}/decisions").text)
    until(lambda: CANARY in home.ask("GET", f"/spotify/devices?gatewayId={home.gateway_id}").text)
    claim = home.claims_again()
    return Named(home.gateway_id, sensor_id, command_id, claim.claim_id, claim.code, home.request)


def a_session(home: Home, end_ms: int, number: int = 1, **more: object) -> SessionRecord:
    """Ten minutes with music, which are over."""
    told = {
        "gatewayId": home.gateway_id,
        "sensorId": "bath",
        "clockTrusted": True,
        "sessionId": f"run1-s{number}",
        "seq": 3,
        "endedBy": "timeout",
        "startTime": end_ms - 600_000,
        "endTime": end_ms,
        "lastMotionTime": end_ms - 300_000,
        "durationS": 600.0,
        "motionEventsCount": 7,
        "playbackStarted": True,
        "timeToMusicMs": 740,
        "device": PlayedOn(name=f"Speaker of {CANARY}", type="Speaker"),
        "contextUri": "spotify:playlist:37i9dQZF1DX0MorningBath",
        "policyVersion": 1,
        **more,
    }
    return SessionRecord.model_validate(told)


def a_decision(home: Home, at_ms: int, number: int = 1) -> Decision:
    """A motion that brought no music, for a reason that is told."""
    told = {
        "gatewayId": home.gateway_id,
        "sensorId": "bath",
        "clockTrusted": True,
        "eventId": f"run1-e{number}",
        "timestamp": at_ms,
        "eventType": "motion_detected",
        "actionTaken": "ignored_cooldown",
        "reason": CANARY,
    }
    return Decision.model_validate(told)


def a_list_of_devices(home: Home, command_id: str, at_ms: int) -> CommandResult:
    """The speakers of the household."""
    told = {
        "gatewayId": home.gateway_id,
        "sensorId": RESERVED_SENSOR_ID,
        "clockTrusted": True,
        "commandId": command_id,
        "command": "list_devices",
        "timestamp": at_ms,
        "outcome": "done",
        "devices": (FoundDevice(name=CANARY, type="Speaker", is_active=True, is_restricted=False),),
    }
    return CommandResult.model_validate(told)
