import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from awsiot.greengrasscoreipc import model
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from hypothesis import given
from hypothesis import strategies as st
from tests.sandbox.nucleus.workbench import PATIENCE_S, STEADY, Events, client_v2, running

from spotty_sandbox.nucleus import ConfigurationError, Nucleus, Update
from spotty_sandbox.nucleus.configuration import Configuration

FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)


def watch(component: GreengrassCoreIPCClientV2, path: list[str] | None = None) -> Events:
    """Subscribe to the configuration; the updates."""
    events = Events()
    component.subscribe_to_configuration_update(key_path=path, stream_handler=events)
    return events


def paths(events: Events, count: int) -> list[list[str]]:
    """The key paths of the next updates."""
    return [events.next().configuration_update_event.key_path for _ in range(count)]


def test_values_are_read_by_key_path(nucleus: Nucleus) -> None:
    """A map comes as it is, anything else with its key; scalars of a YAML recipe are strings on lite."""
    strings = nucleus.profile.name == "lite"
    with client_v2(nucleus) as component:
        room = {"name": "Bath", "delayS": "300" if strings else 300}
        assert component.get_configuration(key_path=["room"]).value == room
        assert component.get_configuration(key_path=["room", "name"]).value == {"name": "Bath"}
        assert component.get_configuration(key_path=["quiet"]).value == {"quiet": "true" if strings else True}
        whole = component.get_configuration()
        assert (whole.component_name, whole.value["room"]) == ("com.example.Hello", room)
        for path in (["Room"], ["room", "name", "x"], ["nowhere"]):
            with pytest.raises(model.ResourceNotFoundError):
                component.get_configuration(key_path=path)
        with pytest.raises(model.ResourceNotFoundError):
            component.get_configuration(component_name="com.example.Other", key_path=["room"])


def test_a_deployment_s_changes_are_told(nucleus: Nucleus) -> None:
    """Each changed leaf, to those who watch it or what it stands in; types stay as the deployment gave them."""
    with client_v2(nucleus) as component:
        everything, room, pin = watch(component), watch(component, ["room"]), watch(component, ["pin"])
        nucleus.set_configuration({"room": {"delayS": 60}, "new": {"a": 1}})
        assert paths(everything, 2) == [["room", "delayS"], ["new", "a"]]
        assert paths(room, 1) == [["room", "delayS"]]
        nucleus.set_configuration({"pin": 4})
        assert paths(pin, 1) == paths(everything, 1) == [["pin"]]
        assert component.get_configuration(key_path=["room", "delayS"]).value == {"delayS": 60}
        nucleus.set_configuration(reset=["/room", "/new"])
        assert sorted(paths(everything, 2)) == [["new", "a"], ["room", "delayS"]]
        with pytest.raises(model.ResourceNotFoundError):
            component.get_configuration(key_path=["new", "a"])
        nucleus.set_configuration(reset=[""])
        assert paths(everything, 1) == [["pin"]]
        assert nucleus.configuration() == nucleus.recipe.defaults
        with pytest.raises(model.ResourceNotFoundError):
            watch(component, ["nowhere"])


def test_a_component_writes_its_own(nucleus: Nucleus) -> None:
    """It merges; lite tells of every leaf written, classic of those that changed."""
    with client_v2(nucleus) as component:
        events = watch(component)
        told = component.get_configuration(key_path=["room", "name"]).value
        component.update_configuration(key_path=["room"], value_to_merge={**told, "delayS": 5}, timestamp=FUTURE)
        expected = [["room", "name"], ["room", "delayS"]] if nucleus.profile.name == "lite" else [["room", "delayS"]]
        assert paths(events, len(expected)) == expected
        assert nucleus.configuration()["room"] == {"name": "Bath", "delayS": 5}


def test_an_older_write_changes_nothing(nucleus: Nucleus) -> None:
    """What has a newer timestamp stays: silently on lite, with an error on classic."""
    nucleus.set_configuration({"pin": 5})
    with client_v2(nucleus) as component:
        if nucleus.profile.name == "lite":
            component.update_configuration(key_path=["pin"], value_to_merge=6, timestamp=PAST)
        else:
            with pytest.raises(model.FailedUpdateConditionCheckError):
                component.update_configuration(key_path=["pin"], value_to_merge=6, timestamp=PAST)
    assert nucleus.configuration()["pin"] == 5


