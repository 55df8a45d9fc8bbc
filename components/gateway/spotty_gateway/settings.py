"""What whoever installs the gateway decides, once. What the residents want is a policy and stands elsewhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from spotty_contract.wire import faults_of
from spotty_gateway.private import make_private_folder

Url = Annotated[str, Field(pattern=r"^https?://[^/]+$")]


LIVE = frozenset({"on_stop", "log_level", "telemetry_level"})
"""What changes in a gateway that runs. Everything else is built into its parts when it starts."""

RECIPE_DATA_DIR = "data"
_NUCLEUS_S_OWN = {"accessControl"}
"""What stands in a component's configuration and is not for the component."""


class BadSettingsError(Exception):
    """The settings cannot be used; one line says which, where and what to do."""


class Settings(BaseModel):
    """The component configuration. Strings are taken for numbers: Greengrass makes them of YAML scalars."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True)

    data_dir: Path
    """Where policies, tokens, databases and the control socket are kept."""
    pin_factory: Literal["gpiod", "lgpio", "mock"] = "gpiod"
    spotify_client_id: str = ""
    spotify_api_url: Url = "https://api.spotify.com"
    spotify_accounts_url: Url = "https://accounts.spotify.com"
    spotify_calls_a_day: Annotated[int, Field(ge=100, le=1_000_000)] = 2_000
    """The most we allow ourselves, pausing aside; guard.py says why so many."""
    on_stop: Literal["leave", "pause"] = "leave"
    clock: Literal["kernel", "assume_trusted"] = "kernel"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    telemetry_level: Literal["sessions", "decisions"] = "sessions"
    """Whether single motions, counted and refused, leave the house too."""
    uplink: Literal["outbox", "stream_manager"] = "outbox"
    stream_name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_ ,.-]{1,255}$")] = "SpottyPottySense"
    """For `stream_manager` only, like the next two: the stream that records are appended to."""
    stream_kinesis: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{0,128}$")] = ""
    """The Kinesis stream it goes to, if it is we who make it."""
    stream_port: Annotated[int, Field(ge=1, le=65_535)] = 8_088
    """Stream Manager's, on this computer."""
    nucleus: Literal["auto", "lite", "classic"] = "auto"

    @property
    def policies(self) -> Path:
        """The folder of the last good policies."""
        return self.data_dir / "policies"

    @property
    def tokens(self) -> Path:
        """Spotify's tokens."""
        return self.data_dir / "tokens.json"

    @property
    def socket(self) -> Path:
        """The control socket of `spotty status` and its like."""
        return self.data_dir / "spotty.sock"


def read_settings(path: Path) -> tuple[Settings, list[str]]:
    """The settings in a JSON file, and a line for each one that could not be taken: its default is used instead.

    Raises BadSettingsError where there is nothing to go on with: no such file, no JSON, no data folder, no pins.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadSettingsError(f"{path}: {error.strerror}; name a JSON file with the gateway's settings") from error
    try:
        return Settings.model_validate_json(content), []
    except ValidationError as error:
        told = [f"{path}: {fault}" for fault in faults_of(error, "settings file")]
        bad = _fields(error)
    try:
        found = {name: one for name, one in json.loads(content).items() if name not in bad}
    except (ValueError, AttributeError):  # no JSON; a list has no items
        raise BadSettingsError("; ".join(told)) from None
    return _without(bad, found, told), [f"{fault}; it is left out" for fault in told]


def read_configuration(
    found: Mapping[str, Any], folder: Path, last: Settings | None = None
) -> tuple[Settings, list[str]]:
    """The settings in a component configuration, and a line for each one that could not be taken.

    What cannot be taken stays as it was in `last`, else as it is by default. A relative data folder lies in `folder`.
    Raises BadSettingsError where there is nothing to go on with.
    """
    given = {name: value for name, one in found.items() if (value := _meant(one)) is not None}
    given = {"dataDir": RECIPE_DATA_DIR, **{name: one for name, one in given.items() if name not in _NUCLEUS_S_OWN}}
    told: list[str] = []
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        told = [f"component configuration: {fault}" for fault in faults_of(error, "component configuration")]
        bad = _fields(error)
        before = {} if last is None else last.model_dump(by_alias=True)
        kept = {name: before[name] for name in bad & before.keys()}
        settings = _without(bad - kept.keys(), {**given, **kept}, told)
        told = [f"{fault}; it is not taken" for fault in told]
    return settings.model_copy(update={"data_dir": folder / settings.data_dir}), told


def write_settings(settings: Settings) -> Path:
    """Keep them in the data folder, where commands typed by hand find them. Raises OSError."""
    path = settings.data_dir / "settings.json"
    make_private_folder(settings.data_dir)
    fresh = path.with_suffix(".new")
    fresh.write_text(settings.model_dump_json(by_alias=True, exclude_defaults=True, indent=1))
    fresh.replace(path)
    return path


@dataclass(frozen=True, slots=True)
class Changes:
    """What a change of settings means for a gateway that runs, by the settings' own names."""

    live: tuple[str, ...]
    needs_restart: tuple[str, ...]


def changes(old: Settings, new: Settings) -> Changes:
    """What differs, in the order in which the settings stand."""
    names = [name for name in Settings.model_fields if getattr(old, name) != getattr(new, name)]
    return Changes(
        live=tuple(to_camel(name) for name in names if name in LIVE),
        needs_restart=tuple(to_camel(name) for name in names if name not in LIVE),
    )


def in_force(now: Settings, new: Settings) -> Settings:
    """What holds from this moment until the next start."""
    return now.model_copy(update={name: getattr(new, name) for name in LIVE})


def _meant(value: object) -> object:
    """What was meant by a YAML scalar of which a nucleus may have made a string; None where it says nothing."""
    text = value.strip() if isinstance(value, str) else value
    return None if text == "null" else text


def _fields(error: ValidationError) -> set[str]:
    """The settings with a fault; none where the whole is no JSON object."""
    return {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]}


def _without(bad: set[str], found: Mapping[str, Any], told: list[str]) -> Settings:
    if "pinFactory" in bad:  # a guess would look for pins where there are none, and hide what is wrong
        raise BadSettingsError("; ".join(told))
    try:
        return Settings.model_validate({name: one for name, one in found.items() if name not in bad})
    except ValidationError:
        raise BadSettingsError("; ".join(told)) from None
