import json
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cloud.world import ADA, BOB, HOME, OTHER_HOME, World

from spotty_cloud.in_step import Shadows
from spotty_cloud.rooms import Wanted
from spotty_cloud.settings_of import merge
from spotty_cloud.tables import Change, apply
from spotty_contract.policy import Policy
from spotty_contract.shadow import Rejection, Reported

STEADY = settings(deadline=None, derandomize=True)
_PINS = count()


def new(name: str, **more: object) -> dict[str, object]:
    """A sensor to make."""
    return {"gatewayId": HOME, "id": name, "name": name.title(), "inputs": [{"id": "pir", "pin": next(_PINS)}], **more}


def test_a_new_sensor_is_in_the_table_and_in_both_shadows(world: World) -> None:
    """Making a sensor asks the gateway for its policy and for watching its inputs."""
    made = world.ask("POST", "/sensors", new("washroom", policy={"vacancyDelayS": 600}))
    assert made.status == 201
    assert made.body["sensorId"] == f"{HOME}.washroom"
    assert made.body["settings"] == {
        "version": 1,
        "state": "pending",
        "answeredVersion": None,
        "answeredAt": None,
        "rejections": [],
    }
    assert world.policy(HOME, "washroom") == (1, {"vacancyDelayS": 600})
    listed = json.loads(world.desired(HOME, "gateway")["policy"])
    assert [one["id"] for one in listed["sensors"]] == ["washroom"]
    assert world.ask("GET", f"/sensors/{HOME}.washroom").body == made.body


def test_a_second_sensor_of_one_id_is_refused(world: World) -> None:
    """Nobody overwrites a sensor by making it again."""
    assert world.ask("POST", "/sensors", new("twice")).status == 201
    again = world.ask("POST", "/sensors", new("twice"))
    assert (again.status, again.error["code"]) == (409, "conflict")


def test_one_pin_serves_one_sensor(world: World) -> None:
    """What would not fit into the gateway's list changes nothing, and is told in words."""
    taken = new("first-on-pin")
    assert world.ask("POST", "/sensors", taken).status == 201
    second = world.ask("POST", "/sensors", {**taken, "id": "second-on-pin"})
    assert second.status == 422
    assert "is used twice" in second.error["message"]
    assert world.ask("GET", f"/sensors/{HOME}.second-on-pin").status == 404


def test_the_earlier_names_are_taken(world: World) -> None:
    """Minutes become seconds, and one window of quiet hours a list of one."""
    earlier = {
        "motionDebounceMinutes": 2,
        "timeoutMinutes": 10.5,
        "playlistUri": "spotify:playlist:37i9dQZF1DX0XUsuxWHRQd",
        "quietHours": {"startTime": "22:00", "endTime": "07:00", "days": [0, 1]},
    }
    policy = world.ask("POST", "/sensors", new("earlier", **earlier)).body["policy"]
    assert (policy["holdOffS"], policy["vacancyDelayS"]) == (120, 630)
    assert policy["quietHours"] == [{"start": "22:00", "end": "07:00", "days": [0, 1]}]
    assert policy["playback"]["contextUri"] == "spotify:playlist:37i9dQZF1DX0XUsuxWHRQd"
    both = world.ask("PUT", f"/sensors/{HOME}.earlier", {"timeoutMinutes": 5, "policy": {"vacancyDelayS": 300}})
    assert both.status == 422
    assert "keep one" in both.error["message"]


def test_a_speaker_s_id_is_looked_up_in_the_gateway_s_list(world: World) -> None:
    """The policy names the speaker; an id that the gateway never told is refused."""
    speaker = {"name": "Bath", "type": "Speaker", "id": "abc", "isActive": False, "isRestricted": False}
    apply(Change(world.parts.store.gateways, HOME, {"devices": [speaker]}, {}))
    made = world.ask("POST", "/sensors", new("speaker", spotifyDeviceId="abc"))
    assert made.body["policy"]["playback"]["device"] == {"name": "Bath", "type": "Speaker", "id": "abc"}
    assert world.ask("PUT", f"/sensors/{HOME}.speaker", {"spotifyDeviceId": "xyz"}).status == 422


def test_a_change_is_partial_and_null_takes_the_default(world: World) -> None:
    """What is not given stays, within the playback too."""
    world.ask("POST", "/sensors", new("partial", policy={"cooldownS": 5, "playback": {"volumePct": 30, "fadeInS": 2}}))
    path = f"/sensors/{HOME}.partial"
    changed = world.ask("PUT", path, {"policy": {"cooldownS": None, "playback": {"volumePct": 20}}, "name": "Other"})
    assert changed.status == 200
    assert json.loads(world.desired(HOME, "partial")["policy"]) == {"playback": {"volumePct": 20, "fadeInS": 2}}
    assert (changed.body["name"], changed.body["version"]) == ("Other", 2)
    assert changed.body["policy"]["cooldownS"] == 0


