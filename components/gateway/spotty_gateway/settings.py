"""What whoever installs the gateway decides, once. What the residents want is a policy and stands elsewhere."""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from spotty_contract.wire import faults_of

Url = Annotated[str, Field(pattern=r"^https?://[^/]+$")]


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
    on_stop: Literal["leave", "pause"] = "leave"
    clock: Literal["kernel", "assume_trusted"] = "kernel"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

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
        faults = [f"{path}: {fault}" for fault in faults_of(error, "settings file")]
        bad = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
    if "pinFactory" in bad:  # a guess would look for pins where there are none, and hide what is wrong
        raise BadSettingsError("; ".join(faults))
    try:
        found = json.loads(content)
        settings = Settings.model_validate({name: one for name, one in found.items() if name not in bad})
    except (ValueError, AttributeError):  # pydantic's error is a ValueError; a list has no items
        raise BadSettingsError("; ".join(faults)) from None
    return settings, [f"{fault}; it is left out" for fault in faults]
