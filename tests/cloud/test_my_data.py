from tests.cloud.world import NOON_MS, World

from spotty_cloud.rooms import former
from spotty_cloud.store import LEAVING
from spotty_cloud.tables import Change, apply

EVE, HOUSE = "eve-0003", "spotty-house0000003"


def test_all_of_a_person_s_data_goes_when_they_go(world: World) -> None:
    """Exported page by page; refused while a gateway would play on; then nothing is left but that they were here."""
    world.put_gateway(HOUSE, EVE)
    for name, pin in (("den", 1), ("loft", 2)):
        made = {"gatewayId": HOUSE, "id": name, "name": name, "inputs": [{"id": "pir", "pin": pin}]}
        assert world.ask("POST", "/sensors", made, user=EVE).status == 201
    assert world.ask("DELETE", f"/sensors/{HOUSE}.loft", user=EVE).status == 204
    world.ask("PUT", "/users/me", {"displayName": "Eve"}, user=EVE)
    for number in range(3):
        one = {
            "userId": EVE,
            "sensorId": f"{HOUSE}.den",
            "startTime": NOON_MS + number,
            "sessionId": f"{HOUSE}.s{number}",
        }
        world.parts.store.sessions.put(one)
        event = {"userId": EVE, "sensorId": f"{HOUSE}.den", "timestamp": NOON_MS, "eventId": f"{HOUSE}.e{number}"}
        world.parts.store.events.put(event)

    first = world.ask("GET", "/users/me/export", user=EVE, query={"limit": "2"}).body
    rest = world.ask("GET", "/users/me/export", user=EVE, query={"cursor": first["nextCursor"]}).body
    assert first["user"]["displayName"] == "Eve"
    assert [one["sensorId"] for one in first["sensors"]] == [f"{HOUSE}.den", f"{HOUSE}.loft"]
    assert len(first["sessions"] + rest["sessions"]) == 3

    assert world.ask("DELETE", "/users/me", user=EVE).status == 409
    apply(Change(world.parts.store.gateways, HOUSE, {"userId": None}, {}))
    leaving = Change(world.parts.store.gateways, f"{LEAVING}{HOUSE}", {"userId": former(EVE)}, {})
    apply(leaving)
    refused = world.ask("DELETE", "/users/me", user=EVE)
    assert (refused.status, f"DELETE /gateways/{HOUSE}" in refused.error["message"]) == (409, True)
    world.parts.store.gateways.delete_many([leaving.key])
    assert world.ask("DELETE", "/users/me", user=EVE).body == {"records": 6, "complete": True}
    gone = world.ask("GET", "/users/me/export", user=EVE).body
    assert (gone["sensors"], gone["sessions"], gone["gateways"]) == ([], [], [])
    assert gone["user"] == {"userId": EVE, "deletedAt": NOON_MS}
    assert world.parts.store.events.get(f"{HOUSE}.e0") is None
    assert world.ask("DELETE", "/users/me", user=EVE).body == {"records": 0, "complete": True}
