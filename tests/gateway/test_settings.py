import json
from pathlib import Path

import pytest

from spotty_gateway.settings import BadSettingsError, read_settings


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
