"""The function ends before any of its changes in AWS: nothing does harm until the same request comes and heals it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.cloud.registry import CrashError, NewKey, Registry, new_key
from tests.cloud.world import ADA, BOB

from spotty_cloud.errors import ConflictError
from spotty_cloud.registration.joining import new_gateway_id
from spotty_cloud.registration.signing import read_request
from spotty_cloud.rooms import former
from spotty_cloud.store import LEAVING

_MOST_CALLS = 30


def breaks_before(registry: Registry, number: int, key: NewKey, gateway_id: str | None) -> bool:
    """Register the key, or deregister its gateway, but for all changes from this one on; False where there are none."""
    registry.fuse.left = number
    try:
        if gateway_id is None:
            registry.desk().register(ADA, key.csr, None)
        else:
            registry.desk().deregister(ADA, gateway_id)
    except CrashError:
        return True
    finally:
        registry.fuse.left = None
    return False


def of_key(registry: Registry, key: NewKey) -> tuple[dict[str, object], dict[str, object]]:
    """What leads from the key to its gateway, and the gateway."""
    rows = registry.rows()
    pointer = rows[f"key#{read_request(key.csr).sha256}"]
    return pointer, rows[pointer["thing"]]


def test_a_registration_that_broke_off_anywhere_is_finished_by_the_same_request(registry: Registry) -> None:
    """Whichever call was the last: no certificate in use without a row; asked again, one whole gateway, no second."""
    broken, lost = 0, 0
    for number in range(_MOST_CALLS):
        key, before = new_key(), registry.certificates()
        if not breaks_before(registry, number, key, None):
            break
        broken += 1
        assert registry.strays() == []
        answer = registry.register(key.csr)
        assert (answer.status, registry.register(key.csr).body) == (200, answer.body)
        pointer, row = of_key(registry, key)
        assert (pointer["owner"], row["userId"], "registeredAt" in row) == (ADA, ADA, True)
        arn = str(row["certificateArn"])
        attached = registry.iot.list_attached_policies(target=arn)["policies"]
        assert {one["policyName"] for one in attached} == set(registry.kind.policies)
        assert registry.iot.list_thing_principals(thingName=row["gatewayId"])["principals"] == [arn]
        after = registry.certificates()
        assert after[arn] == "ACTIVE"
        unknown = after.keys() - before.keys() - {arn}
        assert {after[one] for one in unknown} <= {"INACTIVE"}
        lost += len(unknown)
    assert broken == 9
    assert lost == 1, "between making a certificate and noting it, and nowhere else"
    assert registry.strays() == []


def test_a_deregistration_that_broke_off_anywhere_is_finished_by_the_same_request(registry: Registry) -> None:
    """Whichever call was the last: what nobody owns is out of use; asked again, nothing is left; once more, 404."""
    broken = 0
    for number in range(_MOST_CALLS):
        key = new_key()
        gateway_id = str(registry.register(key.csr).body["gatewayId"])
        _furnish(registry, gateway_id)
        arn = str(registry.rows()[gateway_id]["certificateArn"])
        if not breaks_before(registry, number, key, gateway_id):
            break
        broken += 1
        rows = registry.rows()
        row = rows.get(gateway_id)
        if row is None or "userId" not in row:
            assert registry.certificates().get(arn) != "ACTIVE"
        if row is not None:
            # Whoever deletes all that is theirs must find what has only begun to leave.
            of_owner = {ADA, former(ADA)} & {one.get("userId") for id_, one in rows.items() if id_.endswith(gateway_id)}
            assert of_owner or broken == 16, "unless nothing is left but its row"
            assert registry.ask("DELETE", f"/gateways/{gateway_id}", user=BOB).status == 404
            assert registry.ask("DELETE", f"/gateways/{gateway_id}").status == 204
        _check_gone(registry, gateway_id, arn, key)
        assert registry.ask("DELETE", f"/gateways/{gateway_id}").status == 404
    assert broken == 16
    assert registry.strays() == []


def _furnish(registry: Registry, gateway_id: str) -> None:
    """A sensor with settings, and an open session."""
    wiring = '{"sensors":[{"id":"bath","name":"Bath","inputs":[{"id":"pir","pin":17}]}]}'
    registry.store.gateways.put({**registry.rows()[gateway_id], "wiring": wiring, "online": "online#1"})
    registry.store.sensors.put({"sensorId": f"{gateway_id}.bath", "userId": ADA, "gatewayId": gateway_id})
    session = {"sessionId": f"{gateway_id}.s1", "sensorId": f"{gateway_id}.bath", "userId": ADA, "startTime": 1000}
    registry.store.sessions.put({**session, "openGatewayId": gateway_id, "status": "active", "lastMotionTime": 2000})
    for name in ("gateway", "sensor-bath"):
        registry.shadows.update_thing_shadow(thingName=gateway_id, shadowName=name, payload=b'{"state":{"desired":{}}}')


def _check_gone(registry: Registry, gateway_id: str, arn: str, key: NewKey) -> None:
    rows = registry.rows()
    assert not {gateway_id, f"{LEAVING}{gateway_id}", f"key#{read_request(key.csr).sha256}"} & rows.keys()
    assert gateway_id not in registry.things()
    assert arn not in registry.certificates()
    for policy in registry.kind.policies:
        assert arn not in registry.iot.list_targets_for_policy(policyName=policy)["targets"]
    for name in ("gateway", "sensor-bath"):
        with pytest.raises(registry.shadows.exceptions.ResourceNotFoundException):
            registry.shadows.get_thing_shadow(thingName=gateway_id, shadowName=name)
    sensor = registry.store.sensors.get(f"{gateway_id}.bath") or {}
    assert (sensor["userId"], sensor["deletedAt"]) == (f"deleted#{ADA}", registry.clock.ms)
    session = registry.store.sessions.get(f"{gateway_id}.s1") or {}
    assert "openGatewayId" not in session
    assert [session[one] for one in ("userId", "status", "endedBy", "endTime")] == [ADA, "ended", "gateway_lost", 2000]


def test_many_requests_for_one_key_make_one_gateway(registry: Registry) -> None:
    """At once as one after the other: one answer, one certificate in use, and none left over."""
    key, before = new_key(), registry.certificates()
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: registry.desk().register(ADA, key.csr, None), range(6)))
    assert len({one.to_json() for one in answers}) == 1
    made = {arn: status for arn, status in registry.certificates().items() if arn not in before}
    assert list(made.values()) == ["ACTIVE"]


def test_a_gateway_that_is_leaving_is_not_registered_meanwhile(registry: Registry) -> None:
    """The same key waits until all is gone, then it is a new gateway."""
    key = new_key()
    gateway_id = str(registry.register(key.csr).body["gatewayId"])
    number = 0
    while "leavingOf" not in registry.rows()[gateway_id]:
        number += 1
        breaks_before(registry, number, key, gateway_id)
    refused = registry.register(key.csr)
    assert (refused.status, gateway_id in refused.error["message"]) == (409, True)
    assert registry.ask("DELETE", f"/gateways/{gateway_id}").status == 204
    assert registry.register(key.csr).body["gatewayId"] != gateway_id


@pytest.mark.parametrize("begun", [1, 2, 4], ids=["a row", "a thing", "a certificate"])
def test_a_registration_overtaken_by_leaving_leaves_nothing(registry: Registry, begun: int) -> None:
    """A request that was held up until its gateway had been deregistered is refused, and what it made is gone."""
    key = new_key()
    breaks_before(registry, begun, key, None)
    pointer, row = of_key(registry, key)
    assert registry.ask("DELETE", f"/gateways/{pointer['thing']}").status == 204
    before = registry.certificates()
    with pytest.raises(ConflictError, match="deregistered meanwhile"):
        registry.desk().joining._complete(ADA, row, read_request(key.csr))
    assert registry.certificates() == before
    assert registry.strays() == []


def test_a_certificate_activated_behind_leaving_s_back_is_taken_out_of_use_again(registry: Registry) -> None:
    """Registering is held up before it activates, leaving breaks off at each of its changes: nobody's is in use."""
    seen = 0
    for number in range(_MOST_CALLS):
        key = new_key()
        gone: list[str] = []

        def leave(number: int = number, key: NewKey = key, gone: list[str] = gone, **_: object) -> None:
            if not gone:
                gone.append(str(of_key(registry, key)[0]["thing"]))
                breaks_before(registry, number, key, gone[0])

        events = registry.desk().joining.iot.meta.events
        events.register("before-call.iot.UpdateCertificate", leave)
        registry.register(key.csr)
        events.unregister("before-call.iot.UpdateCertificate", leave)
        row = registry.rows().get(gone[0])
        if row is None:
            break
        if "userId" not in row:
            seen += 1
            assert registry.certificates().get(str(row["certificateArn"])) != "ACTIVE"
        assert registry.ask("DELETE", f"/gateways/{gone[0]}").status == 204
    assert seen > 3
    assert registry.strays() == []


def test_a_row_that_was_taken_away_by_hand_blocks_no_key(registry: Registry) -> None:
    """Its key becomes a new gateway."""
    key = new_key()
    gateway_id = str(registry.register(key.csr).body["gatewayId"])
    registry.store.gateways.delete_many([gateway_id])
    again = registry.register(key.csr)
    assert (again.status, again.body["gatewayId"] != gateway_id) == (200, True)


def test_names_of_gateways_leave_nothing_to_guess() -> None:
    """Twelve letters by chance behind the name."""
    assert len({new_gateway_id() for _ in range(1000)}) == 1000
