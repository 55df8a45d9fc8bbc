"""A computer that nobody owns becomes somebody's gateway, and what it records is read by them and nobody else."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from tests.cloud.deployed.home import Deployed, Home
from tests.cloud.deployed.lived_in import a_decision, a_session

from spotty_contract.records import SessionRecord
from spotty_contract.registering import CLAIM_SECRET_HEADER, ClaimOpened, ClaimSeen, ClaimStanding
from spotty_contract.topics import Kind


@dataclass(frozen=True)
class Computer:
    """A Pi with its key, and the claim that it has opened."""

    deployed: Deployed
    key: Path
    request: str
    claim: ClaimOpened

    def standing(self, secret: str | None = None) -> tuple[int, ClaimStanding | None]:
        """What it is told of its claim; nobody's secret but its own is any good."""
        headers = {CLAIM_SECRET_HEADER: self.claim.secret if secret is None else secret}
        answer = self.deployed.ask("GET", f"/devices/claims/{self.claim.claim_id}", **headers)
        if answer.status != requests.codes.ok:
            return answer.status, None
        return answer.status, ClaimStanding.model_validate_json(answer.text)


@pytest.fixture
def computer(deployed: Deployed, request: pytest.FixtureRequest) -> Computer:
    """Just unpacked."""
    key, csr = deployed.key_and_request(f"pi-{abs(hash(request.node.name))}")
    answer = deployed.ask("POST", "/devices/claims", {"csr": csr})
    assert answer.status == requests.codes.created, answer
    claim = ClaimOpened.model_validate_json(answer.text)
    deployed.secrets.add(claim.secret)
    return Computer(deployed, key, csr, claim)


def confirms(deployed: Deployed, token: str, **told: object) -> ClaimSeen | int:
    """What the owner sees who enters a code; the status where it is refused."""
    answer = deployed.ask("POST", "/devices/claims/confirm", told, token)
    return ClaimSeen.model_validate_json(answer.text) if answer.status == requests.codes.ok else answer.status


def claimed(deployed: Deployed, computer: Computer, name: str) -> Home:
    """The home of somebody who has entered the code, compared the fingerprint and confirmed."""
    person, claim = deployed.person(name), computer.claim
    seen = confirms(deployed, person.id_token, code=claim.code)
    assert isinstance(seen, ClaimSeen)
    assert (seen.fingerprint, seen.gateway_id) == (claim.fingerprint, None)
    assert computer.standing() == (requests.codes.ok, ClaimStanding(state="waiting"))
    done = confirms(deployed, person.id_token, code=claim.code.replace("-", ""), fingerprint=seen.fingerprint)
    assert isinstance(done, ClaimSeen)
    _, standing = computer.standing()
    assert standing is not None
    assert standing.registered is not None
    given = standing.registered
    assert given.gateway_id == done.gateway_id
    assert (given.data_endpoint, given.data_port) == (deployed.aws.mqtt.host, deployed.aws.mqtt.port)
    certificate = deployed.connects_with(given.model_dump(by_alias=True), computer.key)
    return Home(deployed, person, certificate, computer.request)


def test_a_claim_becomes_a_gateway_and_its_records_are_read(deployed: Deployed, computer: Computer, bob: Home) -> None:
    """Claim, code, certificate, mutual TLS, batches as the uplink packs them, rule, queue, ingest, table, API."""
    carol = claimed(deployed, computer, "carol")
    sensor_id = carol.adds_sensor("bath")["sensorId"]
    now_ms = time.time_ns() // 1_000_000
    visits = [a_session(carol, now_ms - number * 900_000, number) for number in range(40)]
    with carol.edge() as edge:
        assert edge.is_in()
        edge.tells(Kind.SESSION, *visits)
        edge.tells(Kind.MOTION, *(a_decision(carol, now_ms - number * 1000, number) for number in range(40)))
    deployed.until(lambda: len(carol.gets("/sessions")["sessions"]) == len(visits))
    deployed.until(lambda: len(carol.gets(f"/sensors/{sensor_id}/decisions")["decisions"]) == len(visits))
    told = carol.gets("/sessions")["sessions"]
    assert [one["sessionId"] for one in told] == [f"{carol.gateway_id}.{one.session_id}" for one in visits]
    assert told[0] == _as_told(carol, visits[0], sensor_id)
    totals = carol.gets("/analytics")["totals"]
    assert totals == {"sessions": 40, "durationS": 24_000.0, "motions": 280, "withMusic": 40}
    assert carol.gets(f"/gateways/{carol.gateway_id}")["lastSeenAt"] >= now_ms - 1000
    assert bob.gets("/sessions")["sessions"] == []
    assert bob.ask("GET", f"/sessions?sensorId={sensor_id}").status == requests.codes.not_found


