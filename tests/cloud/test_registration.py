import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from tests.cloud.registry import CLAIM_LASTS_MS, NewKey, Registry, new_key
from tests.cloud.world import ADA, BOB
from tests.sandbox.aws.device import PATIENCE_S, Device

from spotty_cloud.attributes import attributes_of
from spotty_cloud.errors import NotFoundError, RefusedError, TooManyTriesError, UnavailableError
from spotty_cloud.store import MOST_GATEWAYS
from spotty_contract.registering import ClaimOpened, ClaimSeen, ClaimStanding, Registered
from spotty_sandbox.aws import GatewayCertificate


def certificate_of(registered: Registered, key: NewKey, folder: Path) -> GatewayCertificate:
    """What the Pi writes."""
    paths = [folder / name for name in ("ca.pem", "own.pem", "own.key")]
    for path, content in zip(
        paths, (registered.root_ca_pem.encode(), registered.certificate_pem.encode(), key.key_pem), strict=True
    ):
        path.write_bytes(content)
    return GatewayCertificate(registered.gateway_id, paths[0], paths[1], paths[2], "")


def test_a_gateway_is_claimed_and_connects_with_what_it_is_given(registry: Registry, tmp_path: Path) -> None:
    """Claim, code and fingerprint, confirmation, certificate; and with that the broker lets it in under its name."""
    key = new_key()
    opened = registry.ask("POST", "/devices/claims", {"csr": key.csr}, user=None)
    claim = ClaimOpened.from_json(_json(opened.body))
    assert (opened.status, claim.expires_at) == (201, registry.clock.ms + CLAIM_LASTS_MS)
    assert registry.poll(opened.body).body == {"state": "waiting", "registered": None}

    looked = registry.ask("POST", "/devices/claims/confirm", {"code": claim.code.replace("-", "")})
    assert looked.body == {"fingerprint": claim.fingerprint, "expiresAt": claim.expires_at, "gatewayId": None}
    assert registry.poll(opened.body).body["state"] == "waiting"

    confirmed = registry.confirm(opened.body, name="The flat")
    assert confirmed.status == 200, confirmed.body
    standing = registry.poll(opened.body)
    assert standing.body == registry.poll(opened.body).body
    registered = Registered.model_validate(ClaimStanding.from_json(_json(standing.body)).registered)
    gateway_id = ClaimSeen.from_json(_json(confirmed.body)).gateway_id
    assert registered.gateway_id == gateway_id
    assert re.fullmatch(r"spotty-[a-z0-9]{12}", registered.gateway_id)
    assert x509.load_pem_x509_certificate(registered.certificate_pem.encode()).public_key() == _public(key)
    assert (registered.region, registered.data_endpoint) == ("us-east-1", "127.0.0.1")
    assert registered.credentials_endpoint is registered.role_alias is None
    row = registry.store.gateways.get(registered.gateway_id) or {}
    assert (row["userId"], row["name"], row["registeredAt"]) == (ADA, "The flat", registry.clock.ms)
    thing = registry.iot.describe_thing(thingName=registered.gateway_id)
    assert thing["thingTypeName"] == registry.kind.thing_type
    attached = registry.iot.list_attached_policies(target=row["certificateArn"])["policies"]
    assert {one["policyName"] for one in attached} == set(registry.kind.policies)

    mine = certificate_of(registered, key, tmp_path)
    assert (registry.aws.mqtt.host, registry.aws.mqtt.port) == (registered.data_endpoint, registered.data_port)
    with Device(registry.aws.mqtt, mine, registered.gateway_id) as device:
        assert device.connected.get(timeout=PATIENCE_S)
        device.say(f"sensors/{registered.gateway_id}/gateway/status", b"{}")


def test_who_has_left_is_not_let_in(registry: Registry, tmp_path: Path) -> None:
    """Deregistered, and the broker knows the certificate no more."""
    key = new_key()
    registered = Registered.from_json(_json(registry.register(key.csr).body))
    mine = certificate_of(registered, key, tmp_path)
    with Device(registry.aws.mqtt, mine, registered.gateway_id) as device:
        assert device.connected.get(timeout=PATIENCE_S)
    assert registry.ask("DELETE", f"/gateways/{registered.gateway_id}").status == 204
    with Device(registry.aws.mqtt, mine, registered.gateway_id) as device:
        device.ended.get(timeout=PATIENCE_S)
        assert device.connected.empty()


