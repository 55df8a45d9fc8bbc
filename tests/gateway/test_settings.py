import json
import stat
from pathlib import Path

import pytest
import yaml

from spotty_gateway.settings import (
    LIVE,
    BadSettingsError,
    Changes,
    Settings,
    changes,
    in_force,
    read_configuration,
    read_settings,
    write_settings,
)

WORK = Path("/work-folder")


def written(folder: Path, content: object) -> Path:
    """A settings file with this in it."""
    path = folder / "settings.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_all_settings_may_be_strings(tmp_path: Path) -> None:
    """Greengrass makes strings of YAML's scalars: they are taken for what they mean."""
    path = written(tmp_path, {"dataDir": "/data", "pinFactory": "mock", "onStop": "pause", "logLevel": "debug"})
    settings, faults = read_settings(path)
    assert faults == []
    assert (settings.data_dir, settings.pin_factory, settings.on_stop) == (Path("/data"), "mock", "pause")


def test_an_unknown_setting_is_named_and_left_out(tmp_path: Path) -> None:
    """A name that nobody knows is said, and the rest is used."""
    settings, faults = read_settings(written(tmp_path, {"dataDir": "/data", "pinFactroy": "mock"}))
    assert settings.pin_factory == "gpiod"
    assert len(faults) == 1
    assert "pinFactroy: unknown field" in faults[0]


@pytest.mark.parametrize(
    "name, value",
    [("onStop", "paws"), ("spotifyApiUrl", "spotify"), ("logLevel", None), ("clock", [])],
)
def test_a_bad_setting_is_said_and_its_default_used(tmp_path: Path, name: str, value: object) -> None:
    """The line names file, setting and value; music goes on under the default."""
    path = written(tmp_path, {"dataDir": "/data", name: value})
    settings, faults = read_settings(path)
    assert settings == read_settings(written(tmp_path, {"dataDir": "/data"}))[0]
    assert len(faults) == 1
    assert f"{path}: {name}: " in faults[0]
    assert faults[0].endswith("it is left out")


def test_pins_are_not_guessed(tmp_path: Path) -> None:
    """A wrong pin factory is said as such: falling back to another would only say that there are no pins."""
    with pytest.raises(
        BadSettingsError, match='pinFactory: "mokc" is not allowed: it should be gpiod or lgpio or mock'
    ):
        read_settings(written(tmp_path, {"dataDir": "/data", "pinFactory": "mokc"}))


@pytest.mark.parametrize("content", ["", "{", "[]", "5", {}, {"dataDir": 5}, {"onStop": "paws"}])
def test_without_a_data_folder_there_is_nothing_to_go_on_with(tmp_path: Path, content: object) -> None:
    """No JSON, or none that names the data folder: one line, and no guess."""
    with pytest.raises(BadSettingsError) as raised:
        read_settings(written(tmp_path, content))
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    """The line says what to do."""
    with pytest.raises(BadSettingsError, match="name a JSON file with the gateway's settings"):
        read_settings(tmp_path / "none.json")


def test_what_a_nucleus_makes_of_the_recipe_is_understood() -> None:
    """Every scalar a string, as lite has them; "null" and blanks around mean what a person meant by them."""
    found = {
        "dataDir": "data",
        "pinFactory": " mock ",
        "spotifyClientId": "null",
        "spotifyCallsADay": "1500",
        "onStop": "pause",
        "telemetryLevel": "decisions",
        "uplink": "stream_manager",
        "accessControl": {"aws.greengrass.ipc.mqttproxy": {}},
    }
    settings, faults = read_configuration(found, WORK)
    assert faults == []
    assert settings == Settings(
        data_dir=WORK / "data",
        pin_factory="mock",
        spotify_calls_a_day=1500,
        on_stop="pause",
        telemetry_level="decisions",
        uplink="stream_manager",
    )


def test_real_values_are_understood_too() -> None:
    """Classic keeps numbers and nulls as they are."""
    settings, faults = read_configuration({"spotifyCallsADay": 1500, "spotifyClientId": None}, WORK)
    assert (settings.spotify_calls_a_day, settings.spotify_client_id, faults) == (1500, "", [])


