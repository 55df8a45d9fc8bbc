from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cloud.ingesting import Ingest, device, ingest_of, session
from tests.cloud.world import ADA, HOME, NOON_MS, World
from tests.effort import IS_WHOLE

from spotty_cloud.scheduled.mail import Mail
from spotty_cloud.scheduled.run import Run
from spotty_cloud.scheduled.sweep import SILENT_AFTER_MS, Sweep
from spotty_contract.records import Record
from spotty_sandbox.aws import LocalAws

MINUTE_MS = 60_000

TOLD: list[Record] = [session(number, seq) for number in range(3) for seq in (1, 2)]
"""What the gateway says of its sessions while they run."""
ENDS: list[Record] = [session(number, 3, ends_by="timeout") for number in range(3)]

deliveries = st.tuples(
    st.sampled_from([*TOLD, *ENDS, device(1), device(2), device(3)]),
    st.integers(0, 20).map(lambda minutes: minutes * MINUTE_MS),  # in the queue
)
waits = st.integers(1, 25).map(lambda minutes: minutes * MINUTE_MS)
steps = st.lists(deliveries | waits | st.just("sweep"), max_size=14)


@pytest.fixture(scope="module")
def ingest(local_aws: LocalAws, world: World) -> Ingest:
    """Over the same tables as the sweep."""
    return ingest_of(local_aws, world, "races")


def begin(world: World) -> None:
    """A gateway that was never heard of, and no session."""
    world.clock.ms = NOON_MS
    world.parts.store.gateways.put({"gatewayId": HOME, "userId": ADA})
    world.parts.store.sessions.delete_many([f"{HOME}.bath-r1-{number}" for number in range(3)])


def sweep(world: World, mail: Mail) -> Run:
    """One run, now."""
    return Sweep(world.parts.store, mail, world.clock.ms, lambda: True).run()


@settings(max_examples=40 if IS_WHOLE else 12)
@given(told=steps, comes_back=st.booleans())
def test_whatever_comes_when_the_rows_end_up_true(
    world: World, mail: Mail, ingest: Ingest, told: list[tuple[Record, int] | int | str], *, comes_back: bool
) -> None:
    """Records in any order, twice, late; sweeps between: a session ends as the gateway said, or is lost, never open.

    If the gateway comes back and tells how all ended, that holds, whatever was given up before.
    """
    begin(world)
    sent: dict[str, int] = {}
    for step in told:
        match step:
            case int():
                world.clock.ms += step
            case str():
                assert sweep(world, mail).failed == 0
            case (record, late_ms):
                ingest.tell(record, received_at=world.clock.ms - late_ms)
                if record in TOLD + ENDS:
                    key, seq = record.session_id, record.seq  # type: ignore[attr-defined]  # a session's
                    sent[key] = max(seq, sent.get(key, 0))
    if comes_back:
        ingest.tell(*ENDS)
        sent = {f"bath-r1-{number}": 3 for number in range(3)}
    world.clock.ms += SILENT_AFTER_MS
    sweep(world, mail)

    for number in range(3):
        row = ingest.session(f"bath-r1-{number}")
        seq = sent.get(f"bath-r1-{number}")
        assert (row is None) == (seq is None)
        if row is not None:
            assert row["seq"] == seq
            assert row["endedBy"] == ("timeout" if seq == 3 else "gateway_lost")
            assert row["endTime"] >= row["lastMotionTime"]
            assert "openGatewayId" not in row
    assert "online" not in ingest.gateway()
    assert sweep(world, mail) == Run()


def test_sweeps_and_records_at_the_same_time_end_up_true(world: World, mail: Mail, ingest: Ingest) -> None:
    """Side by side, as two functions run: what the gateway says last holds, and nothing stays open."""
    for _ in range(8):
        begin(world)
        ingest.tell(device(1), *TOLD)
        world.clock.ms += SILENT_AFTER_MS
        with ThreadPoolExecutor(4) as pool:
            runs = [pool.submit(sweep, world, mail) for _ in range(3)]
            pool.submit(ingest.tell, device(2), *ENDS).result()
        assert [run.result().failed for run in runs] == [0, 0, 0]
        rows = [ingest.session(f"bath-r1-{number}") for number in range(3)]
        assert [(row["endedBy"], "openGatewayId" in row) for row in rows] == [("timeout", False)] * 3
        assert ingest.gateway()["lastSeenAt"] == world.clock.ms
        assert "online" in ingest.gateway()