@pytest.mark.parametrize(
    "arguments",
    [
        {"value_to_merge": {"a": 1}},
        {"timestamp": PAST},
        {"value_to_merge": 5, "timestamp": PAST},
        {"key_path": ["accessControl", "x"], "value_to_merge": 5, "timestamp": PAST},
    ],
)
def test_bad_writes_are_refused(nucleus: Nucleus, arguments: dict[str, Any]) -> None:
    """A value and a timestamp are needed, and accessControl is out of reach."""
    with client_v2(nucleus) as component, pytest.raises(model.InvalidArgumentsError):
        component.update_configuration(**arguments)


def test_configuration_outlives_the_nucleus(tmp_path: Path) -> None:
    """What was changed is there after a restart; an update on start comes on top."""
    with running(tmp_path, "classic") as nucleus:
        nucleus.set_configuration({"pin": 4, "extra": [1, 2]})
    with running(tmp_path, "classic", update=Update({"late": 1}, ["/pin"])) as nucleus:
        found = nucleus.configuration()
    assert (found["pin"], found["extra"], found["late"]) == (17, [1, 2], 1)


def test_a_new_recipe_adds_its_keys(tmp_path: Path) -> None:
    """What was deployed stays, and so does what was removed, until a recipe has other defaults."""
    file = tmp_path / "kept.json"
    configuration = Configuration({"a": 1, "b": {"c": 2}}, file)
    configuration.deploy(Update({"b": 3}))
    assert Configuration({"a": 1, "b": {"c": 2}}, file).tree == {"a": 1, "b": 3}
    assert Configuration({"a": 9, "new": True}, file).tree == {"a": 1, "b": 3, "new": True}


def test_an_empty_map_takes_nothing_away(nucleus: Nucleus) -> None:
    """Merging in {} changes no more than merging in nothing."""
    before = nucleus.configuration()
    with client_v2(nucleus) as component:
        component.update_configuration(value_to_merge={"room": {}}, timestamp=FUTURE)
    assert nucleus.configuration() == before


def test_a_spoilt_file_is_said(tmp_path: Path) -> None:
    """A kept configuration that cannot be read is one clear line, not a crash later."""
    with running(tmp_path, "lite") as nucleus:
        nucleus.set_configuration({"pin": 4})
    (tmp_path / "gg" / "config" / "com.example.Hello.json").write_text("{")
    with pytest.raises(ConfigurationError, match="delete it"), running(tmp_path, "lite"):
        pass


def in_background(do: Callable[[], Any]) -> Future[Any]:
    """Do it on another thread."""
    outcome: Future[Any] = Future()

    def run() -> None:
        try:
            outcome.set_result(do())
        except ConfigurationError as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome


def test_classic_lets_a_component_validate(classic: Nucleus) -> None:
    """It sees what is to come; what it rejects does not become the configuration."""
    with client_v2(classic) as component:
        events = Events()
        component.subscribe_to_validate_configuration_updates(stream_handler=events)
        for pin, status in (
            (3, model.ConfigurationValidityStatus.ACCEPTED),
            (99, model.ConfigurationValidityStatus.REJECTED),
        ):
            deploying = in_background(partial(classic.set_configuration, {"pin": pin}))
            asked = events.next().validate_configuration_update_event
            assert asked.configuration["pin"] == pin
            report = model.ConfigurationValidityReport(status=status, message="no such pin", deployment_id="local")
            component.send_configuration_validity_report(configuration_validity_report=report)
            if status == "ACCEPTED":
                deploying.result(PATIENCE_S)
            else:
                with pytest.raises(ConfigurationError, match="no such pin"):
                    deploying.result(PATIENCE_S)
        assert classic.configuration()["pin"] == 3
        with pytest.raises(model.InvalidArgumentsError):
            component.send_configuration_validity_report(
                configuration_validity_report=model.ConfigurationValidityReport(status="ACCEPTED", deployment_id="x")
            )


keys = st.sampled_from(["a", "b", "c"])
trees = st.recursive(st.integers(0, 3), lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=6)
maps = st.dictionaries(keys, trees, max_size=3)


@STEADY
@given(maps, st.lists(maps, min_size=1, max_size=4))
def test_a_reset_undoes_any_merges(defaults: dict[str, Any], merges: list[dict[str, Any]]) -> None:
    """What was merged is kept in the file, and a reset of everything is the recipe's default again."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "kept.json"
        configuration = Configuration(defaults, file)
        for one in merges:
            configuration.deploy(Update(one))
            assert all(configuration.tree[key] == one[key] for key in one if not isinstance(one[key], dict))
        assert Configuration(defaults, file).tree == configuration.tree
        configuration.deploy(Update(reset=["/"]))
        assert configuration.tree == defaults