@pytest.mark.parametrize("given, found", [("data", WORK / "data"), ("/srv/spotty", Path("/srv/spotty"))])
def test_the_data_folder_lies_where_the_component_may_write(given: str, found: Path) -> None:
    """A relative one in the component's work folder; without one, where the recipe says."""
    assert read_configuration({"dataDir": given}, WORK)[0].data_dir == found
    assert read_configuration({}, WORK)[0].data_dir == WORK / "data"


def test_the_recipe_s_settings_are_ours() -> None:
    """What the recipe has as defaults is known here, and means the same defaults."""
    recipe = yaml.safe_load((Path(__file__).parents[2] / "recipes" / "recipe.yaml").read_text())
    settings, faults = read_configuration(recipe["ComponentConfiguration"]["DefaultConfiguration"], WORK)
    assert faults == []
    assert settings == Settings(data_dir=WORK / "data")


@pytest.mark.parametrize(
    "name, value",
    [
        ("onStop", "paws"),
        ("spotifyCallsADay", "many"),
        ("uplink", ["outbox"]),
        ("streamName", "a/b"),
        ("streamName", ""),
        ("streamKinesis", "arn:aws:kinesis"),
        ("streamPort", "0"),
    ],
)
def test_a_bad_value_leaves_what_was_good(name: str, value: object) -> None:
    """One line that names it; the last good value stays, the default where there was none."""
    default, faults = read_configuration({name: value}, WORK)
    assert default == Settings(data_dir=WORK / "data")
    assert len(faults) == 1
    assert faults[0].startswith(f"component configuration: {name}: ")
    assert faults[0].endswith("; it is not taken")
    last = default.model_copy(
        update={"on_stop": "pause", "spotify_calls_a_day": 500, "uplink": "stream_manager", "pin_factory": "mock"}
    )
    settings, faults = read_configuration({name: value, "pinFactory": "mock"}, WORK, last)
    assert len(faults) == 1
    assert getattr(settings, _python_name(name)) == getattr(last, _python_name(name))


def _python_name(name: str) -> str:
    return next(one for one, field in Settings.model_fields.items() if field.alias == name)


def test_pins_are_not_guessed_there_either_but_what_runs_runs_on() -> None:
    """At the start a wrong pin factory is an error; later the one in use stays."""
    with pytest.raises(BadSettingsError, match='pinFactory: "mokc" is not allowed'):
        read_configuration({"pinFactory": "mokc"}, WORK)
    last = Settings(data_dir=WORK / "data", pin_factory="mock")
    settings, faults = read_configuration({"pinFactory": "mokc"}, WORK, last)
    assert (settings.pin_factory, len(faults)) == ("mock", 1)


def test_each_setting_is_either_live_or_needs_a_restart() -> None:
    """What can change while it runs is named as such, everything else as what it is, by the names people write."""
    old = Settings(data_dir=WORK / "data")
    assert changes(old, old) == Changes((), ())
    new = Settings(
        data_dir=WORK / "other",
        pin_factory="mock",
        spotify_client_id="x",
        on_stop="pause",
        log_level="debug",
        telemetry_level="decisions",
        uplink="stream_manager",
    )
    assert changes(old, new) == Changes(
        live=("onStop", "logLevel", "telemetryLevel"),
        needs_restart=("dataDir", "pinFactory", "spotifyClientId", "uplink"),
    )
    now = in_force(old, new)
    assert changes(old, now).needs_restart == ()
    assert changes(now, new).live == ()
    assert set(Settings.model_fields) >= LIVE


def test_settings_are_kept_for_commands_typed_by_hand(tmp_path: Path) -> None:
    """What was written is a settings file like any other, and means the same."""
    settings = Settings(data_dir=tmp_path / "data", spotify_client_id="x", on_stop="pause")
    assert read_settings(write_settings(settings)) == (settings, [])
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
