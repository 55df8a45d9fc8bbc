"""What lies in the dead letter queue is told and sent again: each of the three that put something there."""

import base64
import json
import zlib
from collections.abc import Callable, Iterator

import pytest
from tests.cloud.ingesting import Ingest, decision, ingest_of, message, raw_message, session
from tests.cloud.world import HOME, NOON_MS, World

from spotty_cloud.redrive.__main__ import main
from spotty_cloud.redrive.queues import Queues
from spotty_cloud.redrive.waiting import read_waiting
from spotty_contract.topics import Kind
from spotty_sandbox.aws import LocalAws

GOOD = decision(1).to_json().encode()
NEWER = decision(2).to_json().encode().replace(b'"schemaVersion":1', b'"schemaVersion":2')
MIXED = raw_message(b"\x01" + zlib.compress(b"\n".join([GOOD, NEWER, b"{}"])), HOME, "bath", Kind.MOTION)
FAILED_RULE = {
    "ruleName": "SessionRule",
    "topic": f"sensors/{HOME}/bath/session",
    "cloudwatchTraceId": "5f0a",
    "clientId": HOME,
    "base64OriginalPayload": base64.b64encode(session(7, 3).to_json().encode()).decode(),
    "failures": [
        {"failedAction": "SqsAction", "failedResource": "queue", "errorMessage": "Failed to send", "errorCode": 1}
    ],
}


@pytest.fixture(scope="module")
def home(local_aws: LocalAws, world: World) -> Ingest:
    """Ada's home."""
    return ingest_of(local_aws, world, "redrive")


@pytest.fixture
def queues(home: Ingest) -> Iterator[Queues]:
    """Both, empty again in the end."""
    made = Queues(home.sqs, home.dead_url, home.records_url, wait_s=0)
    yield made
    made.let_go()
    home.letters()
    home.bodies(home.records_url)


def put_there(home: Ingest, *bodies: str) -> None:
    """Into the dead letter queue."""
    for body in bodies:
        home.sqs.send_message(QueueUrl=home.dead_url, MessageBody=body)


def test_only_the_records_that_failed_are_sent_again(home: Ingest, queues: Queues) -> None:
    """The letter goes once the queue has its copy; what still cannot be read comes back, alone."""
    assert home.collect(MIXED) == []
    (found,) = queues.look(10)
    assert (found.origin, found.topic, found.lines) == ("ingest", f"sensors/{HOME}/bath/motion", (1, 2))
    assert found.why == ("unknown_version", "unreadable")
    assert queues.send([found]) == set()
    (again,) = home.bodies(home.records_url)
    assert json.loads(again)["lines"] == [1, 2]
    home.world.parts.store.events.delete_many([f"{HOME}.bath-r1-e1"])
    assert home.collect(again) == []
    assert home.event("bath-r1-e1") is None
    (letter,) = home.letters()
    assert [one["line"] for one in letter["faults"]] == [1, 2]


def test_what_was_nobody_s_is_kept_once_it_is_somebody_s(home: Ingest, queues: Queues) -> None:
    """A letter about a whole message is sent as it was."""
    gateway_id = "spotty-late00000001"
    text = message(session(1, 1, gateway_id=gateway_id))
    assert home.collect(text) == []
    home.world.parts.store.gateways.put({"gatewayId": gateway_id, "userId": "ada"})
    (found,) = queues.look(10)
    assert (found.why, found.lines, found.gateway_id) == (("nobodys",), None, gateway_id)
    assert queues.send([found]) == set()
    assert home.bodies(home.records_url) == [text]
    assert home.collect(text) == []
    assert home.world.parts.store.sessions.get(f"{gateway_id}.bath-r1-1") is not None


def test_what_sqs_and_rules_put_there_is_understood(home: Ingest, queues: Queues) -> None:
    """A raw message is sent as it is, a rule's as the rule would have written it; both are collected then."""
    put_there(home, message(session(8, 1)), json.dumps(FAILED_RULE))
    found = {one.origin: one for one in queues.look(10)}
    assert (found["queue"].why, found["rule"].why) == (("not_collected",), ("rule_failed",))
    assert found["rule"].reasons == ("SessionRule: Failed to send",)
    assert queues.send(list(found.values())) == set()
    assert home.collect(*home.bodies(home.records_url)) == []
    assert (home.session("bath-r1-8")["seq"], home.session("bath-r1-7")["seq"]) == (1, 3)


@pytest.mark.parametrize(
    "body, why",
    [
        ("nonsense", ("strange",)),
        ("[1]", ("strange",)),
        ('{"letter":2}', ("strange",)),
        (json.dumps({**FAILED_RULE, "topic": "somewhere/else"}), ("rule_failed", "strange")),
        (
            json.dumps({**FAILED_RULE, "topic": f"$aws/things/{HOME}/shadow/name/gateway/get"}),
            ("rule_failed", "strange"),
        ),
    ],
)
def test_what_is_nothing_of_ours_is_told_and_never_sent(body: str, why: tuple[str, ...]) -> None:
    """Whoever put it there."""
    found = read_waiting("m", body, NOON_MS)
    assert (found.why, found.text, found.gateway_id) == (why, None, "")
    assert found.reasons


def test_what_was_cut_cannot_be_sent(home: Ingest, queues: Queues) -> None:
    """Half a message is worse than none."""
    assert home.collect('"' * 200_000) == []
    (found,) = queues.look(10)
    assert (found.text, "too_long" in found.why) == (None, True)


def test_what_is_not_taken_stays(home: Ingest, queues: Queues) -> None:
    """Nothing is deleted before the queue has its copy."""
    put_there(home, message(session(8, 1)))
    lame = Queues(home.sqs, home.dead_url, home.records_url + "-gone", wait_s=0)
    found = lame.look(10)
    with pytest.raises(home.sqs.exceptions.QueueDoesNotExist):
        lame.send(found)
    lame.let_go()
    assert len(queues.look(10)) == 1


@pytest.fixture
def command(local_aws: LocalAws, home: Ingest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command, told where AWS is as a person tells it."""
    said = {
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AWS_DEFAULT_REGION": local_aws.region,
        **local_aws.credentials().variables(),
    }
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    urls = ["--dead-letters", home.dead_url, "--records", home.records_url]
    return lambda *arguments: main([*arguments, *urls])


def test_the_command(
    home: Ingest, queues: Queues, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """It lists, and does nothing without --yes; what cannot be sent is an exit status; what is dropped is gone."""
    put_there(home, message(session(8, 1)), "nonsense")
    assert command("--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(one["origin"] for one in told) == ["queue", "unknown"]
    assert not {"text", "message"} & told[0].keys()
    assert command("send", "--gateway", HOME) == 0
    assert "would send 1 of these 1" in capsys.readouterr().err
    assert home.bodies(home.records_url) == []
    assert command("send", "--yes") == 1
    assert f"sensors/{HOME}/bath/session  not_collected" in capsys.readouterr().out
    assert home.bodies(home.records_url) == [message(session(8, 1))]
    assert command("drop", "--why", "strange", "--yes") == 0
    assert queues.look(10) == []


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize("arguments", [["--stack", "none"], ["--records", "http://127.0.0.1/queue"]])
def test_the_command_says_when_it_cannot_ask(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and a status of its own."""
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