def test_a_change_from_an_old_version_is_a_conflict(world: World) -> None:
    """Two people who change one sensor do not undo each other's work unseen."""
    world.ask("POST", "/sensors", new("versions"))
    path = f"/sensors/{HOME}.versions"
    assert world.ask("PUT", path, {"version": 1, "policy": {"cooldownS": 1}}).status == 200
    late = world.ask("PUT", path, {"version": 1, "policy": {"cooldownS": 2}})
    assert (late.status, late.error["details"]) == (409, {"currentVersion": 2})
    assert world.ask("GET", path).body["policy"]["cooldownS"] == 1


def test_the_gateway_s_answer_is_seen(world: World) -> None:
    """Pending until this very version is answered; then applied, or rejected with the reason."""
    world.ask("POST", "/sensors", new("answered"))
    path = f"/sensors/{HOME}.answered"
    world.report(HOME, "answered", Reported(1, "applied"))
    settings = world.ask("GET", path).body["settings"]
    assert (settings["state"], settings["answeredVersion"]) == ("applied", 1)
    assert settings["answeredAt"] is not None
    assert world.ask("PUT", path, {"policy": {"cooldownS": 9}}).body["settings"]["state"] == "pending"
    why = Rejection(field="playback.device", value="Bath", bound="a speaker that there is")
    world.report(HOME, "answered", Reported(2, "rejected", (why,)))
    settings = world.ask("GET", path).body["settings"]
    assert settings["state"] == "rejected"
    assert settings["rejections"] == [{"field": "playback.device", "value": "Bath", "bound": "a speaker that there is"}]


def test_a_crash_between_table_and_shadow_heals(world: World) -> None:
    """What was written and not sent is sent by the next who looks."""
    world.ask("POST", "/sensors", new("crashed"))
    item = world.parts.store.sensors.get(f"{HOME}.crashed")
    assert item is not None
    apply(
        Change(world.parts.store.sensors, item["sensorId"], {"policy": '{"cooldownS":7}', "version": 2}, {"version": 1})
    )
    assert world.desired(HOME, "crashed")["v"] == 1
    assert world.ask("GET", "/sensors").status == 200
    assert world.policy(HOME, "crashed") == (2, {"cooldownS": 7})


def test_a_slow_writer_does_not_put_an_old_setting_over_a_new_one(world: World) -> None:
    """The shadow never goes back, whoever comes late."""
    world.ask("POST", "/sensors", new("race"))
    world.ask("PUT", f"/sensors/{HOME}.race", {"policy": {"cooldownS": 3}})
    shadows = world.parts.rooms.shadows
    assert isinstance(shadows, Shadows)
    shadows.in_step(HOME, "race", Policy(), 1)
    assert world.policy(HOME, "race") == (2, {"cooldownS": 3})


def test_a_writer_who_is_overtaken_looks_again(world: World) -> None:
    """Between the look and the write somebody newer was there: AWS refuses the older one, and it gives way."""
    world.ask("POST", "/sensors", new("overtaken"))
    client: Any = world.parts.rooms.shadows.client
    newer = Policy(cooldown_s=3)

    class Overtaken:
        """The real client of a writer who is slow once."""

        exceptions = client.exceptions
        get_thing_shadow = staticmethod(client.get_thing_shadow)

        def update_thing_shadow(self, **asked: object) -> None:
            Shadows(client).in_step(HOME, "overtaken", newer, 3)
            client.update_thing_shadow(**asked)

    slow: Any = Overtaken()
    Shadows(slow).in_step(HOME, "overtaken", Policy(cooldown_s=2), 2)
    assert world.policy(HOME, "overtaken") == (3, {"cooldownS": 3})


def test_nobody_s_change_is_lost_when_many_change_at_once(world: World) -> None:
    """Four fields by four people in one moment: all four are in the table and in the shadow."""
    world.ask("POST", "/sensors", new("crowd"))
    fields = ("cooldownS", "warmUpS", "quietGraceS", "startRetryS")
    together = Barrier(len(fields))

    def change(name: str) -> None:
        together.wait()
        world.parts.rooms.change(ADA, f"{HOME}.crowd", Wanted(policy={name: 7}))

    with ThreadPoolExecutor(len(fields)) as pool:
        list(pool.map(change, fields))
    assert world.policy(HOME, "crowd") == (5, dict.fromkeys(fields, 7))
    assert world.ask("GET", f"/sensors/{HOME}.crowd").body["version"] == 5


def test_a_version_is_never_used_again(world: World) -> None:
    """A table that was restored, or emptied for a new owner, does not ask for what the gateway takes for old."""
    world.ask("POST", "/sensors", new("restored"))
    world.report(HOME, "restored", Reported(1, "applied"))
    world.ask("PUT", f"/sensors/{HOME}.restored", {"policy": {"cooldownS": 1}})
    world.parts.store.sensors.delete_many([f"{HOME}.restored"])
    made = world.ask("POST", "/sensors", new("restored", policy={"cooldownS": 2}))
    assert made.body["version"] == 3
    assert world.policy(HOME, "restored") == (3, {"cooldownS": 2})