def test_the_same_key_is_the_same_gateway(registry: Registry) -> None:
    """Registered again by its owner, in whichever way, it is answered the same; its name counts the first time."""
    key = new_key()
    first = registry.register(key.csr, name="The flat")
    assert (first.status, registry.register(key.csr, name="The house").body) == (200, first.body)
    claim = registry.claim(key.csr)
    assert registry.confirm(claim).body["gatewayId"] == first.body["gatewayId"]
    assert registry.poll(claim).body["registered"] == first.body
    assert (registry.store.gateways.get(first.body["gatewayId"]) or {})["name"] == "The flat"


def test_a_key_has_one_owner(registry: Registry) -> None:
    """Somebody else's key is refused, in one step and by a claim, and nothing is told of its gateway."""
    key = new_key()
    mine = registry.register(key.csr).body
    claim = registry.claim(key.csr)
    for refused in (registry.register(key.csr, user=BOB), registry.confirm(claim, BOB)):
        assert (refused.status, refused.error["code"]) == (409, "conflict")
        assert mine["gatewayId"] not in str(refused.body)
    assert registry.poll(claim).body["state"] == "waiting"


def test_nobody_registers_without_end(registry: Registry) -> None:
    """As many as a list shows, then no more: each would be a thing, a certificate and a row for ever."""
    key = new_key()
    registry.register(key.csr, user="eve-many")
    rows = [attributes_of({"gatewayId": f"spotty-many{n}", "userId": "eve-many"}) for n in range(MOST_GATEWAYS - 1)]
    for start in range(0, len(rows), 25):
        some: Any = [{"PutRequest": {"Item": row}} for row in rows[start : start + 25]]
        registry.aws.client("dynamodb").batch_write_item(RequestItems={registry.store.gateways.name: some})
    before, claim = registry.things(), registry.claim(new_key().csr)
    for refused in (registry.register(new_key().csr, user="eve-many"), registry.confirm(claim, "eve-many")):
        assert (refused.status, "deregister one first" in refused.error["message"]) == (409, True)
    assert registry.things() == before
    assert registry.register(key.csr, user="eve-many").status == 200


def test_a_code_is_for_one_owner(registry: Registry) -> None:
    """Once confirmed it is no code for anybody else, and for its owner still the same answer."""
    claim = registry.claim(new_key().csr)
    mine = registry.confirm(claim)
    assert (registry.confirm(claim, BOB).status, registry.confirm(claim).body) == (404, mine.body)
    looked = registry.ask("POST", "/devices/claims/confirm", {"code": claim["code"]}, user=BOB)
    assert looked.status == 404


def test_another_fingerprint_is_refused(registry: Registry) -> None:
    """What the owner compares is what becomes theirs, or nothing does."""
    claim = registry.claim(new_key().csr)
    refused = registry.confirm(claim, fingerprint="0000:1111:2222:3333:4444:5555:6666:7777")
    assert (refused.status, registry.poll(claim).body["state"]) == (409, "waiting")
    assert registry.confirm(claim).status == 200


@pytest.mark.parametrize("wrong", ["", "x", "\u00fc", "A" * 43])
def test_only_its_secret_opens_a_claim(registry: Registry, wrong: str) -> None:
    """Another secret, no secret, another id: there is no such claim."""
    claim = registry.claim(new_key().csr)
    assert registry.poll(claim, wrong).status == 404
    assert registry.ask("GET", f"/devices/claims/{claim['claimId']}", user=None).status == 404
    assert registry.poll({**claim, "claimId": f"{claim['claimId']}x"}).status == 404
    assert registry.poll({**claim, "claimId": "confirm"}).status == 404


def test_a_claim_runs_out_by_the_clock(registry: Registry) -> None:
    """After ten minutes neither code nor secret is good for anything, whenever DynamoDB deletes them."""
    waiting, confirmed = registry.claim(new_key().csr), registry.claim(new_key().csr)
    assert registry.confirm(confirmed).status == 200
    registry.clock.ms += CLAIM_LASTS_MS - 1
    assert [registry.poll(one).status for one in (waiting, confirmed)] == [200, 200]
    registry.clock.ms += 1
    assert [registry.poll(one).status for one in (waiting, confirmed)] == [404, 404]
    assert registry.confirm(waiting).status == 404
    item = registry.claims.get(waiting["claimId"]) or {}
    assert item["ttl"] == registry.clock.ms // 1000 + 1


def test_a_claim_that_is_deleted_meanwhile_does_not_come_back(registry: Registry) -> None:
    """DynamoDB may delete it between looking and binding: then there is none, and no item that nothing ever deletes."""
    opened = registry.claim(new_key().csr)
    claims = registry.desk().claims
    claim = claims.of_code(opened["code"], ADA)
    registry.claims.delete_many([claim["claimId"]])
    with pytest.raises(NotFoundError):
        claims.bind(claim, ADA)
    assert registry.claims.get(claim["claimId"]) is None


