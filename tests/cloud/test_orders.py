import pytest
from tests.cloud.world import ADA, HOME, World

from spotty_cloud.tables import Change, apply
from spotty_contract.commands import ConnectSpotify, TestPlay, read_command
from spotty_contract.results import CommandResult, ConnectLink

SENSOR = f"{HOME}.bath"
REDIRECT = "https://dashboard.example/spotify"


@pytest.fixture(scope="module", autouse=True)
def ada_s_bath(world: World) -> None:
    """A sensor, and a gateway that was heard of just now."""
    made = {"gatewayId": HOME, "id": "bath", "name": "Bath", "inputs": [{"id": "pir", "pin": 17}]}
    assert world.ask("POST", "/sensors", made).status == 201
    apply(Change(world.parts.store.gateways, HOME, {"lastSeenAt": world.clock.ms}, {}))


def answer(world: World, command_id: str, **more: object) -> None:
    """The gateway's result, as ingest leaves it."""
    result = CommandResult.model_validate(
        {
            "gateway_id": HOME,
            "sensor_id": "gateway",
            "clock_trusted": True,
            "command_id": command_id,
            "command": "connect_spotify",
            "timestamp": world.clock.ms,
            "outcome": "done",
            **more,
        }
    )
    told = result.model_dump(mode="json", exclude_none=True)
    apply(Change(world.parts.store.commands, command_id, {"result": told}, {}))


def connecting(world: World) -> str:
    """A consent that waits for its answer, with the state `s+1`."""
    given = world.ask("POST", "/spotify/connect", {"gatewayId": HOME, "redirectUri": REDIRECT}).body
    link = "https://accounts.spotify.com/authorize?client_id=x&state=s%2B1&scope=y"
    expires_at = world.clock.ms + 600_000
    answer(world, given["commandId"], connect=ConnectLink(link=link, redirect_uri=REDIRECT, expires_at=expires_at))
    return str(given["commandId"])


def test_a_command_waits_and_then_has_a_result(world: World) -> None:
    """202 with an id; by it: waiting, done with the result, or expired."""
    given = world.ask("POST", f"/sensors/{SENSOR}/snooze", {"forS": 60})
    path = f"/commands/{given.body['commandId']}"
    assert given.body["expiresAt"] == world.clock.ms + 600_000
    assert world.ask("GET", path).body["state"] == "waiting"
    world.clock.ms += 600_000
    assert world.ask("GET", path).body["state"] == "expired"
    world.clock.ms -= 600_000
    answer(world, given.body["commandId"], command="snooze")
    done = world.ask("GET", path).body
    assert (done["state"], done["result"]["outcome"]) == ("done", "done")


def test_what_makes_a_sound_lasts_half_a_minute(world: World) -> None:
    """Music that starts later frightens people."""
    given = world.ask("POST", "/spotify/test", {"sensorId": SENSOR, "device": {"name": "Bath"}, "forS": 5})
    assert given.body["expiresAt"] == world.clock.ms + 30_000


def test_what_is_sent_is_what_a_gateway_reads(world: World) -> None:
    """The contract's own reader takes each command where it was sent."""
    sent: list[tuple[str, bytes]] = []

    class Wire:
        """The line down, listened to: the local AWS keeps no message that nobody has subscribed to."""

        def publish(self, *, topic: str, qos: int, payload: bytes) -> None:
            assert qos == 1
            sent.append((topic, payload))

    orders = type(world.parts.orders)(world.parts.store, Wire(), world.clock.now_ms)  # type: ignore[arg-type]  # by hand
    orders.to_sensor(ADA, SENSOR, "test_play", volume_pct=20)
    orders.to_gateway(ADA, HOME, "connect_spotify", redirect_uri=REDIRECT)
    (topic, play), (other_topic, connect) = sent
    assert (topic, other_topic) == (f"sensors/{HOME}/bath/commands", f"sensors/{HOME}/gateway/commands")
    assert isinstance(read_command(play, "bath"), TestPlay)
    assert isinstance(read_command(connect, "gateway"), ConnectSpotify)


def test_spotify_s_answer_is_handed_on_once_and_kept_nowhere(world: World) -> None:
    """With the state of the link; a second time there is nothing to answer."""
    body = {"answer": {"commandId": connecting(world), "state": "s+1", "code": "the-secret-code"}}
    given = world.ask("POST", "/spotify/connect", body)
    assert given.status == 202
    for command_id in (body["answer"]["commandId"], given.body["commandId"]):
        assert "the-secret-code" not in str(world.parts.store.commands.get(command_id))
    assert world.ask("POST", "/spotify/connect", body).status == 404


@pytest.mark.parametrize(
    "change, status",
    [
        ({"state": "another"}, 422),
        ({"commandId": "c-unknown"}, 404),
        ({"code": None}, 422),
        ({"error": "access_denied"}, 422),
        ({"stateful": "the-secret-code"}, 422),
        ({"state": 7}, 422),
    ],
)
def test_a_wrong_answer_is_refused_and_repeats_nothing(world: World, change: dict[str, object], status: int) -> None:
    """A code in the wrong place is still a code."""
    body = {"commandId": connecting(world), "state": "s+1", "code": "the-secret-code", **change}
    refused = world.ask("POST", "/spotify/connect", {"answer": body})
    assert refused.status == status
    assert "the-secret-code" not in str(refused.body)


def test_an_answer_is_good_for_ten_minutes(world: World) -> None:
    """A consent that lay about is not handed on."""
    command_id = connecting(world)
    world.clock.ms += 600_000
    refused = world.ask("POST", "/spotify/connect", {"answer": {"commandId": command_id, "state": "s+1", "code": "c"}})
    assert refused.status == 404
    world.clock.ms -= 600_000


def test_a_gateway_that_is_silent_gets_no_code(world: World) -> None:
    """The code would be lost; the consent can still be answered when the gateway is back."""
    command_id = connecting(world)
    body = {"answer": {"commandId": command_id, "state": "s+1", "code": "c"}}
    apply(Change(world.parts.store.gateways, HOME, {"lastSeenAt": world.clock.ms - 900_001}, {}))
    refused = world.ask("POST", "/spotify/connect", body)
    assert (refused.status, refused.error["code"]) == (409, "gateway_offline")
    apply(Change(world.parts.store.gateways, HOME, {"lastSeenAt": world.clock.ms}, {}))
    assert world.ask("POST", "/spotify/connect", body).status == 202