def test_a_deleted_sensor_is_disarmed_and_gone(world: World) -> None:
    """Its policy is disabled, its inputs unwatched, nobody finds it; twice is as good as once; its id is free again."""
    world.ask("POST", "/sensors", new("gone"))
    path = f"/sensors/{HOME}.gone"
    assert world.ask("DELETE", path).status == 204
    assert world.policy(HOME, "gone") == (2, {"enabled": False})
    assert "gone" not in world.desired(HOME, "gateway")["policy"]
    assert world.ask("GET", path).status == 404
    assert world.ask("PUT", path, {"name": "x"}).status == 404
    assert path not in json.dumps(world.ask("GET", "/sensors").body)
    assert world.ask("DELETE", path).status == 204
    assert world.ask("DELETE", path, user=BOB).status == 404
    assert world.ask("POST", "/sensors", new("gone")).body["version"] == 3


def test_what_does_not_fit_a_shadow_is_refused_in_words(world: World) -> None:
    """A policy that would be lost on its way is not stored either."""
    window = {
        "start": "22:00",
        "end": "07:00",
        "days": [0, 1, 2, 3, 4, 5, 6],
        "contextUri": f"spotify:playlist:{'x' * 400}",
    }
    refused = world.ask("POST", "/sensors", new("large", policy={"schedule": [window] * 5}))
    assert refused.status == 422
    assert "bytes" in refused.error["message"]
    assert world.ask("GET", f"/sensors/{HOME}.large").status == 404


@pytest.mark.parametrize(
    "wrong, field",
    [
        ({"policy": {"vacancyDelayS": False}}, "policy.vacancyDelayS"),
        ({"policy": {"vacancyDelayS": "300"}}, "policy.vacancyDelayS"),
        ({"policy": {"vacancyDelay": 300}}, "policy.vacancyDelay"),
        ({"policy": {"playback": {"volumePct": 101}}}, "policy.playback.volumePct"),
        ({"policy": []}, "policy"),
        ({"colour": "red"}, "colour"),
        ({"timeoutMinutes": True}, "timeoutMinutes"),
        ({"userId": BOB}, "userId"),
        ({"version": 1}, "body"),
        ({}, "body"),
    ],
)
def test_input_is_strict(world: World, wrong: dict[str, object], field: str) -> None:
    """No guess is made: the field is named, with what is allowed."""
    world.ask("POST", "/sensors", new("strict"))
    refused = world.ask("PUT", f"/sensors/{HOME}.strict", wrong)
    assert (refused.status, refused.error["code"]) == (422, "invalid")
    assert [one["field"] for one in refused.error["details"]] == [field]


def test_pages_are_stable_while_sensors_are_made(world: World) -> None:
    """Page by page each sensor is seen once, whatever comes in meanwhile."""
    world.put_gateway("spotty-pages", "eve", timezone="UTC")
    for number in range(5):
        made = {"gatewayId": "spotty-pages", "id": f"s{number}", "name": "x", "inputs": [{"id": "a", "pin": number}]}
        assert world.ask("POST", "/sensors", made, user="eve").status == 201
    first = world.ask("GET", "/sensors", user="eve", query={"limit": "2"}).body
    early = {"gatewayId": "spotty-pages", "id": "a-first-one", "name": "x", "inputs": [{"id": "a", "pin": 9}]}
    world.ask("POST", "/sensors", early, user="eve")
    seen, cursor = first["sensors"], first["nextCursor"]
    while cursor:
        page = world.ask("GET", "/sensors", user="eve", query={"limit": "2", "cursor": cursor}).body
        seen, cursor = seen + page["sensors"], page["nextCursor"]
    assert [one["sensorId"] for one in seen] == [f"spotty-pages.s{number}" for number in range(5)]
    stolen = world.ask("GET", "/sensors", user=BOB, query={"cursor": first["nextCursor"]})
    assert (stolen.status, stolen.error["code"]) == (400, "malformed")


def test_nobody_makes_a_sensor_on_another_s_gateway(world: World) -> None:
    """A foreign gateway is none at all."""
    foreign = {"gatewayId": OTHER_HOME, "id": "spy", "name": "x", "inputs": [{"id": "a", "pin": 1}]}
    assert world.ask("POST", "/sensors", foreign, user=ADA).status == 404


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.sampled_from("abc"), _JSON, max_size=3)


@STEADY
@given(_OBJECTS, _OBJECTS)
def test_a_partial_update_changes_what_it_names_and_nothing_else(
    old: dict[str, object], patch: dict[str, object]
) -> None:
    """Fields that are not named stay, null removes, and doing it twice is as good as once."""
    merged = merge(old, patch)  # type: ignore[arg-type]  # any JSON
    assert {name: merged.get(name) for name in old.keys() - patch.keys()} == {
        name: old[name] for name in old.keys() - patch.keys()
    }
    assert all(name not in merged for name, value in patch.items() if value is None)
    assert merge(merged, patch) == merged  # type: ignore[arg-type]  # any JSON