def test_the_table_of_claims_holds_no_secret(registry: Registry) -> None:
    """Neither the code nor the secret of a claim, in any item."""
    claim = registry.claim(new_key().csr)
    items = str(registry.aws.client("dynamodb").scan(TableName=registry.claims.name)["Items"])
    assert claim["claimId"] in items
    assert claim["secret"] not in items
    assert claim["code"] not in items
    assert claim["code"].replace("-", "") not in items


def test_no_two_open_claims_have_one_code(registry: Registry) -> None:
    """A code that is taken is not given again; where none is free, that is said."""
    registry.codes = ["BBBBBBBB", "BBBBBBBB", "CCCCCCCC"]
    assert [registry.claim(new_key().csr)["code"] for _ in range(2)] == ["BBBB-BBBB", "CCCC-CCCC"]
    registry.codes = ["BBBBBBBB"] * 4
    refused = registry.ask("POST", "/devices/claims", {"csr": new_key().csr}, user=None)
    assert (refused.status, refused.error["code"]) == (503, "unavailable")


def test_five_wrong_codes_lock_for_ten_minutes(registry: Registry) -> None:
    """The sixth is not even looked up, be it right; it is said for how long; nobody else is locked; then it is over."""
    claim, eve = registry.claim(new_key().csr), "eve-wrong"
    for number in range(5):
        asked = {"code": f"BCDF-222{number + 2}"}
        assert registry.ask("POST", "/devices/claims/confirm", asked, user=eve).status == 404
        registry.clock.ms += 1000
    locked = registry.confirm(claim, eve)
    assert (locked.status, locked.error["code"], locked.error["details"]) == (429, "locked", {"retryAfterS": 599})
    assert registry.confirm(claim, BOB).status == 200
    again = registry.claim(new_key().csr)
    registry.clock.ms += 598_999
    assert registry.confirm(again, eve).status == 429
    registry.clock.ms += 1
    fresh = registry.claim(new_key().csr)
    assert registry.confirm(fresh, eve).status == 200


def test_a_code_of_one_s_own_forgives_no_guess(registry: Registry) -> None:
    """A good code gives back its own try and no other: else a guesser would confirm a claim of theirs in between."""
    own, eve = registry.claim(new_key().csr), "eve-own"
    for _ in range(4):
        assert registry.ask("POST", "/devices/claims/confirm", {"code": "BCDF-2345"}, user=eve).status == 404
    for _ in range(3):
        assert registry.ask("POST", "/devices/claims/confirm", {"code": own["code"]}, user=eve).status == 200
    assert registry.ask("POST", "/devices/claims/confirm", {"code": "BCDF-2345"}, user=eve).status == 404
    assert registry.ask("POST", "/devices/claims/confirm", {"code": own["code"]}, user=eve).status == 429


def test_many_guesses_at_once_are_no_way_around(registry: Registry) -> None:
    """Each is counted before it is looked up: of twenty at once no more than five are."""

    def guess(number: int) -> type[Exception] | None:
        try:
            registry.desk().confirm("eve-many", f"BCDF-{2222 + number}", None, None)
        except RefusedError as refused:
            return type(refused)
        return None

    with ThreadPoolExecutor(10) as threads:
        told = list(threads.map(guess, range(20)))
    assert set(told) <= {NotFoundError, TooManyTriesError, UnavailableError}
    assert 1 <= told.count(NotFoundError) <= 5


@pytest.mark.parametrize("deleted", [False, True])
def test_a_certificate_out_of_use_stays_so(registry: Registry, deleted: bool) -> None:
    """Whoever looks after the account may take a stolen gateway's away: registering it again does not bring it back."""
    key = new_key()
    gateway_id = registry.register(key.csr).body["gatewayId"]
    arn = (registry.store.gateways.get(gateway_id) or {})["certificateArn"]
    registry.iot.update_certificate(certificateId=arn.rpartition("/")[2], newStatus="INACTIVE")
    if deleted:
        registry.iot.detach_thing_principal(thingName=gateway_id, principal=arn)
        registry.iot.delete_certificate(certificateId=arn.rpartition("/")[2], forceDelete=True)
    refused = registry.register(key.csr)
    assert (refused.status, "deregister" in refused.error["message"]) == (409, True)
    assert registry.confirm(registry.claim(key.csr)).status == 409
    assert registry.certificates().get(arn) == (None if deleted else "INACTIVE")
    assert registry.ask("DELETE", f"/gateways/{gateway_id}").status == 204


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


def _public(key: NewKey) -> object:
    return x509.load_pem_x509_csr(key.csr.encode()).public_key()
