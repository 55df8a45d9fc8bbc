"""Ingest and the sweep over the same rows: whatever comes between what, the truth of the gateway holds in the end."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cloud.ingesting import Ingest, device, ingest_of, message, session
from tests.cloud.test_ingest_any_order import new_gateway
from tests.cloud.world import NOON_MS, World

from spotty_cloud.scheduled.mail import Mail
from spotty_cloud.scheduled.sweep import SILENT_AFTER_MS, Sweep
from spotty_contract.topics import cloud_id
from spotty_sandbox.aws import LocalAws

STEADY = settings(deadline=None, derandomize=True, max_examples=15)


@pytest.fixture(scope="module")
def home(local_aws: LocalAws, world: World) -> Ingest:
    """Tables and queues; each test makes a gateway of its own."""
    return ingest_of(local_aws, world, "sweep")


def sweep(home: Ingest) -> None:
    """A run of the sweep at this instant; nobody wants mail."""
    stores = home.world.parts.store
    nobody: Any = None
    run = Sweep(stores, Mail(nobody, "", stores.users, stores.gateways), home.world.clock.ms, lambda: True).run()
    assert (run.failed, run.complete) == (0, True)


@pytest.fixture(autouse=True)
def at_noon(home: Ingest) -> None:
    """Each test begins then."""
    home.world.clock.ms = NOON_MS


def test_a_late_end_holds_against_the_sweep(home: Ingest) -> None:
    """The gateway falls silent with a session open; what it tells once it is back is what was."""
    gateway_id = new_gateway(home, ["bath"])
    home.tell(session(1, 1, gateway_id=gateway_id))
    home.world.clock.ms += SILENT_AFTER_MS + 1
    sweep(home)
    sessions, key = home.world.parts.store.sessions, cloud_id(gateway_id, "bath-r1-1")
    swept = sessions.get(key) or {}
    assert (swept["endedBy"], "online" in home.gateway(gateway_id)) == ("gateway_lost", False)
    home.tell(session(1, 1, gateway_id=gateway_id), session(1, 2, gateway_id=gateway_id, ends_by="timeout"))
    assert (sessions.get(key) or {})["endedBy"] == "timeout"
    assert "online" in home.gateway(gateway_id)


STEPS = st.one_of(st.just("sweep"), st.just("quarter"), st.integers(0, 9))


@given(steps=st.lists(STEPS, min_size=3, max_size=14))
@STEADY
def test_sweeps_and_late_arrivals_agree(home: Ingest, steps: list[str | int]) -> None:
    """Two sessions' records in any order, late by any time, with sweeps between: none stays open for ever."""
    gateway_id = new_gateway(home, ["bath"])
    at: dict[str, Any] = {"gateway_id": gateway_id}
    sent = [
        session(number, seq, ends_by="timeout" if seq == 4 else None, **at) for number in (1, 2) for seq in range(5)
    ]
    home.world.clock.ms = began_at = NOON_MS
    home.tell(device(1, gateway_id))
    came: dict[str, int] = {}
    for step in steps:
        if step == "sweep":
            sweep(home)
        elif step == "quarter":
            home.world.clock.ms += SILENT_AFTER_MS
        else:
            record = sent[int(step)]
            assert home.collect(message(record, received_at=began_at + int(step))) == []
            came[record.session_id] = max(record.seq, came.get(record.session_id, 0))
    for _ in range(2):
        home.world.clock.ms += 2 * SILENT_AFTER_MS
        sweep(home)
    for session_id, seq in came.items():
        kept = home.world.parts.store.sessions.get(cloud_id(gateway_id, session_id)) or {}
        assert (kept["seq"], kept["endedBy"]) == (seq, "timeout" if seq == 4 else "gateway_lost")
        assert "openGatewayId" not in kept