def _as_told(home: Home, record: SessionRecord, sensor_id: str) -> dict[str, object]:
    kept = record.model_dump(mode="json", by_alias=True, exclude={"schema_version", "seq"})
    return {
        **kept,
        "sessionId": f"{home.gateway_id}.{record.session_id}",
        "sensorId": sensor_id,
        "device": {"name": kept["device"]["name"], "type": "Speaker"},
        "status": "timeout",
    }


def test_a_later_word_of_a_session_holds_in_whatever_order(deployed: Deployed, ada: Home) -> None:
    """Opened, changed, closed; delivered the wrong way round and twice: it is closed."""
    ada.adds_sensor("bath")
    now_ms = time.time_ns() // 1_000_000
    opened = a_session(ada, now_ms, seq=1, endedBy=None, endTime=None, motionEventsCount=1)
    changed, closed = a_session(ada, now_ms, seq=2, endedBy=None, endTime=None), a_session(ada, now_ms)
    with ada.edge() as edge:
        for record in (changed, closed, opened, closed, changed):
            edge.tells(Kind.SESSION, record)
        edge.tells(Kind.SESSION, a_session(ada, now_ms + 1, 2))
    deployed.until(lambda: len(ada.gets("/sessions")["sessions"]) == 2)
    last = ada.gets("/sessions")["sessions"][-1]
    assert (last["status"], last["endTime"], last["motionEventsCount"]) == ("timeout", now_ms, 7)


def test_a_claim_is_nobody_else_s(deployed: Deployed, computer: Computer, ada: Home, bob: Home) -> None:
    """Once Ada has confirmed it, Bob's entering the code finds none; without the secret nobody has the certificate."""
    token = ada.person.id_token
    claim = computer.claim
    other = ":".join(["0000"] * 8)
    assert confirms(deployed, token, code=claim.code, fingerprint=other) == requests.codes.conflict
    assert isinstance(confirms(deployed, token, code=claim.code, fingerprint=claim.fingerprint), ClaimSeen)
    assert confirms(deployed, bob.person.id_token, code=claim.code) == requests.codes.not_found
    taken = deployed.ask("POST", "/devices/register", {"csr": computer.request}, bob.person.id_token)
    assert taken.status == requests.codes.conflict
    assert computer.standing("x" * 43) == (requests.codes.not_found, None)
    assert computer.standing("") == (requests.codes.not_found, None)
    assert computer.standing()[0] == requests.codes.ok


def test_the_same_key_again_is_the_same_gateway(ada: Home) -> None:
    """A Pi that lost the answer asks once more: no second thing, no second certificate."""
    again = ada.ask("POST", "/devices/register", {"csr": ada.request})
    assert again.status == requests.codes.ok
    assert again.body["gatewayId"] == ada.gateway_id
    assert again.body["certificatePem"] == ada.gateway.certificate.read_text()


def test_five_wrong_codes_are_enough(deployed: Deployed, computer: Computer) -> None:
    """The sixth is not looked up, though it were the right one."""
    person = deployed.person("mallory")
    wrong = [confirms(deployed, person.id_token, code=f"BCDF-BCD{letter}") for letter in "BCDFGH"]
    assert wrong == [requests.codes.not_found] * 5 + [requests.codes.too_many_requests]
    locked = confirms(deployed, person.id_token, code=computer.claim.code)
    assert locked == requests.codes.too_many_requests
